"""What browsers' descriptions say beside the sound: where it is, and by whose certificate.

RFC 8839 (ICE; ours is a lite agent), RFC 8842 (DTLS), RFC 5761 (one port), RFC 9143 (BUNDLE).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import field, replace
from typing import Literal

from offhook.frozen import frozen
from offhook.sip.hop import is_ip
from offhook.sip.sdp_lines import Part

Setup = Literal["actpass", "active", "passive"]

HOST = 126 << 24  # the type's part of a candidate's priority, RFC 8445 section 5.1.2
_SETUPS: dict[str, Setup] = {name: name for name in ("actpass", "active", "passive")}
_USER, _PASSWORD = re.compile(r"[A-Za-z0-9+/]{4,256}"), re.compile(r"[A-Za-z0-9+/]{22,256}")
_FINGERPRINT = re.compile(r"(sha-(?:256|384|512)) ((?:[0-9a-f]{2}:){31,63}[0-9a-f]{2})", re.I)


@frozen
class Side:
    """One side's word. `fingerprint` is a hash's name and the hash of its certificate; of several,
    divided by commas, any may be its (RFC 8122 section 5)."""

    user: str
    password: str = field(repr=False)
    fingerprint: str
    setup: Setup


def read(section: Part, session: Part) -> Side | None:
    """What a section says, or the session for it; None where something is missing, and for a lite
    agent: of two such, neither would begin (RFC 8445 section 6.1.1)."""
    both = (section, session)
    user, password = _first(both, "ice-ufrag", _USER), _first(both, "ice-pwd", _PASSWORD)
    fingerprint = ",".join(filter(_FINGERPRINT.fullmatch, _values(both, "fingerprint")))
    setup = _SETUPS.get(next(_values(both, "setup"), ""))
    complete = user and password and fingerprint and setup
    if not complete or not setup or "rtcp-mux" not in section.flags or "ice-lite" in session.flags:
        return None
    return Side(user, password, fingerprint, setup)


def mid(section: Part) -> str:
    """The section's name, if it has one."""
    return next(_values((section,), "mid"), "")


def bundled(name: str, session: Part) -> bool:
    """Whether the session would have this section share one port with others."""
    groups = (value.split() for value in session.values("group"))
    return bool(name) and any(each[:1] == ["BUNDLE"] and name in each[1:] for each in groups)


def ours(secret: bytes, fingerprint: str, restarts: int) -> Side:
    """Our side, as we offer it. Each restart has a name and a password of its own."""
    drawn = hashlib.sha256(b"ice %d " % restarts + secret).hexdigest()
    return Side(drawn[:8], drawn[8:48], fingerprint, "actpass")


def reply(side: Side, offered: Side, active: bool) -> Side:
    """Our side as it answers; where we may choose who begins the handshake, it is as it was."""
    begins = offered.setup == "passive" or (offered.setup == "actpass" and active)
    return replace(side, setup="active" if begins else "passive")


def begins(ours: Side, theirs: Side) -> bool:
    """Whether, by what was agreed, the handshake is ours to begin."""
    return ours.setup == "active" or theirs.setup == "passive"


def lines(side: Side, hosts: Iterable[str], port: int) -> list[str]:
    """The attributes of our section: all candidates at once."""
    said = [f"a=ice-ufrag:{side.user}", f"a=ice-pwd:{side.password}"]
    said += [f"a=fingerprint:{side.fingerprint}", f"a=setup:{side.setup}"]
    for number, host in enumerate(filter(is_ip, hosts), 1):
        priority = HOST | (65536 - number) << 8 | 255
        said.append(f"a=candidate:{number} 1 udp {priority} {host} {port} typ host")
    return [*said, "a=end-of-candidates"]


def _first(parts: Iterable[Part], name: str, form: re.Pattern[str]) -> str:
    return next((value for value in _values(parts, name) if form.fullmatch(value)), "")


def _values(parts: Iterable[Part], name: str) -> Iterator[str]:
    return (value.strip() for part in parts for value in part.values(name))
