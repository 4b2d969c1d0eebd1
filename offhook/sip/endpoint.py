"""A SIP endpoint without sockets: bytes in, bytes and events out.  RFC 3261 sections 8, 9, 11, 18.

Call `receive`, `fire` or a method of a call, then `take` what comes of it, and see to it that
`fire` is called at `wake_at`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from offhook.sip import bodies, digest
from offhook.sip.core import (
    ACCEPT,
    ALLOW,
    ALLOW_INSIDE,
    EXTENSIONS,
    METHODS,
    MOST_TRIES,
    SUPPORTED,
    Core,
    Heard,
    Registering,
    with_credentials,
)
from offhook.sip.dialog import Dialog
from offhook.sip.enrolment import Enrolment
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, Send
from offhook.sip.inbound import Inbound, Incoming, named, take_over
from offhook.sip.interval import Interval, too_short
from offhook.sip.layer import Layer, Tell, server_key, stamped
from offhook.sip.message import (
    Field,
    Request,
    Response,
    answerable,
    fault,
    parse,
    respond,
)
from offhook.sip.outbound import Invitation, Outbound
from offhook.sip.referral import Referral, Transfers
from offhook.sip.session import Session
from offhook.sip.transactions import Transaction

HALF_AN_HOUR = Interval()
_DESCRIBABLE = re.compile(r"application/(sdp|\*)|\*/\*", re.IGNORECASE)  # in an Accept


class Endpoint:
    """`sent_by(hop)` and `contact(hop)` say how that hop can reach us, as host:port and as URI.

    `rand` gives unguessable hexadecimal text, 32 digits or more. Without `tcp`, long requests stay
    datagrams. `interval` is how long sessions last unless they are refreshed.
    """

    def __init__(
        self,
        sent_by: Callable[[Hop], str],
        contact: Callable[[Hop], str],
        rand: Callable[[], str],
        *,
        agent: str = "Offhook",
        tcp: bool = True,
        interval: Interval = HALF_AN_HOUR,
    ) -> None:
        self._layer = Layer(sent_by, rand, tcp=tcp)
        self._core = Core(self._layer, contact, agent, interval)
        self.refusing = False  # calls; who asks before he calls is told (section 11.2)

    # For whoever has the sockets and the clock

    def receive(self, data: bytes, hop: Hop, now: float) -> None:
        """One whole message from `hop`. Never raises: what is no SIP is counted and dropped."""
        try:
            message = parse(data)
            wrong = fault(message)
        except BadSip:
            self.counts["malformed"] += 1
            return
        if isinstance(message, Response):
            self._receive_response(message, wrong, data, hop, now)
        elif wrong:
            self._refuse_malformed(message, wrong, hop)
        else:
            self._receive_request(bodies.alone(message), data, hop, now)

    def fire(self, now: float) -> None:
        while sleeper := self._layer.fire(now):
            if isinstance(sleeper, Session | Outbound | Inbound | Referral | Transfers):
                sleeper.fire(now)

    @property
    def wake_at(self) -> float | None:
        return self._layer.alarms.next

    def undeliverable(self, send: Send, now: float) -> None:
        """Says that a message that was taken could not reach its hop."""
        self.counts["undeliverable"] += 1
        self._layer.undeliverable(send.key, now)

    def take(self) -> list[object]:
        """What there is to send (`Send`) and to know (the events), in the order of happening."""
        taken, self._layer.outputs = self._layer.outputs, []
        return taken

    @property
    def counts(self) -> Counter[str]:
        """How many messages were malformed, stray (no transaction or dialog) or undeliverable."""
        return self._layer.counts

    @property
    def transactions(self) -> int:
        """How many are alive, of both sides."""
        return len(self._layer.clients) + len(self._layer.servers)

    @property
    def dialogs(self) -> int:
        return len(self._core.dialogs) + len(self._core.callers)

    def far_hosts(self) -> Iterator[str]:
        """Where the calls that are up were heard from."""
        calls = (each for each in self._core.dialogs.values() if isinstance(each, Session))
        return (call.dialog.source.host for call in calls)

    @property
    def busy(self) -> bool:
        """Whether any call or transaction is still alive."""
        return bool(self._layer.clients or self._core.dialogs or self._core.callers)

    # For whoever calls

    def invite(self, invitation: Invitation, now: float) -> Outbound:
        return Outbound(self._core, invitation, now)

    def options(
        self,
        uri: str,
        hop: Hop,
        tell: Tell,
        now: float,
        credentials: digest.Credentials | None = None,
        route: tuple[str, ...] = (),
    ) -> None:
        """Asks whether somebody is there (section 11); `tell` hears the responses, or None."""
        rand = self._core.rand
        fields = (
            ("Max-Forwards", "70"),
            *(("Route", each) for each in route),
            ("From", f"<{self._core.contact_uri(hop)}>;tag={rand()[:16]}"),
            ("To", f"<{uri}>"),
            ("Call-ID", rand()),
            self._core.contact(hop),
            ACCEPT,
            ("User-Agent", self._core.agent),
        )
        client = digest.Client(credentials, rand) if credentials else None
        self._ask(Request(fields, b"", "OPTIONS", uri), hop, tell, now, client)

    def enrol(self, order: Enrolment, seconds: int, tell: Tell, now: float) -> None:
        """Registers us there for so long; 0 takes it back. `tell` hears the responses, or None."""
        core, hop = self._core, order.hop
        request = order.request(seconds, core.contact_uri(hop), core.agent, core.rand)
        client = digest.Client(order.credentials, core.rand)
        self._ask(request, hop, tell, now, client, before=order.cseq)
        order.cseq += MOST_TRIES

    def _ask(
        self,
        request: Request,
        hop: Hop,
        tell: Tell,
        now: float,
        client: digest.Client | None,
        tries: int = 1,
        before: int = 0,
    ) -> None:
        def heard(response: Response | None, at: float) -> None:
            fields = request.fields
            again = response and with_credentials(client, request, fields, response, tries)
            if again:
                following = replace(request, fields=again)
                self._ask(following, hop, tell, at, client, tries + 1, before)
            else:
                tell(response, at)

        sent = request.extended(("CSeq", f"{before + tries} {request.method}"))
        self._layer.request(sent, hop, heard, now)

    def reply(
        self, asked: Registering, status: int, now: float, *fields: Field, reason: str = ""
    ) -> None:
        self._core.reply(asked.transaction, status, now, *fields, reason=reason)

    def has_call(self, replaces: str) -> bool:
        """Whether the value of a Replaces field names a call of ours to take over (RFC 3891)."""
        with suppress(BadSip):
            return named((replaces,), self._core).call is not None
        return False

    def restore(
        self, data: dict[str, Any], credentials: digest.Credentials | None = None
    ) -> Session:
        """The session of a dialog whose process is gone, from `Dialog.data`: good for a BYE."""
        client = digest.Client(credentials, self._core.rand) if credentials else None
        return Session(self._core, Dialog.restored(data), self._core.serial(), client)

    # Responses

    def _receive_response(
        self, response: Response, wrong: BadSip | None, data: bytes, hop: Hop, now: float
    ) -> None:
        if wrong:
            self.counts["malformed"] += 1
            return
        response = bodies.alone(response)
        transaction = self._layer.client_of(response)
        if transaction is None:
            self.counts["stray"] += 1
            return
        self._heard(transaction.serial, hop, data)
        self._layer.receive(transaction, response, hop, now)

    # Requests

    def _refuse_malformed(self, request: Request, wrong: BadSip, hop: Hop) -> None:
        """Tells the sender what was wrong, without keeping anything; an ACK is never answered."""
        self.counts["malformed"] += 1
        if request.method != "ACK" and answerable(request):
            tag = self._core.rand()[:16]
            reason = wrong.reason if wrong.status == 400 else ""
            request = stamped(request, hop)
            self._layer.respond_once(request, _plain(request, wrong.status, tag, reason), hop)

    def _receive_request(self, request: Request, data: bytes, hop: Hop, now: float) -> None:
        transaction = self._layer.server_of(request)
        if request.method == "ACK":
            self._receive_ack(request, transaction, data, hop, now)
        elif request.method == "CANCEL":
            self._receive_cancel(request, transaction, data, hop, now)
        elif transaction:
            self._heard(transaction.serial, hop, data)
            self._layer.again(transaction, request.method, now)
        else:
            self._receive_new(request, data, hop, now)

    def _receive_ack(
        self, request: Request, transaction: Transaction | None, data: bytes, hop: Hop, now: float
    ) -> None:
        if transaction and transaction.state in ("completed", "confirmed"):
            self._heard(transaction.serial, hop, data)
            self._layer.again(transaction, "ACK", now)
        elif owner := self._core.find(request):
            self._heard(owner.serial, hop, data)
            owner.acked(request, now)
        else:
            self.counts["stray"] += 1

    def _receive_cancel(
        self, request: Request, invite: Transaction | None, data: bytes, hop: Hop, now: float
    ) -> None:
        """Section 9.2: 481 for nothing to cancel; no effect on what was answered already."""
        own = self._layer.servers.get(server_key(request, "CANCEL"))
        if own:
            self._layer.again(own, "CANCEL", now)
            return
        own = self._layer.accept(request, hop, now)
        if invite is None:
            self._core.reply(own, 481, now)
            return
        own.serial, own.tag = invite.serial, invite.tag
        self._heard(invite.serial, hop, data)
        self._core.reply(own, 200, now)
        if invite.state == "proceeding":
            invite.tell("CANCEL", now)

    def _receive_new(self, request: Request, data: bytes, hop: Hop, now: float) -> None:
        merged = self._layer.is_merged(request)
        transaction = self._layer.accept(request, hop, now)
        if refused := _inspect(request, merged):
            status, *fields = refused
            self._core.reply(transaction, status, now, *fields)
            return
        if not request.to.tag:
            self._receive_outside(request, transaction, data, hop, now)
            return
        owner = self._core.find(request)
        if owner is None:
            self.counts["stray"] += 1
            self._core.reply(transaction, 481, now)
            return
        transaction.serial = owner.serial
        self._heard(owner.serial, hop, data)
        if request.method == "REGISTER":
            self._core.reply(transaction, 405, now, ALLOW_INSIDE)
        elif request.method == "INFO" and request.get("info-package"):
            # we announce none (RFC 6086 section 4.2.2)
            self._core.reply(transaction, 469, now, ("Recv-Info", ""))
        else:
            owner.receive(request, transaction, now)

    def _receive_outside(
        self, request: Request, transaction: Transaction, data: bytes, hop: Hop, now: float
    ) -> None:
        if request.method == "OPTIONS":
            status = 503 if self.refusing else 200
            contact = self._core.contact(hop)
            self._core.reply(transaction, status, now, ALLOW, ACCEPT, SUPPORTED, contact)
        elif request.method == "REGISTER":
            self._core.report(Registering(request, transaction, hop))
        elif request.method == "INVITE":
            self._receive_invite(request, transaction, data, hop, now)
        else:
            self.counts["stray"] += 1
            self._core.reply(transaction, 481, now)

    def _receive_invite(
        self, request: Request, transaction: Transaction, data: bytes, hop: Hop, now: float
    ) -> None:
        try:
            dialog = Dialog.answering(request, self._core.rand()[:16], hop)
            takes_over = take_over(request, self._core)
        except BadSip as wrong:
            self._core.reply(transaction, 400, now, reason=wrong.reason)
            return
        if short := too_short(request, self._core.interval):
            self._core.reply(transaction, 422, now, *short)
            return
        transaction.serial = self._core.serial()
        call = Inbound(self._core, transaction, dialog, hop, transaction.serial)
        call.takes_over = takes_over
        call.may_expire(now)
        self._core.report(Incoming(call, data))

    def _heard(self, serial: int, hop: Hop, data: bytes) -> None:
        if serial:
            self._core.report(Heard(serial, hop, data))


def _plain(request: Request, status: int, tag: str, reason: str) -> Response:
    try:
        return respond(request, status, tag=tag, reason=reason)
    except BadSip:  # a To that cannot be read is sent back as it came
        return respond(request, status, reason=reason)


def _inspect(request: Request, merged: bool) -> tuple[Any, ...]:
    """The status and fields with which a request is refused before anybody looks at it, or ().

    RFC 3261 sections 8.2.1 to 8.2.3, in their order.
    """
    if request.method not in METHODS:
        return (405, ALLOW)
    if merged:
        return (482,)
    able = (*EXTENSIONS, "path") if request.method == "REGISTER" else EXTENSIONS
    required = [tag for tag in request.tags("require") if tag.lower() not in able]
    if required:
        return (420, ("Unsupported", ", ".join(required)))
    if request.method != "INVITE":
        return ()
    accepts = request.values("accept")
    if accepts and not _DESCRIBABLE.search(" ".join(accepts)):
        return (406, ACCEPT)
    if not request.body:
        return ()
    encoding = request.get("content-encoding")
    if encoding and encoding.lower() != "identity":
        return (415, ("Accept-Encoding", "identity"))
    if request.content_type != "application/sdp":
        return (415, ACCEPT)
    return ()
