"""One of two who talk has itself replaced (REFER).  reference: Dial, referUrl."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from offhook.line.leg import Wish
from offhook.line.live_call import LiveCall
from offhook.model.fetch import Fetch


@dataclass(frozen=True, slots=True)
class Onward:
    """Who of two who talked goes on, and with which document; `tell` takes the SIP status of it."""

    who: LiveCall
    document: Fetch
    tell: Callable[[int], None] = lambda status: None


@contextmanager
def wishes(
    parent: LiveCall, child: LiveCall, asking: Fetch | None
) -> Iterator[asyncio.Future[Onward]]:
    """The first wish of one of their phones to be replaced, made to the other's application.

    Without anybody to ask they are declined, and so is every further one.
    """
    first: asyncio.Future[Onward] = asyncio.get_running_loop().create_future()

    def listen(end: LiveCall, other: LiveCall, asking: Fetch) -> None:
        def heard(wish: Wish) -> None:
            parent.leg.on_refer = child.leg.on_refer = None
            params = {"ReferTransferTarget": wish.target}
            first.set_result(Onward(other, replace(asking, params=params), wish.tell))

        end.leg.on_refer = heard

    if asking:
        listen(parent, child, asking)
        listen(child, parent, asking)
    try:
        yield first
    finally:
        parent.leg.on_refer = child.leg.on_refer = None
