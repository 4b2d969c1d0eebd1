"""Responses that are repeated until they are acknowledged.  RFC 3261 section 13.3.1.4, RFC 3262."""

from __future__ import annotations

import re
from dataclasses import replace
from math import inf

from offhook.sip.layer import Layer
from offhook.sip.message import Field, Request, Response
from offhook.sip.transactions import T1, Transaction

RELIABLY: Field = ("Require", "100rel")
_RACK = re.compile(r"([0-9]{1,10})\s+([0-9]{1,10})\s+(\S+)")


def rseq_of(response: Response) -> int:
    """The number of a response that wants a PRACK, else 0."""
    wanted = "100rel" in (tag.lower() for tag in response.tags("require"))
    number = response.get("rseq")
    return int(number) if wanted and number.isdecimal() and len(number) <= 10 else 0


def rack(rseq: int, invite: Request) -> Field:
    """What a PRACK acknowledges (section 7.2)."""
    return ("RAck", f"{rseq} {invite.cseq.number} INVITE")


class Repeated:
    """A response that is sent, and again while nobody acknowledges it, for 64*T1.

    The time between two doubles up to `longest` seconds: T2 for a 2xx, any for a provisional one.
    """

    def __init__(
        self, layer: Layer, transaction: Transaction, response: Response, now: float, longest: float
    ) -> None:
        self.transaction = transaction
        self._layer, self._response, self._longest = layer, response, longest
        self._wait, self._until = T1, now + 64 * T1
        self.wake_at = now + T1
        layer.respond(transaction, response, now)

    def fire(self, now: float) -> bool:
        """False when it has waited for too long."""
        if now < self.wake_at:
            return True
        if now >= self._until:
            return False
        self._layer.counts["retransmitted"] += 1
        self._layer.respond(self.transaction, self._response, now)
        self._wait = min(2 * self._wait, self._longest)
        self.wake_at = min(now + self._wait, self._until)
        return True


class Provisionals:
    """Those of one INVITE, one after the other: the next is sent when the last was acknowledged."""

    def __init__(self, layer: Layer, invite: Transaction) -> None:
        self._layer, self._invite = layer, invite
        self._rseq = 1 + int(layer.rand()[:7], 16) % 2**30
        self._waiting: Repeated | None = None
        self._next: Response | None = None

    @property
    def wake_at(self) -> float | None:
        return self._waiting.wake_at if self._waiting else None

    def send(self, response: Response, now: float) -> None:
        if self._waiting:
            self._next = response
            return
        self._rseq += 1
        fields = (*response.fields, RELIABLY, ("RSeq", str(self._rseq)))
        numbered = replace(response, fields=fields)
        self._waiting = Repeated(self._layer, self._invite, numbered, now, inf)

    def acknowledged(self, prack: Request, now: float) -> bool:
        """Whether this PRACK is for the one that waits (section 3)."""
        found, cseq = _RACK.fullmatch(prack.get("rack")), self._invite.request.cseq.number
        if not found or self._waiting is None or found[3] != "INVITE":
            return False
        if (int(found[1]), int(found[2])) != (self._rseq, cseq):
            return False
        self._waiting = None
        following, self._next = self._next, None
        if following:
            self.send(following, now)
        return True

    def fire(self, now: float) -> bool:
        """Repeats what waits; False when it has waited for too long (64*T1)."""
        if self._waiting and not self._waiting.fire(now):
            self._waiting = None
            return False
        return True

    def settle(self) -> None:
        """A final response is sent: nothing follows any more, a late PRACK is still known."""
        self._next = None
