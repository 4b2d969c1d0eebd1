"""One of two who talk has itself replaced (REFER).  reference: Dial, referUrl."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from offhook.exchange import documents
from offhook.exchange.exchange import Exchange
from offhook.frozen import frozen
from offhook.line.leg import HungUp, Wish
from offhook.line.live_call import LiveCall
from offhook.model.fetch import Fetch

TRANSFERRED, NOT_TRANSFERRED = 200, 503  # what a phone is told of its wish (RFC 3261 section 21)


def _nobody(status: int) -> None:
    """Is told how it went for who wished nothing."""


@frozen
class Onward:
    """Who of two who talked goes on, and with which document."""

    who: LiveCall
    document: Fetch


class Wishes:
    """What the phones of a bridge wish: to be replaced, one wish after the other.

    They are declined without a `url` to ask, and while another is looked into.
    """

    def __init__(
        self, exchange: Exchange, parent: LiveCall, child: LiveCall, url: Fetch | None
    ) -> None:
        self._exchange, self._parent, self._child, self._url = exchange, parent, child, url
        self._tell: Callable[[int], None] = _nobody

    async def granted(self) -> Onward | None:
        """Whom a wish leads on, with the document that its application gave; None once one of the
        two has hung up.

        They go on talking while it is asked, and when it has none. Who wished need not wait.
        """
        while wish := await self._next():
            other, wanted = wish
            asking = self._exchange.surely(documents.obtain(self._exchange, other, wanted))
            with suppress(HungUp):
                if document := await other.on_line(asking):
                    self._told(TRANSFERRED)
                    return Onward(other, replace(wanted, document=document))
            self._told(NOT_TRANSFERRED)
        return None

    async def _next(self) -> tuple[LiveCall, Fetch] | None:
        """Whose application is to be asked for what, unless somebody hangs up first."""
        wished: asyncio.Future[tuple[LiveCall, Fetch]] = asyncio.get_running_loop().create_future()

        def listen(end: LiveCall, other: LiveCall, url: Fetch) -> None:
            def heard(wish: Wish) -> None:
                self._decline()
                self._tell = wish.tell
                params = {"ReferTransferTarget": wish.target}
                wished.set_result((other, replace(url, params=params)))

            end.leg.on_refer = heard

        if self._url:
            listen(self._parent, self._child, self._url)
            listen(self._child, self._parent, self._url)
        ended = (self._parent.leg.ended, self._child.leg.ended)
        await asyncio.wait((wished, *ended), return_when=asyncio.FIRST_COMPLETED)
        return wished.result() if wished.done() else None

    def _decline(self) -> None:
        self._parent.leg.on_refer = self._child.leg.on_refer = None

    def _told(self, status: int) -> None:
        """How the wish that was looked into went."""
        tell, self._tell = self._tell, _nobody
        tell(status)

    def over(self) -> None:
        """The two have parted. Who is still waiting for an answer has wished in vain."""
        self._decline()
        self._told(NOT_TRANSFERRED)
