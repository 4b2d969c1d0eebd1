"""A leg that opens in the moment in which another closes takes its place, not its sockets."""

from __future__ import annotations

import asyncio

import pytest
from media_sounds import alike, clip, joined, tone
from rtp_ports import free_ports

from offhook.media.plane import MediaPlane, Remote

pytestmark = pytest.mark.real_time
LOOPBACK = "127.0.0.1"


async def test_a_leg_may_open_while_another_closes() -> None:
    async with asyncio.timeout(20):
        plane = await MediaPlane.workers(1, free_ports(40))
        first = await plane.open_rtp(LOOPBACK)
        _, here = await asyncio.gather(first.close(), plane.open_rtp(LOOPBACK))
        there = await plane.open_rtp(LOOPBACK)
        here.connect(Remote(LOOPBACK, there.port, "PCMU", 0, 101))
        there.connect(Remote(LOOPBACK, here.port, "PCMU", 0, 101))
        heard: list[bytes] = []
        there.tap(heard.append)
        await here.play(clip(tone(440, 0.6)))
        await there.close()
        await here.close()
        assert plane.healthy
        await plane.close()
    assert alike(joined(heard), tone(440, 0.1)) > 0.95
