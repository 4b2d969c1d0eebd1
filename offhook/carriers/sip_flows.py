"""Connections that SIP messages travel on, once they stand: streams and WebSockets (RFC 7118)."""

from __future__ import annotations

import asyncio
from typing import Protocol

from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

FIRST_MESSAGE = 32.0  # seconds that a connection may take to bring its first message
STUN = b"\x21\x12\xa4\x42"  # the cookie in bytes 4 to 8 (RFC 8489 section 5)


def only_keeps_alive(datagram: bytes) -> bool:
    """Whether it says nothing but that somebody is there, and keeps a NAT open by that.

    Four line ends or zeros at most, or STUN (RFC 5626 section 4.4): phones do without an answer.
    """
    idle = len(datagram) <= 4 and not datagram.strip(b"\r\n\0 ")
    return idle or datagram[4:8] == STUN


class Patience:
    """Until when a connection may go on without a message: `idle` seconds from each on, or from a
    sign of life after one. One that never brought any has little time, whatever else it sends."""

    def __init__(self, idle: float, now: float) -> None:
        self._idle, self._proven = idle, False
        self.until = now + min(FIRST_MESSAGE, idle)

    def heard(self, now: float, *, message: bool) -> None:
        self._proven = self._proven or message
        if self._proven:
            self.until = now + self._idle


class Flow(Protocol):
    """One connection. `write` never waits; `waiting` are the bytes that are not sent yet."""

    @property
    def waiting(self) -> int: ...

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None:
        """Closes it without sending what waits; its reader ends by that."""

    def close(self) -> None: ...


class StreamFlow:
    """TCP or TLS."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    @property
    def waiting(self) -> int:
        return self._writer.transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def abort(self) -> None:
        self._writer.transport.abort()

    def close(self) -> None:
        self._writer.close()


class WebFlow:
    """A WebSocket: one SIP message is one message there, text where it is UTF-8 (section 5)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.waiting = 0

    def write(self, data: bytes) -> None:
        self.waiting += len(data)
        self._queue.put_nowait(data)

    def abort(self) -> None:
        self._connection.transport.abort()

    def close(self) -> None:
        self._connection.transport.close()

    async def send(self) -> None:
        """Sends what is written, until the connection is closed."""
        try:
            while True:
                data = await self._queue.get()
                await self._connection.send(_text(data))
                self.waiting -= len(data)
        except ConnectionClosed:
            return


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
