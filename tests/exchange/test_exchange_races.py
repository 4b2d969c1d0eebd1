"""Whatever crosses whatever: every call ends once, and nothing of it is left behind.

Each run disturbs a call in the middle of things: some steps of the loop after some event of its
story, so that hang-ups and REST requests meet answers, writes to the store and webhooks halfway.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import pytest
import structlog

from offhook.carriers.handset import Handset
from offhook.carriers.simulated import SimulatedNetwork
from offhook.errors import ApiError
from offhook.exchange import control, inbound
from offhook.exchange.exchange import Exchange
from offhook.line.leg import HungUp, Leg
from offhook.model.call import FINAL
from offhook.model.fetch import Script
from offhook.model.journal import Event
from offhook.testing import Offhook, PhoneCall

OURS, CALLER, AGENT, OTHER = "+15550100", "+14155550100", "+14155550111", "+14155550122"
EVENTS = "initiated ringing answered completed"
NUMBER = f'<Number statusCallback="/status" statusCallbackEvent="{EVENTS}"'
DOCUMENTS = [
    '<Gather numDigits="1" timeout="1"><Say>A</Say></Gather><Redirect>/</Redirect>',
    '<Record timeout="1" maxLength="2" playBeep="false" recordingStatusCallback="/recording"/>',
    '<Record timeout="1" maxLength="2" recordingStatusCallbackEvent="in-progress completed absent"'
    ' recordingStatusCallback="/recording"/>',
    f'<Dial action="/">{NUMBER}>{AGENT}</Number></Dial>',
    f'<Dial action="/" timeout="5">{NUMBER}>{AGENT}</Number>{NUMBER}>{OTHER}</Number></Dial>',
    f'<Dial action="/" referUrl="/">{NUMBER}>{AGENT}</Number></Dial>',
    f'<Dial action="/" sequential="true" timeout="5" record="record-from-answer-dual">'
    f"{NUMBER}>{AGENT}</Number>{NUMBER}>{OTHER}</Number></Dial>",
    f'<Dial action="/" answerOnBridge="true" record="record-from-ringing">'
    f'{NUMBER} url="/whisper">{AGENT}</Number>{NUMBER} url="/whisper">{OTHER}</Number></Dial>',
    "<Pause/><Sms>Hello</Sms><Hangup/>",
    "<Reject/>",
    "<Say>B</Say><Pause/>",
    "",
]
BEHAVIOURS = ["answers", "busy", "no-answer", "rejects", "unreachable", "voicemail"]


class World:
    """One run: what is answered, who disturbs, and when."""

    def __init__(self, offhook: Offhook, seed: int) -> None:
        self.offhook, self.random = offhook, random.Random(seed)
        self.exchange: Exchange = offhook.platform.exchange
        self.calls: list[PhoneCall] = []
        self.left = self.random.randrange(1, 40)  # events until the disturbance
        self.due = asyncio.Event()
        self.exchange.journal.listeners.add(self._happened)

    def _happened(self, event: Event) -> None:
        self.left -= 1
        if self.left == 0:
            self.due.set()

    async def app(self, request: Any) -> str:
        await asyncio.sleep(self.random.choice([0, 0, 0.1, 1]))
        if request.path == "/whisper":
            return f"<Response>{self.random.choice(['<Say>W</Say>', '', '<Hangup/>'])}</Response>"
        return f"<Response>{self.random.choice(DOCUMENTS)}</Response>"

    async def run(self) -> None:
        url = self.offhook.url(self.app)
        self.offhook.number(OURS, voice=self.app, status=self.offhook.url(self.app, "/status"))
        for number in (AGENT, OTHER):
            self.offhook.phone(number).behaves(self.random.choice(BEHAVIOURS))
        if self.random.random() < 0.5:
            await self.offhook.call(OURS, from_=CALLER)
        else:
            self.offhook.phone(CALLER).behaves(self.random.choice(["answers", "no-answer"]))
            await self.offhook.post(
                "Calls.json", To=CALLER, From=OURS, Url=url, Record="true", Timeout="9",
                StatusCallback=self.offhook.url(self.app, "/status"),
                RecordingStatusCallback=self.offhook.url(self.app, "/recording"),
            )  # fmt: skip
        await asyncio.wait([asyncio.ensure_future(self.due.wait())], timeout=20)
        for _ in range(self.random.choice([1, 1, 2])):
            for _ in range(self.random.randrange(12)):
                await asyncio.sleep(0)
            await self.disturb()
        await asyncio.sleep(self.random.choice([0, 5]))
        await self.everybody_hangs_up()

    async def disturb(self) -> None:
        ways: list[Callable[[], Any]] = [
            self.somebody_hangs_up, self.completed, self.canceled, self.redirected, self.amended,
            self.somebody_transfers,
        ]  # fmt: skip
        with suppress(ApiError):
            await self.random.choice(ways)()

    async def somebody_hangs_up(self) -> None:
        self.somebody().hang_up()

    async def somebody_transfers(self) -> None:
        with suppress(HungUp):
            assert await self.somebody().transfer("sip:carol@desk.test") in (200, 503, 603)

    def somebody(self) -> Handset:
        handsets = [each for phone in self.phones() for each in phone.calls]
        return self.random.choice(handsets).handset

    async def completed(self) -> None:
        call = self.random.choice(self.offhook.calls)
        ended = await control.hang_up(self.exchange, call)
        assert ended.status in FINAL

    async def canceled(self) -> None:
        call = self.random.choice(self.offhook.calls)
        await control.cancel(self.exchange, call)

    async def redirected(self) -> None:
        call = self.random.choice(self.offhook.calls)
        for word in "XY":
            twiml = f"<Response><Say>{word}</Say></Response>"
            await control.redirect(self.exchange, call, Script(twiml=twiml))

    async def amended(self) -> None:
        call = self.random.choice(self.offhook.calls)
        await control.amend(self.exchange, call, time_limit=3)

    def phones(self) -> list[Any]:
        return [self.offhook.phone(number) for number in (CALLER, AGENT, OTHER)]

    async def everybody_hangs_up(self) -> None:
        for _ in range(100):
            for phone in self.phones():
                for call in phone.calls:
                    call.handset.hang_up()
            if not self.exchange.tasks:
                break
            await asyncio.sleep(1)
        self.exchange.journal.listeners.discard(self._happened)
        await asyncio.wait_for(self.exchange.notifier.settled(), 60)
        await asyncio.sleep(1)

    def check(self) -> None:
        """One end each, told once, in order; nobody and nothing is left."""
        exchange, offhook = self.exchange, self.offhook
        assert (exchange.live, exchange.attempts, exchange.takings) == ({}, {}, {})
        assert exchange.tasks == set()
        assert {call.status for call in offhook.calls} <= FINAL
        assert {each.status for each in offhook.recordings} <= {"completed", "absent"}
        assert 12400 not in [each.error_code for each in offhook.notifications]
        told = defaultdict(list)
        for webhook in offhook.webhooks:
            if webhook.path == "/status":
                told[webhook.params["CallSid"]].append(webhook.params)
        for call in offhook.calls:
            if not call.callback.url:
                continue
            heard = told[call.sid]
            assert [each["SequenceNumber"] for each in heard] == [str(n) for n in range(len(heard))]
            final = [each["CallStatus"] for each in heard if each["CallStatus"] in FINAL]
            never_dialled = call.status == "canceled" and not heard
            assert final == [call.status] or never_dialled


@pytest.mark.parametrize("seed", range(24))
async def test_every_call_ends_once_whatever_crosses_it(offhook: Offhook, seed: int):
    world = World(offhook, seed)
    with structlog.testing.capture_logs() as logs:
        await world.run()
    world.check()
    assert [each for each in logs if "crashed" in each["event"]] == []


async def test_of_two_that_answer_at_once_one_is_bridged_and_one_let_go(offhook: Offhook):
    nouns = f"<Number>{AGENT}</Number><Number>{OTHER}</Number>"
    offhook.number(OURS, voice=lambda request: f"<Response><Dial>{nouns}</Dial></Response>")
    caller = await offhook.call(OURS, from_=CALLER)
    both = [await offhook.phone(number).rings() for number in (AGENT, OTHER)]
    await asyncio.sleep(3)
    states = {each.state: each for each in both}
    assert set(states) == {"answered", "over"}
    await caller.says("Who is it?")
    await states["answered"].hears("Who is it?")
    await caller.hang_up()
    await asyncio.sleep(1)
    assert {call.status for call in offhook.calls} <= {"completed", "canceled"}
    assert offhook.platform.exchange.live == {}


class SlowToAnswer:
    """A leg whose answer takes a while to be acknowledged."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg

    def __getattr__(self, name: str) -> Any:
        return getattr(self.leg, name)

    async def answer(self) -> None:
        await self.leg.answer()
        await asyncio.sleep(0.5)


async def test_a_call_that_is_redirected_while_it_is_being_answered_is_answered(offhook: Offhook):
    exchange = offhook.platform.exchange
    offhook.number(OURS, voice=lambda request: "<Response><Say>Hello.</Say></Response>")
    await asyncio.sleep(1)

    async def on_call(leg: Leg, to: str, from_: str) -> None:
        await inbound.on_call(exchange, cast(Leg, SlowToAnswer(leg)), to, from_)

    async def on_text(*text: Any) -> None:
        """Nobody texts here."""

    network = SimulatedNetwork(exchange.media, on_call, on_text)
    phone = await network.call(CALLER, OURS)
    await phone.answered()
    [call] = offhook.calls
    await control.redirect(exchange, call, Script(twiml="<Response><Pause/><Reject/></Response>"))
    assert (await phone.ended).code == 200
    await exchange.settle()
    assert [each.status for each in offhook.calls] == ["completed"]
    await network.close()
