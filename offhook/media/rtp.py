"""RTP packets (RFC 3550 section 5.1), read and written many at once.

Packets of one tick lie in the rows of a matrix, so that a header field of all is one column.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offhook.frozen import frozen
from offhook.media.clip import SAMPLES
from offhook.media.codecs import Bytes

HEADER = 12
VERSION = 0x80  # the first byte of a packet without anything uncommon
SIZE = HEADER + SAMPLES  # of a packet with 20 ms of G.711
ROW = 1500  # bytes kept of a packet; more than that is no sound

Address = tuple[Any, ...]  # as sockets give it: host, port, and two more for IPv6
Arrived = tuple[int, bytes, Address, float]  # leg's slot, datagram, its source, when


@frozen
class Batch:
    """Packets that arrived, at most one for each slot; `rows[i]` holds `sizes[i]` bytes."""

    slots: list[int]
    sizes: list[int]
    sources: list[Address]
    rows: Bytes
    at: float | NDArray[np.float64]  # seconds: when they arrived, all at once or each

    def data(self, i: int) -> bytes:
        return self.rows[i, : self.sizes[i]].tobytes()

    def when(self, i: int) -> float:
        return self.at if isinstance(self.at, float) else float(self.at[i])


@frozen
class Packet:
    """One packet that did not fit the common mould, read by hand."""

    payload_type: int
    marker: bool
    seq: int
    ts: int
    ssrc: int
    payload: bytes


def batches(arrived: Iterable[Arrived]) -> list[Batch]:
    """The packets in their order, so that none shares a batch with another of its slot."""
    rounds: list[list[Arrived]] = []
    seen: dict[int, int] = {}
    for one in arrived:
        turn = seen.get(one[0], 0)
        seen[one[0]] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(one)
    return [_batch(turn) for turn in rounds]


def _batch(arrived: list[Arrived]) -> Batch:
    kept = bytearray().join(data[:ROW].ljust(ROW, b"\0") for _, data, _, _ in arrived)
    rows = np.frombuffer(kept, np.uint8)
    return Batch(
        slots=[slot for slot, _, _, _ in arrived],
        sizes=[min(len(data), ROW) for _, data, _, _ in arrived],
        sources=[source for _, _, source, _ in arrived],
        rows=rows.reshape(len(arrived), ROW),
        at=np.array([at for _, _, _, at in arrived]),
    )


def read(data: bytes) -> Packet | None:
    """Any valid RTP packet, with CSRCs, extension and padding taken off; None if it is not one."""
    if len(data) < HEADER or data[0] >> 6 != 2:
        return None
    first, second, seq, ts, ssrc = struct.unpack_from("!BBHII", data)
    start, end = HEADER + 4 * (first & 0x0F), len(data)
    if first & 0x10:  # a header extension, section 5.3.1
        if end < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
    if first & 0x20:
        end -= data[-1] or len(data)  # which counts itself, so that it cannot be 0
    if start > end:
        return None
    return Packet(second & 0x7F, bool(second & 0x80), seq, ts, ssrc, data[start:end])


def write(packet: Packet) -> bytes:
    second = packet.payload_type | (0x80 if packet.marker else 0)
    header = struct.pack("!BBHII", VERSION, second, packet.seq, packet.ts, packet.ssrc)
    return header + packet.payload
