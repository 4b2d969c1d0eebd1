"""How a call's sound fared is kept in its story: loss, jitter, round trip and codec of each leg."""

from __future__ import annotations

import asyncio
from typing import Any

from sip_carriers import Phone, carrier, not_ringing, sip_of, target

from offhook.cli.story import lines
from offhook.testing import Offhook

OURS, CALLER, AGENT = "+15550100", "127.0.0.9", "127.0.0.8"


async def figures(offhook: Offhook, sid: str) -> list[dict[str, Any]]:
    return [event.data for event in await offhook.story(sid) if event.kind == "sound"]


async def test_of_a_call_in_and_of_the_one_it_is_put_through_to(offhook: Offhook):
    dial = f"<Response><Dial><Sip>sip:agent@{AGENT}</Sip></Dial></Response>"
    offhook.number(OURS, voice=lambda request: dial)
    async with (
        sip_of(offhook) as sip,
        carrier(CALLER, Phone()) as caller,
        carrier(AGENT, Phone()),
    ):
        host, port = sip.address
        leg = await caller.dial(target(f"sip:{OURS}@{host}:{port}"), not_ringing)
        await asyncio.sleep(30)
        await leg.hang_up()
        await asyncio.sleep(2)
        by_direction = {each.direction: each.sid for each in offhook.calls}
        for direction in ("inbound", "outbound-dial"):
            [told] = await figures(offhook, by_direction[direction])
            assert told["codec"] == "PCMU"
            assert 1400 < told["packets_received"] < 1600
            assert 1400 < told["packets_sent"] < 1600
            assert (told["lost"], told["far_lost"]) == (0, 0)
            assert told["round_trip_ms"] > 0, "by the reports (RTCP) of the far end"
            assert told["jitter_ms"] < 5


async def test_a_call_that_was_never_answered_has_none(offhook: Offhook):
    offhook.number(OURS, voice=lambda request: "<Response><Reject/></Response>")
    async with sip_of(offhook) as sip, carrier(CALLER, Phone()) as caller:
        host, port = sip.address
        dialling = caller.dial(target(f"sip:{OURS}@{host}:{port}"), not_ringing)
        await asyncio.gather(dialling, return_exceptions=True)
        await asyncio.sleep(1)
        [call] = offhook.calls
        assert await figures(offhook, call.sid) == []


def test_a_person_reads_them_in_a_line():
    data = {
        "codec": "PCMU", "packets_sent": 1500, "packets_received": 1470, "lost": 30, "late": 2,
        "duplicates": 0, "refused": 0, "jitter_ms": 3.2, "round_trip_ms": 12.5, "far_lost": 4,
        "far_jitter_ms": 1.1,
    }  # fmt: skip
    assert lines({"kind": "sound", "data": data}) == [
        "sound PCMU: 1500 packets sent, 1470 received, 30 lost (2.0%), jitter 3.2 ms, 2 late, "
        "round trip 12.5 ms, of ours 4 lost, jitter 1.1 ms"
    ]
