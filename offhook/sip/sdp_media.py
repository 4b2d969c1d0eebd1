"""What a session description says: its media sections.  RFC 4566, RFC 3264, RFC 3605."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from offhook.frozen import frozen
from offhook.sip import crypto, ice
from offhook.sip.crypto import Crypto
from offhook.sip.hop import is_multicast, literal
from offhook.sip.sdp_lines import BadSdp, Part, parts

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

STATIC = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 13: "CN/8000"}
NOISE = "CN/8000"  # RFC 3389
MAX_MEDIA = 32
MUX = "rtcp-mux"
SECURED = ("RTP/SAVP", "UDP/TLS/RTP/SAVP")

REVERSED: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
_UNSPECIFIED = ("0.0.0.0", "::")
_MEDIA = re.compile(r"(\S+) +([0-9]{1,5})(?:/[0-9]+)? +(\S+)(?: +(\S.*))?")
_TYPE = re.compile(r"[0-9]{1,3}")
_CONNECTION = re.compile(r"IN +IP[46] +([^\s/]+)\S*")
_NAME = re.compile(r"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
_RTCP = re.compile(r"([0-9]{1,5})(?: IN IP[46] (\S+))?")


@frozen
class Media:
    """One m= section. `codecs` maps its payload types, in order of preference, to NAME/RATE.
    `host` may be a name."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    host: str
    direction: Direction
    codecs: dict[int, str]
    cryptos: tuple[Crypto, ...] = ()  # those that we can do, in order of preference
    web: ice.Side | None = None
    mux: bool = False  # reports share the port
    reports: tuple[str, int] | None = None  # where they go, if that is said (RFC 3605)
    mid: str = ""
    bundled: bool = False

    @property
    def profile(self) -> str:
        return _profile(self.protocol)

    @property
    def secured(self) -> bool:
        """Whether it must be sealed; keys without that are for those who like (RFC 8643)."""
        return self.profile in SECURED

    @property
    def sealable(self) -> bool:
        """Whether its sound is sealed if we would have it so."""
        return self.secured or bool(self.cryptos)

    @property
    def held(self) -> bool:
        """On hold in the old way: an address that is none (RFC 3264 section 8.4). A browser's is
        not known yet."""
        return self.web is None and self.host in _UNSPECIFIED


def parse(body: bytes) -> list[Media]:
    """The media sections, in order. Raises BadSdp."""
    session, *sections = parts(body)
    if len(sections) > MAX_MEDIA:
        raise BadSdp("too many media sections")
    return [_media(section, session) for section in sections]


def _media(section: Part, session: Part) -> Media:
    found = _MEDIA.fullmatch(section.media)
    if not found or int(found[2]) > 65535:
        raise BadSdp(f"not a media line: {f'm={section.media}'[:80]!r}")
    kind, port, protocol, formats = found.groups()
    place = _host(session.connection if section.connection is None else section.connection)
    if not place and port != "0" and kind == "audio":
        raise BadSdp("media without a connection address")
    names = tuple((formats or "").split())
    direction = _direction(section) or _direction(session) or "sendrecv"
    cryptos = tuple(one for each in section.values("crypto") if (one := crypto.read(each)))
    mid = ice.mid(section)
    return Media(
        kind, int(port), protocol, names, place, direction, _codecs(names, section), cryptos,
        web=ice.read(section, session) if _profile(protocol) in SECURED else None,
        mux=MUX in section.flags, reports=_reports(section, place),
        mid=mid, bundled=ice.bundled(mid, session),
    )  # fmt: skip


def _profile(protocol: str) -> str:
    """With feedback or without is the same to us."""
    return protocol.upper().removesuffix("F")


def _host(connection: str | None) -> str:
    """The address of one far end, or its name; "" for that of a group."""
    found = _CONNECTION.fullmatch((connection or "").strip())
    if not found or is_multicast(found[1]):
        return ""
    return literal(found[1]) or (found[1] if _NAME.fullmatch(found[1]) else "")


def _reports(section: Part, place: str) -> tuple[str, int] | None:
    """None as well where it cannot be read, or leads nowhere."""
    for value in section.values("rtcp"):
        if found := _RTCP.fullmatch(value):
            host, port = literal(found[2] or place), int(found[1])
            leads = host not in ("", *_UNSPECIFIED) and not is_multicast(host)
            return (host, port) if leads and 0 < port < 65536 else None
    return None


def _direction(part: Part) -> Direction | None:
    for name in part.flags:
        if name in REVERSED:
            return name
    return None


def _codecs(formats: Iterable[str], section: Part) -> dict[int, str]:
    named = dict(STATIC)
    for value in section.values("rtpmap"):
        number, name = [*value.split(maxsplit=1), "", ""][:2]
        if _TYPE.fullmatch(number):
            named[int(number)] = name.upper().removesuffix("/1")
    wanted = (int(name) for name in formats if _TYPE.fullmatch(name) and int(name) < 128)
    return {number: named[number] for number in wanted if number in named}
