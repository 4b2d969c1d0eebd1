"""What a carrier hands over: one phone, on the line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import field
from typing import Any, Literal, Protocol

from offhook.frozen import frozen
from offhook.media.plane import MediaLeg

DECLINED, NOBODY_WANTS_TRANSFERS = 603, 13802  # reference: error codes


class HungUp(Exception):
    """The leg has ended; whatever was being done on it is over."""


@frozen
class Ended:
    """How a leg ended. `code` is a SIP status (RFC 3261 section 21); a BYE is 200."""

    by: Literal["far", "near", "network"]
    code: int = 200
    reason: str = ""


@frozen
class Transfer:
    """How a phone fared that was asked to call somebody else: the SIP status that it answered with
    (`answer`), and the last that it told of that call (`outcome`). 0 is not known."""

    answer: int = 0
    outcome: int = 0


@frozen
class Wish:
    """A phone wants its other end to talk to `target`, a URI, in its place (RFC 3515).

    `tell` takes the SIP status of how that goes; one from 200 on is the last.
    """

    target: str
    tell: Callable[[int], None]


@frozen
class About:
    """What a leg brought along, as webhook parameters and record fields want it.

    `params` are extra request parameters verbatim: SipCallId, SipDomain, SipHeader_X-...
    """

    forwarded_from: str = ""
    caller_name: str = ""
    params: tuple[tuple[str, str], ...] = ()
    dialog: dict[str, Any] = field(
        default_factory=dict
    )  # for LiveDialog; empty: nothing to restore


class Trace:
    """A leg's signalling as it happens. Entries are held back until somebody listens."""

    def __init__(self) -> None:
        self._held: list[tuple[str, dict[str, Any]]] = []
        self._sink: Callable[[str, dict[str, Any]], None] | None = None

    def add(self, kind: str, data: dict[str, Any]) -> None:
        if self._sink:
            self._sink(kind, data)
        elif len(self._held) < 200:
            self._held.append((kind, data))

    def listen(self, sink: Callable[[str, dict[str, Any]], None]) -> None:
        self._sink = sink
        for kind, data in self._held:
            sink(kind, data)
        self._held.clear()


class Leg(Protocol):
    """Sound and keys are `media`; the hook is here. Every method is safe after the end.

    `ended` resolves exactly once, whoever ended the leg, and only when its signalling is over.
    `on_refer` is told of the phone's wishes to be replaced; while there is none, they are declined.
    """

    media: MediaLeg
    ended: asyncio.Future[Ended]
    trace: Trace
    on_refer: Callable[[Wish], None] | None = None

    @property
    def about(self) -> About: ...

    async def ring(self) -> None:
        """Tell the caller that it rings (180). Inbound legs only; once is enough."""

    async def answer(self) -> None:
        """Take the call; returns when both sides know. Raises HungUp. No-op when answered."""

    async def reject(self, code: int) -> None:
        """Refuse an unanswered inbound leg with a SIP status."""

    async def hang_up(self) -> None:
        """End it in whatever state it is (CANCEL, BYE or a refusal) and wait for `ended`."""

    async def refer(self, to: str) -> Transfer | None:
        """Ask the phone of an answered leg to call the URI `to` in our place (REFER).

        Returns when it has told how that went, has refused, has ended the leg, or has said nothing
        for too long. None: a phone that cannot be asked.
        """
        return None


@frozen
class Target:
    """Whom to call. `to` is E.164, `sip:...` or `client:...`; `from_` is the caller id to show."""

    to: str
    from_: str
    call_sid: str
    account_sid: str
    username: str = ""
    password: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    from_name: str = ""
    trace: Trace = field(default_factory=Trace)  # becomes the leg's
    near: MediaLeg | None = None  # whose sound it will be joined with: one worker has both


Ringing = Callable[[Leg, bool], None]


@frozen
class Text:
    """A text on its way; `media` are URLs."""

    sid: str
    account_sid: str
    to: str
    from_: str
    body: str
    media: tuple[str, ...] = ()


ELSEWHERE = "answered elsewhere"  # why a call out is cancelled


class Carrier(Protocol):
    """Takes legs and texts out; what comes in goes to the `on_call` and `on_text` it was given."""

    name: str

    async def dial(self, target: Target, ringing: Ringing) -> Leg:
        """The answered leg. `ringing(leg, early_media)` is told of 180 and 183, perhaps often.

        Raises CarrierError when refused. Cancelling it gives the attempt up (CANCEL; a 200 that
        crosses it is acknowledged and ended), and returns only when that is done. With the message
        `ELSEWHERE` the phone is told that it has missed nothing.
        """

    async def send(self, text: Text, report: Callable[[str, int], None]) -> None:
        """Hand a text over; returns when it is `sent`. Raises CarrierError.

        `report(status, error_code)` is called once with `delivered` or `undelivered`, if ever.
        """
