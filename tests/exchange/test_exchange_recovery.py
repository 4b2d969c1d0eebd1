"""After a crash.  reference: choices of ours.

The crash is a copy of a platform's folder, taken in the middle of things: what another one finds
there is what `kill -9` leaves behind.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from exchange_app import AGENT, CALLER, OURS, App, twiml

from offhook import app as offhook_app
from offhook.carriers.simulated import SimulatedNetwork
from offhook.config import Settings
from offhook.exchange import inbound, texting
from offhook.exchange.exchange import Route
from offhook.line.leg import About, Carrier, Leg
from offhook.media.plane import MediaPlane
from offhook.model.call import Call
from offhook.store import records
from offhook.testing import Offhook, TestVoice
from offhook.webhooks.transport import Incoming, Outgoing

PEER = "sip-of-old"
OTHER = "+14155550122"


@dataclass
class ByeCarrier:
    """A carrier that only ends what a process before it left."""

    name: str = PEER
    ended: list[dict[str, Any]] = field(default_factory=list)

    async def bye(self, dialog: dict[str, Any]) -> None:
        self.ended.append(dialog)


@dataclass
class Restarted:
    platform: offhook_app.Platform
    carrier: ByeCarrier
    asked: list[tuple[str, dict[str, str], str]]  # URL, parameters, idempotency token

    async def calls(self) -> dict[str, Call]:
        found = await self.platform.exchange.store.read(records.calls.all)
        return {call.sid: call for call in found}

    def told(self, sid: str) -> list[dict[str, str]]:
        return [params for _, params, _ in self.asked if sid in params.values()]


@asynccontextmanager
async def restarted(
    offhook: Offhook, folder: Path, after: float, **pages: str
) -> AsyncIterator[Restarted]:
    """What starts `after` seconds on what the platform's folder holds now.

    The application answers with `pages`, by their paths, and with nothing.
    """
    await offhook.platform.exchange.journal.flush()
    shutil.copytree(offhook.platform.settings.data, folder / "copy")
    await asyncio.sleep(after)
    asked: list[tuple[str, dict[str, str], str]] = []

    async def send(outgoing: Outgoing) -> Incoming:
        token = dict(outgoing.headers)["I-Twilio-Idempotency-Token"]
        asked.append(
            (outgoing.url, dict(parse_qsl(outgoing.body.decode(), keep_blank_values=True)), token)
        )
        page = pages.get(urlsplit(outgoing.url).path.strip("/") or "first", "")
        return Incoming(200, (("Content-Type", "text/xml"),), twiml(page).encode())

    settings = Settings(data=folder / "copy", public_url="http://api.test")
    parts = offhook_app.Parts(await MediaPlane.local(range(30000, 30100)), TestVoice(), send)
    async with offhook_app.running(settings, parts) as platform:
        carrier = ByeCarrier()
        route = Route(cast(Carrier, carrier), lambda to: False)
        await offhook_app.open_lines(platform, route)
        await asyncio.sleep(5)
        await platform.exchange.settle()
        await platform.exchange.notifier.settled()
        yield Restarted(platform, carrier, asked)


class Bringing:
    """A leg whose dialog can be ended by another process."""

    def __init__(self, leg: Leg) -> None:
        self.leg, self.about = leg, About(dialog={"carrier": PEER, "call_id": "abc"})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.leg, name)


async def test_calls_end_as_far_as_is_known(offhook: Offhook, tmp_path: Path):
    """Answered: completed, up to the last that is known of it. Unanswered: failed."""
    app = App('<Say>A</Say><Gather timeout="1000"/>')
    waits = App('<Pause length="1000"/>')
    offhook.number(OURS, voice=app, status=offhook.url(app, "/status"))
    offhook.number("+15550101", voice=waits, status=offhook.url(app, "/status"))
    talking = await offhook.call(OURS, from_=CALLER)
    await talking.answered()
    await asyncio.sleep(9)
    await talking.press("5")
    ringing = await offhook.call("+15550101")
    offhook.phone(AGENT).behaves("no-answer")
    posted = await offhook.post(
        "Calls.json", To=AGENT, From=OURS, Url=offhook.url(app), Timeout="600",
        StatusCallback=offhook.url(app, "/status"),
    )  # fmt: skip
    await offhook.phone(AGENT).rings()
    await asyncio.sleep(1)
    async with restarted(offhook, tmp_path, after=3600) as again:
        calls = await again.calls()
        ends = {sid: (call.status, call.duration) for sid, call in calls.items()}
        assert ends == {
            talking.sid: ("completed", 9), ringing.sid: ("failed", 0), posted["sid"]: ("failed", 0),
        }  # fmt: skip
        for sid, (status, seconds) in ends.items():
            [told] = again.told(sid)
            assert (told["CallStatus"], told["CallDuration"]) == (status, str(seconds))
        assert again.platform.exchange.live == {}


async def test_the_other_end_of_a_dialog_is_told_that_it_is_over(offhook: Offhook, tmp_path: Path):
    exchange = offhook.platform.exchange
    offhook.number(OURS, voice=App('<Say>A</Say><Pause length="100"/>'))
    await asyncio.sleep(1)

    async def on_call(leg: Leg, to: str, from_: str) -> None:
        await inbound.on_call(exchange, cast(Leg, Bringing(leg)), to, from_)

    async def on_text(*text: Any) -> None:
        """Nobody texts here."""

    network = SimulatedNetwork(exchange.media, on_call, on_text)
    await network.call(CALLER, OURS)
    await asyncio.sleep(2)
    async with restarted(offhook, tmp_path, after=1) as again:
        assert again.carrier.ended == [{"carrier": PEER, "call_id": "abc"}]
        assert await again.platform.exchange.store.read(records.dialogs.all) == []
    await network.close()


async def test_a_callback_that_was_on_its_way_is_made_again_with_its_token(
    offhook: Offhook, tmp_path: Path
):
    app = App("<Say>A</Say>", status=never_done)
    offhook.number(OURS, voice=app, status=offhook.url(app, "/status"))
    call = await offhook.call(OURS)
    await call.ended()
    await asyncio.sleep(1)
    [first] = app.requests("status")
    async with restarted(offhook, tmp_path, after=1) as again:
        [(url, params, token)] = again.asked
        assert (url, params) == (first.url, dict(first.params))
        assert token == first.headers["i-twilio-idempotency-token"]


async def never_done(request: object) -> str:
    await asyncio.sleep(14)
    return ""


async def test_a_recording_keeps_what_is_on_disk_and_the_call_tells_of_it(
    offhook: Offhook, tmp_path: Path
):
    app = App('<Gather timeout="1000"/>')
    offhook.number(OURS)
    posted = await offhook.post(
        "Calls.json", To=AGENT, From=OURS, Url=offhook.url(app), Record="true",
        StatusCallback=offhook.url(app, "/status"),
        RecordingStatusCallback=offhook.url(app, "/recording"),
    )  # fmt: skip
    call = await offhook.phone(AGENT).rings()
    await call.answered()
    await call.says("x" * 90)
    async with restarted(offhook, tmp_path, after=60) as again:
        [recording] = await again.platform.exchange.store.read(records.recordings.all)
        assert recording.status == "completed"
        assert 4 <= (recording.duration or 0) <= 6
        of_recording, of_call = again.told(posted["sid"])
        assert of_recording["RecordingStatus"] == "completed"
        assert of_call["CallStatus"] == "completed"
        assert of_call["RecordingSid"] == recording.sid == of_recording["RecordingSid"]
        assert of_call["RecordingDuration"] == str(recording.duration)


async def test_texts_that_were_queued_go_on(offhook: Offhook, tmp_path: Path):
    app = App(picture=never_done)
    offhook.number(OURS)
    sids = []
    for body, validity in (("Still fresh", "36000"), ("Too old", "30")):
        posted = await offhook.post(
            "Messages.json", To=CALLER, From=OURS, Body=body, ValidityPeriod=validity,
            MediaUrl=offhook.url(app, "/picture"), StatusCallback=offhook.url(app, "/status"),
        )  # fmt: skip
        sids.append(posted["sid"])
    await asyncio.sleep(1)
    async with restarted(offhook, tmp_path, after=60) as again:
        store = again.platform.exchange.store
        fresh, old = [await store.read(records.messages.get, sid) for sid in sids]
        assert fresh is not None
        assert old is not None
        assert (fresh.status, old.status, old.error_code) == ("delivered", "failed", 30001)
        inbox = again.platform.network.phone(CALLER).inbox
        assert [text.body for text in inbox] == ["Still fresh"]
        assert [each["MessageStatus"] for each in again.told(old.sid)] == ["failed"]
        assert [each["MessageStatus"] for each in again.told(fresh.sid)] == ["sent", "delivered"]


async def test_a_text_whose_answer_was_awaited_is_asked_about_again(
    offhook: Offhook, tmp_path: Path
):
    """With the same idempotency tokens; what was replied already is not replied again."""
    first = "<Message>One</Message><Message>Two</Message><Redirect>/more</Redirect>"
    app = App(first, more=never_done)
    offhook.number(OURS, sms=app)
    await offhook.text(CALLER, OURS, "Hi")
    await asyncio.sleep(1)
    assert app.paths == ["", "more"]
    async with restarted(offhook, tmp_path, 60, first=first, more="<Message>Three</Message>") as it:
        before = [request.headers["i-twilio-idempotency-token"] for _, request in app.asked]
        assert [token for _, _, token in it.asked] == before
        assert len(set(before)) == 2
        told = [params["Body"] for _, params, _ in it.asked]
        assert told == ["Hi", "Hi"]
        inbox = it.platform.network.phone(CALLER).inbox
        assert [text.body for text in inbox] == ["Three"]
        replies = await it.platform.exchange.store.read(records.messages.all)
        assert [each.body for each in replies] == ["Hi", "One", "Two", "Three"]


async def test_what_a_reply_sets_off_is_no_reply(offhook: Offhook, tmp_path: Path):
    """A reply to a number of ours is a text there, with a conversation of its own."""
    first = f"<Message to='{OTHER}'>One</Message><Redirect>/more</Redirect>"
    app, other = App(first, more=never_done), App(b=never_done)
    offhook.number(OURS, sms=app)
    offhook.number(OTHER, sms=offhook.url(other, "/b"))
    await offhook.text(CALLER, OURS, "Hi")
    await asyncio.sleep(1)
    assert other.paths == ["b"]
    async with restarted(offhook, tmp_path, 60, first=first, more="<Message>Two</Message>") as it:
        replies = await it.platform.exchange.store.read(records.messages.all)
        assert [each.body for each in replies] == ["Hi", "One", "One", "Two"]
        assert [text.body for text in it.platform.network.phone(CALLER).inbox] == ["Two"]


async def test_a_text_that_was_answered_is_not_asked_about_again(offhook: Offhook, tmp_path: Path):
    offhook.number(OURS, sms=App("<Message>One</Message>"))
    await offhook.text(CALLER, OURS, "Hi")
    await asyncio.sleep(1)
    async with restarted(offhook, tmp_path, after=60) as again:
        assert again.asked == []


async def test_a_text_to_a_number_without_a_url_is_asked_about_no_more(
    offhook: Offhook, tmp_path: Path
):
    offhook.number(OURS, sms=App(never_done))
    await offhook.text(CALLER, OURS, "Hi")
    await asyncio.sleep(1)
    [number] = (await offhook.get("IncomingPhoneNumbers.json"))["incoming_phone_numbers"]
    await offhook.post(f"IncomingPhoneNumbers/{number['sid']}.json", SmsUrl="")
    async with restarted(offhook, tmp_path, after=60) as again:
        assert again.asked == []


async def test_who_opted_out_stays_out(offhook: Offhook, tmp_path: Path):
    offhook.number(OURS)
    await offhook.text(CALLER, OURS, "STOP")
    async with restarted(offhook, tmp_path, after=1) as again:
        assert await texting.opted_out(again.platform.exchange, OURS, CALLER)
        assert not await texting.opted_out(again.platform.exchange, OURS, AGENT)
