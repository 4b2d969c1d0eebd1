"""Rooms as the main process sees them: whoever meets there, whichever worker each lives on.

A room has a table on every worker that has legs in it. The first is its home; each other table is
linked to it by two legs, RTP over the loopback, which sit as any others do: what is said at a table
is heard at all, some 60 ms later. Where two are to meet, open one `near` the other: it saves that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from offhook.frozen import frozen
from offhook.media.legs import Host, Link, MediaLeg
from offhook.media.orders import Remote
from offhook.media.studio import Studio

LOOPBACK = "127.0.0.1"
KEYS = 101  # payload type of keys between two workers


@frozen
class Seat:
    leg: MediaLeg
    speaks: bool
    hears: bool


class Room:
    """A seat hears the sum of the others; keys go through a room of two. `link` opens a leg on a
    worker; it raises MediaFull."""

    def __init__(self, id: int, link: Callable[[Host], Awaitable[Link]]) -> None:
        self._id = id
        self._link = link
        self._seats: dict[int, Seat] = {}
        self._tables: dict[Host, tuple[Link, ...]] = {}  # the home first, which has no links
        self._laying = asyncio.Lock()

    async def add(self, leg: MediaLeg, *, speaks: bool = True, hears: bool = True) -> None:
        """Seat a leg, which leaves any other room. Raises MediaFull when its worker cannot be
        linked with the others."""
        async with self._laying:
            await self._lay({leg.host})
        leg.room = self
        self._seats[leg.id] = Seat(leg, speaks, hears)
        leg.host.do(Studio.sit, self._id, leg.id, speaks, hears)

    async def mend(self) -> None:
        """A worker has died: those who are left meet again. Raises MediaFull."""
        async with self._laying:
            await self._lay(set())

    async def _lay(self, hosts: set[Host]) -> None:
        """See to it that there is a table on these workers, and on all that have somebody seated.
        If the home has died, another is it."""
        dead = [one for one in self._tables if not one.healthy]
        if next(iter(self._tables), None) in dead:
            await self._clear()
        for gone in self._tables.keys() & dead:
            await self._unlink(gone)
        seats, self._seats = self._seats, {}
        for id, seat in seats.items():
            if seat.leg.room is self and not seat.leg.closed:
                self._seats[id] = seat
        for each in hosts.union(seat.leg.host for seat in self._seats.values()):
            if each not in self._tables:
                await self._set(each)

    async def _set(self, host: Host) -> None:
        """A table, with those at it who have been in the room before it."""
        host.do(Studio.open_room, self._id)
        self._tables[host] = await self._linked(host) if self._tables else ()
        for seat in self._seats.values():
            if seat.leg.host is host:
                host.do(Studio.sit, self._id, seat.leg.id, seat.speaks, seat.hears)

    async def _linked(self, host: Host) -> tuple[Link, ...]:
        home = next(iter(self._tables))
        here = await self._link(home)
        try:
            there = await self._link(host)
        except BaseException:
            await here.close()
            raise
        for one, other in ((here, there), (there, here)):
            one.connect(Remote(LOOPBACK, other.port, "PCMU", 0, KEYS))
            one.host.do(Studio.sit, self._id, one.id, True, True)
        return here, there

    async def remove(self, leg: MediaLeg) -> None:
        if self._seats.pop(leg.id, None):
            leg.host.do(Studio.leave, self._id, leg.id)

    def mute(self, leg: MediaLeg, on: bool) -> None:
        """Keep what this leg says from the others."""
        if seat := self._seats.get(leg.id):
            self._seats[leg.id] = replace(seat, speaks=not on)
            leg.host.do(Studio.mute, leg.id, on)

    async def close(self) -> None:
        self._seats.clear()
        await self._clear()

    async def _clear(self) -> None:
        for host in list(self._tables):
            host.do(Studio.close_room, self._id)
            await self._unlink(host)

    async def _unlink(self, host: Host) -> None:
        for link in self._tables.pop(host):
            await link.close()
