"""RTCP sender and receiver reports (RFC 3550 section 6), one leg at a time, every few seconds."""

from __future__ import annotations

import struct
from typing import Final

from offhook.frozen import frozen

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
DESCRIPTION: Final = 202
BYE: Final = 203
CNAME: Final = 1  # the item of a description that every one has


@frozen
class Reception:
    """A report block: how one side receives the other (section 6.4.1). Jitter in samples, delays in
    1/65536 seconds."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


@frozen
class Report:
    """What a compound packet told. `ntp`: the middle 32 bits of its time; None: a mere receiver."""

    ssrc: int
    ntp: int | None
    receptions: tuple[Reception, ...]


def ntp(seconds: float) -> int:
    """A 64-bit NTP time stamp of a clock that counts from when it likes (section 4)."""
    return int(seconds * 4294967296.0) & 0xFFFFFFFFFFFFFFFF


def middle(stamp: int) -> int:
    return stamp >> 16 & 0xFFFFFFFF


def report(
    ssrc: int, name: bytes, sent: tuple[int, int, int, int] | None, reception: Reception | None
) -> bytes:
    """A compound packet: a report, and our name. `sent`: NTP and RTP time, packets, octets."""
    blocks = b"" if reception is None else _block(reception)
    body = struct.pack("!I", ssrc)
    if sent is not None:
        body += struct.pack("!QIII", *sent)
    kind = RECEIVER_REPORT if sent is None else SENDER_REPORT
    item = struct.pack("!IBB", ssrc, CNAME, len(name)) + name + b"\0"
    return _packet(kind, len(blocks) // 24, body + blocks) + _packet(DESCRIPTION, 1, item)


def goodbye(ssrc: int, name: bytes) -> bytes:
    """We send no more (section 6.6): an empty report, our name and a BYE."""
    return report(ssrc, name, None, None) + _packet(BYE, 1, struct.pack("!I", ssrc))


def _packet(kind: int, count: int, body: bytes) -> bytes:
    body += b"\0" * (-len(body) % 4)
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def _block(one: Reception) -> bytes:
    lost = max(-0x800000, min(one.lost, 0x7FFFFF)) & 0xFFFFFF
    return struct.pack(
        "!IIIIII",
        one.ssrc,
        one.fraction_lost << 24 | lost,
        one.highest,
        one.jitter,
        one.last_report,
        one.delay,
    )


def read(data: bytes) -> Report | None:
    """The report in a compound packet; None when there is none or it is not well formed."""
    at = 0
    while len(data) - at >= 8:
        first, kind, words, ssrc = struct.unpack_from("!BBHI", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or not at + 8 <= end <= len(data):
            return None
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            return _report(kind, first & 0x1F, ssrc, data[at + 8 : end])
        at = end
    return None


def _report(kind: int, count: int, ssrc: int, body: bytes) -> Report | None:
    stamp = None
    if kind == SENDER_REPORT:
        if len(body) < 20:
            return None
        stamp = middle(struct.unpack_from("!Q", body)[0])
        body = body[20:]
    blocks = struct.iter_unpack("!IIIIII", body[: min(24 * count, len(body) // 24 * 24)])
    return Report(ssrc, stamp, tuple(_reception(block) for block in blocks))


def _reception(block: tuple[int, ...]) -> Reception:
    ssrc, loss, highest, jitter, last_report, delay = block
    lost = (loss & 0xFFFFFF) - (0x1000000 if loss & 0x800000 else 0)
    return Reception(ssrc, loss >> 24, lost, highest, jitter, last_report, delay)
