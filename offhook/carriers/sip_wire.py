"""The sockets of a SIP carrier: datagrams and connections. Nothing is decided here."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from offhook import clock
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, Send, is_ip
from offhook.sip.stream import Stream

CONNECT_SECONDS = 5.0
NAMES_KEPT = 60.0  # seconds for which a name's address is remembered
MOST_WAITING = 1_000_000  # bytes that one slow connection may have unsent before it is closed

Receive = Callable[[bytes, Hop], None]
Failed = Callable[[Send], None]


class Unreachable(Exception):
    """A name without an address."""


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._receive(data, Hop("UDP", addr[0], addr[1]))


class Wire:
    """A UDP socket and a TCP listener at the same port, with the connections in both directions.

    `receive` is given whole messages, `failed` what could not be sent; both on the loop.
    """

    def __init__(self, receive: Receive, failed: Failed) -> None:
        self._receive, self._failed = receive, failed
        self._udp: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._flows: dict[int, asyncio.StreamWriter] = {}
        self._peers: dict[int, Hop] = {}
        self._by_address: dict[tuple[str, int], int] = {}
        self._connecting: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._waiting: dict[tuple[str, int], list[Send]] = {}
        self._names: dict[tuple[str, int], tuple[str, float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving: set[asyncio.Task[Any]] = set()  # asyncio's own; they end with their sockets
        self._last_flow = 0
        self.host, self.port = "", 0
        self.malformed_streams = 0

    async def open(self, host: str, port: int, *, tcp: bool) -> None:
        """Raises OSError when the port is taken. With `port` 0 both get the same free one."""
        for _ in range(20):
            await self._open_udp(host, port)
            try:
                if tcp:
                    self._server = await asyncio.start_server(self._serve, host, self.port)
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
            lambda: _Datagrams(self._receive), local_addr=(host, port)
        )
        self.host, self.port = self._udp.get_extra_info("sockname")[:2]

    async def close(self) -> None:
        if self._udp:
            self._udp.close()
        if self._server:
            self._server.close()
        for writer in tuple(self._flows.values()):
            writer.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._serving, return_exceptions=True)

    async def resolve(self, host: str, port: int) -> str:
        """The first A or AAAA address of a name. Raises Unreachable."""
        if is_ip(host):
            return host
        known = self._names.get((host, port))
        if known and known[1] > clock.now():
            return known[0]
        loop = asyncio.get_running_loop()
        try:
            with clock.outside(f"the address of {host}"):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{host} has no address: {error}") from error
        best = sorted(found, key=lambda each: each[0] != socket.AF_INET)
        address = str(best[0][4][0])
        self._names[(host, port)] = (address, clock.now() + NAMES_KEPT)
        return address

    # Out

    def real(self, hop: Hop) -> Hop:
        """Where what is sent to this hop arrives: at the end of its connection, if it is open."""
        return self._peers.get(hop.flow, hop)

    def send(self, send: Send) -> None:
        """Never waits: what cannot be sent comes back through `failed`, later."""
        if send.hop.flow in self._flows:
            self._write(send.hop.flow, send)
        elif not is_ip(send.hop.host):
            self._spawn(self._send_to_name(send))
        elif send.hop.reliable:
            self._send_on_connection(send)
        elif self._udp and not self._udp.is_closing():
            self._udp.sendto(send.data, (send.hop.host, send.hop.port))

    async def _send_to_name(self, send: Send) -> None:
        try:
            host = await self.resolve(send.hop.host, send.hop.port)
        except Unreachable:
            self._failed(send)
        else:
            self.send(replace(send, hop=replace(send.hop, host=host)))

    def _send_on_connection(self, send: Send) -> None:
        address = (send.hop.host, send.hop.port)
        if (flow := self._by_address.get(address)) is not None:
            self._write(flow, send)
            return
        self._waiting.setdefault(address, []).append(send)
        if address not in self._connecting:
            self._connecting[address] = self._spawn(self._connect(address))

    async def _connect(self, address: tuple[str, int]) -> None:
        try:
            with clock.outside(f"a connection to {address[0]}:{address[1]}"):
                async with asyncio.timeout(CONNECT_SECONDS):
                    reader, writer = await asyncio.open_connection(*address)
        except OSError:
            self._connecting.pop(address, None)
            for send in self._waiting.pop(address, []):
                self._failed(send)
            return
        self._connecting.pop(address, None)
        flow = self._enter(writer, address)
        for send in self._waiting.pop(address, []):
            self._write(flow, send)
        await self._read(reader, writer, flow, address)

    def _write(self, flow: int, send: Send) -> None:
        writer = self._flows[flow]
        if writer.transport.get_write_buffer_size() > MOST_WAITING:
            writer.transport.abort()
            self._failed(send)
            return
        writer.write(send.data)

    # In

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        address = writer.get_extra_info("peername")[:2]
        await self._read(reader, writer, self._enter(writer, address), address)

    def _enter(self, writer: asyncio.StreamWriter, address: tuple[str, int]) -> int:
        self._last_flow += 1
        self._flows[self._last_flow] = writer
        self._peers[self._last_flow] = Hop("TCP", *address, self._last_flow)
        self._by_address[address] = self._last_flow
        return self._last_flow

    async def _read(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        flow: int,
        address: tuple[str, int],
    ) -> None:
        stream, hop = Stream(), self._peers[flow]
        try:
            while data := await reader.read(65536):
                messages, pings = stream.feed(data), stream.pings
                stream.pings = 0
                writer.write(b"\r\n" * pings)
                for message in messages:
                    self._receive(message, hop)
        except BadSip:
            self.malformed_streams += 1
        except OSError:
            pass
        finally:
            del self._flows[flow], self._peers[flow]
            if self._by_address.get(address) == flow:
                del self._by_address[address]
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _spawn(self, doing: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def local_address_towards(host: str, port: int) -> str:
    """Our address on the interface that leads there; nothing is sent to find out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, port or 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
