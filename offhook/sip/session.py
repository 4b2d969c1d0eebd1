"""An answered call: ACK, changes, BYE.  RFC 3261 sections 13.2.2.4, 13.3.1.4, 14, 15; RFC 3311.

What is offered and answered inside the bodies is none of its business.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Protocol

from offhook.frozen import frozen
from offhook.sip import digest, interval, referral
from offhook.sip.core import (
    ALLOW,
    SDP,
    SUPPORTED,
    SUPPORTED_LATER,
    By,
    Core,
    Over,
    Party,
    Wanted,
    reason_of,
)
from offhook.sip.dialog import Dialog
from offhook.sip.hop import Send
from offhook.sip.message import Field, Message, Request, Response, respond
from offhook.sip.reliable import Provisionals, Repeated
from offhook.sip.transactions import T2, Transaction, earliest

NO_ACK = "no ACK within 32 seconds"
NOT_REFRESHED = "the session was not refreshed"


@frozen
class Confirmed:
    """The ACK of our 2xx arrived; it may carry the answer to an offer that was in the 2xx."""

    session: Session
    request: Request

    @property
    def serial(self) -> int:
        return self.session.serial


class Answering(Protocol):
    """Whoever has an offer to be answered: a session, or a call out that is not answered yet."""

    serial: int

    def accept(self, body: bytes, now: float) -> None: ...

    def refuse(self, status: int, now: float) -> None: ...


@frozen
class Offered:
    """A re-INVITE or an UPDATE, to be accepted or refused. Without a body it asks for our offer."""

    session: Answering
    request: Request

    @property
    def serial(self) -> int:
        return self.session.serial


@frozen
class Reanswered:
    """Our re-INVITE was answered; any `response` but a 2xx leaves the call as it was.

    One that is refused because it met another (491) is sent again by itself.
    """

    session: Session
    response: Response | None

    @property
    def serial(self) -> int:
        return self.session.serial


@frozen
class Info:
    """An INFO, already answered with 200 (RFC 6086)."""

    session: Session
    request: Request

    @property
    def serial(self) -> int:
        return self.session.serial


@frozen
class Change:
    """A re-INVITE or UPDATE of ours. One that only `refreshes` is nobody's business; one that was
    `lengthened` asks for the interval that a 422 named."""

    method: str
    body: bytes
    refreshes: bool = False
    lengthened: bool = False


class Session:
    """One dialog's call. `bye` may be asked for at any time and is sent when it is allowed."""

    def __init__(
        self,
        core: Core,
        dialog: Dialog,
        serial: int,
        client: digest.Client | None = None,
        *,
        called: bool = True,
    ) -> None:
        self.core, self.dialog, self.serial = core, dialog, serial
        self.party = Party(dialog, serial, client)
        self.over = False
        self.quiet = False  # its end is not reported: the call it belongs to is another dialog
        self.said = b""  # our latest description
        self.provisionals: Provisionals | None = None  # of the INVITE, for a PRACK that comes late
        self.timer = interval.SessionTimer(core.interval, self._rearm)
        self._called = called  # it was the other side that chose the Call-ID
        self._takes_update = False
        self._transfers = referral.Transfers(core, self.party, self._told)
        self._ending = self._bye_wanted = False
        self._unacked: Repeated | None = None  # a 2xx of ours
        self._theirs: Transaction | None = None  # an offer that waits for our answer
        self._ours: Change | None = None  # an offer of ours that waits for theirs
        self._repeat: tuple[float, Change] | None = None  # when one that met theirs is sent again
        self._acks: dict[int, Send] = {}  # by CSeq: a repeated 2xx gets the same ACK again
        core.dialogs[dialog.key] = self

    def learn(self, message: Message) -> None:
        """What the other side can do, from what it sent."""
        if message.values("allow"):
            self._takes_update = "UPDATE" in message.tags("allow")

    # Answering

    def answer(self, transaction: Transaction, response: Response, now: float) -> None:
        """Sends a 2xx and repeats it until the ACK (section 13.3.1.4)."""
        self.said = response.body
        self._unacked = Repeated(self.core.layer, transaction, response, now, T2)
        self._rearm()

    def acked(self, request: Request, now: float) -> None:
        waiting = self._unacked
        if waiting is None or request.cseq.number != waiting.transaction.request.cseq.number:
            return
        self._unacked = None
        self._rearm()
        if not self._bye_wanted:
            self.core.report(Confirmed(self, request))
        elif not self._ending:
            self._send_bye(now)

    @property
    def wake_at(self) -> float | None:
        return earliest(
            self._unacked.wake_at if self._unacked else None,
            self._repeat[0] if self._repeat else None,
            None if self._ending else self.timer.wake_at,
        )

    def _rearm(self) -> None:
        self.core.layer.alarms.set(self)

    def fire(self, now: float) -> None:
        if self._unacked and not self._unacked.fire(now):
            self._unacked = None
            self._give_up(408, NO_ACK, now)
        if self._repeat and now >= self._repeat[0]:
            change, self._repeat = self._repeat[1], None
            if not self._send_change(change, now):
                self._repeat = (now + 1, change)
        due = "" if self._ending else self.timer.due(now)
        if due == "refresh":
            self._refresh(now)
        elif due == "expired":
            self._give_up(408, NOT_REFRESHED, now)
        self._rearm()

    def _give_up(self, code: int, reason: str, now: float) -> None:
        """The other side is gone: a BYE it may never hear, and no waiting for its answer."""
        self._send_bye(now)
        self._end("near" if self._bye_wanted else "network", code, reason)

    # Acknowledging

    def acknowledge(self, invite: Request, now: float) -> None:
        """ACKs a 2xx with the credentials of its INVITE; the same again for a repeated one."""
        layer, cseq = self.core.layer, invite.cseq.number
        if cseq in self._acks:
            layer.outputs.append(self._acks[cseq])
            return
        credentials = tuple(f for f in invite.fields if f[0].endswith("Authorization"))
        ack = self.dialog.request("ACK", credentials, cseq=cseq)
        self._acks = {cseq: layer.once(ack, self.dialog.hop(), self.serial, now)}

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
        elif request.method in ("INVITE", "UPDATE"):
            self._receive_change(request, transaction, now)
        else:
            self._receive_other(request, transaction, now)

    def _receive_other(self, request: Request, transaction: Transaction, now: float) -> None:
        match request.method:
            case "PRACK":
                known = self.provisionals and self.provisionals.acknowledged(request, now)
                self.core.reply(transaction, 200 if known else 481, now)
            case "REFER":
                self._transfers.asked(transaction, now)
            case "NOTIFY":
                self._transfers.notified(transaction, now)
            case _:  # INFO and OPTIONS: the endpoint let nothing else through
                self.core.reply(transaction, 200, now, ALLOW, SUPPORTED)
                if request.method == "INFO":
                    self.core.report(Info(self, request))

    def _told(self, now: float) -> None:
        """A BYE that waited for the other side to know how its REFER went may be sent."""
        if self._bye_wanted and not self._ending and self._unacked is None:
            self._send_bye(now)

    def _receive_bye(self, request: Request, transaction: Transaction, now: float) -> None:
        self.core.reply(transaction, 200, now)
        self.refuse(487, now)
        self._unacked = None
        self._end("near" if self._ending else "far", 200, reason_of(request))

    def _receive_change(self, request: Request, transaction: Transaction, now: float) -> None:
        if short := interval.too_short(request, self.core.interval):
            self.core.reply(transaction, 422, now, *short)
        elif request.method == "UPDATE" and not request.body:
            self._refreshed(request, transaction, now)
        elif self._theirs:  # section 14.2, RFC 3311 section 5.2: one after the other
            wait = 1 + int(self.core.rand()[:4], 16) % 10
            self.core.reply(transaction, 500, now, ("Retry-After", str(wait)))
        elif (self._ours and self._ours.body) or self._answer_is_open(request):  # glare
            self.core.reply(transaction, 491, now)
        else:
            self._theirs = transaction
            if request.method == "INVITE":
                transaction.tell = self._heard_about_theirs
                self.core.reply(transaction, 100, now)
            self.core.report(Offered(self, request))

    def _answer_is_open(self, request: Request) -> bool:
        """Whether our 2xx is not confirmed yet; an UPDATE minds only if our offer was in it."""
        waiting = self._unacked
        if waiting is None:
            return False
        return request.method == "INVITE" or not waiting.transaction.request.body

    def _refreshed(self, request: Request, transaction: Transaction, now: float) -> None:
        self.dialog.refresh(request, transaction.hop)
        self.core.answer(transaction, self._change_fields(request, transaction, now), b"", now)

    def _change_fields(
        self, request: Request, transaction: Transaction, now: float
    ) -> tuple[Field, ...]:
        self.learn(request)
        contact = self.core.contact(transaction.hop, sips=self.dialog.sips)
        return (contact, ALLOW, SUPPORTED, *self.timer.answer(request, now))

    def _heard_about_theirs(self, what: object, now: float) -> None:
        if what == "CANCEL":
            self.refuse(487, now)

    def accept(self, body: bytes, now: float) -> None:
        """Answers what was offered; the other side's Contact becomes the place to send to."""
        transaction, self._theirs = self._theirs, None
        if transaction is None:
            return
        request = transaction.request
        self.dialog.refresh(request, transaction.hop)
        fields = self._change_fields(request, transaction, now)
        if request.method == "UPDATE":
            self.said = body
            self.core.answer(transaction, fields, body, now)
            return
        fields = (*fields, ("Server", self.core.agent), SDP)
        self.answer(transaction, respond(request, 200, fields, body=body), now)

    def refuse(self, status: int, now: float) -> None:
        """The call goes on as it was (section 14.2)."""
        transaction, self._theirs = self._theirs, None
        if transaction:
            self.core.reply(transaction, status, now)

    # Requests of ours

    def reinvite(self, body: bytes, now: float) -> bool:
        """Offers a change; False where one is already under way (section 14.1)."""
        return self._repeat is None and self._send_change(Change("INVITE", body), now)

    def refer(self, target: str, fields: tuple[Field, ...], now: float) -> bool:
        """Asks the other side to call `target`; False when it has been asked, or the call ends."""
        if self.ending:
            return False
        contact = self.core.contact(self.dialog.hop(), sips=self.dialog.sips)
        return self._transfers.refer(target, (contact, *fields), now)

    def _refresh(self, now: float) -> None:
        change = Change("UPDATE", b"", True)
        if not self._takes_update:
            change = Change("INVITE", self.said, True)
        if self._repeat or not self._send_change(change, now):
            self.timer.again(now)

    def _send_change(self, change: Change, now: float) -> bool:
        if self._ours or self._theirs or self._unacked or self.ending:
            return False
        self._ours = change
        contact = self.core.contact(self.dialog.hop(), sips=self.dialog.sips)
        fields: tuple[Field, ...] = (contact, ALLOW, SUPPORTED_LATER, *self.timer.fields())
        fields = (*fields, *((SDP,) if change.body else ()))
        wanted = Wanted(change.method, fields, change.body)
        self.core.ask(self.party, wanted, partial(self._heard_of_change, change), now)
        return True

    def _heard_of_change(
        self, change: Change, request: Request, response: Response | None, now: float
    ) -> None:
        status = response.status if response else 408
        if status < 200:
            return
        if response is not None and status < 300:
            self.dialog.refresh(response)
            if request.method == "INVITE":
                self.acknowledge(request, now)
        if self._ours is not change:
            return  # a repeated 2xx
        self._ours = None
        if response is not None and status < 300:
            self.said = change.body or self.said
            self.learn(response)
            self.timer.answered(response, now)
        if not self._tried_again(change, status, response, now):
            self._change_over(change, status, response, now)

    def _tried_again(
        self, change: Change, status: int, response: Response | None, now: float
    ) -> bool:
        if self._ending:
            return False
        if status == 491:  # section 14.1: who made the call waits longer
            chance = int(self.core.rand()[:6], 16)
            wait = chance % 201 / 100 if self._called else (210 + chance % 191) / 100
            self._repeat = (now + wait, change)
            self._rearm()
            return True
        if status == 422 and response is not None and not change.lengthened:
            longer = replace(change, lengthened=True)
            return self.timer.lengthen(interval.least(response)) and self._send_change(longer, now)
        return False

    def _change_over(
        self, change: Change, status: int, response: Response | None, now: float
    ) -> None:
        if not change.refreshes or status < 300:
            self.core.report(Reanswered(self, response))
        if status in (408, 481):  # section 14.1: it is gone
            self.bye(now)
        elif change.refreshes and status >= 300:
            self._takes_update = False
            self.timer.again(now)

    @property
    def ending(self) -> bool:
        """Whether it is over for us, even if the other side does not know yet."""
        return self._ending or self._bye_wanted

    def bye(self, now: float) -> None:
        """Ends the call. A callee waits for the ACK first (section 15.1.1)."""
        if self.over or self._bye_wanted:
            return
        self._bye_wanted = True
        if self._unacked is None and not self._transfers.telling:
            self._send_bye(now)

    def _send_bye(self, now: float) -> None:
        self._ending = True
        self._repeat = None
        self.refuse(487, now)
        bye = Wanted("BYE", (("User-Agent", self.core.agent),))
        self.core.ask(self.party, bye, self._heard_of_bye, now)

    def _heard_of_bye(self, request: Request, response: Response | None, now: float) -> None:
        if response is None or response.status >= 200:
            self._end("near", 200)

    def _end(self, by: By, code: int, reason: str = "") -> None:
        if self.over:
            return
        self.over = self._ending = True
        self._repeat = None
        self.core.dialogs.pop(self.dialog.key, None)
        if self._ours:
            self.core.layer.forget_of(self.serial)
        self.timer.forget()
        self._transfers.forget()
        if not self.quiet:
            self.core.report(Over(self.serial, by, code, reason))
