"""Hundreds of calls of all kinds through the platform, on a network that loses messages.

What the caller saw, what the record says, and what the application was told must agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any

from exchange_app import OURS, App
from exchange_phones import ELSEWHERE, HERE, not_told, sip

from offhook.errors import CarrierError
from offhook.line.leg import Ended, HungUp, Leg, Target
from offhook.testing import Offhook
from offhook.testing.udp import Datagram, rough

CALLS, AT_ONCE, SIP = 350, 40, 5060
DIAL = f"<Dial timeout='5' action='/dialled'><Sip>sip:x@{ELSEWHERE}?X-Does={{}}</Sip></Dial>"
PAGES = {
    "heard out": "<Pause length='2'/><Hangup/>",
    "caller hangs up": "<Gather timeout='30'/>",
    "caller gives up": "<Pause length='30'/>",
    "rejected": "<Reject reason='busy'/>",
    "put through": DIAL.format("answers"),
    "nobody there": DIAL.format("sleeps"),
    "engaged": DIAL.format("refuses"),
}
KINDS = tuple(PAGES)
# The record's status, what the caller saw of the end, what <Dial> told.
OUTCOMES: dict[str, tuple[str, Ended | int, str]] = {
    "heard out": ("completed", Ended("far", 200), ""),
    "caller hangs up": ("completed", Ended("near", 200), ""),
    "caller gives up": ("no-answer", 487, ""),
    "rejected": ("busy", 486, ""),
    "put through": ("completed", Ended("far", 200), "completed"),
    "nobody there": ("completed", Ended("far", 200), "no-answer"),
    "engaged": ("completed", Ended("far", 200), "busy"),
}


def kind_of(number: str) -> str:
    return KINDS[int(number[-4:]) % len(KINDS)]


async def phone(leg: Leg) -> None:
    """Whoever is dialled does what the call says."""
    does = dict(leg.about.params)["SipHeader_X-Does"]
    with suppress(HungUp):
        await leg.ring()
        await asyncio.sleep(1)
        if does == "refuses":
            await leg.reject(486)
        elif does == "answers":
            await leg.answer()
            await asyncio.sleep(1)
            await leg.hang_up()
    await leg.ended


BAD = rough(Random(7), loss=0.05, duplication=0.05, jitter=0.1)


def lossy(datagram: Datagram) -> Sequence[float]:
    """Of messages only: sound proves nothing here."""
    return BAD(datagram) if datagram.receiver[1] == SIP else ()


async def test_every_call_ends_alike_for_all_who_took_part(offhook: Offhook):
    network: Any = asyncio.get_running_loop().network  # type: ignore[attr-defined]
    app = App(lambda request: PAGES[kind_of(request.params["From"])])
    offhook.number(OURS, voice=app, status=offhook.url(app, "/status"))
    ended: dict[str, Ended | int] = {}
    free = asyncio.Semaphore(AT_ONCE)

    async def calls(number: str) -> Ended | int:
        kind = kind_of(number)
        try:
            async with asyncio.timeout(3 if kind == "caller gives up" else None):
                leg = await caller.dial(
                    Target(f"sip:{OURS}@{HERE}", number, "CA1", "AC1"), not_told
                )
        except CarrierError as refused:
            return refused.code
        except TimeoutError:
            return 487
        if kind == "caller hangs up":
            await asyncio.sleep(3)
            await leg.hang_up()
        return await leg.ended

    async def one(number: str) -> None:
        async with free:
            ended[number] = await calls(number)

    async with sip(offhook, elsewhere=phone) as caller:
        network.fate = lossy
        tasks = len(asyncio.all_tasks())
        async with asyncio.TaskGroup() as all_of_them:
            for number in range(CALLS):
                all_of_them.create_task(one(f"+1415555{number:04}"))
        await asyncio.sleep(100)  # until the last timer has run out
        assert len(asyncio.all_tasks()) == tasks
        for route in offhook.platform.exchange.routes[:1]:
            load = route.carrier.load  # type: ignore[attr-defined]
            assert (load.calls, load.transactions, load.dialogs, load.tasks) == (0, 0, 0, 0)
        assert caller.load.transactions == 0
        assert {address[1] for address in network.bound} == {SIP}
    records = {call.from_: call for call in offhook.calls if call.direction == "inbound"}
    told = {each.params["From"]: each.params["CallStatus"] for each in app.requests("status")}
    dialled = {
        each.params["From"]: each.params["DialCallStatus"] for each in app.requests("dialled")
    }
    assert len(records) == CALLS
    for number, how in ended.items():
        status, seen, dial = OUTCOMES[kind_of(number)]
        assert (records[number].status, how) == (status, seen), kind_of(number)
        assert (told[number], dialled.get(number, "")) == (status, dial)
    legs = [call.status for call in offhook.calls if call.direction != "inbound"]
    each = CALLS // len(KINDS)
    assert sorted(legs) == ["busy"] * each + ["completed"] * each + ["no-answer"] * each
