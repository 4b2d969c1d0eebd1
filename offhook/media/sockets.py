"""The UDP sockets of a worker: drained and filled once a tick."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress

import numpy as np

from offhook.media.output import Output
from offhook.media.rtp import ROW, Address, Batch

ROUNDS = 10  # packets of one socket read in one tick: a flood delays nobody
AT_ONCE = 4096  # packets read in one tick
RTCP_BYTES = 2048
DATAGRAM = 4096  # bytes read of a browser's, whose handshake is longer than any sound
MARK = b"from here on"  # nothing that a far end sends
EXPEDITED = 0xB8  # the traffic class of speech, RFC 4594 section 4.1

Pair = tuple[socket.socket, socket.socket]
Enter = Callable[[int, bytes, Address], bytes]
Read = Callable[[memoryview], tuple[int, Address]]
Poll = getattr(select, "epoll", select.poll)


class Sockets:
    """A pair for each slot."""

    def __init__(self) -> None:
        self._rtp: dict[int, socket.socket] = {}
        self._rtcp: dict[int, socket.socket] = {}
        self._spare: dict[int, Pair] = {}  # by port, of no slot yet
        self._ready = Poll()
        self._slots: dict[int, tuple[int, Read | None]] = {}  # by descriptor; None: of reports
        self._guarded: AbstractSet[int] = frozenset()
        self._enter: Enter = lambda slot, data, source: data
        self._rows = np.zeros((AT_ONCE, ROW), np.uint8)
        self._views = [row.data for row in self._rows]

    def guard(self, slots: AbstractSet[int], enter: Enter) -> None:
        """What comes for these slots goes by `enter` first, which gives its RTP or nothing."""
        self._guarded, self._enter = slots, enter

    def prepare(self, ip: str, port: int) -> None:
        """A pair of sockets on this port and the one above, for a slot to come. Raises OSError."""
        if port not in self._spare:
            self._spare[port] = _pair(ip, port)

    def is_prepared(self, port: int) -> bool:
        return port in self._spare

    def open(self, slot: int, port: int) -> None:
        """The pair that was prepared is this slot's, and what has come since the `mark`."""
        rtp, rtcp = self._rtp[slot], self._rtcp[slot] = self._spare.pop(port)
        _empty(rtp)
        _empty(rtcp)
        self._slots[rtp.fileno()] = slot, rtp.recvfrom_into
        self._slots[rtcp.fileno()] = slot, None
        for one in (rtp, rtcp):
            self._ready.register(one, select.POLLIN)

    def close(self, slot: int) -> None:
        for sockets in (self._rtp, self._rtcp):
            if (one := sockets.pop(slot, None)) is not None:
                self._ready.unregister(one)
                del self._slots[one.fileno()]
                one.close()

    def drain(self, at: float, report: Callable[[int, bytes], None]) -> list[Batch]:
        """Everything that has arrived: RTP as batches, RTCP to `report`."""
        batches: list[Batch] = []
        used = 0
        for _ in range(ROUNDS):
            ready = self._ready.poll(0)
            if not ready or used + len(ready) > AT_ONCE:
                break
            batches.append(self._read(ready, used, at, report))
            used += len(batches[-1].slots)
        return [batch for batch in batches if batch.slots]

    def _read(
        self,
        ready: list[tuple[int, int]],
        used: int,
        at: float,
        report: Callable[[int, bytes], None],
    ) -> Batch:
        """One packet from each socket that has any, into the rows after those `used`."""
        slots: list[int] = []
        sizes: list[int] = []
        sources: list[Address] = []
        views, known, guarded, row = self._views, self._slots, self._guarded, used
        for descriptor, _ in ready:
            slot, read = known[descriptor]
            try:
                if read is None:
                    report(slot, self._rtcp[slot].recv(RTCP_BYTES))
                    continue
                if slot in guarded:
                    size, source = self._let_in(slot, views[row])
                else:
                    size, source = read(views[row])
            except OSError:  # the far end's port is closed, says ICMP
                continue
            if size:
                slots.append(slot)
                sizes.append(size)
                sources.append(source)
                row += 1
        return Batch(slots, sizes, sources, self._rows[used:row], at)

    def _let_in(self, slot: int, row: memoryview) -> tuple[int, Address]:
        data, source = self._rtp[slot].recvfrom(DATAGRAM)
        packet = self._enter(slot, data, source)[:ROW]
        row[: len(packet)] = packet
        return len(packet), source

    def send(self, output: Output, rows: list[memoryview], targets: Mapping[int, Address]) -> None:
        """The packets of one tick; one that cannot be sent is lost, as packets are."""
        sockets = self._rtp
        for slot in output.media:
            try:  # noqa: SIM105 - this is the hot path
                sockets[slot].sendto(rows[slot], targets[slot])
            except OSError:
                pass
        for slot, packet in output.packets:
            try:  # noqa: SIM105 - as hot, where sound is sealed
                sockets[slot].sendto(packet, targets[slot])
            except OSError:
                pass
        for slot, packet, where in output.replies:
            with suppress(OSError):
                self._rtp[slot].sendto(packet, where)
        for slot, packet, where in (*output.reports, *output.farewells):
            with suppress(OSError):
                self._rtcp[slot].sendto(packet, where)


def _pair(ip: str, port: int) -> Pair:
    rtp = _bound(ip, port)
    try:
        return rtp, _bound(ip, port + 1)
    except OSError:
        rtp.close()
        raise


class Marker:
    """Tells prepared pairs that they are somebody's: what comes before he opens one is his."""

    def __init__(self) -> None:
        self._sockets: dict[socket.AddressFamily, socket.socket] = {}

    def mark(self, ip: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        if family not in self._sockets:
            self._sockets[family] = socket.socket(family, socket.SOCK_DGRAM)
            self._sockets[family].setblocking(False)
        with suppress(OSError):
            self._sockets[family].sendto(MARK, (ip, port))

    def close(self) -> None:
        for one in self._sockets.values():
            one.close()
        self._sockets.clear()


def _empty(one: socket.socket) -> None:
    """What came before the mark was for nobody; all did, where there is none. More than this has
    come by the time it is read."""
    waiting = select.poll()
    waiting.register(one, select.POLLIN)
    for _ in range(AT_ONCE):
        if not waiting.poll(0):
            return
        with suppress(OSError):
            if one.recv(len(MARK) + 1) == MARK:
                return


def _bound(ip: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    one = socket.socket(family, socket.SOCK_DGRAM)
    try:
        one.setblocking(False)
        if family == socket.AF_INET:
            one.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED)
        else:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED)
        one.bind((ip, port))
    except OSError:
        one.close()
        raise
    return one
