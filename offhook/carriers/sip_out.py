"""Calls out: by which trunk, to which server, and what comes next when one fails.  RFC 3263.

A trunk or server is left for the next when it cannot be reached, says nothing or 503, a trunk also
for what its `failover_on` names. Never after somebody rang or refused: then the call arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog

from offhook import clock
from offhook.carriers import sip_parties
from offhook.carriers.sip_leg import SipLeg
from offhook.carriers.sip_locator import Locator, retry_after
from offhook.carriers.sip_phones import NOT_REGISTERED, Reached, SipPhones, fork
from offhook.carriers.sip_settings import SipSettings
from offhook.carriers.sip_sound import Offers, Sound
from offhook.carriers.sip_switchboard import Entry, Switchboard
from offhook.carriers.sip_upstream import Upstream
from offhook.carriers.trunks import Trunk, routes
from offhook.errors import CarrierError
from offhook.frozen import frozen
from offhook.line.leg import About, Leg, Ringing, Target
from offhook.media.plane import MediaLeg
from offhook.model.numbers import is_emergency
from offhook.sip import digest
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, bracketed, hop_of, is_ip, is_secure
from offhook.sip.outbound import Invitation, Outbound
from offhook.sip.uri import Uri, parse_address, parse_uri

log = structlog.get_logger("offhook.sip")

# Opens the sound of a call with a hop: near whose it shall be, and what we offer.
OpenSound = Callable[[Hop, MediaLeg | None, Offers], Awaitable[Sound]]


class Failed(CarrierError):
    """Another trunk may do better; where the server itself was at fault (`there`), another server.

    `seconds` are those that it wants to be left alone.
    """

    def __init__(self, code: int, reason: str, *, there: bool, seconds: float = 0) -> None:
        super().__init__(code, reason)
        self.there, self.seconds = there, seconds


@frozen
class Way:
    """How a call leaves: to `uri`, by the proxies of `route`. A `hop` that is known is taken. Its
    sound must be `sealed` if that is said, here or by the URI that was dialled."""

    uri: Uri
    trunk: Trunk | None = None
    route: tuple[str, ...] = ()
    hop: Hop | None = None
    sealed: bool = False

    @property
    def first(self) -> Uri:
        return parse_address(self.route[0]).parsed if self.route else self.uri


class CallsOut:
    """Phones that are registered here, trunks by the number, and any `sip:` address."""

    def __init__(
        self,
        board: Switchboard,
        settings: SipSettings,
        upstream: Upstream,
        locator: Locator,
        open_sound: OpenSound,
    ) -> None:
        self._board, self._settings, self._upstream = board, settings, upstream
        self._locator, self._open_sound = locator, open_sound
        self.phones: SipPhones | None = None

    def takes(self, to: str) -> bool:
        return to.startswith(("sip:", "sips:")) or bool(routes(self._settings.trunks, to))

    def emergency(self, to: str) -> bool:
        return any(trunk.emergency for trunk in routes(self._settings.trunks, to))

    async def dial(self, target: Target, ringing: Ringing) -> Leg:
        """As `Carrier.dial`. 404 is a number that no trunk takes, 503 a hop that cannot be reached
        or never replied. A phone that is registered here is called wherever it is; 480 if it is
        not."""
        if self._hands_over(target):
            hop = self._board.ourselves
            uri = parse_uri(f"sip:{bracketed(hop.host)}:{hop.port}")
            way = Way(uri, hop=hop, sealed=True)  # that call may have to be
            return await self._dial_way(target, ringing, way, patient=True)
        reached = await self.phones.reached(target.to) if self.phones else None
        if reached is not None:
            return await self._dial_phones(target, ringing, reached)
        if not target.to.startswith(("sip:", "sips:")):
            return await self._dial_number(target, ringing)
        try:
            way = Way(parse_uri(target.to))
        except BadSip as wrong:
            raise CarrierError(404, wrong.reason) from wrong
        return await self._dial_way(target, ringing, way, patient=True)

    def _hands_over(self, target: Target) -> bool:
        """Whether this is to take the place of a phone in a call that it has with us: how one that
        talks to two of us connects them (RFC 5589 section 7)."""
        given = {name.lower(): value for name, value in target.headers}
        return "replaces" in given and self._board.endpoint.has_call(given["replaces"])

    async def _dial_phones(self, target: Target, ringing: Ringing, reached: Reached) -> Leg:
        contacts = reached.contacts
        if not contacts:
            told = f"{target.to} is not registered"
            target.trace.add("debugger", {"code": NOT_REGISTERED, "message": told})
            raise CarrierError(480, told)
        alone = len(contacts) == 1

        def rang(leg: Leg, early: bool) -> None:
            ringing(leg, early and alone)  # of several, none is heard before one answers

        ways = [
            Way(
                parse_uri(each.uri),
                route=each.path,
                hop=None if each.path else each.hop,
                sealed=reached.sealed,
            )
            for each in contacts
        ]
        calls = [self._dial_way(target, rang, way, patient=True) for way in ways]
        return await fork(calls, self._board.spawn)

    # Trunks

    def _trunks(self, number: str) -> list[Trunk]:
        fitting = routes(self._settings.trunks, number)
        if is_emergency(number, self._settings.region):
            fitting = tuple(trunk for trunk in fitting if trunk.emergency)
        return self._upstream.in_order(fitting)

    async def _dial_number(self, target: Target, ringing: Ringing) -> Leg:
        trunks = self._trunks(target.to)
        if not trunks:
            raise CarrierError(404, f"no trunk takes {target.to}")
        for trunk in trunks:
            last = trunk is trunks[-1]
            if self._is_full(trunk, target, last=last):
                continue
            uri = sip_parties.number_at(trunk, target.to)
            way = Way(uri, trunk, self._upstream.route(trunk))
            try:
                leg = await self._dial_way(target, ringing, way, patient=last)
            except Failed as failed:
                self._gave_up(trunk, failed, target, last=last)
                if last:
                    raise
            except CarrierError:
                self._upstream.carried(trunk)
                raise
            else:
                self._upstream.carried(trunk)
                return leg
        raise AssertionError("the last trunk raises or answers")

    def _is_full(self, trunk: Trunk, target: Target, *, last: bool) -> bool:
        """Raises CarrierError when there is no other."""
        if not self._board.is_full(trunk):
            return False
        told = f"{trunk.name} has as many calls as it may"
        if last:
            raise CarrierError(503, told)
        target.trace.add("log", {"message": "a trunk is full", "trunk": trunk.name})
        self._board.endpoint.counts["trunk failover"] += 1
        return True

    def _gave_up(self, trunk: Trunk, failed: Failed, target: Target, *, last: bool) -> None:
        self._upstream.failed(trunk, failed, there=failed.there, seconds=failed.seconds)
        self._board.endpoint.counts["trunk failed"] += 1
        told = {"trunk": trunk.name, "reason": str(failed), "next": not last}
        target.trace.add("log", {"message": "a trunk failed", **told})
        if not last:
            self._board.endpoint.counts["trunk failover"] += 1

    # Servers

    async def _dial_way(self, target: Target, ringing: Ringing, way: Way, *, patient: bool) -> Leg:
        """By each server in turn. Without patience, the last may be silent no longer than others:
        somebody else may take the call."""
        try:
            hops = await self._servers(way)
        except CarrierError as nowhere:
            raise Failed(nowhere.code, nowhere.reason, there=True) from nowhere
        if way.trunk:
            self._upstream.found(way.trunk, hops)
        for hop in hops:
            last = hop is hops[-1]
            patience = None if last and patient else self._settings.failover
            try:
                leg = await self._dial_one(target, ringing, way, hop, patience)
            except Failed as failed:
                if failed.there and not way.hop:
                    self._locator.failed(hop, failed.seconds)
                if last or not failed.there:
                    raise
                self._board.endpoint.counts["server failover"] += 1
            except CarrierError:
                self._locator.answered(hop)
                raise
            else:
                self._locator.answered(hop)
                return leg
        raise AssertionError("the last server raises or answers")

    async def _servers(self, way: Way) -> list[Hop]:
        if way.hop and self._board.wire.leads(way.hop):
            return [way.hop]
        return await self._locator.servers(way.hop or way.first)

    async def _dial_one(
        self, target: Target, ringing: Ringing, way: Way, hop: Hop, patience: float | None
    ) -> Leg:
        behind = is_ip(way.uri.host) and self._board.places.trusts(hop.host)
        speaker = replace(hop, host=way.uri.host) if behind else hop
        sound = await self._open_sound(speaker, target.near, _offers(target, way))
        name = way.trunk.name if way.trunk else ""
        leg = SipLeg(self._board.act, sound, About(), target.trace, self._settings.name, name)
        try:
            invitation = self._invitation(leg, target, way, hop)
            call = self._board.endpoint.invite(invitation, clock.now())
        except ValueError as error:  # a field that would break out of its line
            await sound.media.close()
            raise CarrierError(400, str(error)) from error
        return await self._follow(leg, call, ringing, patience, way.trunk)

    def _invitation(self, leg: SipLeg, target: Target, way: Way, hop: Hop) -> Invitation:
        username, password = target.username, target.password
        trunk, uri = way.trunk, way.uri
        if trunk:
            username, password = trunk.username, trunk.password
        host = bracketed(self._board.address(hop))
        if trunk and trunk.register:  # we are somebody of its domain (RFC 3261 section 8.1.1.3)
            host = trunk.uri.host
        fields = sip_parties.call_fields(target, trunk, uri, host)
        return Invitation(
            uri=str(uri.bare()),
            from_=sip_parties.from_field(target, trunk, host),
            to=f"<{parse_uri(target.to).bare() if target.to.startswith('sip') else uri.bare()}>",
            hop=hop,
            body=leg.offer(),
            fields=(*(("Route", each) for each in way.route), *fields),
            credentials=digest.Credentials(username, password) if username else None,
        )

    async def _follow(
        self,
        leg: SipLeg,
        call: Outbound,
        ringing: Ringing,
        patience: float | None,
        trunk: Trunk | None,
    ) -> Leg:
        """Until it is answered. Raises CarrierError, Failed when it did not even ring."""
        rang = False

        def rings(leg: Leg, early: bool) -> None:
            nonlocal rang
            rang = True
            ringing(leg, early)

        entry = self._board.entries[call.serial] = Entry(
            leg.trace, leg, rings, trunk=trunk.name if trunk else ""
        )
        leg.dialling(call)
        self._board.flush()
        try:
            await self._settled(leg, call, patience)
        except asyncio.CancelledError as given_up:
            await leg.give_up(*given_up.args or ("",))
            raise
        finally:
            entry.ringing = None
        if not leg.confirmed:
            raise leg.refused() if rang else _told(leg, trunk.failover_on if trunk else ())
        return leg  # which may be over by now

    async def _settled(self, leg: SipLeg, call: Outbound, patience: float | None) -> None:
        try:
            async with asyncio.timeout(patience):
                await leg.settled()
        except TimeoutError:
            if not call.heard:
                self._board.spawn(leg.hang_up())
                told = f"no reply from {call.invitation.hop} in {patience:g} seconds"
                raise Failed(503, told, there=True) from None
            await leg.settled()


def _told(leg: SipLeg, elsewhere: Sequence[int]) -> CarrierError:
    """Why a call that nobody rang for is over, and whether it may be tried elsewhere."""
    refused, by = leg.refused(), leg.ended.result().by
    unable = by == "far" and refused.code in elsewhere
    if not unable and not (by in ("far", "network") and refused.code == 503):
        return refused
    seconds = retry_after(leg.refusal)
    return Failed(refused.code, refused.reason, there=refused.code == 503, seconds=seconds)


def _offers(target: Target, way: Way) -> Offers:
    """What whoever is there can speak, as far as it is known."""
    if hop_of(way.uri).web or (way.hop and way.hop.web):
        return "web"
    asked = target.to.startswith(("sip:", "sips:")) and is_secure(parse_uri(target.to))
    return "sealed" if way.sealed or (way.trunk.srtp if way.trunk else asked) else "clear"
