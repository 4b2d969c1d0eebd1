"""SIP as a carrier: one UDP and TCP address, trunks, phones on this machine, `sip:` targets."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from offhook import clock, sids
from offhook.carriers import sip_parties
from offhook.carriers.sip_leg import SipLeg, Sound
from offhook.carriers.sip_wire import Unreachable, Wire, local_address_towards
from offhook.carriers.trunks import Admitted, Door, Trunk, passwords, route
from offhook.errors import CarrierError
from offhook.line.leg import About, Leg, Ringing, Target, Text, Trace
from offhook.media.plane import MediaFull, MediaPlane, RtpLeg
from offhook.sip import digest, sdp
from offhook.sip.core import Heard, Over
from offhook.sip.endpoint import Endpoint
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, Send, bracketed, hop_of, is_ip
from offhook.sip.inbound import Inbound, Incoming
from offhook.sip.message import Response
from offhook.sip.outbound import Answered, Invitation, Progress
from offhook.sip.session import Confirmed, Info, Offered
from offhook.sip.uri import Uri, parse_uri

log = structlog.get_logger("offhook.sip")

T = TypeVar("T")
OnCall = Callable[[Leg, str, str], Awaitable[None]]

DEFAULT_ROUTE = "192.0.2.1"  # an address that only the default route leads to (RFC 5737)
CLOSING_SECONDS = 5.0  # for the last answers, when the carrier is closed


@dataclass(frozen=True, slots=True)
class SipSettings:
    """Where we listen and whom we know.

    `port` 0 takes a free one. `public_ip` is written into Contact and SDP; without it, the address
    that leads to the other side is. Nodes that share `secret` know each other's nonces.
    """

    host: str = "127.0.0.1"
    port: int = 5060
    public_ip: str = ""
    trunks: tuple[Trunk, ...] = ()
    tcp: bool = True
    realm: str = "offhook"
    secret: bytes = b""
    name: str = "sip"


@dataclass(frozen=True, slots=True)
class Pong:
    """What a trunk said to OPTIONS. `status` is 0 when it said nothing; `seconds` is the way there
    and back."""

    trunk: str
    address: str
    status: int
    reason: str
    seconds: float

    @property
    def healthy(self) -> bool:
        """Whether somebody is there and knows us: any answer but a challenge we cannot meet."""
        return self.status > 0 and self.status not in (401, 403, 407)


class SipCarrier:
    """Brings calls in and out. `on_call` runs as long as it likes, in a task of its own."""

    def __init__(
        self, settings: SipSettings, media: MediaPlane, on_call: OnCall, rand: Callable[[], str]
    ) -> None:
        self.name = settings.name
        self.settings = settings
        self._media, self._on_call, self._rand = media, on_call, rand
        self._wire = Wire(self._receive, self._undeliverable)
        self._endpoint = Endpoint(self._sent_by, self._contact, rand, tcp=settings.tcp)
        self._door = Door(settings.trunks, ipaddress.ip_address(settings.host).is_loopback)
        secret = settings.secret or rand().encode()
        self._logins = digest.Server(settings.realm, secret, rand)
        self._legs: dict[int, SipLeg] = {}  # by the serial of the call
        self._traces: dict[int, Trace] = {}
        self._ringing: dict[int, Ringing] = {}
        self._last_byes: dict[int, asyncio.Future[Over]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._flushing = False
        self._refusing = False

    @classmethod
    async def open(
        cls,
        settings: SipSettings,
        media: MediaPlane,
        on_call: OnCall,
        *,
        rand: Callable[[], str] = sids.random_hex,
    ) -> SipCarrier:
        """Listening. Raises OSError when the port is taken."""
        carrier = cls(settings, media, on_call, rand)
        await carrier._wire.open(settings.host, settings.port, tcp=settings.tcp)
        return carrier

    @property
    def host(self) -> str:
        return self._wire.host

    @property
    def port(self) -> int:
        return self._wire.port

    @property
    def counts(self) -> Counter[str]:
        """Messages that were malformed, stray or undeliverable, and calls that were refused."""
        lost = Counter(malformed=self._wire.malformed_streams)
        return self._endpoint.counts + lost

    @property
    def calls(self) -> int:
        return len(self._legs)

    # Stopping

    def refuse_calls(self) -> None:
        """From now on, calls in are refused with 503; those that are up go on."""
        self._refusing = True

    async def close(self) -> None:
        """Ends every call that is left, waits a little for the last answers, lets the port go."""
        self.refuse_calls()
        for leg in tuple(self._legs.values()):
            self._spawn(leg.hang_up())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                while self._tasks or self._last_byes:
                    await asyncio.wait([*self._tasks, *self._last_byes.values()])
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._alarm:
            self._alarm.cancel()
        await self._wire.close()

    # Calls out

    def takes(self, to: str) -> bool:
        """Whether there is a way to an address: a trunk for the number, or `sip:`."""
        return to.startswith(("sip:", "sips:")) or route(self.settings.trunks, to) is not None

    def emergency(self, to: str) -> bool:
        """Whether the trunk that `to` would take may carry emergency calls."""
        trunk = route(self.settings.trunks, to)
        return trunk is not None and trunk.emergency

    async def dial(self, target: Target, ringing: Ringing) -> Leg:
        trunk, uri = self._way(target.to)
        hop = hop_of(uri)
        if hop.transport not in (("UDP", "TCP") if self.settings.tcp else ("UDP",)):
            raise CarrierError(503, f"no {hop.transport} here")
        try:
            hop = Hop(hop.transport, await self._wire.resolve(hop.host, hop.port), hop.port)
        except Unreachable as error:
            raise CarrierError(503, str(error)) from error
        media = await self._open_media()
        leg = SipLeg(self._act, self._sound(media, hop), About(), target.trace, self.name)
        return await self._dial(leg, ringing, self._invitation(leg, target, trunk, uri, hop))

    def _way(self, to: str) -> tuple[Trunk | None, Uri]:
        if not to.startswith(("sip:", "sips:")):
            trunk = route(self.settings.trunks, to)
            if trunk is None:
                raise CarrierError(404, f"no trunk takes {to}")
            return trunk, sip_parties.number_at(trunk, to)
        try:
            return None, parse_uri(to)
        except BadSip as wrong:
            raise CarrierError(404, wrong.reason) from wrong

    def _invitation(
        self, leg: SipLeg, target: Target, trunk: Trunk | None, uri: Uri, hop: Hop
    ) -> Invitation:
        username, password = target.username, target.password
        if trunk:
            username, password = trunk.username, trunk.password
        host = bracketed(self._address(hop))
        return Invitation(
            uri=str(uri.bare()),
            from_=sip_parties.from_field(target, trunk, host),
            to=f"<{uri.bare()}>",
            hop=hop,
            body=leg.offer(),
            fields=sip_parties.call_fields(target, trunk, uri, host),
            credentials=digest.Credentials(username, password) if username else None,
        )

    async def _dial(self, leg: SipLeg, ringing: Ringing, invitation: Invitation) -> Leg:
        try:
            call = self._endpoint.invite(invitation, clock.now())
        except ValueError as error:  # a field that would break out of its line
            await leg.media.close()
            raise CarrierError(400, str(error)) from error
        self._enter(call.serial, leg, leg.trace)
        self._ringing[call.serial] = ringing
        leg.dialling(call)
        self._flush()
        try:
            await leg.settled()
        except asyncio.CancelledError:
            await leg.hang_up()
            raise
        finally:
            self._ringing.pop(call.serial, None)
        if leg.confirmed.done():
            return leg
        raise leg.refused()

    async def send(self, text: Text, report: Callable[[str, int], None]) -> None:
        raise CarrierError(405, "texts do not go by SIP")

    # Calls in

    def _incoming(self, call: Inbound) -> None:
        admitted = self._admit(call)
        if admitted is None:
            return
        if self._refusing:
            call.reject(503, clock.now(), ("Retry-After", "30"))
            return
        call.trying(clock.now())
        self._spawn(self._arrive(call, admitted.trunk))

    def _admit(self, call: Inbound) -> Admitted | None:
        """Who it is from is settled before anybody looks at whom it is to."""
        now, seen = clock.now(), self._door.look(call.source.host)
        if isinstance(seen, Admitted):
            return seen
        self._endpoint.counts["refused"] += 1
        if seen is None:
            call.reject(403, now)
            return None
        at, request = clock.utc().timestamp(), call.request
        answers = request.values("authorization")
        known = passwords(seen)
        verdict, username = self._logins.check(
            answers, "INVITE", request.uri, request.body, known, at
        )
        if verdict == "right":
            self._endpoint.counts["refused"] -= 1
            return Admitted(next(trunk for trunk in seen if trunk.peer_username == username))
        challenges = self._logins.challenges(at, stale=verdict == "stale")
        call.reject(401, now, *(("WWW-Authenticate", challenge) for challenge in challenges))
        return None

    async def _arrive(self, call: Inbound, trunk: Trunk | None) -> None:
        try:
            offered = sdp.parse(call.request.body) if call.request.body else None
        except sdp.BadSdp:
            offered = []
        if offered is not None and not sdp.speakable(offered):
            self._act(lambda now: call.reject(488, now))
            return
        try:
            media = await self._open_media()
        except CarrierError as full:
            code = full.code
            self._act(lambda now: call.reject(code, now))
            return
        if call.over:
            await media.close()
            return
        about = sip_parties.about_call(call.request, call.source, trunk)
        leg = SipLeg(
            self._act,
            self._sound(media, call.source),
            about,
            self._traces.get(call.serial, Trace()),
            self.name,
        )
        leg.arrived(call, offered)
        self._enter(call.serial, leg, leg.trace)
        to, from_ = sip_parties.called(call.request), sip_parties.caller(call.request, trunk)
        await self._hand_over(leg, to, from_)

    async def _hand_over(self, leg: SipLeg, to: str, from_: str) -> None:
        try:
            await self._on_call(leg, to, from_)
        except Exception:
            log.exception("a call in crashed", to=to, from_=from_)
            await leg.reject(500)
            await leg.hang_up()

    # Other requests

    async def bye(self, dialog: dict[str, Any]) -> None:
        """Ends the call of a dialog that a lost process had, from `About.dialog`."""
        session = self._endpoint.restore(dialog)
        over: asyncio.Future[Over] = asyncio.get_running_loop().create_future()
        self._last_byes[session.serial] = over
        self._act(session.bye)
        await asyncio.shield(over)

    async def options(self, trunk: Trunk) -> Pong:
        """Asks a trunk whether it is there, with its credentials if it wants some."""
        began, uri = clock.now(), trunk.uri
        hop, answer = hop_of(uri), asyncio.get_running_loop().create_future()

        def heard(response: Response | None, now: float) -> None:
            if not answer.done() and (response is None or response.status >= 200):
                answer.set_result(response)

        login = digest.Credentials(trunk.username, trunk.password) if trunk.username else None
        self._act(lambda now: self._endpoint.options(str(uri), hop, heard, now, login))
        response = await answer
        seconds = clock.now() - began
        if response is None:
            return Pong(trunk.name, str(hop), 0, "no reply", seconds)
        return Pong(trunk.name, str(hop), response.status, response.reason, seconds)

    # What happens

    def _receive(self, data: bytes, hop: Hop) -> None:
        try:
            self._endpoint.receive(data, hop, clock.now())
        except Exception:
            log.exception("a message broke the SIP endpoint", hop=str(hop))
        self._flush()

    def _undeliverable(self, send: Send) -> None:
        self._act(lambda now: self._endpoint.undeliverable(send, now))

    def _act(self, doing: Callable[[float], T]) -> T:
        done = doing(clock.now())
        self._flush()
        return done

    def _flush(self) -> None:
        """Sends what is to be sent, tells the legs what happened, and sets the alarm anew."""
        if self._flushing:
            return
        self._flushing = True
        try:
            while outputs := self._endpoint.take():
                for output in outputs:
                    self._handle(output)
        finally:
            self._flushing = False
        self._set_alarm()

    def _set_alarm(self) -> None:
        wake_at = self._endpoint.wake_at
        if self._alarm and (wake_at is None or self._alarm.when() != wake_at):
            self._alarm.cancel()
            self._alarm = None
        if wake_at is not None and self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_at(wake_at, self._wake)

    def _wake(self) -> None:
        self._alarm = None
        self._act(self._endpoint.fire)

    def _handle(self, output: object) -> None:
        match output:
            case Send():
                self._trace(output.serial, "sent", output.hop, output.data)
                self._wire.send(output)
            case Heard(serial, hop, data):
                self._trace(serial, "received", hop, data)
            case Incoming(call, data):
                self._traces[call.serial] = Trace()
                self._trace(call.serial, "received", call.source, data)
                self._incoming(call)
            case Over():
                self._over(output)
            case _:
                self._tell_leg(output)

    def _tell_leg(self, event: object) -> None:
        match event:
            case Progress(serial, response):
                if leg := self._legs.get(serial):
                    self._ringing[serial](leg, leg.progressed(response))
            case Answered(serial, session, response):
                if (leg := self._legs.get(serial)) and not leg.answered(session, response):
                    self._act(session.bye)
            case Confirmed(session, request):
                if leg := self._legs.get(session.serial):
                    leg.acknowledged(request)
            case Offered(session, request):
                if leg := self._legs.get(session.serial):
                    leg.offered(session, request)
            case Info(session, request):
                if leg := self._legs.get(session.serial):
                    leg.informed(request)

    def _over(self, over: Over) -> None:
        self._traces.pop(over.serial, None)
        if waiting := self._last_byes.pop(over.serial, None):
            waiting.set_result(over)
        if leg := self._legs.pop(over.serial, None):
            leg.over(over)
            self._spawn(leg.let_go())

    def _trace(self, serial: int, direction: str, hop: Hop, data: bytes) -> None:
        trace = self._traces.get(serial)
        if trace is None:
            return
        local = f"{hop.transport} {self._sent_by(hop)}"
        trace.add(
            "sip",
            {
                "direction": direction,
                "local": local,
                "remote": str(hop),
                "text": sip_parties.traced(data),
            },
        )

    # Small things

    def _enter(self, serial: int, leg: SipLeg, trace: Trace) -> None:
        self._legs[serial], self._traces[serial] = leg, trace

    async def _open_media(self) -> RtpLeg:
        try:
            return await self._media.open_rtp(self._wire.host)
        except MediaFull as full:
            raise CarrierError(503, str(full)) from full

    def _sound(self, media: RtpLeg, hop: Hop) -> Sound:
        return Sound(media, self._address(hop), int(self._rand()[:8], 16))

    def _address(self, hop: Hop) -> str:
        """Our address as this hop should see it."""
        bound = self._wire.host
        loopback = is_ip(hop.host) and ipaddress.ip_address(hop.host).is_loopback
        if self.settings.public_ip and not loopback:
            return self.settings.public_ip
        if bound in ("0.0.0.0", "::"):
            return local_address_towards(hop.host if is_ip(hop.host) else DEFAULT_ROUTE, hop.port)
        return bound

    def _sent_by(self, hop: Hop) -> str:
        return f"{bracketed(self._address(hop))}:{self._wire.port}"

    def _contact(self, hop: Hop) -> str:
        transport = "" if hop.transport == "UDP" else f";transport={hop.transport.lower()}"
        return f"sip:{self._sent_by(hop)}{transport}"

    def _spawn(self, doing: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a SIP task crashed", exc_info=error)
