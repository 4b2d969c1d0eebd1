"""What a session description says: its media sections.  RFC 4566, RFC 3264, RFC 3605."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from offhook.sip import crypto, ice
from offhook.sip.crypto import Crypto
from offhook.sip.hop import is_multicast, literal

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

STATIC = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 13: "CN/8000"}
NOISE = "CN/8000"  # RFC 3389
MAX_MEDIA = 32
MUX = "a=rtcp-mux"

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
_RTCP = re.compile(r"a=rtcp:([0-9]{1,5})(?: IN IP[46] (\S+))?")


class BadSdp(Exception):
    """A description that cannot be read, or in which there is nothing that we speak (488)."""


@dataclass(frozen=True, slots=True)
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
        return self.protocol.upper().removesuffix("F")

    @property
    def secured(self) -> bool:
        """Whether it must be sealed; keys without that are for those who like (RFC 8643)."""
        return self.profile in ("RTP/SAVP", "UDP/TLS/RTP/SAVP")

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
    text = body.decode("utf-8", "replace").replace("\r\n", "\n")
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    if not lines or lines[0] != "v=0" or any(line[1:2] != "=" for line in lines):
        raise BadSdp("not a session description")
    starts = [n for n, line in enumerate(lines) if line.startswith("m=")]
    if len(starts) > MAX_MEDIA:
        raise BadSdp("too many media sections")
    general = lines[: starts[0]] if starts else lines
    ends = [*starts[1:], len(lines)]
    return [_media(lines[a:b], general) for a, b in zip(starts, ends, strict=False)]


def _media(lines: list[str], general: list[str]) -> Media:
    found = _MEDIA.fullmatch(lines[0][2:])
    if not found or int(found[2]) > 65535:
        raise BadSdp(f"not a media line: {lines[0][:80]!r}")
    kind, port, protocol, formats = found.groups()
    place = _host((*lines, *general))
    if not place and port != "0" and kind == "audio":
        raise BadSdp("media without a connection address")
    names = tuple((formats or "").split())
    direction = _direction(lines) or _direction(general) or "sendrecv"
    cryptos = [crypto.read(line[9:]) for line in lines if line.startswith("a=crypto:")]
    media = Media(
        kind, int(port), protocol, names, place, direction, _codecs(names, lines),
        tuple(one for one in cryptos if one),
        mux=MUX in lines, reports=_reports(lines, place), mid=ice.mid(lines),
    )  # fmt: skip
    web = ice.read(lines, general) if media.secured else None
    return replace(media, web=web, bundled=ice.bundled(media.mid, general))


def _host(lines: Iterable[str]) -> str:
    """The address of one far end, or its name; "" for that of a group."""
    line = next((line for line in lines if line.startswith("c=")), "")
    found = _CONNECTION.fullmatch(line[2:].strip())
    if not found or is_multicast(found[1]):
        return ""
    return literal(found[1]) or (found[1] if _NAME.fullmatch(found[1]) else "")


def _reports(lines: list[str], place: str) -> tuple[str, int] | None:
    """None as well where it cannot be read, or leads nowhere."""
    for line in lines:
        if found := _RTCP.fullmatch(line):
            host, port = literal(found[2] or place), int(found[1])
            leads = host not in ("", *_UNSPECIFIED) and not is_multicast(host)
            return (host, port) if leads and 0 < port < 65536 else None
    return None


def _direction(lines: list[str]) -> Direction | None:
    for line in lines:
        name = line[2:]
        if line.startswith("a=") and name in REVERSED:
            return name
    return None


def _codecs(formats: Iterable[str], lines: list[str]) -> dict[int, str]:
    named = dict(STATIC)
    for line in lines:
        if line.startswith("a=rtpmap:"):
            number, name = [*line[9:].split(maxsplit=1), "", ""][:2]
            if _TYPE.fullmatch(number):
                named[int(number)] = name.upper().removesuffix("/1")
    wanted = (int(name) for name in formats if _TYPE.fullmatch(name) and int(name) < 128)
    return {number: named[number] for number in wanted if number in named}
