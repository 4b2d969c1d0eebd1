"""Addresses of sockets: IPv4, IPv6, and both on one."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from offhook.sip.hop import Hop


def peer_of(transport: str, address: tuple[Any, ...]) -> Hop:
    """Where something came from. One of IPv4 on a socket of both kinds is that of IPv4."""
    host = str(address[0])
    return Hop(transport, host.removeprefix("::ffff:") if "." in host else host, address[1])


def listening(host: str, port: int) -> socket.socket:
    """For a server: "::" is both kinds of addresses. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, dualstack_ipv6=host == "::")


def keep_open(connection: socket.socket) -> None:
    """A NAT on the way sees it in use every minute; a dead other side is known in two."""
    after: int = getattr(socket, "TCP_KEEPIDLE", 0x10)  # as macOS has it
    with suppress(OSError):  # macOS has none to set once the other side is gone
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((after, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4)):
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def local_address_towards(host: str, port: int) -> str:
    """Our address on the interface that leads there; nothing is sent to find out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, port or 9))
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])
