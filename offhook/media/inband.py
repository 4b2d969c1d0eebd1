"""Keys heard as tones, for far ends that send no telephone events (ITU-T Q.23 and Q.24).

Every 10 ms a window of 20 ms is split into the energy near each of the eight frequencies, for all
legs by one matrix product. A key is three windows in a row in which one low and one high tone,
about equally strong, are nearly all there is; it is over after four windows without it, so that a
lost packet makes no second key.
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
WIDTH = 6  # waves at most that make up anything within that range
NEGLIGIBLE = 0.2  # weight, beside the first, of a wave that is left out
PURE = 0.88  # share of a window's energy that the two tones hold, where they begin and end
PUREST = 0.98  # and in the middle; of a voice other harmonics take more
TWIST = 8.0  # how much stronger one of them may be: 9 dB
FAINT = 100.0**2  # mean square below which nothing is a key
ENOUGH = 3  # windows in a row that make a key: 40 ms, of which the ends may be half full
GONE = 4  # windows in a row without it that end one
NONE = -1


def _waves(hertz: float) -> NDArray[np.float32]:
    """An orthonormal basis of everything within `OFF` of a frequency, over one window."""
    time = np.arange(SAMPLES) * (2 * np.pi / RATE)
    near = [hertz * (1 + OFF * step) for step in (-1, -0.5, 0, 0.5, 1)]
    waves = [wave(each * time) for each in near for wave in (np.sin, np.cos)]
    left, weights, _ = np.linalg.svd(np.stack(waves, axis=1), full_matrices=False)
    left[:, weights < NEGLIGIBLE * weights[0]] = 0
    return left[:, :WIDTH].astype(np.float32)


class InBand:
    """Arrays indexed by slot."""

    def __init__(self, capacity: int) -> None:
        self._basis = np.concatenate([_waves(hertz) for hertz in (*LOW, *HIGH)], axis=1)
        self._before = np.zeros((capacity, HALF), np.int16)
        self._last = np.full(capacity, NONE)
        self._row = np.zeros(capacity, np.intp)  # windows in a row that said `last`
        self._purest = np.zeros(capacity)  # of them
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
        codes, purity = self._codes(np.concatenate((between, frames)).astype(np.float32))
        half = len(slots)
        first = self._follow(slots, codes[:half], purity[:half])
        return first + self._follow(slots, codes[half:], purity[half:])

    def _codes(self, windows: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Each window's key, as 4 * row + column of the pad or NONE, and how pure it is."""
        total = np.einsum("ij,ij->i", windows, windows)
        codes, purity = np.full(len(windows), NONE), np.zeros(len(windows))
        loud = np.flatnonzero(total > FAINT * SAMPLES)
        if not len(loud):
            return codes, purity
        parts = (windows[loud] @ self._basis).reshape(len(loud), len(LOW) + len(HIGH), WIDTH)
        energy = np.einsum("ijk,ijk->ij", parts, parts)
        low, high = energy[:, : len(LOW)], energy[:, len(LOW) :]
        strong, shrill = low.max(axis=1), high.max(axis=1)
        purity[loud] = (strong + shrill) / total[loud]
        key = purity[loud] > PURE
        key &= (strong < TWIST * shrill) & (shrill < TWIST * strong)
        codes[loud[key]] = 4 * low[key].argmax(axis=1) + high[key].argmax(axis=1)
        return codes, purity

    def _follow(
        self, slots: Slots, codes: NDArray[np.intp], purity: NDArray[np.float64]
    ) -> list[tuple[int, str]]:
        down, same = self._down[slots], codes == self._last[slots]
        self._row[slots] = row = np.where(same, self._row[slots] + 1, 1)
        self._purest[slots] = purest = np.maximum(np.where(same, self._purest[slots], 0), purity)
        self._last[slots] = codes
        self._without[slots] = np.where(codes == down, 0, self._without[slots] + 1)
        over = self._without[slots] >= GONE
        new = (codes != NONE) & (codes != down) & (row >= ENOUGH) & (purest >= PUREST)
        self._down[slots] = np.where(new, codes, np.where(over, NONE, down))
        self._without[slots[new]] = 0
        return [
            (slot, PAD[code // 4][code % 4])
            for slot, code in zip(slots[new].tolist(), codes[new].tolist(), strict=True)
        ]
