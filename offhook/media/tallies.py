"""What the studios have counted, put together in the main process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Protocol

from offhook import clock
from offhook.media.orders import Event, Tally
from offhook.media.studio import Studio

PATIENCE = 1.0  # seconds that a studio has to answer


class Counting(Protocol):
    """A host: of a worker, or of a studio on this loop."""

    def do(self, order: Callable[[Studio, int], None], job: int, /) -> None: ...


class Tallies:
    """Totals that only grow, whatever becomes of the workers."""

    def __init__(self) -> None:
        self._known: dict[int, Tally] = {}  # what each host said last, by its id
        self._before = Tally()  # of hosts that have died
        self._jobs = count(1)
        self._asked: dict[int, asyncio.Future[Tally]] = {}

    async def total(self, hosts: Sequence[Counting]) -> Tally:
        """What became of all packets so far; a host that does not answer counts as it did."""
        await asyncio.gather(*map(self._ask, hosts))
        return sum(self._known.values(), self._before)

    async def _ask(self, host: Counting) -> None:
        job = next(self._jobs)
        told = self._asked[job] = asyncio.get_running_loop().create_future()
        try:
            with clock.outside("a media worker, to count"), suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    host.do(Studio.tally, job)
                    self._known[id(host)] = await told
        finally:
            del self._asked[job]

    def take(self, event: Event) -> None:
        """A host has answered."""
        told = self._asked.get(event.id)
        if told and not told.done() and isinstance(event.value, Tally):
            told.set_result(event.value)

    def lost(self, host: Counting) -> None:
        self._before += self._known.pop(id(host), Tally())
