"""Connections that are not ready yet, since TLS or a WebSocket is still being agreed on: of those
there are only so many, in all and of one source."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from offhook import clock
from offhook.carriers.sip_guard import Guard, site
from offhook.carriers.sip_sockets import peer_of


class Handshakes:
    """`trusts(host)` says whose connections come for many others."""

    def __init__(self, guard: Guard, trusts: Callable[[str], bool]) -> None:
        self._guard, self._trusts = guard, trusts
        self._under_way: dict[Any, str] = {}  # their sources, by the far address

    def guarding(self, listening: socket.socket) -> socket.socket:
        """The socket, for a server; it gives connections only as long as there is room."""
        return _Gate(self, listening)

    def begin(self, address: Any) -> bool:
        """False for one too many, and for who is not listened to."""
        host, limits = peer_of("TCP", address).host, self._guard.limits
        source, known = site(host), self._under_way.values()
        same = 0 if self._trusts(host) else sum(each == source for each in known)
        fits = len(known) < limits.handshakes and same < limits.handshakes_per_source
        if not fits or self._guard.bans(host, clock.now()):
            self._guard.counts["handshakes refused"] += 1
            return False
        self._under_way[address] = source
        return True

    def over(self, address: Any) -> None:
        """It is ready, or gone."""
        self._under_way.pop(address, None)


class _Gate(socket.socket):
    def __init__(self, handshakes: Handshakes, listening: socket.socket) -> None:
        super().__init__(fileno=listening.detach())
        self._handshakes = handshakes

    def accept(self) -> tuple[socket.socket, Any]:
        """Raises ConnectionAbortedError, by which servers know that there is nobody after all."""
        connection, address = super().accept()
        if not self._handshakes.begin(address):
            connection.close()
            raise ConnectionAbortedError
        return _Arrival(self._handshakes, connection, address), address


class _Arrival(socket.socket):
    def __init__(self, handshakes: Handshakes, connection: socket.socket, address: Any) -> None:
        super().__init__(fileno=connection.detach())
        self._handshakes, self._address = handshakes, address

    def close(self) -> None:
        self._handshakes.over(self._address)
        super().close()
