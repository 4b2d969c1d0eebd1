"""What a session description says: its media sections.  RFC 4566, RFC 3264, RFC 3605."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal

from offhook.frozen import changed, frozen
from offhook.sip import crypto, ice
from offhook.sip.crypto import Crypto
from offhook.sip.hop import is_multicast, literal
from offhook.sip.sdp_lines import BadSdp, Part, split

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

STATIC = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 13: "CN/8000"}
NOISE = "CN/8000"  # RFC 3389
MAX_MEDIA = 32
MAX_KEPT = 2048  # bytes of a description that is remembered, unless there are secrets in it
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


Read = Callable[[str, str, str, str, Part], Media]


def parse(body: bytes) -> list[Media]:
    """The media sections, in order. Raises BadSdp."""
    said, *sections = split(body)
    if len(sections) > MAX_MEDIA:
        raise BadSdp("too many media sections")
    if len(body) < MAX_KEPT and b"inline:" not in body and b"a=ice-pwd:" not in body:
        session = _kept_session(said)
        return [_section(each, session, _kept_media) for each in sections]
    session = _session(said)
    return [_section(each, session, _media) for each in sections]


def _session(said: str) -> Part:
    session = Part(said)
    if session.begins != "v=0":
        raise BadSdp("not a session description")
    return session


def _section(said: str, session: Part, read: Read) -> Media:
    """A section, of which nothing but the port is another each time."""
    line, _, attributes = said.partition("\n")
    found = _MEDIA.fullmatch(line.rstrip())
    if not found or int(found[2]) > 65535:
        raise BadSdp(f"not a media line: {f'm={line}'[:80]!r}")
    kind, port, protocol, formats = found.groups()
    media = read(kind, protocol, formats or "", attributes, session)
    if not media.host and port != "0" and kind == "audio":
        raise BadSdp("media without a connection address")
    return changed(media, port=int(port))


def _media(kind: str, protocol: str, formats: str, attributes: str, session: Part) -> Media:
    """All but its port."""
    section = Part(attributes)
    place = _host(session.connection if section.connection is None else section.connection)
    names = tuple(formats.split())
    direction = _direction(section) or _direction(session) or "sendrecv"
    cryptos = tuple(one for each in section.values("crypto") if (one := crypto.read(each)))
    mid = ice.mid(section)
    return Media(
        kind, 0, protocol, names, place, direction, _codecs(names, section), cryptos,
        web=ice.read(section, session) if _profile(protocol) in SECURED else None,
        mux=MUX in section.flags, reports=_reports(section, place),
        mid=mid, bundled=ice.bundled(mid, session),
    )  # fmt: skip


_kept_session, _kept_media = lru_cache(maxsize=256)(_session), lru_cache(maxsize=256)(_media)


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
