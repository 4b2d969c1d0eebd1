"""Where a message goes or came from, and what an endpoint hands out to be sent."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import field
from functools import lru_cache
from typing import NamedTuple

from offhook.frozen import frozen
from offhook.sip.uri import Uri

# An address, with the interface of a link-local one: nothing else that `ipaddress` takes for that,
# which the system's calls would break on.
_LITERAL = re.compile(r"[0-9A-Fa-f:.]{1,45}(?:%[0-9A-Za-z._-]{1,32})?")


@frozen
class Hop:
    """The other side of one hop. `host` may be a name, and then `port` 0 is for DNS to say. While
    the connection numbered `flow` is open, it leads there; 0 is none. `name` is what its
    certificate must bear when that is not `host`: the name that `host` is the address of. Where
    `host` is a name that nobody knows, it is as good to go `otherwise`."""

    transport: str
    host: str
    port: int
    flow: int = 0
    name: str = field(default="", compare=False)
    otherwise: Hop | None = field(default=None, compare=False)

    @property
    def reliable(self) -> bool:
        return self.transport != "UDP"

    @property
    def private(self) -> bool:
        """Whether nobody on the way reads along."""
        return self.transport in ("TLS", "WSS")

    @property
    def web(self) -> bool:
        """Whether only browsers are there."""
        return self.transport in ("WS", "WSS")

    def __str__(self) -> str:
        port = f":{self.port}" if self.port else ""
        return f"{self.transport} {bracketed(self.host)}{port}"


@frozen
class Send:
    """Bytes for a hop. `serial` is the call's they belong to (0: none); `key` names the transaction
    that wants to hear when they cannot be delivered. What has `grown` goes by TCP for its length
    alone, and will go by datagram where nobody takes it there."""

    data: bytes
    hop: Hop
    serial: int = 0
    key: tuple[str, ...] = ()
    grown: bool = False


def hop_of(uri: Uri) -> Hop:
    """Where a URI leads, a name still to be located (RFC 3263 sections 4.1 and 4.2).

    Whatever is said of `sips:`, TLS is below it.
    """
    transport = uri.transport
    if uri.scheme == "sips":
        transport = {"TCP": "TLS", "UDP": "TLS", "WS": "WSS"}.get(transport, transport)
    if is_secure(uri) and uri.param("transport") is None:
        transport = "TLS"
    host = (uri.param("maddr") or uri.host).strip("[]")
    return Hop(transport, host, uri.port or (default_port(transport) if is_ip(host) else 0))


def default_port(transport: str) -> int:
    return 5061 if transport in ("TLS", "WSS") else 5060


def is_secure(uri: Uri) -> bool:
    """`secure=true`: over TLS unless another transport is named, and its sound sealed."""
    return (uri.param("secure") or "").lower() == "true"


def continues(hop: Hop, source: Hop) -> bool:
    """Whether the connection that `source` came by also leads to `hop`, by the kind of it alone.

    The Contact of a phone on WSS says `transport=ws` (RFC 7118 section 5.2).
    """
    return bool(source.flow) and (
        hop.transport == source.transport or {hop.transport, source.transport} == {"WS", "WSS"}
    )


def is_private(host: str) -> bool:
    """Whether a literal address means nothing outside its own network. A name is not private."""
    address = _literal(host)
    return address is not None and address.private


def is_loopback(host: str) -> bool:
    """Whether a literal address is this machine's own."""
    address = _literal(host)
    return address is not None and address.loopback


def is_multicast(host: str) -> bool:
    """Whether a literal address is that of a group."""
    address = _literal(host)
    return address is not None and address.multicast


def is_ip(host: str) -> bool:
    return _literal(host) is not None


def literal(host: str) -> str:
    """An address as sockets write it; "" for a name."""
    address = _literal(host)
    return address.text if address else ""


class _Literal(NamedTuple):
    """What is asked of addresses: `ipaddress` looks through its lists of networks each time."""

    text: str
    private: bool
    loopback: bool
    multicast: bool


@lru_cache(maxsize=4096)
def _literal(host: str) -> _Literal | None:
    if not _LITERAL.fullmatch(host):
        return None
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    return _Literal(str(found), found.is_private, found.is_loopback, found.is_multicast)


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
