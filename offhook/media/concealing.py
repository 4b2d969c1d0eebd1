"""What is heard where nothing came: the sound goes on a little, and over into what comes next
(after ITU-T G.711 appendix I), or the noise that the far end asked for is made (RFC 3389)."""

from __future__ import annotations

from random import Random

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from offhook.media.clip import RATE, SAMPLES
from offhook.media.codecs import Pcm
from offhook.media.jitter import DEPTH, Slots
from offhook.media.masks import Mask, every, some

GAINS = (0.7, 0.5, 0.0)  # to which each frame that is made up fades; after them comes silence
SHORTEST, LONGEST = 40, 120  # samples of a period: 200 to 67 Hz
MATCHED = 40  # samples by which a period is found
SEAM = 40  # samples in which what was made up turns into what comes after it
QUIETEST = 127  # -dBov, the least that RFC 3389 can say
POOL = 2 * RATE  # samples of noise that all legs draw from

_RAMPS = [np.linspace(1, gain, SAMPLES, dtype=np.float32) for gain in GAINS]
_AT = np.arange(SAMPLES)
_RISING = np.linspace(0, 1, SEAM, dtype=np.float32)


class Concealment:
    """Arrays indexed by slot."""

    def __init__(self, capacity: int, random: Random) -> None:
        self._gone = np.full(capacity, len(GAINS))  # frames in a row that did not come
        self._made_up = False  # any of the last tick's
        self._noise = np.zeros(capacity, np.float32)  # root of the mean square; 0 is none
        self.noisy: set[int] = set()  # who has ever asked for noise: listened to, for it to end
        self._before = np.zeros(capacity, np.int8)  # frames still to be heard before the noise
        drawn = np.random.default_rng(random.getrandbits(64))
        self._pool = drawn.standard_normal(POOL, np.float32)
        self._at = 0

    def open(self, slot: int) -> None:
        self.begin(slot)
        self._noise[slot] = 0
        self.noisy.discard(slot)

    def begin(self, slot: int) -> None:
        """From now on it is listened to; of what was before, nothing is known."""
        self._gone[slot] = len(GAINS)

    def calm(self, slot: int, payload: bytes) -> None:
        """The far end falls silent and says how its silence sounds: its level in -dBov."""
        level = payload[0] & 0x7F if payload else QUIETEST
        self._noise[slot] = 32768 * 10 ** (-level / 20) if level < QUIETEST else 0
        self._before[slot] = DEPTH
        self.noisy.add(slot)

    def fill(self, slots: Slots, frames: Pcm, present: Mask, before: Pcm) -> None:
        """Complete this tick's `frames` of these slots, of which some are `present`; `before` is
        what was heard in the last one."""
        if self.noisy:
            self._listen(slots[present])
        if self._made_up:
            self._return(slots, frames, present, before)
        if every(present):
            self._gone[slots] = 0
            return
        self._gone[slots] = gone = np.where(present, 0, self._gone[slots] + 1)
        hushed = ~present & (self._noise[slots] > 0)
        for number, ramp in enumerate(_RAMPS, 1):
            lost = (gone == number) & ~hushed
            if some(lost):
                frames[lost] = _prolonged(before[lost]) * ramp
                present[lost] = self._made_up = True
        if some(hushed):
            frames[hushed] = self._made(slots[hushed])
            present[hushed] = True
            self._before[slots[hushed]] = 0

    def _return(self, slots: Slots, frames: Pcm, present: Mask, before: Pcm) -> None:
        """No step is heard where sound comes again after frames that were made up."""
        gone = self._gone[slots]
        back = present & (gone > 0) & (gone <= len(GAINS))
        made = _prolonged(before[back])[:, :SEAM]
        frames[back, :SEAM] = np.rint(made + _RISING * (frames[back, :SEAM] - made))
        self._made_up = False

    def _listen(self, speaking: Slots) -> None:
        """A voice ends the noise, but that which was waiting when the noise was asked for."""
        noisy = speaking[self._noise[speaking] > 0]
        if len(noisy):
            self._noise[noisy[self._before[noisy] <= 0]] = 0
            self._before[noisy] -= 1

    def _made(self, slots: Slots) -> NDArray[np.float32]:
        """Each of them hears another stretch of the same noise."""
        self._at = (self._at + SAMPLES) % POOL
        starts = self._at + slots[:, None] * 997
        noise: NDArray[np.float32] = self._pool[(starts + _AT) % POOL] * self._noise[slots, None]
        return noise


def _prolonged(before: Pcm) -> NDArray[np.float32]:
    """The last period of each frame, repeated to the length of a frame."""
    sound = before.astype(np.float32)
    windows = sliding_window_view(sound, MATCHED, axis=1)
    first, last = SAMPLES - MATCHED - LONGEST, SAMPLES - MATCHED - SHORTEST
    candidates = windows[:, first : last + 1]
    likeness = np.einsum("nwk,nk->nw", candidates, sound[:, -MATCHED:])
    likeness /= np.sqrt(np.einsum("nwk,nwk->nw", candidates, candidates)) + 1
    period = LONGEST - likeness.argmax(axis=1)
    places = SAMPLES - period[:, None] + _AT % period[:, None]
    made: NDArray[np.float32] = np.take_along_axis(sound, places, axis=1)
    return made
