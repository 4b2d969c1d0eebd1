"""How much strangers may ask by SIP."""

from __future__ import annotations

from pydantic import Field

from offhook.config.section import Section


class Doors(Section):
    """What SIP takes from strangers: from anybody but trunks and this machine itself."""

    rate: float = Field(default=50, gt=0)
    """Messages a second that one address may send; more are not read."""

    burst: int = Field(default=200, ge=1)
    """Messages that it may send at once."""

    strikes: int = Field(default=30, ge=0)
    """Refusals within `ban` seconds after which nothing from an address is read for so long; 0:
    never."""

    ban: float = Field(default=600, gt=0)
    """Seconds that a ban lasts."""

    calls: int = Field(default=5000, ge=1)
    """Calls by SIP at a time, of everybody; more are refused (503)."""

    connections: int = Field(default=2000, ge=1)
    """TCP, TLS and WebSocket connections at a time."""

    per_source: int = Field(default=100, ge=1)
    """Those of one address."""

    handshakes: int = Field(default=200, ge=1)
    """Connections at a time on which TLS or a WebSocket is still being agreed on; each has ten
    seconds for it."""

    handshakes_per_source: int = Field(default=20, ge=1)
    """Those of one address; one of `sip_proxies` may have more."""

    idle: float = Field(default=4000, ge=32)
    """Seconds without a word after which a connection is closed."""
