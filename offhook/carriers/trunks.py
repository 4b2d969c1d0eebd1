"""Trunks: whom SIP calls may come from, and by which way numbers go out."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Literal

from offhook.frozen import frozen
from offhook.sip.digest import Credentials
from offhook.sip.grammar import BadSip
from offhook.sip.hop import is_ip, is_loopback
from offhook.sip.uri import Uri, parse_uri


@frozen
class Trunk:
    """A provider, a PBX or a gateway.

    `address` is host or host:port, "" for one that only calls in. `prefixes` are of E.164 numbers,
    "" is every number. `allow` are networks that its calls come from; a literal `address` is one by
    itself. `username` and `password` answer its challenge; `peer_username` and `peer_password` are
    what we demand. `shown` is the caller id for a call's own; `caller_id_header` names the field
    that carries it beside From, and that is believed in calls in. Without `plus`, called numbers
    are written without their +. `emergency` numbers only go to trunks that say so. With `register`
    we log in there as `username`; every `watch` seconds it is asked whether it is there, 0: never.
    Whatever goes there goes by `proxy` (host or host:port), if there is one. Every `keep_alive`
    seconds a NAT between us is kept open, 0: never. It has so many `calls` at a time, 0: as many
    as there are. A refusal with one of `failover_on`, before anybody rang, is no answer.
    """

    name: str
    address: str = ""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    prefixes: tuple[str, ...] = ("",)
    allow: tuple[str, ...] = ()
    username: str = ""
    password: str = ""
    peer_username: str = ""
    peer_password: str = ""
    shown: Callable[[str], str] = str
    caller_id_header: Literal["From", "P-Asserted-Identity", "Remote-Party-ID"] = "From"
    plus: bool = True
    emergency: bool = False
    srtp: bool = False  # calls out to it are sealed, or are not made
    register: bool = False
    watch: float = 0
    proxy: str = ""
    keep_alive: float = 0
    calls: int = 0
    failover_on: tuple[int, ...] = (408, 500, 502, 504)

    @property
    def uri(self) -> Uri:
        """Its address as a URI without user. Raises BadSip when it is none."""
        return self._at(self.address)

    @property
    def first(self) -> Uri:
        """Where what goes there goes first. Raises BadSip."""
        return self._at(self.proxy or self.address)

    def _at(self, place: str) -> Uri:
        kept = "" if self.transport == "udp" else f";transport={self.transport}"
        uri = parse_uri(f"sip:{place}{kept}")
        if uri.user:
            raise BadSip(f"not an address of a trunk: {place}")
        return uri

    @property
    def credentials(self) -> Credentials | None:
        """What answers its challenges."""
        return Credentials(self.username, self.password) if self.username else None

    @property
    def demands_login(self) -> bool:
        return bool(self.peer_username)

    def knows(self, source: str) -> bool:
        """Whether calls from this IP address are this trunk's."""
        return within(source, self.allow) or source in self._literals

    @property
    def _literals(self) -> list[str]:
        """The addresses that were written as such, of the trunk and of the proxy before it."""
        hosts = [self._at(each).host.strip("[]") for each in (self.address, self.proxy) if each]
        return [str(ipaddress.ip_address(host)) for host in hosts if is_ip(host)]


def routes(trunks: Sequence[Trunk], number: str) -> tuple[Trunk, ...]:
    """The trunks that a number fits: the longest prefix first, equal ones as they are listed.

    Numbers that are not E.164 (112, short codes) have no prefix: they go to emergency trunks or
    nowhere.
    """
    able = [trunk for trunk in trunks if trunk.address]
    if number.isdecimal():
        return tuple(trunk for trunk in able if trunk.emergency)
    if not number.startswith("+"):
        return ()
    fitting = {trunk: _fits(trunk, number.removeprefix("+")) for trunk in able}
    found = [trunk for trunk in able if fitting[trunk] >= 0]
    return tuple(sorted(found, key=lambda trunk: -fitting[trunk]))


def _fits(trunk: Trunk, digits: str) -> int:
    """The length of its longest prefix of a number, -1 without any."""
    prefixes = (prefix.lstrip("+") for prefix in trunk.prefixes)
    return max((len(each) for each in prefixes if digits.startswith(each)), default=-1)


@frozen
class Admitted:
    """May come in. `trunk` is None for a phone. `sealed`: its sound must be."""

    trunk: Trunk | None
    sealed: bool = False


@frozen
class Door:
    """Who gets in.  `local` says that we are bound to loopback."""

    trunks: tuple[Trunk, ...]
    local: bool

    def look(self, source: str) -> Admitted | Sequence[Trunk] | None:
        """Admitted by address; else the trunks one of which must be logged in to; else None (403).

        A source that no trunk knows may still log in to a trunk that names no networks, and is
        asked to whenever any trunk demands a login, so that nobody learns which networks are known.
        """
        source = plain(source)
        known = [trunk for trunk in self.trunks if trunk.knows(source)]
        open_to_it = next((trunk for trunk in known if not trunk.demands_login), None)
        if open_to_it:
            return Admitted(open_to_it)
        if known:
            return known
        if self.local and is_loopback(source):
            return Admitted(None)
        if any(trunk.demands_login for trunk in self.trunks):
            return [t for t in self.trunks if t.demands_login and not t.allow]
        return None


@lru_cache(maxsize=4096)
def plain(source: str) -> str:
    """An IP address in its usual spelling; one of IPv4 inside IPv6 is that of IPv4."""
    address = ipaddress.ip_address(source)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def passwords(trunks: Iterable[Trunk]) -> dict[str, str]:
    return {trunk.peer_username: trunk.peer_password for trunk in trunks if trunk.demands_login}


def within(source: str, networks: Iterable[str]) -> bool:
    """Whether an IP address lies in any of the networks."""
    address = ipaddress.ip_address(source)
    return any(address in _network(text) for text in networks)


@lru_cache(maxsize=1024)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)
