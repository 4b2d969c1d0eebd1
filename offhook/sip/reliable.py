"""Provisional responses that are repeated until they are acknowledged.  RFC 3262."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

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


@dataclass(slots=True)
class Waiting:
    response: Response
    rseq: int
    until: float
    next_at: float
    wait: float = T1


class Provisionals:
    """Those of one INVITE, one after the other: the next is sent when the last was acknowledged."""

    def __init__(self, layer: Layer, invite: Transaction) -> None:
        self._layer, self._invite = layer, invite
        self._rseq = 1 + int(layer.rand()[:7], 16) % 2**30
        self._waiting: Waiting | None = None
        self._next: Response | None = None

    @property
    def wake_at(self) -> float | None:
        return self._waiting.next_at if self._waiting else None

    def send(self, response: Response, now: float) -> None:
        if self._waiting:
            self._next = response
            return
        self._rseq += 1
        fields = (*response.fields, RELIABLY, ("RSeq", str(self._rseq)))
        numbered = replace(response, fields=fields)
        self._waiting = Waiting(numbered, self._rseq, now + 64 * T1, now + T1)
        self._layer.respond(self._invite, numbered, now)

    def acknowledged(self, prack: Request, now: float) -> bool:
        """Whether this PRACK is for the one that waits (section 3)."""
        found, waiting = _RACK.fullmatch(prack.get("rack")), self._waiting
        cseq = self._invite.request.cseq.number
        if not found or waiting is None or found[3] != "INVITE":
            return False
        if (int(found[1]), int(found[2])) != (waiting.rseq, cseq):
            return False
        self._waiting = None
        following, self._next = self._next, None
        if following:
            self.send(following, now)
        return True

    def fire(self, now: float) -> bool:
        """Repeats what waits; False when it has waited for too long (64*T1)."""
        waiting = self._waiting
        if waiting is None or now < waiting.next_at:
            return True
        if now >= waiting.until:
            self._waiting = None
            return False
        self._layer.respond(self._invite, waiting.response, now)
        waiting.wait *= 2
        waiting.next_at = min(now + waiting.wait, waiting.until)
        return True

    def settle(self) -> None:
        """A final response is sent: nothing follows any more, a late PRACK is still known."""
        self._next = None
