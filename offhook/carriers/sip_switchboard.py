"""The SIP endpoint at work: joined to its sockets and the clock, and its legs told what happens."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import structlog

from offhook import clock
from offhook.carriers import sip_parties
from offhook.carriers.sip_guard import Guard
from offhook.carriers.sip_leg import SipLeg
from offhook.carriers.sip_places import Places
from offhook.carriers.sip_sockets import local_address_towards
from offhook.carriers.sip_wire import Locate, Wire
from offhook.carriers.trunks import Trunk
from offhook.line.leg import Ringing, Trace
from offhook.sip.core import METHODS, Heard, Over, Registering
from offhook.sip.endpoint import Endpoint
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, Send, bracketed, is_ip, is_loopback
from offhook.sip.inbound import Inbound, Incoming
from offhook.sip.outbound import Answered, Progress
from offhook.sip.referral import Referred, Transferred
from offhook.sip.session import Confirmed, Info, Offered, Reanswered

log = structlog.get_logger("offhook.sip")

T = TypeVar("T")
Told = (
    Progress | Answered | Confirmed | Offered | Reanswered | Info | Referred | Transferred
)  # what a leg hears of

OTHER = "other"
DEFAULT_ROUTE = "192.0.2.1"  # an address that only the default route leads to (RFC 5737)


@dataclass(slots=True)
class Entry:
    """What is kept of a call while it lasts. A call in has no leg until it was admitted."""

    trace: Trace
    leg: SipLeg | None = None
    ringing: Ringing | None = None
    over: asyncio.Future[Over] | None = None
    trunk: str = ""


class Switchboard:
    """`incoming` is told of each INVITE that opens a dialog; `located` finds a name's server."""

    def __init__(
        self,
        incoming: Callable[[Inbound], None],
        located: Locate,
        rand: Callable[[], str],
        *,
        places: Places,
        tcp: bool,
        guard: Guard,
    ) -> None:
        self.guard, self.places = guard, places
        self.wire = Wire(self._receive, self._undeliverable, located, guard, places)
        self.endpoint = Endpoint(self.sent_by, self._contact, rand, tcp=tcp)
        self.entries: dict[int, Entry] = {}  # by the serial of the call
        self.tasks: set[asyncio.Task[Any]] = set()
        self.traffic: Counter[tuple[str, str]] = Counter()  # messages, as ("sent", "2xx")
        self._incoming = incoming
        self.registering: Callable[[Registering], None] = self._no_registrar
        # Whether an address is one that somebody could want banned: whoever writes it into his own
        # datagrams must not have it for a few of them.
        self.knows: Callable[[str], bool] = lambda host: False
        self._alarm: asyncio.TimerHandle | None = None
        self._flushing = False

    @property
    def counts(self) -> Counter[str]:
        """Messages that were malformed, stray or undeliverable, calls that were refused, and what
        the guard kept out."""
        malformed = Counter(malformed=self.wire.malformed_streams)
        return self.endpoint.counts + self.guard.counts + malformed

    async def close(self) -> None:
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self._alarm:
            self._alarm.cancel()
        await self.wire.close()

    def act(self, doing: Callable[[float], T]) -> T:
        """Does something to the endpoint now, and sees that what comes of it is sent."""
        done = doing(clock.now())
        self.flush()
        return done

    def flush(self) -> None:
        """Sends what is to be sent, tells the legs what happened, and sets the alarm anew."""
        if self._flushing:
            return
        self._flushing = True
        try:
            while outputs := self.endpoint.take():
                for output in outputs:
                    self._try(output)
        finally:
            self._flushing = False
        self._set_alarm()

    def spawn(self, doing: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(doing)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a SIP task crashed", exc_info=error)

    # The sockets and the clock

    def _receive(self, data: bytes, hop: Hop) -> None:
        now, guard = clock.now(), self.guard
        try:
            source = self.places.sender(data, hop.host)
        except BadSip:
            self.endpoint.counts["malformed"] += 1
            return
        if not guard.hears(source, now):
            return
        word = kind(data)
        begins_none = word == "ACK" or word.endswith("xx")
        if not begins_none and self.endpoint.transactions >= guard.limits.transactions:
            guard.counts["full"] += 1
            return
        self.traffic["received", word] += 1
        malformed = self.endpoint.counts["malformed"]
        try:
            self.endpoint.receive(data, hop, now)
        except Exception:
            log.exception("a message broke the SIP endpoint", hop=str(hop))
        if self.endpoint.counts["malformed"] > malformed:
            self.refused(source, hop)
        self.flush()

    def refused(self, source: str, hop: Hop) -> None:
        """A stranger was turned away; one to whom that happens too often is not heard any more.

        Where a datagram, or a proxy, says who it was, it may have been anybody.
        """
        named = hop.transport == "UDP" or self.places.trusts(hop.host)
        if self.guard.strike(source, clock.now(), lambda: named and self.knows(source)):
            log.warning("banned", source=source, seconds=self.guard.limits.ban_seconds)

    def _undeliverable(self, send: Send) -> None:
        self.act(lambda now: self.endpoint.undeliverable(send, now))

    def _set_alarm(self) -> None:
        """Where the alarm is set already, and to an earlier time, it is left: that it goes off for
        nothing costs less than to set it anew with each message."""
        wake_at = self.endpoint.wake_at
        if wake_at is None or (self._alarm and self._alarm.when() <= wake_at):
            return
        if self._alarm:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(wake_at, self._wake, wake_at)

    def _wake(self, at: float) -> None:
        """`at` may still be a clock's resolution away."""
        self._alarm = None
        self.act(lambda now: self.endpoint.fire(max(now, at)))

    # What happens

    def _try(self, output: object) -> None:
        """A leg that fails takes no other down with it."""
        try:
            self._handle(output)
        except Exception:
            log.exception("a SIP event was lost", event=type(output).__name__)

    def _handle(self, output: object) -> None:
        match output:
            case Send():
                hop = self.wire.real(output.hop)
                self._trace(output.serial, "sent", hop, output.data)
                self.traffic["sent", kind(output.data)] += 1
                self.wire.send(output)
            case Heard(serial, hop, data):
                self._trace(serial, "received", hop, data)
            case Incoming(call, data):
                self.entries[call.serial] = Entry(Trace())
                self._trace(call.serial, "received", call.source, data)
                self._incoming(call)
            case Over():
                self._over(output)
            case Registering():
                self.registering(output)
            case (
                Progress() | Answered() | Confirmed() | Offered() | Reanswered() | Info()
                | Referred() | Transferred()
            ):  # fmt: skip
                entry = self.entries.get(output.serial)
                if entry and entry.leg:
                    self._tell(entry.leg, entry.ringing, output)

    def _no_registrar(self, asked: Registering) -> None:
        self.act(lambda now: self.endpoint.reply(asked, 403, now))

    def _tell(
        self,
        leg: SipLeg,
        ringing: Ringing | None,
        event: Told,
    ) -> None:
        match event:
            case Progress(_, response):
                early = leg.progressed(response)
                if ringing:
                    ringing(leg, early)
            case Answered(_, session, response):
                if not leg.answered(session, response):
                    self.act(session.bye)
            case Confirmed(_, request):
                leg.acknowledged(request)
            case Offered(session, request):
                leg.offered(session, request)
            case Reanswered(_, answer):
                leg.reanswered(answer)
            case Info(_, request):
                leg.informed(request)
            case Referred(referral, wanted):
                leg.referred(referral, wanted)
            case Transferred():
                leg.transferred(event)

    def take_over(self, call: Inbound, leg: SipLeg, serial: int, trunk: Trunk | None) -> None:
        """The call `serial` goes on in another dialog, with the leg it has (RFC 3891)."""
        self.entries.pop(serial, None)
        self.entries[call.serial] = Entry(leg.trace, leg, trunk=trunk.name if trunk else "")

    def _over(self, over: Over) -> None:
        entry = self.entries.pop(over.serial, None)
        if entry and entry.over:
            entry.over.set_result(over)
        if entry and entry.leg:
            entry.leg.over(over)
            self.spawn(entry.leg.let_go())

    def _trace(self, serial: int, direction: str, hop: Hop, data: bytes) -> None:
        if entry := self.entries.get(serial):
            told = {
                "direction": direction,
                "transport": hop.transport,
                "local": self.sent_by(hop),
                "remote": f"{bracketed(hop.host)}:{hop.port}",
                "text": sip_parties.traced(data),
            }
            entry.trace.add("sip", told)

    def calls_of(self, trunk: Trunk) -> int:
        """How many there are by a trunk, in and out."""
        return sum(entry.trunk == trunk.name for entry in self.entries.values())

    def is_full(self, trunk: Trunk) -> bool:
        """Whether one more call is more than a trunk may have; that is counted."""
        full = bool(trunk.calls) and self.calls_of(trunk) >= trunk.calls
        self.endpoint.counts["trunk full"] += full
        return full

    # Where we are

    @property
    def ourselves(self) -> Hop:
        """Where we hear ourselves."""
        host, port = self.wire.place("UDP")
        return Hop("UDP", {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)

    def address(self, hop: Hop) -> str:
        """Our address as this hop should see it."""
        return self._seen_by(hop)[0]

    def _seen_by(self, hop: Hop) -> tuple[str, int]:
        host, port = self.wire.place(hop.transport)
        return self.places.ours(_own(host, hop), hop.host)[0], port

    def sound_addresses(self, hop: Hop) -> tuple[str, ...]:
        """Where this hop, or whoever speaks by way of it, reaches our sound; first as it should see
        us."""
        found = self.places.ours(_own(self.wire.host, hop), hop.host)
        if is_loopback(hop.host):  # a web server of this machine speaks for others
            found = (*found, _own(self.wire.host, Hop(hop.transport, DEFAULT_ROUTE, 9)))
        return tuple(dict.fromkeys(found))

    def sent_by(self, hop: Hop) -> str:
        host, port = self._seen_by(hop)
        return f"{bracketed(host)}:{port}"

    def _contact(self, hop: Hop) -> str:
        transport = (
            ""
            if hop.transport == "UDP"
            else f";transport={hop.transport.lower().replace('wss', 'ws')}"
        )
        return f"sip:{self.sent_by(hop)}{transport}"


def kind(data: bytes) -> str:
    """What a message is, of a few words: a method, or the class of a response ("2xx")."""
    word, _, rest = data[:11].decode("latin-1").partition(" ")
    if word == "SIP/2.0":
        return f"{rest[:1]}xx" if "1" <= rest[:1] <= "6" else OTHER
    return word if word in METHODS else OTHER


def _own(bound: str, hop: Hop) -> str:
    if bound in ("0.0.0.0", "::"):
        return _towards(hop.host if is_ip(hop.host) else DEFAULT_ROUTE, int(clock.now()))
    return bound


@lru_cache(maxsize=1024)
def _towards(host: str, second: int) -> str:
    """Asked once a second, for the network may change and a call asks a dozen times."""
    return local_address_towards(host, 9)
