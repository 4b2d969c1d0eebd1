"""RTP out: one packet a tick for every leg that sends, built in place for all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random

import numpy as np

from offhook.media import codecs, rtp
from offhook.media.clip import SAMPLES
from offhook.media.codecs import Pcm
from offhook.media.coding import Coder
from offhook.media.masks import Mask


class Senders:
    """Arrays indexed by slot; `rows[slot]` is the packet that was packed last."""

    def __init__(self, capacity: int, random: Random, coders: Mapping[int, Coder]) -> None:
        self._random, self._coders = random, coders
        self._packets = np.zeros((capacity, rtp.SIZE), np.uint8)
        self._shorts = self._packets.view(">u2")
        self._longs = self._packets.view(">u4")
        self._seq = np.zeros(capacity, np.uint16)
        self._ts = np.zeros(capacity, np.uint32)
        self.ssrc = np.zeros(capacity, np.uint32)
        self.packets = np.zeros(capacity, np.int64)
        self._others = np.zeros((2, capacity), np.int64)  # packets that are no 20 ms; octets
        self._alaw: set[int] = set()
        self._fresh: list[int] = []  # whose next packet carries the marker
        self._marked: list[int] = []  # whose last one did
        flat = self._packets.data.cast("B")
        self.rows = [flat[at : at + rtp.SIZE] for at in range(0, capacity * rtp.SIZE, rtp.SIZE)]

    def open(self, slot: int) -> None:
        self._seq[slot] = self._random.getrandbits(16)
        self._ts[slot] = self._random.getrandbits(32)
        self.ssrc[slot] = self._random.getrandbits(32)
        self.packets[slot] = 0
        self._others[:, slot] = 0

    def close(self, slot: int) -> None:
        self._alaw.discard(slot)

    def connect(self, slot: int, codec: str, payload_type: int) -> None:
        (self._alaw.add if codec == "PCMA" else self._alaw.discard)(slot)
        self._packets[slot, 0] = rtp.VERSION
        self._packets[slot, 1] = payload_type
        self._longs[slot, 2] = self.ssrc[slot]
        self._fresh.append(slot)

    def advance(self, top: int, ticks: int) -> None:
        """Time passes for all slots below `top`, whether they sent or not."""
        self._ts[:top] += np.uint32(SAMPLES * ticks)

    def now(self, slot: int) -> int:
        """The RTP time of this tick, by the clock of the leg's codec."""
        return int(self._ts[slot]) * self.clock(slot) & 0xFFFFFFFF

    def clock(self, slot: int) -> int:
        """RTP ticks to a sample of ours."""
        coder = self._coders.get(slot)
        return coder.clock if coder else 1

    def octets(self, slot: int) -> int:
        """Of payload that have been sent."""
        others, theirs = map(int, self._others[:, slot])
        return (int(self.packets[slot]) - others) * SAMPLES + theirs

    def pack(self, out: Pcm, sends: Mask) -> None:
        """Make the next packet of each slot that `sends` from its frame. The rows of the others
        are as good as any."""
        top, alaw = len(out), [slot for slot in self._alaw if slot < len(out)]
        self._packets[:top, rtp.HEADER :] = codecs.encode(codecs.PCMU, out)
        if alaw:
            self._packets[alaw, rtp.HEADER :] = codecs.encode(codecs.PCMA, out[alaw])
        self._shorts[:top, 1] = self._seq[:top]
        self._longs[:top, 1] = self._ts[:top]
        self._seq[:top] += sends
        self.packets[:top] += sends

    def encode(self, slots: Iterable[int], out: Pcm) -> list[tuple[int, bytes]]:
        """The next packets of slots that have coders."""
        return [(slot, self._encoded(slot, out[slot])) for slot in slots]

    def _encoded(self, slot: int, frame: Pcm) -> bytes:
        kind, payload = int(self._packets[slot, 1]), self._coders[slot].encode(frame)
        return self._written(slot, kind & 0x7F, bool(kind & 0x80), self.now(slot), payload)

    def mark(self) -> None:
        """Once a tick: set the marker on first packets, and take it off those after."""
        for slot in self._marked:
            self._packets[slot, 1] &= 0x7F
        for slot in self._fresh:
            self._packets[slot, 1] |= 0x80
        self._marked, self._fresh = self._fresh, []

    def event(self, slot: int, payload_type: int, start: int, first: bool, payload: bytes) -> bytes:
        """A packet of an event that began at timestamp `start`."""
        return self._written(slot, payload_type, first, start, payload)

    def _written(self, slot: int, kind: int, marker: bool, ts: int, payload: bytes) -> bytes:
        seq = int(self._seq[slot])
        self._seq[slot] += np.uint16(1)
        self.packets[slot] += 1
        self._others[:, slot] += 1, len(payload)
        return rtp.write(rtp.Packet(kind, marker, seq, ts, int(self.ssrc[slot]), payload))
