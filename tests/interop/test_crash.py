"""`kill -9` in the middle of calls and callbacks, and what the next start makes of it.

reference: choices of ours. No program of others takes part, but processes, ports and time do.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from served import Application, Up, response, serving

from offhook.carriers.sip_carrier import SipCarrier, SipSettings
from offhook.line.leg import Ended, Leg
from offhook.media.plane import MediaPlane

pytestmark = [pytest.mark.interop, pytest.mark.real_time]

LIVE, RINGING = 10, 2


class Phones:
    """SIP phones at one address: `ringing` only rings, the others answer."""

    def __init__(self) -> None:
        self.legs: list[Leg] = []
        self.address = ""

    async def take(self, leg: Leg, to: str, from_: str) -> None:
        await leg.ring()
        if "ringing" not in to:
            await leg.answer()
            self.legs.append(leg)
        await asyncio.shield(leg.ended)

    def uri(self, name: str) -> str:
        return f"sip:{name}@{self.address}"


@asynccontextmanager
async def phones() -> AsyncIterator[Phones]:
    there = Phones()
    media = await MediaPlane.local(range(32000, 33000))
    carrier = await SipCarrier.open(SipSettings(port=0), media, there.take)
    host, port = carrier.address
    there.address = f"{host}:{port}"
    try:
        yield there
    finally:
        await carrier.close()
        await media.close()


@pytest.mark.parametrize("application", ["slow", "restarted"])
async def test_nothing_is_lost_by_a_crash(application: str, tmp_path: Path) -> None:
    """Ten calls that are up, two that ring, and the callbacks that they owe.

    The application has not answered one of them yet; it is slow, or goes down as well.
    """
    app = Application({"/voice": response("<Say>Hello.</Say><Pause length='600'/>")})
    app.hold("/status")
    async with phones() as there:
        with serving(app):
            with await asyncio.to_thread(Up, tmp_path / "data") as up:
                sids = await asyncio.to_thread(place, up, app, there)
                await asyncio.to_thread(app.gets, "/voice", times=LIVE)
                await asyncio.to_thread(app.gets, "/status", times=LIVE + RINGING)
                up.process.kill()
                await asyncio.to_thread(up.ends)
            before = tokens(app)
            app.release("/status")
            if application == "slow":
                await started_again(up, app, there, sids)
        if application == "restarted":
            with serving(app, app.port):
                await started_again(up, app, there, sids)
    after = tokens(app)
    assert all(after[key] == value for key, value in before.items()), "before and after the crash"
    assert all(len(value) == 1 for value in after.values()), "one token for each callback"
    for sid in sids:
        numbers = sorted(int(number) for call, number in after if call == sid)
        assert numbers == list(range(len(numbers))), "none is missing"


async def started_again(up: Up, app: Application, there: Phones, sids: list[str]) -> None:
    """On the same folder and ports."""
    ports = ("--http", up.api.removeprefix("http://"), "--sip", up.sip)
    with await asyncio.to_thread(Up, up.data, ports=ports) as again:
        await asyncio.to_thread(looked_at, again, app, sids)
        ends = await asyncio.wait_for(asyncio.gather(*(leg.ended for leg in there.legs)), 30)
        assert ends == [Ended("far", 200, ends[0].reason)] * LIVE, "a BYE for every call"


def place(up: Up, app: Application, there: Phones) -> list[str]:
    names = ["answering"] * LIVE + ["ringing"] * RINGING
    events = ["initiated", "ringing", "answered", "completed"]
    return [
        up.post(
            "Calls.json", To=there.uri(name), From=up.demo, Url=f"{app.url}/voice",
            StatusCallback=f"{app.url}/status", StatusCallbackEvent=events,
        )["sid"]
        for name in names
    ]  # fmt: skip


def looked_at(up: Up, app: Application, sids: list[str]) -> None:
    """Every call has its end, and everybody was told."""
    states = [up.call(sid)["status"] for sid in sids]
    assert states == ["completed"] * LIVE + ["failed"] * RINGING
    for sid in sids:
        status = up.call(sid)["status"]
        told = app.gets("/status", CallSid=sid, CallStatus=status)
        assert told.params["CallDuration"] == up.call(sid)["duration"]
    for call in sids[:LIVE]:
        for status in ("initiated", "ringing", "in-progress"):
            assert app.asked("/status", CallSid=call, CallStatus=status)


def tokens(app: Application) -> dict[tuple[str, str], set[str]]:
    """The idempotency tokens by call and sequence number."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in app.asked("/status"):
        key = one.params["CallSid"], one.params["SequenceNumber"]
        found[key].add(one.headers["i-twilio-idempotency-token"])
    return found
