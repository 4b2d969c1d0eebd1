"""Two carriers call each other over UDP in memory, the media plane in between.  RFC 3261 section 13."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from offhook.carriers.sip_carrier import SipCarrier, SipSettings
from offhook.line.leg import Leg, Target
from offhook.media.plane import MediaPlane


async def answer_and_wait(leg: Leg, to: str, from_: str) -> None:
    await leg.ring()
    await leg.answer()
    await asyncio.shield(leg.ended)


OnCall = Callable[[Leg, str, str], Awaitable[None]]


@asynccontextmanager
async def carrier(host: str, on_call: OnCall = answer_and_wait) -> AsyncIterator[SipCarrier]:
    media = await MediaPlane.local(range(10000, 10100))
    settings = SipSettings(host=host, tcp=False)
    opened = await SipCarrier.open(settings, media, on_call)
    yield opened
    await opened.close()
    await media.close()


async def test_a_call_out_is_a_call_in_at_the_other_side():
    arrived = []

    async def on_call(leg: Leg, to: str, from_: str) -> None:
        arrived.append((to, from_))
        await answer_and_wait(leg, to, from_)

    async with carrier("127.0.0.1") as here, carrier("127.0.0.2", on_call):
        target = Target("sip:+15550001111@127.0.0.2", "+15550002222", "CA1", "AC1")
        rang = []
        leg = await here.dial(target, lambda leg, early: rang.append(early))
        await leg.hang_up()
        assert (await leg.ended).by == "near"
    assert arrived == [("+15550001111", "+15550002222")]
    assert rang == [False]
