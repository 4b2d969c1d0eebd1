"""Keys heard as tones, for far ends that send no telephone events (ITU-T Q.23 and Q.24).

Every 10 ms a window of 20 ms is split into the energy near each of the eight frequencies, for all
legs by one matrix product. Windows that are as loud at their end as at their beginning, and in
which one low and one high tone, about equally strong, are nearly all there is, say their key: two
in a row make one, which is over after four without it, so that a lost packet makes no second key.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offhook.media.clip import RATE, SAMPLES
from offhook.media.codecs import Pcm
from offhook.media.jitter import Slots
from offhook.media.keys import HIGH, LOW, PAD

HALF = SAMPLES // 2
OFF = 0.018  # by which a tone's frequency may be off: 1.5 % must be accepted, Q.24
FAR_OFF = 0.024  # and more than which it may not: 3.5 % must be refused
LAG = SAMPLES // 4  # samples between the two looks at a window that tell its frequencies
WIDTH = 6  # waves at most that make up anything within that range
NEGLIGIBLE = 0.2  # weight, beside the first, of a wave that is left out
LIKELY = 0.8  # share of a window's energy near two of the frequencies, to look closer
PURE = 0.93  # and then: noise 15 dB below leaves 0.96, of a voice other harmonics take more
STEADY = 0.6  # energy of the fainter half of a window beside the louder one's
TWIST = 10.0  # how much stronger one tone may be: 10 dB
FAINT = 100.0**2  # mean square below which nothing is a key
ENOUGH = 2  # windows in a row that make a key: 40 ms hold three halves of a frame at least
GONE = 4  # windows in a row without it that end one: those that 40 ms of silence leave no half of
NONE = -1


def _waves(hertz: float) -> NDArray[np.float32]:
    """An orthonormal basis of everything within `OFF` of a frequency, over one window."""
    time = np.arange(SAMPLES) * (2 * np.pi / RATE)
    near = [hertz * (1 + OFF * step) for step in (-1, -0.5, 0, 0.5, 1)]
    waves = [wave(each * time) for each in near for wave in (np.sin, np.cos)]
    left, weights, _ = np.linalg.svd(np.stack(waves, axis=1), full_matrices=False)
    left[:, weights < NEGLIGIBLE * weights[0]] = 0
    return left[:, :WIDTH].astype(np.float32)


def _pair(low: float, high: float) -> NDArray[np.float32]:
    """An orthonormal basis of two such ranges together: beside each other they overlap."""
    both = np.concatenate((_waves(low), _waves(high)), axis=1)
    left, weights, _ = np.linalg.svd(both, full_matrices=False)
    left[:, weights < 1e-3] = 0
    return left


def _looks(hertz: float) -> NDArray[np.complex64]:
    """Two stretches of a window, the second `LAG` later, turned to that frequency."""
    turn = np.exp(-2j * np.pi * hertz / RATE * np.arange(SAMPLES))
    first = np.pad(np.hanning(SAMPLES - LAG), (0, LAG))
    looks = np.stack((turn * first, turn * np.roll(first, LAG)), axis=1)
    return looks.astype(np.complex64)


class InBand:
    """Arrays indexed by slot."""

    def __init__(self, capacity: int) -> None:
        self._basis = np.concatenate([_waves(hertz) for hertz in (*LOW, *HIGH)], axis=1)
        self._pairs = np.stack([_pair(low, high) for low in LOW for high in HIGH])
        self._hertz = np.array((*LOW, *HIGH))
        self._looks = np.stack([_looks(hertz) for hertz in (*LOW, *HIGH)])
        self._before = np.zeros((capacity, HALF), np.int16)
        self._last = np.full(capacity, NONE)
        self._row = np.zeros(capacity, np.intp)  # windows in a row that said `last`
        self._down = np.full(capacity, NONE)  # the key being pressed
        self._without = np.zeros(capacity, np.intp)

    def open(self, slot: int) -> None:
        self._before[slot] = 0
        self._last[slot] = self._down[slot] = NONE
        self._row[slot] = self._without[slot] = 0

    def hear(self, slots: Slots, frames: Pcm) -> list[tuple[int, str]]:
        """The keys whose presses these frames, one for each slot, have made certain."""
        between = np.concatenate((self._before[slots], frames[:, :HALF]), axis=1)
        self._before[slots] = frames[:, HALF:]
        codes = self._codes(np.concatenate((between, frames)).astype(np.float32))
        first = self._follow(slots, codes[: len(slots)])
        return first + self._follow(slots, codes[len(slots) :])

    def _codes(self, windows: NDArray[np.float32]) -> NDArray[np.intp]:
        """Each window's key, as 4 * row + column of the pad or NONE."""
        halves = windows.reshape(-1, 2, HALF)
        first, second = np.einsum("ihj,ihj->hi", halves, halves)
        total, least = first + second, np.minimum(first, second)
        codes = np.full(len(windows), NONE)
        chosen = np.flatnonzero((total > FAINT * SAMPLES) & (least > STEADY * (total - least)))
        if not len(chosen):
            return codes
        windows, total = windows[chosen], total[chosen]
        parts = (windows @ self._basis).reshape(len(chosen), len(LOW) + len(HIGH), WIDTH)
        energy = np.einsum("ijk,ijk->ij", parts, parts)
        low, high = energy[:, : len(LOW)], energy[:, len(LOW) :]
        strong, shrill = low.max(axis=1), high.max(axis=1)
        likely = strong + shrill > LIKELY * total
        likely &= (strong < TWIST * shrill) & (shrill < TWIST * strong)
        if likely.any():
            pairs = 4 * low[likely].argmax(axis=1) + high[likely].argmax(axis=1)
            both = np.einsum("ni,nik->nk", windows[likely], self._pairs[pairs])
            pure = np.einsum("nk,nk->n", both, both) > PURE * total[likely]
            pure &= self._on_key(windows[likely], pairs // 4)
            pure &= self._on_key(windows[likely], len(LOW) + pairs % 4)
            codes[chosen[likely]] = np.where(pure, pairs, NONE)
        return codes

    def _on_key(self, windows: NDArray[np.float32], tones: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each window's tone is near enough to its frequency: how far it turns on between
        the two looks tells."""
        first, second = np.einsum("ni,nik->kn", windows, self._looks[tones])
        off = np.angle(second * first.conj()) * RATE / (2 * np.pi * LAG)
        near: NDArray[np.bool_] = np.abs(off) < FAR_OFF * self._hertz[tones]
        return near

    def _follow(self, slots: Slots, codes: NDArray[np.intp]) -> list[tuple[int, str]]:
        down = self._down[slots]
        self._row[slots] = row = np.where(codes == self._last[slots], self._row[slots] + 1, 1)
        self._last[slots] = codes
        self._without[slots] = np.where(codes == down, 0, self._without[slots] + 1)
        over = self._without[slots] >= GONE
        new = (codes != NONE) & (codes != down) & (row >= ENOUGH)
        self._down[slots] = np.where(new, codes, np.where(over, NONE, down))
        self._without[slots[new]] = 0
        return [
            (slot, PAD[code // 4][code % 4])
            for slot, code in zip(slots[new].tolist(), codes[new].tolist(), strict=True)
        ]
