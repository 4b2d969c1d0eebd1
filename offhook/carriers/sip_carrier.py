"""SIP as a carrier: one UDP and TCP address, trunks, phones on this machine, `sip:` targets."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import structlog

from offhook import clock, sids
from offhook.carriers import sip_parties
from offhook.carriers.sip_dns import System
from offhook.carriers.sip_guard import Guard, site
from offhook.carriers.sip_leg import SipLeg, offered_by
from offhook.carriers.sip_locator import Ask, Locator
from offhook.carriers.sip_out import CallsOut
from offhook.carriers.sip_phones import Answer, Directory, SipPhones
from offhook.carriers.sip_settings import Load, Pong, SipSettings
from offhook.carriers.sip_sound import Offers, Sound
from offhook.carriers.sip_switchboard import Entry, Switchboard
from offhook.carriers.sip_upstream import Upstream
from offhook.carriers.trunks import Admitted, Door, Trunk, passwords, plain
from offhook.errors import CarrierError
from offhook.line.leg import Leg, Ringing, Target, Text, Trace
from offhook.media.plane import MediaFull, MediaLeg, MediaPlane
from offhook.sip import digest, sdp
from offhook.sip.core import Over
from offhook.sip.hop import Hop, is_ip, is_private
from offhook.sip.inbound import Inbound, TakeOver
from offhook.sip.location import Means
from offhook.sip.uri import Address, parse_uri

__all__ = ["Directory", "Pong", "SipCarrier", "SipSettings"]

log = structlog.get_logger("offhook.sip")

OnCall = Callable[[Leg, str, str], Awaitable[None]]

CLOSING_SECONDS = 5.0  # for the last answers, when the carrier is closed


class SipCarrier:
    """Brings calls in and out. `on_call` runs as long as it likes, in a task of its own."""

    def __init__(
        self,
        settings: SipSettings,
        media: MediaPlane,
        on_call: OnCall,
        rand: Callable[[], str],
        dns: Ask,
    ) -> None:
        self.name = settings.name
        self.settings = settings
        self._media, self._on_call, self._rand = media, on_call, rand
        self._known = lru_cache(maxsize=4096)(self._is_known)
        guard = Guard(settings.limits, self._trusts)
        self._board = Switchboard(
            self._incoming, self._located, rand,
            places=settings.places, tcp=settings.tcp, guard=guard,
        )  # fmt: skip
        self._near = lru_cache(maxsize=1)(self._acquainted)
        self._board.knows = lambda host: site(host) in self._near(int(clock.now()))
        self._door = Door(settings.trunks, local=False)
        self._secret = settings.secret or rand().encode()
        self._logins = self._login(settings.realm)
        self.phones: SipPhones | None = None
        self.locator = Locator(dns, self._means)
        self.upstream = Upstream(self._board, settings, self.locator, self._chance)
        self._out = CallsOut(self._board, settings, self.upstream, self.locator, self._open_sound)

    def _login(self, realm: str) -> digest.Server:
        return digest.Server(realm, self._secret, self._rand, self.settings.algorithms)

    def _chance(self) -> float:
        return int(self._rand()[:6], 16) / 16**6

    def _means(self) -> Means:
        return self._board.wire.means(self._chance)

    async def _located(self, hop: Hop) -> Hop:
        """The best server of a name that a dialog leads to. Raises CarrierError."""
        return (await self.locator.servers(hop))[0]

    def _trusts(self, host: str) -> bool:
        """Whether no limits hold for an address: this machine's, or that of a trunk or a proxy."""
        known = self._known(host) or self.upstream.trunk_at(host) is not None
        return known or self.upstream.serves(host)

    def _is_known(self, host: str) -> bool:
        address = plain(host)
        local = ipaddress.ip_address(address).is_loopback
        ours = local or self.settings.places.trusts(address)
        return ours or any(trunk.knows(address) for trunk in self.settings.trunks)

    def _acquainted(self, second: int) -> frozenset[str]:
        """Where phones are registered, or calls are up. Looked for once a second at most."""
        at = clock.utc().timestamp()
        phones = self.phones.registrar.everybody(at) if self.phones else ()
        hosts = (*(each.received.host for each in phones), *self._board.endpoint.far_hosts())
        return frozenset(map(site, hosts))

    @classmethod
    async def open(
        cls,
        settings: SipSettings,
        media: MediaPlane,
        on_call: OnCall,
        *,
        rand: Callable[[], str] = sids.random_hex,
        directory: Directory | None = None,
        dns: Ask | None = None,
    ) -> SipCarrier:
        """Listening; with a `directory`, phones register. Raises OSError when the port is taken."""
        carrier = cls(settings, media, on_call, rand, dns or System())
        wire = carrier._board.wire
        if directory:
            phones = SipPhones(carrier._board, directory, carrier._login, settings.keep_alive)
            carrier.phones = carrier._out.phones = phones
            carrier._board.registering = carrier.phones.registering
        await wire.open(
            settings.host, settings.port, tcp=settings.tcp, listeners=settings.listeners
        )
        local = ipaddress.ip_address(wire.host).is_loopback
        carrier._door = Door(settings.trunks, local)
        carrier.upstream.start()
        if carrier.phones:
            carrier.phones.start()
        return carrier

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that both UDP and TCP listen at."""
        return self._board.wire.host, self._board.wire.port

    def listens(self, transport: str) -> tuple[str, int]:
        """Host and port for a transport in capitals; where there is no other, that of `address`."""
        return self._board.wire.place(transport)

    @property
    def places(self) -> dict[str, tuple[str, int]]:
        """Host and port for each transport in capitals."""
        both = ("UDP", "TCP") if self.settings.tcp else ("UDP",)
        wanted = (transport for transport, _ in self.settings.listeners.wanted)
        return {transport: self.listens(transport) for transport in (*both, *wanted)}

    @property
    def counts(self) -> Counter[str]:
        """Messages that were malformed, stray or undeliverable, and calls that were refused."""
        return self._board.counts

    @property
    def load(self) -> Load:
        """What there is of everything now."""
        board, at = self._board, clock.now()
        return Load(
            len(board.entries), board.endpoint.transactions, board.endpoint.dialogs,
            len(board.tasks), sum(1 for _ in board.guard.banned(at)), board.wire.connections,
            {trunk.name: board.calls_of(trunk) for trunk in self.settings.trunks},
        )  # fmt: skip

    @property
    def traffic(self) -> Counter[tuple[str, str]]:
        """Messages, as ("received", "INVITE") or ("sent", "2xx")."""
        return self._board.traffic

    # Stopping

    def refuse_calls(self) -> None:
        """From now on, calls in are refused with 503; those that are up go on. Proxies that ask by
        OPTIONS take us out of their lists."""
        self._board.endpoint.refusing = True

    async def close(self) -> None:
        """Ends every call that is left, waits a little for the last answers, lets the port go."""
        self.refuse_calls()
        await self.upstream.close()
        if self.phones:
            await self.phones.close()
        for entry in tuple(self._board.entries.values()):
            if entry.leg:
                self._board.spawn(entry.leg.hang_up())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                while self._board.tasks:
                    await asyncio.wait(self._board.tasks)
        await self._board.close()

    # Calls out

    def takes(self, to: str) -> bool:
        """Whether there is a way to an address: a trunk for the number, or `sip:`."""
        return self._out.takes(to)

    def emergency(self, to: str) -> bool:
        """Whether any trunk for `to` may carry emergency calls."""
        return self._out.emergency(to)

    async def dial(self, target: Target, ringing: Ringing) -> Leg:
        return await self._out.dial(target, ringing)

    async def send(self, text: Text, report: Callable[[str, int], None]) -> None:
        """Always refused: texts do not go by SIP."""
        raise CarrierError(405, "texts do not go by SIP")

    # Calls in

    def _incoming(self, call: Inbound) -> None:
        """Who it is from is settled before anybody looks at whom it is to."""
        wanted = call.takes_over
        if wanted and wanted.call and call.source.host == self._board.ourselves.host:
            self._let_in(call, Admitted(None), clock.now())
        elif self.phones and not is_ip(parse_uri(call.request.uri).host.strip("[]")):
            self._board.spawn(self._at_home(call, self.phones))
        else:
            self._let_in(call, self._admit(call), clock.now())

    async def _at_home(self, call: Inbound, phones: SipPhones) -> None:
        """A call to a domain; one that is not ours goes by the rules of all others."""
        try:
            admitted, home = await phones.admit(call), True
        except Exception:  # of the store, say: nobody else would ever answer this call
            log.exception("a call to a domain crashed", source=str(call.source))
            self._board.act(lambda now: call.reject(500, now))
            return
        if admitted is None:
            admitted, home = self._admit(call), False
        if not call.over:
            self._board.act(lambda now: self._let_in(call, admitted, now, home=home))

    def _let_in(
        self, call: Inbound, admitted: Admitted | Answer, now: float, *, home: bool = False
    ) -> None:
        if not isinstance(admitted, Admitted):
            self._board.endpoint.counts["refused"] += 1
            status, fields = admitted
            call.turn_away(status, *fields)
            self._board.refused(self._origin(call), call.source)
            return
        self._board.guard.forgive(self._origin(call))
        if admitted.trunk:
            call.credentials = admitted.trunk.credentials
        if len(self._board.entries) > self.settings.limits.calls:
            self._board.guard.counts["full"] += 1
            call.reject(503, now, ("Retry-After", "10"))
        elif self._board.endpoint.refusing:
            call.reject(503, now, ("Retry-After", "30"))
        elif call.takes_over:
            self._take_over(call, call.takes_over, admitted, now)
        elif admitted.trunk and self._board.is_full(admitted.trunk):
            log.warning("a trunk has as many calls as it may", trunk=admitted.trunk.name)
            call.reject(503, now, ("Retry-After", "10"))
        else:
            self._board.entries[call.serial].trunk = admitted.trunk.name if admitted.trunk else ""
            call.taken(now)
            self._board.spawn(self._take(call, admitted, home))

    def _take_over(self, call: Inbound, wanted: TakeOver, admitted: Admitted, now: float) -> None:
        """Another phone for a call that we have: the call itself does not notice (RFC 3891)."""
        old = wanted.call
        entry = self._board.entries.get(old.serial) if old else None
        if old is None or entry is None or entry.leg is None:
            call.reject(wanted.status or 481, now)
            return
        try:
            entry.leg.taken_over(call, offered_by(call))
        except CarrierError as refused:
            call.reject(refused.code, now)
        except sdp.BadSdp:  # in the clear, and the call is sealed
            call.reject(488, now)
        else:
            self._board.take_over(call, entry.leg, old.serial, admitted.trunk)

    def _origin(self, call: Inbound) -> str:
        return self._board.places.origin(call.request, call.source.host)

    def _admit(self, call: Inbound) -> Admitted | Answer:
        """Let in, or the status and the fields of the refusal."""
        source = self._origin(call)
        seen = self._door.look(source)
        unknown = seen is None or seen == Admitted(None)
        if unknown and (trunk := self.upstream.trunk_at(source)):
            return Admitted(trunk)
        if isinstance(seen, Admitted):
            return seen
        if seen is None:
            return 403, ()
        at, request = clock.utc().timestamp(), call.request
        verdict, username = self._logins.check(
            request.values("authorization"),
            request.method,
            request.uri,
            request.body,
            passwords(seen),
            at,
        )
        self._board.guard.login(verdict)
        if verdict == "right":
            return Admitted(next(trunk for trunk in seen if trunk.peer_username == username))
        challenges = self._logins.challenges(at, stale=verdict == "stale")
        return 401, tuple(("WWW-Authenticate", each) for each in challenges)

    async def _take(self, call: Inbound, admitted: Admitted, home: bool) -> None:
        request, trunk = call.request, admitted.trunk
        to, from_ = sip_parties.called(request, trunk), sip_parties.caller(request, trunk)
        if home:
            to = sip_parties.whole(Address(request.uri))
            from_ = sip_parties.whole(request.from_)
        leg = None
        try:
            if leg := await self._arrive(call, admitted):
                await self._on_call(leg, to, from_)
        except Exception as error:
            status = error.code if isinstance(error, CarrierError) else 500
            if not isinstance(error, CarrierError):
                log.exception("a call in crashed", to=to, from_=from_)
            self._board.act(lambda now: call.reject(status, now))
            if leg:
                await leg.hang_up()

    async def _arrive(self, call: Inbound, admitted: Admitted) -> SipLeg | None:
        """The call as a leg, or None when the caller did not wait. Raises CarrierError."""
        sealed = admitted.sealed
        offered = offered_by(call, sealed=sealed)
        speaker, origin = call.source, self._origin(call)
        if origin != speaker.host:
            speaker = replace(speaker, host=origin)
        about = sip_parties.about_call(call.request, speaker, admitted.trunk)
        offers: Offers = "web" if call.source.web else "sealed" if sealed else "clear"
        sound = await self._open_sound(speaker, None, offers, sealed=sealed)
        entry = self._board.entries.get(call.serial)
        if call.over or entry is None:
            await sound.media.close()
            return None
        entry.leg = leg = SipLeg(self._board.act, sound, about, entry.trace, self.name, entry.trunk)
        leg.arrived(call, offered)
        return leg

    # Other requests

    async def bye(self, dialog: dict[str, Any]) -> None:
        """Ends the call of a dialog that a lost process had, from `About.dialog`.

        Returns when the other side has said yes, or nothing for 32 seconds. A trunk may challenge
        us; what a `<Sip>` noun had to say to that was never written down.
        """
        name, trunks = dialog.get("trunk"), self.settings.trunks
        credentials = next((each.credentials for each in trunks if each.name == name), None)
        session = self._board.endpoint.restore(dialog, credentials)
        over: asyncio.Future[Over] = asyncio.get_running_loop().create_future()
        self._board.entries[session.serial] = Entry(Trace(), over=over)
        self._board.act(session.bye)
        await asyncio.shield(over)

    async def options(self, trunk: Trunk) -> Pong:
        """Asks a trunk whether it is there, with our credentials if it wants some."""
        return await self.upstream.options(trunk)

    # Sound

    async def _open_sound(
        self, hop: Hop, near: MediaLeg | None, offers: Offers, *, sealed: bool = False
    ) -> Sound:
        host, *nearby = self._board.sound_addresses(hop)
        bound = self._board.wire.host
        if bound == "::":  # a leg has sockets of one kind
            bound = "::" if ":" in host else "0.0.0.0"
        try:
            media = await self._media.open_rtp(bound, near)
        except MediaFull as full:
            raise CarrierError(503, str(full)) from full
        id, drawn = int(self._rand()[:8], 16), "".join(self._rand() for _ in range(3))  # 384 bits
        ours = sdp.Ours(
            host, media.port, id, secret=drawn.encode(),
            secured=offers == "sealed", strict=sealed or offers == "sealed", web=offers == "web",
            fingerprint=media.identity.fingerprint, nearby=tuple(nearby),
        )  # fmt: skip
        return Sound(media, ours, hop.host, self._find, self.settings.rtp_timeout)

    def _find(self, name: str, speaker: str, tell: Callable[[str], None]) -> None:
        self._board.spawn(self._find_sound(name, speaker, tell))

    async def _find_sound(self, name: str, speaker: str, tell: Callable[[str], None]) -> None:
        """An address of the kind of `speaker`, since a leg has sockets of one kind, and none that
        means something inside another network alone."""
        with contextlib.suppress(CarrierError):
            hops = await self.locator.servers(Hop("UDP", name, 9))
            same = (hop.host for hop in hops if (":" in hop.host) == (":" in speaker))
            inside = is_private(speaker)
            fitting = [host for host in same if inside or not is_private(host)]
            if fitting:
                tell(fitting[0])
