"""UDP in memory, for loops that own their time: addresses, latency, and whatever goes wrong."""

from __future__ import annotations

import asyncio
import errno
import heapq
import itertools
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from offhook.frozen import frozen

Address = tuple[str, int]
LATENCY = 0.010  # seconds, one way
FIRST_PORT, LAST_PORT = 49152, 65535  # what port 0 is given, RFC 6335 section 6
WILDCARDS = ("0.0.0.0", "::", "")


@frozen
class Datagram:
    data: bytes
    sender: Address
    receiver: Address


Fate = Callable[[Datagram], Sequence[float]]


def steady(datagram: Datagram) -> Sequence[float]:
    """Every datagram arrives once, in order, after `LATENCY`."""
    return (LATENCY,)


def rough(
    chance: Random,
    *,
    loss: float = 0.0,
    duplication: float = 0.0,
    latency: float = LATENCY,
    jitter: float = 0.0,
) -> Fate:
    """A bad line. `loss` and `duplication` are probabilities; `jitter` is seconds at most.

    Datagrams whose jitter differs overtake one another.
    """

    def fate(datagram: Datagram) -> Sequence[float]:
        if chance.random() < loss:
            return ()
        copies = 2 if chance.random() < duplication else 1
        return [latency + chance.uniform(0, jitter) for _ in range(copies)]

    return fate


def numeric(address: Address) -> Address:
    """The address without a name or a flow label."""
    return ("127.0.0.1" if address[0] == "localhost" else address[0] or "0.0.0.0", address[1])


class UdpNetwork:
    """Who is bound where. `fate` decides: the delays, in seconds, of the copies that arrive."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.fate: Fate = steady
        self.bound: dict[Address, VirtualUdp] = {}
        self._coming: list[tuple[float, int, Datagram]] = []
        self._order = itertools.count()
        self._ports = itertools.cycle(range(FIRST_PORT, LAST_PORT + 1))

    def bind(self, wanted: Address, socket: VirtualUdp) -> Address:
        """The address taken; port 0 is given a free one, another each time, since who tries again
        may want the same of a kind of sockets that is real. Raises OSError (EADDRINUSE)."""
        host, port = numeric(wanted)
        address = (host, port or self._free_port(host))
        if address in self.bound:
            raise OSError(errno.EADDRINUSE, f"address already in use: {address}")
        self.bound[address] = socket
        return address

    def _free_port(self, host: str) -> int:
        for _ in range(FIRST_PORT, LAST_PORT + 1):
            port = next(self._ports)
            if (host, port) not in self.bound:
                return port
        raise OSError(errno.EADDRINUSE, f"no port is free on {host}")

    def at(self, address: Address) -> VirtualUdp | None:
        places = [(address[0], address[1]), *((host, address[1]) for host in WILDCARDS)]
        return next((self.bound[place] for place in places if place in self.bound), None)

    def carry(self, datagram: Datagram) -> None:
        for delay in self.fate(datagram):
            at = self.loop.time() + delay
            heapq.heappush(self._coming, (at, next(self._order), datagram))
            self.loop.call_at(at, self._deliver)

    def _deliver(self) -> None:
        """The first to arrive; loops keep no order among timers of the same instant."""
        _, _, datagram = heapq.heappop(self._coming)
        receiver = self.at(datagram.receiver)
        if receiver:
            receiver.receive(datagram)
        elif sender := self.at(datagram.sender):
            sender.refused(datagram.receiver)


class VirtualUdp(asyncio.DatagramTransport):
    """A socket on the network, as asyncio's own transport would be."""

    def __init__(
        self,
        network: UdpNetwork,
        protocol: asyncio.DatagramProtocol,
        local: Address | None,
        remote: Address | None,
    ) -> None:
        self.address = network.bind(local or ("0.0.0.0", 0), self)
        super().__init__({"sockname": self.address, "peername": remote})
        self._network, self._protocol, self._closing = network, protocol, False
        self.remote = numeric(remote) if remote else None

    def sendto(self, data: Any, addr: Any = None) -> None:
        if self._closing:
            return
        receiver = numeric(addr) if addr else self.remote
        if receiver is None or self.remote not in (None, receiver):
            raise ValueError(f"cannot send to {addr} from a socket connected to {self.remote}")
        host, port = self.address
        sender = ("127.0.0.1" if host in WILDCARDS else host, port)
        self._network.carry(Datagram(bytes(data), sender, receiver))

    def receive(self, datagram: Datagram) -> None:
        if self.remote in (None, datagram.sender):
            self._protocol.datagram_received(datagram.data, datagram.sender)

    def refused(self, by: Address) -> None:
        """An ICMP port unreachable; only a connected socket is told."""
        if self.remote == by:
            self._protocol.error_received(ConnectionRefusedError(errno.ECONNREFUSED, "refused"))

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            del self._network.bound[self.address]
            self._network.loop.call_soon(self._protocol.connection_lost, None)

    abort = close

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.DatagramProtocol)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.DatagramProtocol:
        return self._protocol
