"""The Via of a message: one hop of its way.  RFC 3261 sections 18.2 and 20.42."""

from __future__ import annotations

import re
from functools import lru_cache

from offhook.frozen import frozen
from offhook.sip.grammar import BadSip, Pairs, split_params
from offhook.sip.uri import MAX_KEPT

_SENT_BY = re.compile(
    r"[Ss][Ii][Pp]\s*/\s*2\.0\s*/\s*([A-Za-z0-9\-.!%*_+`'~]+)\s+"
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)\s*(?::\s*([0-9]{1,5}))?\s*"
)


@frozen
class Via:
    """One hop of a message's way. `transport` is upper case, `port` None where it is not said."""

    transport: str
    host: str
    port: int | None
    params: Pairs

    def param(self, name: str) -> str | None:
        for key, value in self.params:
            if key.lower() == name:
                return value
        return None

    @property
    def branch(self) -> str:
        return self.param("branch") or ""

    @property
    def sent_by(self) -> str:
        return f"{self.host.lower()}:{self.port or 5060}"


def parse_via(text: str) -> Via:
    place, semicolon, params = text.partition(";")
    read = _kept_sent_by if len(place) < MAX_KEPT else _sent_by
    return Via(*read(place), split_params(semicolon + params))


def _sent_by(text: str) -> tuple[str, str, int | None]:
    """The transport, the host and the port, which those who call again say again."""
    found = _SENT_BY.fullmatch(text)
    if not found:
        raise BadSip(f"not a Via: {text[:80]!r}")
    transport, host, port = found.groups()
    if port and int(port) > 65535:
        raise BadSip(f"no such port: {port}")
    return transport.upper(), host, int(port) if port else None


_kept_sent_by = lru_cache(maxsize=1024)(_sent_by)
