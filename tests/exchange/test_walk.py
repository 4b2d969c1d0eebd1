"""The three flows, each as one walk in virtual time, over simulated phones."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl

from offhook import app, clock, sids
from offhook.config.settings import Settings
from offhook.exchange.outbound import CallOrder, place_call
from offhook.media.plane import MediaPlane
from offhook.model.account import IncomingPhoneNumber
from offhook.model.fetch import Callback, Script
from offhook.store import records
from offhook.testing.speech import TestVoice
from offhook.testing.voice import Ear
from offhook.webhooks.transport import Incoming, Outgoing

OURS, THEIRS = "+15550100", "+14155550123"


@asynccontextmanager
async def platform(tmp_path: Path, answer: Callable[[dict[str, str]], str]):
    async def send(outgoing: Outgoing) -> Incoming:
        params = dict(parse_qsl(outgoing.body.decode()))
        asked.append((outgoing.url, params))
        return Incoming(200, (("Content-Type", "text/xml"),), answer(params).encode())

    asked: list[tuple[str, dict[str, str]]] = []
    media = await MediaPlane.local(range(20000, 20200))
    parts = app.Parts(media, TestVoice(), send)
    async with app.running(Settings(data=tmp_path), parts) as running:
        await app.open_lines(running)
        at = clock.utc()
        number = IncomingPhoneNumber(
            sids.new("PN"), running.account.sid, "+15550100100", at, at,
            voice_url="http://app.test/voice", sms_url="http://app.test/sms",
            status_callback="http://app.test/status",
        )  # fmt: skip
        await running.exchange.store.write(records.numbers.insert, number)
        yield running, asked


async def test_a_call_comes_in_and_is_spoken_to(tmp_path):
    async with platform(tmp_path, lambda p: "<Response><Say>Hello.</Say></Response>") as (
        it,
        asked,
    ):
        phone = await it.network.call(THEIRS, "+15550100100")
        ear = Ear()
        phone.hear(ear.feed)
        await phone.ended
        assert ear.text == "Hello."
        await it.exchange.settle()
        await it.exchange.notifier.settled()
        assert [url for url, _ in asked] == ["http://app.test/voice", "http://app.test/status"]
        assert asked[0][1]["CallStatus"] == "ringing"
        assert asked[1][1]["CallStatus"] == "completed"


async def test_a_call_is_placed_by_rest(tmp_path):
    async with platform(tmp_path, lambda p: "<Response><Say>Ahoy.</Say></Response>") as (it, asked):
        heard = []

        async def listens(phone):
            ear = Ear()
            phone.hear(ear.feed)
            phone.ring()
            phone.answer()
            await phone.ended
            heard.append(ear.text)

        it.network.phone(THEIRS).behaves(listens)
        everything = Callback(
            "http://app.test/status", "POST", ("initiated", "ringing", "answered", "completed")
        )
        order = CallOrder(
            it.account.sid, THEIRS, "+15550100100", Script("http://app.test/voice"), everything
        )
        call = await place_call(it.exchange, order)
        assert call.status == "queued"
        await it.exchange.settle()
        await it.exchange.notifier.settled()
        assert heard == ["Ahoy."]
        told = [p["CallStatus"] for url, p in asked if url.endswith("status")]
        assert told == ["initiated", "ringing", "in-progress", "completed"]


async def test_a_text_comes_in_and_gets_its_reply(tmp_path):
    reply = "<Response><Message>You said hi</Message></Response>"
    async with platform(tmp_path, lambda p: reply) as (it, asked):
        await it.network.text(THEIRS, "+15550100100", "hi")
        await it.exchange.settle()
        while not it.network.phone(THEIRS).inbox:
            await it.network.phone(THEIRS).news()
        assert [text.body for text in it.network.phone(THEIRS).inbox] == ["You said hi"]
        assert asked[0][1]["Body"] == "hi"
