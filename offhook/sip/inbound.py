"""A call in, until it is answered or refused.  RFC 3261 sections 13.3 and 9.2."""

from __future__ import annotations

from dataclasses import dataclass

from offhook.sip.core import ALLOW, SDP, Core, Over
from offhook.sip.dialog import Dialog
from offhook.sip.hop import Hop
from offhook.sip.message import Field, Request, respond
from offhook.sip.session import Session
from offhook.sip.transactions import Transaction


@dataclass(frozen=True, slots=True)
class Incoming:
    """An INVITE that opens a dialog, and its bytes. Nothing was said to it yet, not even 100."""

    call: Inbound
    data: bytes


class Inbound:
    """`source` is where it came from. Every method does nothing once the call is `over`."""

    def __init__(
        self, core: Core, transaction: Transaction, dialog: Dialog, source: Hop, serial: int
    ) -> None:
        self.core, self.serial, self.source = core, serial, source
        self.over = False
        self.request: Request = transaction.request
        self._transaction, self._dialog = transaction, dialog
        self._tag = dialog.key[1]
        self._refusal: tuple[int, str] = (487, "")
        transaction.tell = self._heard
        core.dialogs[dialog.key] = self

    def trying(self, now: float) -> None:
        """100, at once, so that the caller stops repeating itself (section 17.2.1)."""
        if not self.over:
            self.core.layer.respond(self._transaction, respond(self.request, 100), now)

    def ring(self, now: float) -> None:
        if self.over:
            return
        fields = (self.core.contact(self.source), ALLOW, ("Server", self.core.agent))
        response = respond(self.request, 180, fields, tag=self._tag)
        self.core.layer.respond(self._transaction, response, now)

    def answer(self, body: bytes, now: float) -> Session | None:
        """200 with our description; the session that this makes, or None when it is too late."""
        if self.over:
            return None
        self.over = True
        fields: tuple[Field, ...] = (
            self.core.contact(self.source),
            ALLOW,
            ("Server", self.core.agent),
            SDP,
        )
        session = Session(self.core, self._dialog, self.serial)
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
            self._refusal = (0, "")
            self.core.report(Over(self.serial, "near", status, reason))

    def receive(self, request: Request, transaction: Transaction, now: float) -> None:
        """A request in the early dialog: a BYE ends it (section 15.1.2), an INVITE must wait."""
        if request.method == "BYE":
            self.core.reply(transaction, 200, now)
            self._cancelled(now, 200, "ended by the caller before the answer")
        elif request.method == "INVITE":
            self.core.reply(transaction, 500, now, ("Retry-After", "2"))
        else:
            self.core.reply(transaction, 200, now, ALLOW)

    def acked(self, request: Request, now: float) -> None:
        """An ACK without a 2xx to acknowledge means nothing."""
