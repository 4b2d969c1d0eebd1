"""Ports that a worker has open before there are legs for them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import AsyncExitStack

import pytest
from media_sounds import FarEnd, alike, clip, joined, number, tone
from rtp_ports import free_ports
from test_workers import LOOPBACK, UNTORN, real_pair, worker_of, workers

from offhook.media.plane import MediaPlane, Remote, RtpLeg
from offhook.media.ports import FEW, Ports
from offhook.media.remote import SPARE

pytestmark = pytest.mark.real_time
PAIRS = 200


async def stocked(plane: MediaPlane) -> RtpLeg:
    """The first leg of a plane, once others are prepared for."""
    first = await plane.open_rtp(LOOPBACK)
    await asyncio.sleep(0.1)
    return first


def at_once(plane: MediaPlane) -> RtpLeg:
    """A leg that nobody had to wait for."""
    opening = plane.open_rtp(LOOPBACK)
    with pytest.raises(StopIteration) as done:
        opening.send(None)
    leg = done.value.value
    assert isinstance(leg, RtpLeg)
    return leg


async def test_whoever_needs_a_port_has_it_at_once_and_it_carries_sound():
    async with workers(ports=2 * PAIRS) as plane:
        await stocked(plane)
        here, there = at_once(plane), at_once(plane)
        assert plane.free_ports == PAIRS - 3
        here.connect(Remote(LOOPBACK, there.port, "PCMU", 0, 101))
        there.connect(Remote(LOOPBACK, here.port, "PCMU", 0, 101))
        heard: list[bytes] = []
        there.tap(heard.append)
        await here.play(clip(tone(440, 0.6)))
        await here.close()
        await there.close()
        assert plane.free_ports == PAIRS - 1
    assert alike(joined(heard), UNTORN) > 0.95


async def test_what_comes_once_a_port_is_handed_out_is_heard_and_nothing_before():
    """The worker has yet to read of the leg; an earlier one's late packets are not to be heard."""
    async with workers(ports=2 * PAIRS) as plane:
        first = await stocked(plane)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
            far.bind((LOOPBACK, 0))
            far.connect((LOOPBACK, first.port + 2))
            for n in range(20, 25):
                far.send(FarEnd().packet(n))
            leg = at_once(plane)
            assert leg.port == first.port + 2
            heard: list[bytes] = []
            leg.tap(heard.append)
            far.send(FarEnd().packet(0))
            leg.connect(Remote(LOOPBACK, far.getsockname()[1], "PCMU", 0, None))
            far.send(FarEnd().packet(1))
            await asyncio.sleep(0.1)
            for n in range(2, 5):
                far.send(FarEnd().packet(n))
            await asyncio.sleep(0.15)
            stats = await leg.close()
    assert (stats.packets_received, stats.refused) == (5, 0)
    assert [number(frame) for frame in heard if number(frame) is not None][:2] == [0, 1]


async def test_the_first_leg_passes_by_other_programs_ports():
    ports = free_ports(40)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
        theirs.bind((LOOPBACK, ports[1]))
        async with workers(ports=ports) as plane:
            here, there = await real_pair(plane)
            assert (here.port, there.port) == (ports[2], ports[4])
            heard: list[bytes] = []
            there.tap(heard.append)
            await here.play(clip(tone(440, 0.6)))
            assert plane.free_ports == 18
    assert alike(joined(heard), UNTORN) > 0.95


async def test_other_programs_ports_are_not_set_aside():
    ports = free_ports(2 * PAIRS)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
        theirs.bind((LOOPBACK, ports[2]))
        async with workers(ports=ports) as plane:
            await stocked(plane)
            assert at_once(plane).port == ports[4]
            assert plane.free_ports == PAIRS - 2


async def test_ports_that_could_not_be_had_are_tried_again():
    ports = free_ports(2 * PAIRS)
    first_free = ports[2 * (SPARE + 1)]
    async with AsyncExitStack() as theirs:
        for port in ports[2 : 2 * (SPARE + 1) : 2]:
            held = theirs.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            held.bind((LOOPBACK, port))
        async with workers(ports=ports) as plane:
            await stocked(plane)
            async with asyncio.timeout(30):
                while not taken(first_free):
                    await asyncio.sleep(0.1)
            assert at_once(plane).port == first_free


def taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
        try:
            mine.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


async def test_a_worker_that_dies_gives_its_ports_back():
    async with workers(ports=2 * PAIRS) as plane:
        first = await stocked(plane)
        os.kill(worker_of(first), signal.SIGKILL)
        await first.close()
        while not plane.healthy:
            await asyncio.sleep(0.05)
        assert plane.free_ports == PAIRS
        await stocked(plane)
        at_once(plane)


async def test_more_legs_at_once_than_are_prepared_for_wait_for_theirs():
    async with workers(ports=2 * PAIRS) as plane:
        await stocked(plane)
        legs = await asyncio.gather(*(plane.open_rtp(LOOPBACK) for _ in range(40)))
        assert len({leg.port for leg in legs}) == 40


def test_the_last_ports_are_set_aside_for_nobody():
    ports = Ports(range(20000, 20000 + 2 * (FEW + 1)))
    assert ports.set_aside() == 20000
    assert ports.set_aside() is None
    assert len(ports) == FEW + 1
    ports.hand_out(20000)
    assert len(ports) == FEW
    ports.give_back(20000)
    assert len(ports) == FEW + 1
