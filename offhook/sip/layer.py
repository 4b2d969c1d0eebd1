"""The transaction layer: which message belongs to which machine, and what is to be sent when.

RFC 3261 sections 17 and 18, without the sockets. `outputs` is emptied by whoever has them.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from offhook.sip.grammar import join_params, split_list
from offhook.sip.hop import Hop, Send, default_port
from offhook.sip.message import Request, Response
from offhook.sip.transactions import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Transaction,
    kind_of,
)

COOKIE = "z9hG4bK"
FEW_ALARMS = 1000
LONGEST_DATAGRAM = 1300  # bytes; a longer request goes over TCP (RFC 3261 section 18.1.1)

NO_TCP = 600.0  # seconds for which one that refused TCP is not asked for it again
MOST_REFUSED = 1000  # of those remembered; the oldest are forgotten first

Key = tuple[str, ...]
Tell = Callable[[Response | None, float], None]


class Sleeper(Protocol):
    """Anything that wants to be woken: a transaction, an answered call, a cancelled one."""

    @property
    def wake_at(self) -> float | None: ...


class Alarms:
    """Who wants to be woken when. An alarm that was moved is told apart when it comes up.

    Those of calls that are over would wait for half an hour: when most alarms may be of that kind,
    they are sorted out.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Sleeper]] = []
        self._order = itertools.count()
        self._most = FEW_ALARMS

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, sleeper: Sleeper) -> None:
        if (at := sleeper.wake_at) is not None:
            heapq.heappush(self._heap, (at, next(self._order), sleeper))
            if len(self._heap) > self._most:
                self._sort_out()

    def _sort_out(self) -> None:
        valid = {id(entry[2]): entry for entry in self._heap if entry[2].wake_at == entry[0]}
        self._heap = list(valid.values())
        heapq.heapify(self._heap)
        self._most = max(FEW_ALARMS, 2 * len(self._heap))

    @property
    def next(self) -> float | None:
        self._drop_moved()
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> Sleeper | None:
        self._drop_moved()
        if self._heap and self._heap[0][0] <= now:
            return heapq.heappop(self._heap)[2]
        return None

    def _drop_moved(self) -> None:
        while self._heap and self._heap[0][2].wake_at != self._heap[0][0]:
            heapq.heappop(self._heap)


class Layer:
    """`sent_by(hop)` is our host:port as that hop should see it; `rand()` is unguessable text."""

    def __init__(
        self, sent_by: Callable[[Hop], str], rand: Callable[[], str], *, tcp: bool = True
    ) -> None:
        self.sent_by, self.rand, self.tcp = sent_by, rand, tcp
        self.outputs: list[object] = []
        self.counts: Counter[str] = Counter()
        self.alarms = Alarms()
        self.clients: dict[Key, Transaction] = {}
        self.servers: dict[Key, Transaction] = {}
        self._datagrams_only: dict[tuple[str, int], float] = {}  # until when
        self._merged: dict[Key, Key] = {}

    # Sending

    def request(
        self, request: Request, hop: Hop, tell: Tell, now: float, serial: int = 0
    ) -> Transaction:
        """Sends a request in a transaction of its own.

        `tell` hears of each response, and of None when there will be none.
        """
        branch = self._branch()
        sent, data, way = self._routed(request, branch, hop, now)
        machine = INVITE_CLIENT if request.method == "INVITE" else CLIENT
        transaction = Transaction(machine, (branch, request.method), sent, way, now)
        transaction.tell, transaction.serial, transaction.grown = tell, serial, way is not hop
        transaction.data = data
        self.clients[transaction.key] = transaction
        self._send(transaction)
        self.alarms.set(transaction)
        return transaction

    def cancel(self, invite: Transaction, cancel: Request, tell: Tell, now: float) -> None:
        """Sends the CANCEL of a transaction: its branch, its hop (RFC 3261 section 9.1)."""
        sent = cancel.via_first(invite.request.get("via"))
        transaction = Transaction(CLIENT, (invite.key[0], "CANCEL"), sent, invite.hop, now)
        transaction.tell, transaction.serial = tell, invite.serial
        transaction.data = sent.encode()
        self.clients[transaction.key] = transaction
        self._send(transaction)
        self.alarms.set(transaction)

    def once(self, request: Request, hop: Hop, serial: int, now: float) -> Send:
        """Sends a request outside any transaction, as the ACK of a 2xx is (section 13.2.2.4)."""
        _, data, way = self._routed(request, self._branch(), hop, now)
        out = Send(data, way, serial)
        self.outputs.append(out)
        return out

    def respond(self, transaction: Transaction, response: Response, now: float) -> None:
        transaction.data = response.encode()
        self._act(transaction, transaction.happens(kind_of(response.status), now), now)

    def respond_once(self, request: Request, response: Response, hop: Hop) -> None:
        self.outputs.append(Send(response.encode(), return_hop(request, hop)))

    def respond_and_forget(self, transaction: Transaction, response: Response) -> None:
        self.outputs.append(Send(response.encode(), transaction.hop, transaction.serial))
        self.forget(transaction)

    def _branch(self) -> str:
        return COOKIE + self.rand()[:20]

    def _routed(
        self, request: Request, branch: str, hop: Hop, now: float
    ) -> tuple[Request, bytes, Hop]:
        """With its Via, and by TCP where it is too long for a datagram."""
        sent = request.via_first(self._via(hop, branch))
        data = sent.encode()
        if hop.reliable or not self.tcp or len(data) <= LONGEST_DATAGRAM:
            return sent, data, hop
        if self._datagrams_only.get((hop.host, hop.port), 0.0) > now:
            return sent, data, hop
        hop = replace(hop, transport="TCP")
        sent = request.via_first(self._via(hop, branch))
        return sent, sent.encode(), hop

    def _via(self, hop: Hop, branch: str) -> str:
        return f"SIP/2.0/{hop.transport} {self.sent_by(hop)};branch={branch};rport"

    def _send(self, transaction: Transaction) -> None:
        if not transaction.data:
            return
        client = transaction.machine in (CLIENT, INVITE_CLIENT)
        key = transaction.key if client else ()
        out = Send(transaction.data, transaction.hop, transaction.serial, key, transaction.grown)
        self.outputs.append(out)

    # What came in

    def accept(self, request: Request, hop: Hop, now: float) -> Transaction:
        """A server transaction for a request that belongs to none: that is stamped there."""
        machine = INVITE_SERVER if request.method == "INVITE" else SERVER
        key, back = server_key(request, request.method), return_hop(request, hop)
        transaction = Transaction(machine, key, stamped(request, hop), back, now)
        self.servers[key] = transaction
        self._merged.setdefault(_merge_key(request), key)
        self.alarms.set(transaction)
        return transaction

    def server_of(self, request: Request) -> Transaction | None:
        """The INVITE's transaction for an ACK or a CANCEL, else the request's own."""
        method = "INVITE" if request.method in ("ACK", "CANCEL") else request.method
        return self.servers.get(server_key(request, method))

    def is_merged(self, request: Request) -> bool:
        """Whether it came before by another way (RFC 3261 section 8.2.2.2)."""
        return not request.to.tag and _merge_key(request) in self._merged

    def again(self, transaction: Transaction, method: str, now: float) -> None:
        """A request that a server transaction already knows, or the ACK of its refusal."""
        what = "ACK" if method == "ACK" else "again"
        self.counts["repeated"] += what == "again"
        self._act(transaction, transaction.happens(what, now), now)

    def client_of(self, response: Response) -> Transaction | None:
        """The transaction of a response (RFC 3261 section 17.1.3)."""
        return self.clients.get((response.via.branch, response.cseq.method))

    def receive(
        self, transaction: Transaction, response: Response, source: Hop, now: float
    ) -> None:
        """Gives a response to its transaction."""
        transaction.source = source
        actions = transaction.happens(kind_of(response.status), now)
        self._act(transaction, actions, now, response)

    def undeliverable(self, key: Key, now: float) -> None:
        """What was sent for this transaction cannot reach its hop (RFC 3261 section 18.4)."""
        transaction = self.clients.get(key)
        if transaction is None:
            return
        if transaction.grown and transaction.state == transaction.machine.start:
            self._resend_as_datagram(transaction, now)
            return
        self._act(transaction, transaction.happens("undeliverable", now), now)

    def _resend_as_datagram(self, transaction: Transaction, now: float) -> None:
        """It left UDP for its size only."""
        if len(self._datagrams_only) >= MOST_REFUSED:
            del self._datagrams_only[next(iter(self._datagrams_only))]
        self._datagrams_only[(transaction.hop.host, transaction.hop.port)] = now + NO_TCP
        hop = replace(transaction.hop, transport="UDP", flow=0)
        request = transaction.request.with_fields(transaction.request.fields[1:])
        sent = request.via_first(self._via(hop, transaction.key[0]))
        transaction.begin(sent, hop, now)
        transaction.data, transaction.grown = sent.encode(), False
        self._send(transaction)
        self.alarms.set(transaction)

    def fire(self, now: float) -> Sleeper | None:
        """Runs the transactions' timers that are due; returns another sleeper that is, if any."""
        while sleeper := self.alarms.due(now):
            if not isinstance(sleeper, Transaction):
                return sleeper
            actions = tuple(sleeper.fire(now))
            self.counts["retransmitted"] += actions.count("send")
            self._act(sleeper, actions, now)
        return None

    def forget(self, transaction: Transaction) -> None:
        """One whose end nobody waits for any more."""
        self._drop(transaction)
        transaction.tell = _nobody

    def forget_of(self, serial: int) -> None:
        """A call is over in which an INVITE of ours got no more than a 100: no timer ends that."""
        for each in tuple(self.clients.values()):
            tried = each.machine is INVITE_CLIENT and each.state == "proceeding"
            if each.serial == serial and tried:
                self.forget(each)

    def _act(
        self,
        transaction: Transaction,
        actions: tuple[str, ...],
        now: float,
        response: Response | None = None,
    ) -> None:
        self._settle(transaction)
        for action in actions:
            if action == "send":
                self._send(transaction)
            elif action == "ack" and response is not None:
                transaction.data = ack_of_refusal(transaction.request, response).encode()
                self._send(transaction)
            elif action == "up":
                transaction.tell(response if response is not None else "ACK", now)
            elif action == "timeout":
                transaction.tell(None, now)
        if transaction.done:
            transaction.tell = _nobody

    def _settle(self, transaction: Transaction) -> None:
        if transaction.done:
            self._drop(transaction)
        else:
            self.alarms.set(transaction)

    def _drop(self, transaction: Transaction) -> None:
        self.clients.pop(transaction.key, None)
        if self.servers.pop(transaction.key, None):
            merge = _merge_key(transaction.request)
            if self._merged.get(merge) == transaction.key:
                del self._merged[merge]


def _nobody(what: object, now: float) -> None:
    """In place of the owner of a transaction that is over: it holds him no longer."""


def return_hop(request: Request, hop: Hop) -> Hop:
    """Where responses go: RFC 3261 section 18.2.2 with RFC 3581.  `hop` is where it came from."""
    via = request.via
    if not hop.reliable and via.param("rport") is not None:
        return hop
    return replace(hop, port=via.port or default_port(hop.transport))


def stamped(request: Request, hop: Hop) -> Request:
    """The request with `received` and `rport` in its topmost Via (RFC 3581 section 4)."""
    first, *rest = split_list(request.get("via"))
    rport = request.via.param("rport")
    if rport is None and request.via.host.strip("[]") == hop.host:
        return request
    params = [
        (key, str(hop.port) if key.lower() == "rport" else shown)
        for key, shown in request.via.params
        if key.lower() != "received"
    ]
    head = first.partition(";")[0].rstrip()
    shown = join_params((*params, ("received", hop.host)))
    return request.from_via(", ".join([head + shown, *rest]))


def ack_of_refusal(invite: Request, response: Response) -> Request:
    """RFC 3261 section 17.1.1.3: same branch, To of the response, routes of the INVITE."""
    kept = [("Via", invite.get("via")), ("Max-Forwards", "70")]
    kept += [("Route", route) for route in invite.values("route")]
    kept += [
        ("From", invite.get("from")),
        ("To", response.get("to")),
        ("Call-ID", invite.call_id),
        ("CSeq", f"{invite.cseq.number} ACK"),
    ]
    return Request(tuple(kept), b"", "ACK", invite.uri)


def server_key(request: Request, method: str) -> Key:
    """RFC 3261 section 17.2.3, with the rules of RFC 2543 for a branch without the cookie."""
    via = request.via
    branch = via.branch
    if branch.startswith(COOKIE) and branch != COOKIE:
        return (branch, via.sent_by, method)
    number = str(request.cseq.number)
    return (request.uri, request.from_.tag, request.call_id, number, via.sent_by, method)


def _merge_key(request: Request) -> Key:
    return (request.from_.tag, request.call_id, str(request.cseq.number), request.method)
