"""Connections that SIP messages travel on, once they stand: streams and WebSockets (RFC 7118)."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

from offhook import clock
from offhook.carriers.sip_guard import Guard, site
from offhook.carriers.sip_sockets import keep_open
from offhook.sip.hop import Hop, Send

FIRST_MESSAGE = 32.0  # seconds that a connection may take to bring its first message
MOST_UNANSWERED = 20  # requests on one connection that are tried on another when it ends
MOST_WAITING = 1_000_000  # bytes that one slow connection may have unsent before it is closed
STUN = b"\x21\x12\xa4\x42"  # the cookie in bytes 4 to 8 (RFC 8489 section 5)

Way = tuple[str, str, int, str]  # what a connection is known by: transport, host, port, name


def way_of(hop: Hop) -> Way:
    """With the name, if any, that a certificate must prove before this hop is trusted."""
    return hop.transport, hop.host, hop.port, hop.name if hop.transport == "TLS" else ""


def only_keeps_alive(datagram: bytes) -> bool:
    """Whether it says nothing but that somebody is there, and keeps a NAT open by that.

    Four line ends or zeros at most, or STUN (RFC 5626 section 4.4).
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
        keep_open(writer.get_extra_info("socket"))

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


@dataclass(slots=True)
class Standing:
    """A connection, and what was sent on it since anything came, each `fresh` or not."""

    flow: Flow
    peer: Hop
    arrivals: int = 0
    unanswered: deque[tuple[Send, bool]] = field(
        default_factory=lambda: deque(maxlen=MOST_UNANSWERED)
    )


class Flows:
    """The connections that stand, each by its number and by the address of its other side.

    `failed` is told what could not be sent, `again` what shall be tried on another connection.
    """

    def __init__(
        self, guard: Guard, failed: Callable[[Send], None], again: Callable[[Send], None]
    ) -> None:
        self._guard, self._failed, self._again = guard, failed, again
        self._standing: dict[int, Standing] = {}
        self._numbers: dict[tuple[str, str, int], int] = {}  # by transport, host and port
        self._last = 0

    def __contains__(self, number: int) -> bool:
        return number in self._standing

    def to(self, way: Way) -> int | None:
        """The connection that leads there, whose certificate proved what it must."""
        number = self._numbers.get(way[:3])
        proven = number is not None and way[-1] in ("", self._standing[number].peer.name)
        return number if proven else None

    def real(self, hop: Hop) -> Hop:
        """Where what is sent to this hop arrives: at the end of its connection, if it stands."""
        return self._standing[hop.flow].peer if hop.flow in self._standing else hop

    def has_room(self, peer: Hop) -> bool:
        """For one more connection of theirs. Who is not listened to has none."""
        limits = self._guard.limits
        same = sum(site(one.peer.host) == site(peer.host) for one in self._standing.values())
        fits = len(self._standing) < limits.connections and same < limits.per_source
        fits = fits and not self._guard.bans(peer.host, clock.now())
        self._guard.counts["connections refused"] += not fits
        return fits

    def enter(self, flow: Flow, peer: Hop) -> Hop:
        """The same hop, by this connection."""
        self._last += 1
        hop = replace(peer, flow=self._last)
        self._standing[self._last] = Standing(flow, hop)
        self._numbers[way_of(peer)[:3]] = self._last
        return hop

    def leave(self, number: int) -> None:
        """It has ended, what was not answered is lost (RFC 3261 section 18.4). A connection that
        had stood for a while may have been closed for idleness at that moment: a new one is tried,
        once."""
        gone = self._standing.pop(number)
        way = way_of(gone.peer)[:3]
        if self._numbers.get(way) == number:
            del self._numbers[way]
        for send, fresh in gone.unanswered:
            if fresh:
                self._failed(send)
            else:
                self._again(replace(send, hop=replace(send.hop, flow=0)))

    def write(self, number: int, send: Send, *, fresh: bool = False) -> None:
        """On a connection that is `fresh` if it was made for this."""
        if not self.say(number, send.data):
            self._failed(send)
        elif send.key:
            self._standing[number].unanswered.append((send, fresh))

    def say(self, number: int, data: bytes) -> bool:
        """False where too much is waiting already: whoever does not read is not written to."""
        flow = self._standing[number].flow
        if flow.waiting > MOST_WAITING:
            self._guard.counts["slow"] += 1
            flow.abort()
            return False
        flow.write(data)
        return True

    def heard_from(self, number: int) -> None:
        """Its other side is there."""
        standing = self._standing[number]
        standing.arrivals += 1
        standing.unanswered.clear()

    def arrivals(self, number: int) -> int:
        """How often anything came on it."""
        return self._standing[number].arrivals

    def abort(self, number: int) -> None:
        self._standing[number].flow.abort()

    def close(self) -> None:
        """All of them; what was not answered is not tried again."""
        for one in self._standing.values():
            one.unanswered.clear()
            one.flow.close()

    @property
    def by_transport(self) -> Counter[str]:
        return Counter(one.peer.transport for one in self._standing.values())


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
