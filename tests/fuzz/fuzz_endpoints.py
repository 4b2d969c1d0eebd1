"""Whole endpoints under strangers' datagrams: they go on working, and keep nothing afterwards.

An input is several messages with BETWEEN in between; one that is empty lets time pass.
An endpoint's own tags, branches and Call-IDs are counted and not drawn, so that an input can name
them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from offhook.sip.core import Registering
from offhook.sip.digest import Credentials
from offhook.sip.endpoint import Endpoint
from offhook.sip.hop import Hop, Send, is_ip
from offhook.sip.inbound import Inbound, Incoming
from offhook.sip.message import Response, parse
from offhook.sip.outbound import Answered, Invitation, Outbound
from offhook.sip.referral import Referred
from offhook.sip.session import Confirmed, Info, Offered, Session

BETWEEN = b"\n--\n"
MOST = 20  # messages of one input
PLACES = (Hop("UDP", "192.0.2.7", 5060), Hop("TCP", "192.0.2.8", 5060, flow=1))
OURS = "198.51.100.9:5060"
ENOUGH = 100_000  # steps of the clock after which something goes on for ever

INVITE = b"""INVITE sip:desk@198.51.100.9 SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKfirst;rport\r
From: <sip:ann@192.0.2.7>;tag=ann\r
To: <sip:desk@198.51.100.9>\r
Call-ID: talk\r
CSeq: 1 INVITE\r
Contact: <sip:ann@192.0.2.7>\r
Allow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK\r
Supported: timer, 100rel\r
Content-Type: application/sdp\r
\r
offer"""


class Attacked:
    """An endpoint, what came of it, and a clock that jumps."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        self.endpoint = Endpoint(
            lambda hop: OURS,
            lambda hop: f"sip:{OURS}",
            lambda: f"{next(numbers):x}".ljust(32, "0"),
        )
        self.now = 0.0
        self.calls: list[Inbound | Outbound] = []
        self.sessions: list[Session] = []
        self._turn = 0

    def hears(self, data: bytes, hop: Hop) -> None:
        if data:
            self.endpoint.receive(data, hop, self.now)
        elif (at := self.endpoint.wake_at) is not None:
            self._wake(at)
        self.settle()

    def _wake(self, at: float) -> None:
        self.now = max(self.now, at)
        self.endpoint.fire(self.now)

    def settle(self) -> None:
        """Sees to what happened, each time in another way."""
        while outputs := self.endpoint.take():
            for output in outputs:
                self._turn += 1
                self._see_to(output)

    def _see_to(self, output: object) -> None:
        match output:
            case Send(data, hop):
                said = parse(data)
                assert isinstance(said, Response) or said.cseq.method == said.method
                assert sendable(hop), hop
            case Incoming(call):
                self.calls.append(call)
                self._meet(call)
            case Registering():
                self.endpoint.reply(output, 403, self.now)
            case Answered(_, session):
                self.sessions.append(session)
            case Offered(session) if self._turn % 2:
                session.accept(b"answer", self.now)
            case Offered(session):
                session.refuse(488, self.now)
            case Confirmed(session):  # now we want something as well
                session.reinvite(b"offer", self.now)
            case Info(session):
                session.refer("<sip:bob@192.0.2.9>", (), self.now)
            case Referred(referral) if self._turn % 2:
                referral.take(self.now)
                referral.tell(200, self.now)
            case Referred(referral):
                referral.refuse(603, self.now)

    def _meet(self, call: Inbound) -> None:
        call.trying(self.now)
        call.ring(self.now)
        if self._turn % 3 == 0:
            call.reject(486, self.now)
        elif self._turn % 3 == 1 and (session := call.answer(b"answer", self.now)):
            self.sessions.append(session)

    def lets_go(self) -> None:
        """Whoever is in a call hangs up, and when all timers have run out nothing is left."""
        for session in self.sessions:
            session.bye(self.now)
        for call in self.calls:
            if isinstance(call, Outbound):
                call.cancel(self.now)
            else:
                call.reject(480, self.now)
        self.settle()
        for _ in range(ENOUGH):
            if (at := self.endpoint.wake_at) is None:
                break
            self._wake(at)
            self.settle()
        assert self.endpoint.wake_at is None
        assert self.endpoint.transactions == 0, "a transaction is stuck"
        assert not self.endpoint.busy, "a dialog is stuck"
        assert len(self.endpoint.counts) < 10


def sendable(hop: Hop) -> bool:
    """A port there is, but for a name that is still to be located."""
    return 0 <= hop.port < 65536 and bool(hop.port or not is_ip(hop.host))


def datagrams(data: bytes) -> Iterator[tuple[bytes, Hop]]:
    return zip(data.split(BETWEEN)[:MOST], itertools.cycle(PLACES))


def endpoint(data: bytes) -> None:
    """Strangers' messages to an endpoint that was at rest."""
    attacked = Attacked()
    for one, hop in datagrams(data):
        attacked.hears(one, hop)
    attacked.lets_go()


def calling(data: bytes) -> None:
    """What the other side may say to a call of ours, before it is answered and after."""
    attacked = Attacked()
    order = Invitation(
        "sip:ann@192.0.2.7", "<sip:desk@198.51.100.9>", "<sip:ann@192.0.2.7>", PLACES[0], b"offer",
        credentials=Credentials("desk", "secret"),
    )  # fmt: skip
    call = attacked.endpoint.invite(order, 0.0)
    attacked.calls.append(call)
    attacked.settle()
    for one, hop in datagrams(data):
        attacked.hears(one, hop)
    call.cancel(attacked.now)
    # Who rings and never says more is given up by whoever called: no timer of SIP does that.
    attacked.lets_go()
    assert call.over


def answered(data: bytes) -> None:
    """What the other side may say in a call of theirs that is up."""
    attacked = Attacked()
    attacked.endpoint.receive(INVITE, PLACES[0], 0.0)
    [incoming] = [each for each in attacked.endpoint.take() if isinstance(each, Incoming)]
    session = incoming.call.answer(b"answer", 0.0)
    assert session
    attacked.sessions.append(session)
    attacked.settle()
    for one, hop in datagrams(data):
        attacked.hears(one, hop)
    attacked.lets_go()
    assert session.over


ENDPOINTS = {"endpoint": endpoint, "calling": calling, "answered": answered}
