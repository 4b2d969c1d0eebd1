"""What legs are made to say: clips once, tones over and over, half a second fetched at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from offhook.media.clip import RATE, SAMPLES
from offhook.media.codecs import Pcm
from offhook.media.masks import Mask, some
from offhook.media.mixing import add

AHEAD = 25  # frames fetched at a time
TONE_LEVEL = 4000  # amplitude of each frequency of a tone: about -15 dBm0

Cadence = tuple[tuple[tuple[int, ...], float], ...]


@lru_cache(maxsize=64)
def render(cadence: Cadence) -> Pcm:
    """One round of a cadence: ((frequencies in Hz, seconds), ...)."""
    parts = [np.zeros(0, np.int16)]
    for frequencies, seconds in cadence:
        time = np.arange(round(seconds * RATE)) * (2 * np.pi / RATE)
        waves = TONE_LEVEL * np.sin(np.outer(frequencies, time))
        parts.append(waves.sum(axis=0).astype(np.int16))
    return np.concatenate(parts)


@dataclass(slots=True)
class Playing:
    job: int
    sound: Pcm
    again: bool
    next: int = 0  # sample from which is fetched next

    def fetch(self, into: Pcm) -> int:
        """The next frames, as many as fit; how many samples there were, 0 at the end."""
        flat = into.reshape(-1)
        if self.again:
            indices = np.arange(self.next, self.next + len(flat))
            flat[:] = self.sound.take(indices, mode="wrap")
            self.next = int(indices[-1] + 1) % len(self.sound)
            return len(flat)
        part = self.sound[self.next : self.next + len(flat)]
        flat[: len(part)] = part
        flat[len(part) :] = 0
        self.next += len(part)
        return len(part)


class Players:
    """At most one sound for each slot; a new one takes the place of the old."""

    def __init__(self, capacity: int) -> None:
        self._window = np.zeros((capacity, AHEAD, SAMPLES), np.int16)
        self._at = np.zeros(capacity, np.intp)
        self._left = np.zeros(capacity, np.intp)  # frames in the window, all told
        self._playing: dict[int, Playing] = {}
        self._slots = np.zeros(0, np.intp)
        self._stale = False

    def __bool__(self) -> bool:
        return bool(self._playing)

    def start(self, slot: int, job: int, sound: Pcm, again: bool = False) -> list[int]:
        """The jobs that are over by that: what played before, and this one if it has no sound."""
        over = self.stop(slot)
        if not len(sound):
            return [*over, job]
        self._playing[slot] = playing = Playing(job, sound, again)
        self._fill(slot, playing)
        self._stale = True
        return over

    def stop(self, slot: int, job: int | None = None) -> list[int]:
        """Ends what this slot plays, or only that job; the jobs that are over by that."""
        playing = self._playing.get(slot)
        if playing is None or job not in (None, playing.job):
            return []
        del self._playing[slot]
        self._stale = True
        return [playing.job]

    def _fill(self, slot: int, playing: Playing) -> bool:
        samples = playing.fetch(self._window[slot])
        self._at[slot] = 0
        self._left[slot] = -(-samples // SAMPLES)
        return samples > 0

    def play(self, out: Pcm, sounds: Mask) -> list[int]:
        """Add this tick's frames to `out`; the jobs whose last frame that was."""
        if self._stale:
            self._slots = np.fromiter(self._playing, np.intp, len(self._playing))
            self._stale = False
        slots, at = self._slots, self._at[self._slots]
        add(out, sounds, slots, self._window[slots, at])
        self._at[slots] = at = at + 1
        ran_out = at >= self._left[slots]
        if not some(ran_out):
            return []
        return [job for slot in slots[ran_out].tolist() for job in self._refill(slot)]

    def _refill(self, slot: int) -> list[int]:
        return [] if self._fill(slot, self._playing[slot]) else self.stop(slot)
