"""The sockets of a SIP carrier: datagrams and connections. Nothing is decided here."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from offhook import clock
from offhook.carriers.sip_flows import (
    Flows,
    Patience,
    StreamFlow,
    Way,
    WebFlow,
    only_keeps_alive,
    way_of,
)
from offhook.carriers.sip_guard import Guard
from offhook.carriers.sip_handshakes import Handshakes
from offhook.carriers.sip_places import Places
from offhook.carriers.sip_sockets import listening, peer_of
from offhook.carriers.sip_tls import NOWHERE, CannotListen, Listeners, Place
from offhook.errors import CarrierError
from offhook.media import stun
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, Send, is_ip
from offhook.sip.location import Kind, Means
from offhook.sip.message import MAX_MESSAGE
from offhook.sip.stream import PING, PONG, Stream

CONNECT_SECONDS = 5.0
GROWN_SECONDS = 1.5  # ... for what may as well go by datagram: many who take those drop TCP
KEEP_ALIVE = 95.0  # seconds between two signs of life on connections of ours (RFC 5626)
PONG_WITHIN = 10.0  # seconds for the answer of those that answered once (section 4.4.1)
HANDSHAKE = 10.0  # seconds for TLS, and for WebSockets
WEB = Subprotocol("sip")

Receive = Callable[[bytes, Hop], None]
Failed = Callable[[Send], None]
Locate = Callable[[Hop], Awaitable[Hop]]

log = structlog.get_logger("offhook.sip")


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, receive: Receive, guard: Guard) -> None:
        self._receive, self._guard = receive, guard
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        hop = peer_of("UDP", addr)
        if not only_keeps_alive(data):
            self._receive(data, hop)
        elif (asked := stun.read(data)) and self._guard.hears(hop.host, clock.now()):
            self._transport.sendto(stun.reflect(asked, (hop.host, hop.port)), addr)


class Wire:
    """A UDP socket and a TCP listener at the same port, listeners for TLS, WS and WSS at others,
    and the connections in both directions.

    `receive` is given whole messages, `failed` what could not be sent; both on the loop. `located`
    finds the server of a hop that is a name, and raises CarrierError.
    """

    def __init__(
        self, receive: Receive, failed: Failed, located: Locate, guard: Guard, places: Places
    ) -> None:
        self._receive, self._failed, self._guard = receive, failed, guard
        self._located, self._behind = located, places
        self._udp: asyncio.DatagramTransport | None = None
        self._servers: list[asyncio.Server | Server] = []
        self._listeners = Listeners()
        self._trusting: ssl.SSLContext | None = None
        self._handshakes = Handshakes(guard, places.trusts)
        self._flows = Flows(guard, failed, self.send)
        self._connecting: dict[Way, asyncio.Task[None]] = {}
        self._waiting: dict[Way, list[Send]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving: set[asyncio.Task[Any]] = set()  # asyncio's own; they end with their sockets
        self._places: dict[str, Place] = {}
        self.ended: Callable[[Hop], None] = lambda hop: None  # is told of connections of ours
        self.host, self.port = "", 0
        self.malformed_streams = 0

    async def open(
        self, host: str, port: int, *, tcp: bool, listeners: Listeners = NOWHERE
    ) -> None:
        """Raises OSError when a port is taken, CannotListen when it is one of the listeners'. With
        `port` 0 UDP and TCP get the same free one."""
        await self._open_pair(host, port, tcp)
        self._listeners = listeners
        for transport, place in listeners.wanted:
            serve = self._serve_streams if transport == "TLS" else self._serve_web
            try:
                context = None if transport == "WS" else listeners.presenting()
                await serve(transport, *place, context)
            except OSError as error:
                await self.close()
                raise CannotListen(transport, place, error) from error

    async def _open_pair(self, host: str, port: int, tcp: bool) -> None:
        for _ in range(20):
            await self._open_udp(host, port)
            try:
                if tcp:
                    await self._serve_streams("TCP", host, self.port, None)
                return
            except OSError:
                assert self._udp
                self._udp.close()
                if port:
                    raise
        raise OSError("no port is free for both UDP and TCP")

    async def _open_udp(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._receive, self._guard), local_addr=(host, port)
        )
        self.host, self.port = self._udp.get_extra_info("sockname")[:2]

    async def _serve_streams(
        self, transport: str, host: str, port: int, context: ssl.SSLContext | None
    ) -> None:
        async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
            address = writer.get_extra_info("peername")
            self._handshakes.over(address)
            peer = peer_of(transport, address)
            if not self._flows.has_room(peer):
                writer.transport.abort()
                return
            await self._read(reader, writer, self._flows.enter(StreamFlow(writer), peer))

        patience, where = HANDSHAKE if context else None, listening(host, port)
        guarded = self._handshakes.guarding(where) if context else where
        server = await asyncio.start_server(
            taken, sock=guarded, ssl=context, ssl_handshake_timeout=patience
        )
        self._servers.append(server)
        self._places[transport] = server.sockets[0].getsockname()[:2]

    async def _serve_web(
        self, transport: str, host: str, port: int, context: ssl.SSLContext | None
    ) -> None:
        async def taken(connection: ServerConnection) -> None:
            self._handshakes.over(connection.remote_address)
            peer = peer_of(transport, connection.remote_address)
            assert connection.request  # it was answered
            told = ",".join(connection.request.headers.get_all("X-Forwarded-For"))
            peer = replace(peer, host=self._behind.forwarded(told, peer.host))
            if not self._flows.has_room(peer):
                return
            await self._read_web(connection, peer)

        guarded = self._handshakes.guarding(listening(host, port))
        server = await serve(
            taken, sock=guarded, ssl=context, subprotocols=[WEB], max_size=MAX_MESSAGE,
            compression=None, server_header=None, open_timeout=HANDSHAKE,
            ssl_handshake_timeout=HANDSHAKE if context else None,
        )  # fmt: skip
        self._servers.append(server)
        self._places[transport] = next(iter(server.sockets)).getsockname()[:2]

    async def close(self) -> None:
        if self._udp:
            self._udp.close()
        for server in self._servers:
            server.close()
        self._flows.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._serving, return_exceptions=True)

    def means(self, chance: Callable[[], float]) -> Means:
        """What we can make connections by; WebSockets are only made to us."""
        transports = ("UDP", "TCP", "TLS") if "TCP" in self._places else ("UDP", "TLS")
        only: tuple[Kind, ...] = ("AAAA",) if ":" in self.host else ("A",)
        return Means(transports, ("A", "AAAA") if self.host == "::" else only, chance)

    def leads(self, hop: Hop) -> bool:
        """Whether its connection is open."""
        return hop.flow in self._flows

    def place(self, transport: str) -> Place:
        """Where we listen for what comes by this transport."""
        return self._places.get(transport, (self.host, self.port))

    @property
    def connections(self) -> Counter[str]:
        """Those that are open, by transport."""
        return self._flows.by_transport

    # Out

    def real(self, hop: Hop) -> Hop:
        """Where what is sent to this hop arrives: at the end of its connection, if it is open."""
        return self._flows.real(hop)

    def send(self, send: Send) -> None:
        """Never waits: what cannot be sent comes back through `failed`, later."""
        if send.hop.flow in self._flows:
            self._flows.write(send.hop.flow, send)
        elif not is_ip(send.hop.host):
            self._spawn(self._send_to_name(send))
        elif send.hop.reliable:
            self._send_on_connection(send)
        elif self._udp and not self._udp.is_closing():
            mapped = "::ffff:" if self.host == "::" and ":" not in send.hop.host else ""
            self._udp.sendto(send.data, (mapped + send.hop.host, send.hop.port))

    async def _send_to_name(self, send: Send) -> None:
        try:
            hop = await self._located(send.hop)
        except CarrierError:
            if send.hop.otherwise is None:
                self._failed(send)
                return
            hop = send.hop.otherwise
        self.send(replace(send, hop=hop))

    def _send_on_connection(self, send: Send) -> None:
        way = way_of(send.hop)
        if (flow := self._flows.to(way)) is not None:
            self._flows.write(flow, send)
            return
        self._waiting.setdefault(way, []).append(send)
        if way not in self._connecting:
            patience = GROWN_SECONDS if send.grown else CONNECT_SECONDS
            self._connecting[way] = self._spawn(self._connect(send.hop, way, patience))

    async def _connect(self, hop: Hop, way: Way, patience: float) -> None:
        try:
            with clock.outside(f"a connection to {hop}"):
                async with asyncio.timeout(patience):
                    reader, writer = await self._connected(hop)
        except OSError as error:
            self._connecting.pop(way, None)
            if isinstance(error, ssl.SSLError):
                log.warning("no TLS connection", to=str(hop), error=str(error))
            for send in self._waiting.pop(way, []):
                self._failed(send)
            return
        self._connecting.pop(way, None)
        standing = self._flows.enter(StreamFlow(writer), hop)
        for send in self._waiting.pop(way, []):
            self._flows.write(standing.flow, send, fresh=True)
        pinging = self._spawn(self._keep_alive(standing.flow))
        await self._read(reader, writer, standing)
        pinging.cancel()
        self.ended(hop)

    async def _connected(self, hop: Hop) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises OSError: of TLS as well, and for WebSockets, which only phones open."""
        if hop.transport == "TLS":
            name = hop.name or hop.host
            self._trusting = self._trusting or self._listeners.trusting()
            return await asyncio.open_connection(
                hop.host, hop.port, ssl=self._trusting, server_hostname=name
            )
        if hop.transport != "TCP":
            raise OSError(f"no {hop.transport} connection to {hop}")
        return await asyncio.open_connection(hop.host, hop.port)

    async def _keep_alive(self, flow: int) -> None:
        """Closes one whose other side used to answer and does so no longer: it is a dead end."""
        answers = False
        while await self._stands(flow, KEEP_ALIVE):
            before = self._flows.arrivals(flow)
            self._flows.say(flow, PING)
            if not await self._stands(flow, PONG_WITHIN):
                return
            answered = self._flows.arrivals(flow) > before
            if answers and not answered:
                self._guard.counts["connections dead"] += 1
                self._flows.abort(flow)
            answers = answers or answered

    async def _stands(self, flow: int, seconds: float) -> bool:
        """Whether a connection does, so many seconds from now."""
        await asyncio.sleep(seconds)
        return flow in self._flows

    # In

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hop: Hop
    ) -> None:
        stream, flow = Stream(), hop.flow
        patience = Patience(self._guard.limits.idle, clock.now())
        try:
            while data := await _read_some(reader, patience.until):
                self._flows.heard_from(flow)
                for message in stream.feed(data):
                    patience.heard(clock.now(), message=True)
                    self._receive(message, hop)
                patience.heard(clock.now(), message=False)
                self._flows.say(flow, PONG * stream.pings)
                stream.pings = 0
        except TimeoutError:
            self._guard.counts["idle"] += 1
        except BadSip:
            self.malformed_streams += 1
        except OSError:
            pass
        finally:
            self._flows.leave(flow)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _read_web(self, connection: ServerConnection, peer: Hop) -> None:
        """Each message is one of SIP; a lone double line end asks whether we are there."""
        out = WebFlow(connection)
        hop, sending = self._flows.enter(out, peer), self._spawn(out.send())
        flow, patience = hop.flow, Patience(self._guard.limits.idle, clock.now())
        try:
            while True:
                async with asyncio.timeout_at(patience.until):
                    message = await connection.recv()
                self._flows.heard_from(flow)
                data = message.encode() if isinstance(message, str) else message
                patience.heard(clock.now(), message=bool(data.strip()))
                if data == PING:
                    self._flows.say(flow, PONG)
                elif data.strip():
                    self._receive(data, hop)
        except TimeoutError:
            self._guard.counts["idle"] += 1
        except ConnectionClosed:
            pass
        finally:
            sending.cancel()
            self._flows.leave(flow)

    def _spawn(self, doing: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _read_some(reader: asyncio.StreamReader, until: float) -> bytes:
    """Raises TimeoutError."""
    async with asyncio.timeout_at(until):
        return await reader.read(65536)
