"""Trunks: whom SIP calls may come from, and by which way numbers go out."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from offhook.sip.grammar import BadSip
from offhook.sip.hop import is_ip
from offhook.sip.uri import Uri, parse_uri


@dataclass(frozen=True, slots=True)
class Trunk:
    """A provider, a PBX or a gateway.

    `address` is host or host:port, "" for one that only calls in. `prefixes` are of E.164 numbers,
    "" is every number. `allow` are networks that its calls come from; a literal `address` is one by
    itself. `username` and `password` answer its challenge; `peer_username` and `peer_password` are
    what we demand. `shown` is the caller id for a call's own; `caller_id_header` names the field
    that carries it beside From, and that is believed in calls in. Without `plus`, called numbers
    are written without their +. `emergency` numbers only go to trunks that say so. With `register`
    we log in there as `username`; every `watch` seconds it is asked whether it is there, 0: never.
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

    @property
    def uri(self) -> Uri:
        """Its address as a URI without user. Raises BadSip when it is none."""
        kept = "" if self.transport == "udp" else f";transport={self.transport}"
        uri = parse_uri(f"sip:{self.address}{kept}")
        if uri.user:
            raise BadSip(f"not an address of a trunk: {self.address}")
        return uri

    @property
    def demands_login(self) -> bool:
        return bool(self.peer_username)

    def knows(self, source: str) -> bool:
        """Whether calls from this IP address are this trunk's."""
        return within(source, self.allow) or bool(self.address and source == self._literal)

    @property
    def _literal(self) -> str:
        host = self.uri.host.strip("[]")
        return str(ipaddress.ip_address(host)) if is_ip(host) else ""


def route(trunks: Sequence[Trunk], number: str) -> Trunk | None:
    """The trunk with the longest prefix of a number; of equals the first.

    Numbers that are not E.164 (112, short codes) have no prefix: they go to the first emergency
    trunk or nowhere.
    """
    able = [trunk for trunk in trunks if trunk.address]
    if number.isdecimal():
        return next((trunk for trunk in able if trunk.emergency), None)
    if not number.startswith("+"):
        return None
    found = [
        (len(prefix.lstrip("+")), -place, trunk)
        for place, trunk in enumerate(able)
        for prefix in trunk.prefixes
        if number.removeprefix("+").startswith(prefix.lstrip("+"))
    ]
    return max(found, key=lambda each: each[:2])[2] if found else None


@dataclass(frozen=True, slots=True)
class Admitted:
    """May come in. `trunk` is None for a phone on this machine."""

    trunk: Trunk | None


@dataclass(frozen=True, slots=True)
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
        if self.local and ipaddress.ip_address(source).is_loopback:
            return Admitted(None)
        if any(trunk.demands_login for trunk in self.trunks):
            return [t for t in self.trunks if t.demands_login and not t.allow]
        return None


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
