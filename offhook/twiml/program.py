"""What a document is once it has been read, and how its verbs are run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from offhook.line.leg import HungUp
from offhook.line.live_call import LiveCall
from offhook.model.document import Document, Placed, Problem
from offhook.model.fetch import Fetch

__all__ = ["Document", "Placed", "Problem", "Verb", "perform"]


class Verb(Protocol):
    """An instruction to a call: a frozen dataclass whose fields are its attribute table."""

    async def run(self, call: LiveCall) -> Fetch | None:
        """Do it. None: the next verb. A Fetch: the document that takes this one's place."""


async def perform(placed: Iterable[Placed[Any]], call: LiveCall) -> Fetch | None:
    """Run them in order; the first that leads elsewhere ends the list.

    Raises HungUp: no verb is run any more once the caller has gone.
    """
    for each in placed:
        if call.gone:
            raise HungUp
        call.at(each.name, each.line, each.column)
        following: Fetch | None = await each.verb.run(call)
        if following is not None:
            return following
    return None
