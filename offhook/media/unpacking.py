"""Packets whose sound depends on those before: kept until they are due, decoded in their order."""

from __future__ import annotations

import numpy as np

from offhook.media.clip import SAMPLES
from offhook.media.codecs import Pcm
from offhook.media.coding import Coder
from offhook.media.jitter import DEPTH, FAR_BEHIND, MASK, after, joined

AHEAD = 2 * DEPTH * SAMPLES  # samples beyond which a packet belongs to another stream
FADES = 3  # frames in which a decoder that is told of nothing but losses falls silent
MOST = 64  # packets that are kept: a stream of which nothing is ever due is not for keeping


class Unpacker:
    """The packets of one leg. Timestamps count samples of ours."""

    def __init__(self, coder: Coder) -> None:
        self.coder = coder
        self._packets: dict[int, bytes] = {}
        self._line = np.zeros(0, np.int16)  # decoded, and from where
        self._from = 0
        self._heard = -1  # up to where frames have been taken; -1: none yet

    def put(self, ts: int, payload: bytes) -> None:
        """Keep a packet, if its sound is still to be heard."""
        heard = self._heard >= 0
        ahead = after(ts, self._heard if heard else next(reversed(self._packets), ts))
        if heard and FAR_BEHIND * SAMPLES <= ahead < 0:
            return
        if abs(ahead) >= AHEAD or len(self._packets) == MOST:
            self._packets.clear()
            self._heard = -1
        self._packets.setdefault(ts, payload)

    def frame(self, ts: int, two: bool) -> Pcm | None:
        """The sound from there on, or that of `two` frames joined which end there; None when what
        came was no sound."""
        self._decode(ts)
        frame = self._cut(ts)
        before = self._cut(ts - SAMPLES & MASK) if two else None
        self._drop(ts + SAMPLES & MASK)
        return frame if frame is None or before is None else joined(before, frame)

    def lost(self, ts: int) -> Pcm | None:
        """What to hear in place of a frame that has not come; None if the codec does not know."""
        self._decode(ts)
        length = after(ts, self._from) + SAMPLES
        while len(self._line) < length and len(made := self.coder.conceal()):
            self._line = np.concatenate((self._line, made))
        frame = self._cut(ts)
        self._drop(ts + SAMPLES & MASK)
        return frame

    def _decode(self, ts: int) -> None:
        self._heard = (ts + SAMPLES) & MASK
        ready = [each for each in self._packets if after(each, ts) < SAMPLES]
        ready.sort(key=lambda one: after(one, ts))
        if ready:
            self._confess(ready[0])
        for each in ready:
            self._append(each, self._packets.pop(each))

    def _confess(self, ts: int) -> None:
        """Tell the decoder what is missing before this packet: it would go on from where it was,
        which may be a blast."""
        missing = abs(after(ts, self._from) - len(self._line))
        for _ in range(min(-(-missing // SAMPLES), FADES)):
            self.coder.conceal()

    def _append(self, ts: int, payload: bytes) -> None:
        length = after(ts, self._from)
        if length < 0 or length - len(self._line) >= AHEAD:
            self._line, self._from, length = self._line[:0], ts, 0
        gap = np.zeros(max(length - len(self._line), 0), np.int16)
        self._line = np.concatenate((self._line[:length], gap, self.coder.decode(payload)))

    def _cut(self, ts: int) -> Pcm | None:
        start = after(ts, self._from)
        frame = self._line[max(start, 0) : max(start + SAMPLES, 0)]
        if not len(frame):
            return None
        missing = max(-start, 0)
        return np.pad(frame, (missing, SAMPLES - missing - len(frame)))

    def _drop(self, ts: int) -> None:
        """Nothing before this is asked for again."""
        done = min(max(after(ts, self._from), 0), len(self._line))
        self._line, self._from = self._line[done:], (self._from + done) & MASK
