"""A studio on the running asyncio loop, for tests in virtual time and small installations."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from random import Random
from typing import Concatenate, ParamSpec

from offhook import clock
from offhook.media.clip import FRAME
from offhook.media.orders import Event
from offhook.media.output import Output
from offhook.media.ports import MediaFull, Ports
from offhook.media.rtp import Address, Arrived, batches
from offhook.media.studio import Studio

P = ParamSpec("P")


class Port(asyncio.DatagramProtocol):
    """One UDP socket; what arrives goes to `receive`."""

    def __init__(self, receive: Callable[[bytes, Address], None]) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._receive(data, addr)


class LocalHost:
    """Ticks by timers on absolute deadlines, and only while something is due."""

    healthy = True

    def __init__(self, random: Random, ports: Ports, tell: Callable[[Event], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ports = ports
        self._origin = clock.now()
        self._tell = tell
        self._studio = Studio(random, lambda work, then: then(work()), tell)
        self._timer: asyncio.TimerHandle | None = None
        self._arrived: list[Arrived] = []
        self._slots: dict[int, int] = {}
        self._sockets: dict[int, tuple[asyncio.DatagramTransport, asyncio.DatagramTransport]] = {}

    def do(
        self, order: Callable[Concatenate[Studio, P], None], *args: P.args, **kw: P.kwargs
    ) -> None:
        """Carry out an order; what follows from it at once is told before this returns."""
        self._studio.now = self._now()
        order(self._studio, *args, **kw)
        self._deliver(self._studio.collect())
        self._arm()

    async def open_rtp(self, leg: int, ip: str) -> int:
        """A leg on a pair of ports, whose even one is returned. Raises OSError and MediaFull."""
        return await self._ports.bind(lambda port: self._open(leg, ip, port))

    async def _open(self, leg: int, ip: str, port: int) -> None:
        self._studio.now = self._now()
        rtp = await self._bind(ip, port, lambda data, source: self._receive(leg, data, source))
        try:
            rtcp = await self._bind(ip, port + 1, lambda data, _: self._report(leg, data))
        except OSError:
            rtp.close()
            raise
        try:
            slot = self._slots[leg] = self._studio.open_rtp(leg)
        except MediaFull:
            rtp.close()
            rtcp.close()
            raise
        self._sockets[slot] = rtp, rtcp

    async def _bind(
        self, ip: str, port: int, receive: Callable[[bytes, Address], None]
    ) -> asyncio.DatagramTransport:
        transport, _ = await self._loop.create_datagram_endpoint(
            lambda: Port(receive), local_addr=(ip, port)
        )
        return transport

    def _receive(self, leg: int, data: bytes, source: Address) -> None:
        if (slot := self._slots.get(leg)) is None:
            return
        if slot in self._studio.doors.slots:
            self._studio.now = self._now()
            data = self._studio.enter(slot, data, source)
            self._deliver(self._studio.collect())
        if data:
            self._arrived.append((slot, data, source, self._now()))

    def _report(self, leg: int, data: bytes) -> None:
        if (slot := self._slots.get(leg)) is not None:
            self._studio.now = self._now()
            self._studio.report(slot, data)

    def _now(self) -> float:
        return clock.now() - self._origin

    def _arm(self) -> None:
        due = self._studio.due()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            now = self._now()
            at = due if due > now - FRAME else math.ceil(now / FRAME - 1e-6) * FRAME
            self._timer = self._loop.call_at(self._origin + at, self._tick, at)

    def _tick(self, at: float) -> None:
        """After a stall, go on from the present tick."""
        at = max(at, math.floor(self._now() / FRAME) * FRAME)
        arrived, self._arrived = self._arrived, []
        self._deliver(self._studio.process(batches(arrived), at))
        self._arm()

    def _deliver(self, output: Output) -> None:
        targets = self._studio.targets
        for slot in output.media:
            self._sockets[slot][0].sendto(bytes(self._studio.rows[slot]), targets[slot])
        for slot, packet in output.packets:
            self._sockets[slot][0].sendto(packet, targets[slot])
        for slot, packet, target in output.replies:
            self._sockets[slot][0].sendto(packet, target)
        for slot, packet, target in (*output.reports, *output.farewells):
            self._sockets[slot][1].sendto(packet, target)
        self._studio.write(output.blocks)
        for event in output.events:
            if event.kind == "closed":
                self._unbind(event.id)
            self._tell(event)

    def _unbind(self, leg: int) -> None:
        if (slot := self._slots.pop(leg, None)) is not None:
            for socket in self._sockets.pop(slot):
                socket.close()

    async def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        for sockets in self._sockets.values():
            for socket in sockets:
                socket.close()
        self._sockets.clear()
