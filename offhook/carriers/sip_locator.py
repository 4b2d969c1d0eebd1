"""Finds servers by name, remembers what was found, and which of them failed.  RFC 3263."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from offhook import clock
from offhook.carriers.sip_dns import Answer
from offhook.errors import CarrierError
from offhook.sip.hop import Hop, hop_of
from offhook.sip.location import Locating, Means, Question, Record, locate, servers
from offhook.sip.message import Response
from offhook.sip.uri import Uri

log = structlog.get_logger("offhook.sip")

K = TypeVar("K")
V = TypeVar("V")
Ask = Callable[[Question], Awaitable[Answer]]

MOST_KEPT = 1000  # answers, and servers that failed; the oldest are forgotten first
LONGEST_KEPT = 86_400.0  # seconds, whatever a zone says
NOT_THERE = 30.0  # seconds for which it is remembered that there is nothing, or nobody to ask
DEAF = 5.0  # seconds for which DNS is not asked again after it was silent
AVOIDED = 30.0  # seconds for which a server that failed is tried last
LONGEST_AVOIDED = 600.0  # ... whatever it asks for itself


class Locator:
    """`ask` is DNS; it raises OSError when nobody answers. `means` is what we reach servers by."""

    def __init__(self, ask: Ask, means: Callable[[], Means]) -> None:
        self._ask, self._means = ask, means
        self._known: dict[Question, tuple[Sequence[Record], float]] = {}
        self._avoided: dict[Hop, float] = {}
        self._deaf_until = 0.0

    async def servers(self, where: Uri | Hop) -> list[Hop]:
        """Where to try, one after the other: those that failed lately at the end.

        Raises CarrierError (503) where there is nothing to try.
        """
        means = self._means()
        transport = (hop_of(where) if isinstance(where, Uri) else where).transport
        if transport not in means.transports:
            raise CarrierError(503, f"no {transport} here")
        locating = locate(where, means) if isinstance(where, Uri) else servers(where, means)
        found = await self._follow(locating)
        if not found:
            raise CarrierError(503, f"{where.host} has no address")
        return sorted(found, key=self.avoids)

    async def _follow(self, locating: Locating) -> list[Hop]:
        try:
            question = next(locating)
            while True:
                question = locating.send(await self._answer(question))
        except StopIteration as done:
            found: list[Hop] = done.value
            return found

    async def _answer(self, question: Question) -> Sequence[Record]:
        """What is known already, while it is good; older news where nobody can be asked."""
        records, until = self._known.get(question, ((), 0.0))
        if max(until, self._deaf_until) > clock.now():
            return records
        try:
            answer = await self._ask(question)
        except OSError as error:
            if isinstance(error, TimeoutError):
                self._deaf_until = clock.now() + DEAF
            log.warning("a name cannot be looked up", name=question.name, error=str(error))
            answer = Answer(tuple(records), NOT_THERE)
        lasts = min(answer.ttl, LONGEST_KEPT) if answer.records else NOT_THERE
        self._known.pop(question, None)
        _make_room(self._known)
        self._known[question] = (answer.records, clock.now() + lasts)
        return answer.records

    # Who failed

    def avoids(self, hop: Hop) -> bool:
        return self._avoided.get(_server(hop), 0.0) > clock.now()

    def failed(self, hop: Hop, seconds: float = 0) -> None:
        """It is tried last for some time, or for as long as it asked for."""
        wait = min(seconds, LONGEST_AVOIDED) or AVOIDED
        if _server(hop) not in self._avoided:
            log.warning("a SIP server failed", server=str(hop), avoided_for=round(wait))
        self._avoided.pop(_server(hop), None)
        _make_room(self._avoided)
        self._avoided[_server(hop)] = clock.now() + wait

    def answered(self, hop: Hop) -> None:
        if self._avoided.pop(_server(hop), None) is not None:
            log.info("a SIP server is back", server=str(hop))

    # Requests that anybody may answer

    async def ask(
        self,
        where: Uri,
        patience: float,
        send: Callable[[Hop], Awaitable[Response | None]],
    ) -> tuple[Hop, Response | None]:
        """The first server to answer with anything but 503, and its answer; None is silence.

        Each but the last has `patience` seconds. Raises CarrierError as `servers` does.
        """
        hops = await self.servers(where)
        for hop in hops:
            response = None
            try:
                async with asyncio.timeout(patience if hop is not hops[-1] else None):
                    response = await send(hop)
            except TimeoutError:
                pass
            if response is not None and response.status != 503:
                self.answered(hop)
                break
            self.failed(hop, retry_after(response))
        return hop, response


def retry_after(response: Response | None) -> float:
    """The seconds that a refusal asks for, 0 without any (RFC 3261 section 20.33)."""
    text = response.get("retry-after").partition("(")[0].partition(";")[0] if response else ""
    text = text.strip()
    return float(text) if text.isdecimal() and len(text) < 7 else 0.0


def _server(hop: Hop) -> Hop:
    return Hop(hop.transport, hop.host, hop.port)


def _make_room(table: dict[K, V]) -> None:
    if len(table) >= MOST_KEPT:
        del table[next(iter(table))]
