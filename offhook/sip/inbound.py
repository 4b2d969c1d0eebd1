"""A call in, until it is answered or refused.  RFC 3261 sections 13.3 and 9.2."""

from __future__ import annotations

import re
from collections.abc import Sequence

from offhook.frozen import frozen
from offhook.sip import digest
from offhook.sip.core import ALLOW, SDP, SUPPORTED, Core, Over
from offhook.sip.dialog import Dialog
from offhook.sip.grammar import BadSip, split_params
from offhook.sip.hop import Hop
from offhook.sip.message import Field, Request, respond
from offhook.sip.outbound import Outbound
from offhook.sip.reliable import Provisionals
from offhook.sip.session import Session
from offhook.sip.transactions import Transaction, earliest

RING_AGAIN = 60.0  # seconds; proxies give up a call that nothing is heard of (section 13.3.1.1)
TRYING = 0.2  # seconds within which a caller hears something (RFC 3261 section 17.2.1)
_SECONDS = re.compile("[0-9]{1,10}")


@frozen
class Incoming:
    """An INVITE that opens a dialog, and its bytes. Nothing was said to it yet, not even 100."""

    call: Inbound
    data: bytes


@frozen
class TakeOver:
    """A Replaces field: the call it names, or the `status` to refuse it with (section 3). One that
    is not answered yet can be taken over where it is ours: then another phone answers it."""

    call: Session | Outbound | None
    status: int = 0


def take_over(request: Request, core: Core) -> TakeOver | None:
    """None without a Replaces field. Raises BadSip where it cannot be read."""
    values = request.values("replaces")
    return named(values, core) if values else None


def named(values: Sequence[str], core: Core) -> TakeOver:
    call_id, _, rest = values[0].partition(";")
    params = dict(split_params(f";{rest}"))
    if len(values) > 1 or not params.get("to-tag") or not params.get("from-tag"):
        raise BadSip("not one Replaces")
    call_id, ours, theirs = call_id.strip(), params["to-tag"], params["from-tag"]
    found = core.dialogs.get((call_id, ours, theirs)) or core.callers.get((call_id, ours))
    match found:
        case Session(ending=True) | Outbound(ending=True):
            return TakeOver(None, 603)
        case Session() if "early-only" in params:
            return TakeOver(None, 486)
        case Session():
            return TakeOver(found)
        case Outbound() if found.rings(theirs):
            return TakeOver(found)
    return TakeOver(None, 481)


class Inbound:
    """`source` is where it came from. Every method does nothing once the call is `over`.

    `takes_over` says which call's place it wants to take (RFC 3891), if it may call at all.
    """

    def __init__(
        self, core: Core, transaction: Transaction, dialog: Dialog, source: Hop, serial: int
    ) -> None:
        self.core, self.serial, self.source = core, serial, source
        self.over = False
        self.takes_over: TakeOver | None = None
        self.credentials: digest.Credentials | None = None  # for whoever challenges us in the call
        self.request: Request = transaction.request
        self._transaction, self._dialog = transaction, dialog
        self._tag = transaction.tag = dialog.key[1]
        self._refusal: tuple[int, str] = (487, "")
        self._provisionals: Provisionals | None = None  # where the caller insists on an answer
        self._expires_at: float | None = None
        self._ring_at: float | None = None
        self._trying_at: float | None = None
        transaction.tell = self._heard
        core.dialogs[dialog.key] = self

    def taken(self, now: float) -> None:
        """Somebody decides about it: 100 is said in time, unless something else was by then."""
        self._trying_at = now + TRYING
        self.core.layer.alarms.set(self)

    def trying(self, now: float) -> None:
        """100, at once, so that the caller stops repeating itself (section 17.2.1)."""
        if not self.over:
            self.core.layer.respond(self._transaction, respond(self.request, 100), now)

    def ring(self, now: float) -> None:
        """180, every minute anew, repeated until it is acknowledged where the caller insists on
        that (RFC 3262).

        Such a caller who left the offer to us would have to get it now, and rings on its own.
        """
        if self.over:
            return
        insists = "100rel" in (tag.lower() for tag in self.request.tags("require"))
        fields = (self._contact(), ALLOW, SUPPORTED, ("Server", self.core.agent))
        response = respond(self.request, 180, fields, tag=self._tag)
        if not insists:
            self.core.layer.respond(self._transaction, response, now)
        elif self.request.body:
            if self._provisionals is None:
                self._provisionals = Provisionals(self.core.layer, self._transaction)
            self._provisionals.send(response, now)
        self._ring_at = now + RING_AGAIN
        self.core.layer.alarms.set(self)

    def _contact(self) -> Field:
        return self.core.contact(self.source, sips=self._dialog.sips)

    def may_expire(self, now: float) -> None:
        """After as many seconds as the caller gives us to decide, if it says (section 13.3.1)."""
        if _SECONDS.fullmatch(self.request.get("expires")):
            self._expires_at = now + int(self.request.get("expires"))
            self.core.layer.alarms.set(self)

    @property
    def wake_at(self) -> float | None:
        if self.over:
            return None
        repeat = self._provisionals.wake_at if self._provisionals else None
        trying = None if self._transaction.data else self._trying_at
        return earliest(repeat, trying, self._expires_at, self._ring_at)

    def fire(self, now: float) -> None:
        if self._expires_at is not None and now >= self._expires_at and not self.over:
            self._cancelled(now, 487, "the invitation expired")
        if self._trying_at is not None and now >= self._trying_at and not self._transaction.data:
            self.trying(now)
        if self._provisionals and not self.over and not self._provisionals.fire(now):
            self.reject(504, now, reason="No PRACK")
        if self._ring_at is not None and now >= self._ring_at:
            self.ring(now)
        self.core.layer.alarms.set(self)

    def answer(self, body: bytes, now: float) -> Session | None:
        """200 with our description; the session that this makes, or None when it is too late."""
        if self.over:
            return None
        self.over = True
        if self._provisionals:
            self._provisionals.settle()
        client = digest.Client(self.credentials, self.core.rand) if self.credentials else None
        session = Session(self.core, self._dialog, self.serial, client)
        session.learn(self.request)
        session.provisionals = self._provisionals
        fields: tuple[Field, ...] = (
            *(self._contact(), ALLOW, SUPPORTED, ("Server", self.core.agent)),
            *session.timer.answer(self.request, now),
            SDP,
        )
        session.answer(
            self._transaction, respond(self.request, 200, fields, tag=self._tag, body=body), now
        )
        return session

    def reject(self, status: int, now: float, *fields: Field, reason: str = "") -> None:
        """A final refusal. `Over` is reported when its ACK arrives, or never came."""
        if self.over:
            return
        self._close(status, now, *fields, reason=reason)
        self._refusal = (status, reason)

    def turn_away(self, status: int, *fields: Field) -> None:
        """A refusal that is said once and forgotten, as if the INVITE had never come.

        For strangers: a repeated INVITE gets another one, and nothing of ours is repeated to an
        address that may not have asked (RFC 3261 section 26.3.2.4).
        """
        if self.over:
            return
        self.over = True
        self.core.dialogs.pop(self._dialog.key, None)
        response = respond(
            self.request, status, (*fields, ("Server", self.core.agent)), tag=self._tag
        )
        self.core.layer.respond_and_forget(self._transaction, response)
        self.core.report(Over(self.serial, "near", status))

    def _close(self, status: int, now: float, *fields: Field, reason: str = "") -> None:
        self.over = True
        self.core.dialogs.pop(self._dialog.key, None)
        self.core.reply(self._transaction, status, now, *fields, tag=self._tag, reason=reason)

    def _cancelled(self, now: float, status: int, reason: str) -> None:
        """The caller gave up: 487 (section 9.2), reported at once."""
        self._close(487, now)
        self._refusal = (0, "")
        self.core.report(Over(self.serial, "far", status, reason))

    def _heard(self, what: object, now: float) -> None:
        if what == "CANCEL" and not self.over:
            self._cancelled(now, 487, "cancelled by the caller")
        elif what in ("ACK", None) and self._refusal[0]:
            status, reason = self._refusal
            self.core.report(Over(self.serial, "near", status, reason))

    def receive(self, request: Request, transaction: Transaction, now: float) -> None:
        """A request in the early dialog: a BYE ends it (section 15.1.2), an INVITE must wait.

        So must an UPDATE with an offer, since the first one has no answer yet (RFC 3311).
        """
        if request.cseq.number <= self._dialog.remote_cseq:
            self.core.reply(transaction, 500, now, ("Retry-After", "1"), reason="CSeq Out of Order")
            return
        self._dialog.remote_cseq = request.cseq.number
        if request.method == "PRACK":
            known = self._provisionals and self._provisionals.acknowledged(request, now)
            self.core.reply(transaction, 200 if known else 481, now)
            self.core.layer.alarms.set(self)
        elif request.method == "BYE":
            self.core.reply(transaction, 200, now)
            self._cancelled(now, 200, "ended by the caller before the answer")
        elif request.method == "INVITE" or (request.method == "UPDATE" and request.body):
            self.core.reply(transaction, 500, now, ("Retry-After", "2"))
        elif request.method in ("REFER", "NOTIFY"):
            self.core.reply(transaction, 481, now)
        else:
            self._dialog.refresh(request, transaction.hop)
            self.core.reply(transaction, 200, now, ALLOW, self._contact())

    def acked(self, request: Request, now: float) -> None:
        """An ACK without a 2xx to acknowledge means nothing."""
