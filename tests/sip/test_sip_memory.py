"""A call that is over is gone: nothing of it waits for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from sip_carriers import Phone, carrier, not_ringing, sip_of, target

from offhook.testing import Offhook

OURS, CALLER, AGENT = "+15550100", "127.0.0.9", "127.0.0.8"
KEPT = 40.0  # seconds until the last transaction of a call is over
DOCUMENTS = {
    "talks": "<Say loop='0'>Hello there.</Say>",
    "gathers": "<Gather timeout='2'><Say>Hello.</Say></Gather><Pause length='60'/>",
    "records": "<Record timeout='3' maxLength='4'/>",
    "dials": f"<Dial timeout='5'><Sip>sip:agent@{AGENT}</Sip></Dial>",
    "hangs up": "<Say>Bye.</Say><Hangup/>",
}


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_call_is_gone_with_its_last_transaction(
    offhook: Offhook, uncollected: None, document: str
):
    offhook.number(OURS, voice=lambda request: f"<Response>{document}</Response>")
    agent = Phone()
    async with (
        sip_of(offhook) as sip,
        carrier(CALLER, Phone()) as caller,
        carrier(AGENT, agent),
    ):
        held: list[weakref.ref[Any]] = []
        leg = await caller.dial(
            target(f"sip:{OURS}@{':'.join(map(str, sip.address))}"), not_ringing
        )
        held.append(weakref.ref(leg))
        held += [weakref.ref(each) for each in offhook.platform.exchange.live.values()]
        await asyncio.sleep(4)
        await leg.hang_up()
        del leg
        agent.legs.clear()
        await asyncio.sleep(KEPT)
        assert len(held) == 2, "the caller's leg, and the platform's call"
        assert [ref() for ref in held] == [None, None]
