"""An answered call: ACK, re-INVITE, BYE.  RFC 3261 sections 13.2.2.4, 13.3.1.4, 14 and 15.

What is offered and answered inside the bodies is none of its business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from offhook.sip import digest
from offhook.sip.core import ALLOW, SDP, By, Core, Over, with_credentials
from offhook.sip.dialog import Dialog
from offhook.sip.grammar import split_params
from offhook.sip.hop import Send
from offhook.sip.message import Field, Request, Response, respond
from offhook.sip.transactions import T1, T2, Transaction

NO_ACK = "no ACK within 32 seconds"

HeardReply = Callable[[Request, Response | None, float], None]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The ACK of our 2xx arrived; it may carry the answer to an offer that was in the 2xx."""

    session: Session
    request: Request

    @property
    def serial(self) -> int:
        return self.session.serial


@dataclass(frozen=True, slots=True)
class Offered:
    """A re-INVITE, to be accepted or refused. Without a body it asks for our offer."""

    session: Session
    request: Request

    @property
    def serial(self) -> int:
        return self.session.serial


@dataclass(frozen=True, slots=True)
class Reanswered:
    """Our re-INVITE was answered; any `response` but a 2xx leaves the call as it was."""

    session: Session
    response: Response | None

    @property
    def serial(self) -> int:
        return self.session.serial


@dataclass(frozen=True, slots=True)
class Info:
    """An INFO, already answered with 200 (RFC 6086)."""

    session: Session
    request: Request

    @property
    def serial(self) -> int:
        return self.session.serial


@dataclass(slots=True)
class Unacked:
    """A 2xx of ours that is repeated until its ACK comes."""

    transaction: Transaction
    response: Response
    until: float
    next_at: float
    wait: float = T1


class Session:
    """One dialog's call. `bye` may be asked for at any time and is sent when it is allowed."""

    def __init__(
        self, core: Core, dialog: Dialog, serial: int, client: digest.Client | None = None
    ) -> None:
        self.core, self.dialog, self.serial, self._client = core, dialog, serial, client
        self.over = False
        self.quiet = False  # its end is not reported: the call it belongs to is another dialog
        self._ending = False
        self._bye_wanted = False
        self._unacked: Unacked | None = None
        self._theirs: Transaction | None = None  # a re-INVITE that waits for our answer
        self._ours: Transaction | None = None  # a re-INVITE of ours that waits for theirs
        self._acks: dict[int, Send] = {}  # by CSeq: a repeated 2xx gets the same ACK again
        core.dialogs[dialog.key] = self

    # Answering

    def answer(self, transaction: Transaction, response: Response, now: float) -> None:
        """Sends a 2xx and repeats it until the ACK (section 13.3.1.4)."""
        self._unacked = Unacked(transaction, response, now + 64 * T1, now + T1)
        self.core.layer.respond(transaction, response, now)
        self.core.layer.alarms.set(self)

    def acked(self, request: Request, now: float) -> None:
        waiting = self._unacked
        if waiting is None or request.cseq.number != waiting.transaction.request.cseq.number:
            return
        self._unacked = None
        if not self._bye_wanted:
            self.core.report(Confirmed(self, request))
        elif not self._ending:
            self._send_bye(now)

    @property
    def wake_at(self) -> float | None:
        return self._unacked.next_at if self._unacked else None

    def fire(self, now: float) -> None:
        waiting = self._unacked
        if waiting is None or now < waiting.next_at:
            return
        if now >= waiting.until:
            self._unacked = None
            self._send_bye(now)
            self._end("near" if self._bye_wanted else "network", 408, NO_ACK)
            return
        self.core.layer.respond(waiting.transaction, waiting.response, now)
        waiting.wait = min(2 * waiting.wait, T2)
        waiting.next_at = min(now + waiting.wait, waiting.until)
        self.core.layer.alarms.set(self)

    # Acknowledging

    def acknowledge(self, cseq: int, now: float, fields: tuple[Field, ...] = ()) -> None:
        """ACKs a 2xx; the same again for a repeated one. `fields` are the INVITE's credentials."""
        layer = self.core.layer
        if cseq in self._acks:
            layer.outputs.append(self._acks[cseq])
            return
        ack = self.dialog.request("ACK", fields, cseq=cseq)
        self._acks = {cseq: layer.once(ack, self.dialog.hop(), self.serial)}

    # Requests of the other side

    def receive(self, request: Request, transaction: Transaction, now: float) -> None:
        if request.cseq.number <= self.dialog.remote_cseq:  # section 12.2.2
            self.core.reply(transaction, 500, now, ("Retry-After", "1"), reason="CSeq Out of Order")
            return
        self.dialog.remote_cseq = request.cseq.number
        if request.method == "BYE":
            self._receive_bye(request, transaction, now)
        elif self._ending:
            self.core.reply(transaction, 481, now)
        elif request.method == "INVITE":
            self._receive_invite(request, transaction, now)
        else:  # INFO and OPTIONS: the endpoint let nothing else through
            self.core.reply(transaction, 200, now, ALLOW)
            if request.method == "INFO":
                self.core.report(Info(self, request))

    def _receive_bye(self, request: Request, transaction: Transaction, now: float) -> None:
        self.core.reply(transaction, 200, now)
        if self._theirs:
            self.core.reply(self._theirs, 487, now)
            self._theirs = None
        self._unacked = None
        self._end("near" if self._ending else "far", 200, _reason(request))

    def _receive_invite(self, request: Request, transaction: Transaction, now: float) -> None:
        if self._theirs:  # section 14.2: one after the other
            wait = 1 + int(self.core.rand()[:4], 16) % 10
            self.core.reply(transaction, 500, now, ("Retry-After", str(wait)))
            return
        if self._ours or self._unacked:  # glare, or our answer is not confirmed yet
            self.core.reply(transaction, 491, now)
            return
        self._theirs = transaction
        transaction.tell = self._heard_about_theirs
        self.core.reply(transaction, 100, now)
        self.core.report(Offered(self, request))

    def _heard_about_theirs(self, what: object, now: float) -> None:
        if what == "CANCEL" and self._theirs:
            self.core.reply(self._theirs, 487, now)
            self._theirs = None

    def accept(self, body: bytes, now: float) -> None:
        """Answers the re-INVITE that was offered; its Contact becomes the place to send to."""
        transaction, self._theirs = self._theirs, None
        if transaction is None or self._ending:
            return
        self.dialog.refresh(transaction.request)
        fields = (self.core.contact(transaction.hop), ALLOW, ("Server", self.core.agent), SDP)
        response = respond(transaction.request, 200, fields, body=body)
        self.answer(transaction, response, now)

    def refuse(self, status: int, now: float) -> None:
        """The call goes on as it was (section 14.2)."""
        transaction, self._theirs = self._theirs, None
        if transaction:
            self.core.reply(transaction, status, now)

    # Requests of ours

    def reinvite(self, body: bytes, now: float) -> bool:
        """Offers a change; False where one is already under way (section 14.1)."""
        if self._ours or self._theirs or self._unacked or self._ending:
            return False
        fields = (self.core.contact(self.dialog.hop()), ALLOW, SDP)
        self._ours = self._ask("INVITE", fields, body, self._heard_of_ours, now)
        return True

    def _heard_of_ours(self, request: Request, response: Response | None, now: float) -> None:
        if response is not None and response.status < 200:
            return
        if response is not None and response.status < 300:
            self.dialog.refresh(response)
            self.acknowledge(request.cseq.number, now)
        if self._ours is None:
            return  # a repeated 2xx
        self._ours = None
        self.core.report(Reanswered(self, response))
        if response is None or response.status in (408, 481):  # section 14.1: it is gone
            self.bye(now)

    def bye(self, now: float) -> None:
        """Ends the call. A callee waits for the ACK first (section 15.1.1)."""
        if self.over or self._bye_wanted:
            return
        self._bye_wanted = True
        if self._theirs:
            self.refuse(487, now)
        if self._unacked is None:
            self._send_bye(now)

    def _send_bye(self, now: float) -> None:
        self._ending = True
        self._ask("BYE", (("User-Agent", self.core.agent),), b"", self._heard_of_bye, now)

    def _heard_of_bye(self, request: Request, response: Response | None, now: float) -> None:
        if response is None or response.status >= 200:
            self._end("near", 200)

    def _ask(
        self,
        method: str,
        fields: tuple[Field, ...],
        body: bytes,
        heard: HeardReply,
        now: float,
        tries: int = 1,
    ) -> Transaction:
        request = self.dialog.request(method, fields, body)

        def tell(response: Response | None, at: float) -> None:
            again = response and with_credentials(self._client, request, fields, response, tries)
            if again:
                following = self._ask(method, again, body, heard, at, tries + 1)
                self._ours = following if method == "INVITE" else self._ours
            else:
                heard(request, response, at)

        return self.core.layer.request(request, self.dialog.hop(), tell, now, self.serial)

    def _end(self, by: By, code: int, reason: str = "") -> None:
        if self.over:
            return
        self.over = self._ending = True
        self.core.dialogs.pop(self.dialog.key, None)
        if not self.quiet:
            self.core.report(Over(self.serial, by, code, reason))


def _reason(request: Request) -> str:
    """The text of a Reason field, or its cause (RFC 3326)."""
    value = request.get("reason")
    params = dict(split_params(value[value.find(";") :])) if ";" in value else {}
    return params.get("text") or value
