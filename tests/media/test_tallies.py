"""Totals over all workers: they only grow, whatever becomes of one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest
from rtp_ports import free_ports

from offhook import clock
from offhook.media.orders import Event, Remote, Stats, Tally
from offhook.media.plane import MediaPlane
from offhook.media.remote import WorkerHost
from offhook.media.studio import Studio
from offhook.media.tallies import PATIENCE, Tallies


class Host:
    """Answers with what it is told to, or not at all."""

    def __init__(self, tallies: Tallies, tally: Tally | None) -> None:
        self.tallies, self.tally = tallies, tally

    def do(self, order: Callable[[Studio, int], None], job: int, /) -> None:
        if self.tally:
            self.tallies.take(Event("tallied", job, self.tally))


async def test_all_hosts_count_together():
    tallies = Tallies()
    hosts = [Host(tallies, Tally(packets_sent=n, late_ticks=1)) for n in (10, 20)]
    assert await tallies.total(hosts) == Tally(packets_sent=30, late_ticks=2)


@pytest.mark.real_time
async def test_one_that_does_not_answer_counts_as_it_did_and_is_not_waited_for_long():
    tallies = Tallies()
    one, other = Host(tallies, Tally(lost=1)), Host(tallies, Tally(lost=5))
    await tallies.total([one, other])
    one.tally, other.tally, began = Tally(lost=2), None, clock.now()
    assert await tallies.total([one, other]) == Tally(lost=7)
    assert clock.now() - began < 5 * PATIENCE


async def test_what_one_had_counted_is_kept_when_it_dies():
    tallies = Tallies()
    one, other = Host(tallies, Tally(packets_received=100)), Host(tallies, Tally())
    await tallies.total([one, other])
    tallies.lost(one)
    assert await tallies.total([other]) == Tally(packets_received=100)


async def test_an_answer_that_comes_too_late_is_nobodys():
    Tallies().take(Event("tallied", 7, Tally(lost=1)))


async def test_a_leg_counts_while_it_is_open_and_after():
    plane = await MediaPlane.local(range(10000, 10100))
    ended: list[Stats] = []
    plane.over = ended.append
    here, there = await plane.open_rtp("127.0.0.1"), await plane.open_rtp("127.0.0.1")
    here.connect(Remote("127.0.0.1", there.port, "PCMU", 0, 101))
    there.connect(Remote("127.0.0.1", here.port, "PCMU", 0, 101))
    await asyncio.sleep(2)
    live = await plane.tallies.total(plane.hosts)
    assert live.packets_sent == pytest.approx(200, abs=4)
    assert plane.legs == {"PCMU": 2}
    free = plane.free_ports
    await here.close()
    await there.close()
    over = await plane.tallies.total(plane.hosts)
    assert over.packets_sent == sum(each.packets_sent for each in ended) >= live.packets_sent
    assert (plane.legs, plane.free_ports) == ({}, free + 2)
    await plane.close()


@pytest.mark.real_time
async def test_a_worker_that_was_held_up_says_that_it_came_late():
    plane = await MediaPlane.workers(1, free_ports(20))
    async with asyncio.timeout(20):
        leg = await plane.open_rtp("127.0.0.1")
        assert isinstance(leg.host, WorkerHost)
        leg.connect(Remote("127.0.0.1", 9, "PCMU", 0, 101))
        before = await plane.tallies.total(plane.hosts)
        os.kill(leg.host.pid, signal.SIGSTOP)
        assert await plane.tallies.total(plane.hosts) == before
        os.kill(leg.host.pid, signal.SIGCONT)
        while (now := await plane.tallies.total(plane.hosts)).late_ticks == before.late_ticks:
            pass
        assert now.packets_sent > before.packets_sent
        await plane.close()
