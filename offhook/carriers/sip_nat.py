"""Phones behind NAT: their ways are kept open, and those that fell silent are known.

They are asked by OPTIONS: a NAT sees the question and, from its inside, the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from offhook.carriers.sip_switchboard import Switchboard
from offhook.sip.hop import Hop, bracketed
from offhook.sip.message import Response

MISSES = 3  # questions in a row without an answer, until a phone that used to answer is gone

log = structlog.get_logger("offhook.sip")


class KeepAlive:
    """Asks each of `phones()` once in `every` seconds (0: never), as long as there are any."""

    def __init__(
        self, board: Switchboard, phones: Callable[[], Sequence[Hop]], every: float
    ) -> None:
        self._board, self._phones, self._every = board, phones, every
        self._missed: dict[Hop, int] = {}  # in a row, of those that ever answered
        self._asking: asyncio.Task[None] | None = None

    def there(self, hop: Hop) -> bool:
        """Not if it used to answer and does so no more; who never did may still be there."""
        return self._missed.get(hop, 0) < MISSES

    def heard(self, hop: Hop) -> None:
        """Somebody there is alive, and may be new."""
        if hop in self._missed:
            self._answered(hop)
        self.start()

    def start(self) -> None:
        if self._every and (self._asking is None or self._asking.done()):
            self._asking = asyncio.ensure_future(self._ask_all())

    async def close(self) -> None:
        if self._asking:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask_all(self) -> None:
        while phones := self._phones():
            self._missed = {hop: self._missed[hop] for hop in phones if hop in self._missed}
            for hop in phones:
                self._ask(hop)
                await asyncio.sleep(self._every / len(phones))

    def _ask(self, hop: Hop) -> None:
        def tell(response: Response | None, now: float) -> None:
            if response is None:
                self._miss(hop)
            elif response.status >= 200:
                self._answered(hop)

        uri = f"sip:{bracketed(hop.host)}:{hop.port}"
        self._board.act(lambda now: self._board.endpoint.options(uri, hop, tell, now))

    def _answered(self, hop: Hop) -> None:
        if not self.there(hop):
            log.info("a phone behind NAT is back", phone=str(hop))
        self._missed[hop] = 0

    def _miss(self, hop: Hop) -> None:
        if hop not in self._missed:
            return
        self._missed[hop] += 1
        if self._missed[hop] == MISSES:
            self._board.endpoint.counts["phone lost"] += 1
            log.info("a phone behind NAT is gone", phone=str(hop))
