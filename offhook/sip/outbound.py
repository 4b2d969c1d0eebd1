"""A call out, until it is answered, refused or given up.  RFC 3261 sections 13.2 and 9.1."""

from __future__ import annotations

from dataclasses import dataclass

from offhook.frozen import frozen
from offhook.sip import digest, interval, reliable
from offhook.sip.core import (
    ALLOW,
    MOST_TRIES,
    SDP,
    SUPPORTED,
    By,
    Core,
    Over,
    Party,
    Wanted,
    counted_on,
    with_credentials,
)
from offhook.sip.dialog import Dialog
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop
from offhook.sip.message import Field, Request, Response
from offhook.sip.session import Offered, Session
from offhook.sip.transactions import T1, Transaction
from offhook.sip.uri import is_sips, parse_address

NO_REPLY = "no reply"
COMPLETED_ELSEWHERE: Field = ("Reason", 'SIP;cause=200;text="Call completed elsewhere"')  # RFC 3326
MOST_FORKS = 50  # of one call; from any further one nothing is taken


@frozen
class Progress:
    """A provisional response above 100."""

    serial: int
    response: Response


@frozen
class Answered:
    """The first 2xx; its ACK is on the way."""

    serial: int
    session: Session
    response: Response


@frozen
class Invitation:
    """Whom to call and how. `uri` is the Request-URI; `from_` and `to` have no tags yet."""

    uri: str
    from_: str
    to: str
    hop: Hop
    body: bytes
    fields: tuple[Field, ...] = ()
    credentials: digest.Credentials | None = None


@dataclass(slots=True)
class Early:
    """A dialog that is not answered yet, one for each phone that rings (section 12.1.2)."""

    party: Party
    rseq: int = 0  # of the latest response that was acknowledged
    described: bool = False  # ... one of which answered our offer


class Outbound:
    """One attempt. However it ends, exactly one of `Answered` and `Over` is reported."""

    def __init__(self, core: Core, invitation: Invitation, now: float) -> None:
        self.core, self.invitation, self.serial = core, invitation, core.serial()
        self.over = False
        self.heard = False  # anything at all
        self.call_id, self.tag = core.rand(), core.rand()[:16]
        self._client = (
            digest.Client(invitation.credentials, core.rand) if invitation.credentials else None
        )
        self._cseq = 0
        self._interval = core.interval
        self._forks: set[str] = set()  # the tags of those who said anything
        self._early: dict[str, Early] = {}  # by the tag of the one who rings
        self._theirs: Transaction | None = None  # an UPDATE that waits for our answer
        self._heard_something = False
        self._cancelling = False
        self._in_cancel: tuple[Field, ...] = ()
        self._sessions: dict[str, Session] = {}  # by the tag of the one who answered
        self._give_up_at: float | None = None
        agent = ("User-Agent", core.agent)
        fields = (self._contact(invitation.hop), ALLOW, SUPPORTED, agent, SDP)
        self._transaction = self._invite((*fields, *invitation.fields), now)
        core.callers[(self.call_id, self.tag)] = self

    def _contact(self, hop: Hop) -> Field:
        routes = [address for name, address in self.invitation.fields if name == "Route"]
        first = parse_address(routes[0]).uri if routes else ""
        return self.core.contact(hop, sips=is_sips(self.invitation.uri) or is_sips(first))

    def _invite(self, fields: tuple[Field, ...], now: float, tries: int = 1) -> Transaction:
        self._cseq += 1
        self._heard_something = False
        order = self.invitation
        head: tuple[Field, ...] = (
            ("Max-Forwards", "70"),
            ("From", f"{order.from_};tag={self.tag}"),
            ("To", order.to),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self._cseq} INVITE"),
        )
        timing = self._timing()
        request = Request((*head, *fields, *timing), order.body, "INVITE", order.uri)

        def tell(response: Response | None, at: float) -> None:
            again = None
            self.heard = self.heard or response is not None
            if response is not None and not self._cancelling:
                again = self._again(request, fields, response, tries)
            if again:
                self._early.clear()
                self._transaction = self._invite(again, at, tries + 1)
            else:
                self._heard(request, response, at)

        return self.core.layer.request(request, order.hop, tell, now, self.serial)

    def _timing(self) -> tuple[Field, ...]:
        """What we wish for the session's length (RFC 4028 section 7.1)."""
        if not self._interval.seconds:
            return ()
        wished, least = self._interval.seconds, self._interval.least
        return (("Session-Expires", str(wished)), ("Min-SE", str(least)))

    def _again(
        self, request: Request, fields: tuple[Field, ...], response: Response, tries: int
    ) -> tuple[Field, ...] | None:
        """The fields to try it with again, after a challenge or an interval that was too short."""
        least = interval.least(response)
        if response.status == 422 and least > self._interval.seconds and tries < MOST_TRIES:
            self._interval = interval.Interval(least, least)
            return counted_on(self._client, request, fields) if self._client else fields
        return with_credentials(self._client, request, fields, response, tries)

    # What comes back

    def _heard(self, request: Request, response: Response | None, now: float) -> None:
        if response is None:
            self._end("network", 503, f"{NO_REPLY} from {self.invitation.hop}")
        elif response.status < 300 and not self._may_fork(response.to.tag):
            return
        elif response.status < 200:
            self._progress(request, response, now)
        elif response.status < 300:
            self._accepted(request, response, now)
        else:
            by: By = "near" if self._cancelling else "far"
            self._end(by, response.status, response.reason, response)

    def _may_fork(self, tag: str) -> bool:
        if len(self._forks) < MOST_FORKS:
            self._forks.add(tag)
        return tag in self._forks

    def _progress(self, request: Request, response: Response, now: float) -> None:
        self._heard_something = True
        if response.status > 100 and not self._in_order(request, response, now):
            return
        if self._cancelling:
            self._send_cancel(now)
        elif response.status > 100 and not self.over:
            self.core.report(Progress(self.serial, response))

    def _in_order(self, request: Request, response: Response, now: float) -> bool:
        """Acknowledges one that asks for it; False for a repeat, or one that came too soon
        (RFC 3262 section 4)."""
        number, tag = reliable.rseq_of(response), response.to.tag
        if not number or not tag or self.over:
            return True
        early = self._early.get(tag)
        if early and number != early.rseq + 1:
            return False
        if early is None:
            try:
                dialog = Dialog.calling(request, response, self._transaction.source)
            except BadSip:
                return True
            early = self._early[tag] = Early(Party(dialog, self.serial, self._client))
        early.rseq = number
        early.described = early.described or bool(response.body)
        prack = Wanted("PRACK", (reliable.rack(number, request),))
        self.core.ask(early.party, prack, lambda request, response, at: None, now)
        return True

    def _accepted(self, request: Request, response: Response, now: float) -> None:
        """A 2xx: the first is the call, one from another fork is ended (section 13.2.2.4)."""
        tag = response.to.tag
        if known := self._sessions.get(tag):
            known.acknowledge(request, now)
            return
        try:
            dialog = Dialog.calling(request, response, self._transaction.source)
        except BadSip as wrong:
            self._end("network", 502, wrong.reason, response)
            return
        if early := self._early.get(tag):
            dialog.local_cseq = max(dialog.local_cseq, early.party.dialog.local_cseq)
            dialog.remote_cseq = early.party.dialog.remote_cseq
        session = Session(self.core, dialog, self.serial, self._client, called=False)
        session.said = self.invitation.body
        session.learn(response)
        unwanted = self._cancelling or self.over
        self._sessions[tag] = session
        session.acknowledge(request, now)
        if unwanted:
            self._abandon(session, now)
            return
        session.timer.answered(response, now)
        self._settle()
        self.core.report(Answered(self.serial, session, response))

    def _abandon(self, session: Session, now: float) -> None:
        """An answer that nobody wants. `Over` comes from the session if it was not said yet."""
        session.quiet = self.over
        self._settle()
        session.bye(now)

    def _end(self, by: By, code: int, reason: str, response: Response | None = None) -> None:
        if not self.over:
            self._settle()
            self.core.report(Over(self.serial, by, code, reason, response))

    def _settle(self) -> None:
        self.over, self._give_up_at = True, None
        self.core.callers.pop((self.call_id, self.tag), None)

    def rings(self, tag: str) -> bool:
        """Whether the one with this To tag has said anything."""
        return tag in self._forks

    # Giving up

    @property
    def ending(self) -> bool:
        """Whether nobody wants it answered any more."""
        return self.over or self._cancelling

    def cancel(self, now: float, *fields: Field) -> None:
        """CANCEL, with more `fields`, as soon as the other side has said anything at all (section
        9.1)."""
        if self.over or self._cancelling:
            return
        self._cancelling, self._in_cancel = True, fields
        if self._heard_something:
            self._send_cancel(now)

    def _send_cancel(self, now: float) -> None:
        if self._give_up_at is not None or self.over:
            return
        invite = self._transaction.request
        kept: list[Field] = [("Max-Forwards", "70")]
        kept += [field for field in invite.fields if field[0] in ("Route", "From", "To", "Call-ID")]
        kept += [("CSeq", f"{invite.cseq.number} CANCEL"), *self._in_cancel]
        cancel = Request(tuple(kept), b"", "CANCEL", invite.uri)
        self._give_up_at = now + 64 * T1
        self.core.layer.cancel(self._transaction, cancel, lambda response, at: None, now)
        self.core.layer.alarms.set(self)

    @property
    def wake_at(self) -> float | None:
        return self._give_up_at

    def fire(self, now: float) -> None:
        """Neither 487 nor 200 in 64*T1 after the CANCEL: the attempt counts as cancelled."""
        if self._give_up_at is not None and now >= self._give_up_at:
            self._give_up_at = None
            self.core.layer.forget(self._transaction)
            self._end("near", 487, "cancelled, and no final response")

    # Requests in an early dialog

    def receive(self, request: Request, transaction: Transaction, now: float) -> None:
        """A BYE that overtook the 2xx ends the call; an UPDATE may change what was answered."""
        early = self._early.get(request.from_.tag)
        offers = request.method == "UPDATE" and request.body
        if request.method == "BYE":
            self.core.reply(transaction, 200, now)
            self._end("far", 200, "ended before its answer arrived")
            self._give_up_at = now + 64 * T1  # should that answer never come
            self.core.layer.alarms.set(self)
        elif request.method == "INVITE" or (offers and not (early and early.described)):
            self.core.reply(transaction, 491, now)
        elif request.method in ("REFER", "NOTIFY", "PRACK"):
            self.core.reply(transaction, 481, now)
        elif offers and self._theirs:
            self.core.reply(transaction, 500, now, ("Retry-After", "2"))
        elif offers:
            self._theirs = transaction
            self.core.report(Offered(self, request))
        else:
            contact = self._contact(transaction.hop)
            self.core.reply(transaction, 200, now, ALLOW, SUPPORTED, contact)
        if early:
            early.party.dialog.remote_cseq = request.cseq.number

    def accept(self, body: bytes, now: float) -> None:
        """Answers the offer of an UPDATE."""
        transaction, self._theirs = self._theirs, None
        if transaction:
            fields = (self._contact(transaction.hop), ALLOW, SUPPORTED)
            self.core.answer(transaction, fields, body, now)

    def refuse(self, status: int, now: float) -> None:
        """The call goes on as it was."""
        transaction, self._theirs = self._theirs, None
        if transaction:
            self.core.reply(transaction, status, now)

    def acked(self, request: Request, now: float) -> None:
        """There is nothing of ours to acknowledge."""
