"""Recognising sound: whether what was said can be found in what was heard."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from offhook.aio import within
from offhook.media.clip import FRAME_BYTES, RATE

PIECE = int(0.4 * RATE)  # samples that are looked for at a time: a syllable or two
QUIET = 100.0  # RMS below which a piece is a pause, and told by nothing
ALIKE = 0.7  # correlation of a piece and the place where it was heard, through mu-law too
ENOUGH = 0.6  # of the pieces: a busy machine drops some, what was never said has none
STEP = 10 * FRAME_BYTES  # that are heard before it is looked again
PAUSE = 0.25  # seconds without sound, after which it is looked again too

Samples = NDArray[np.float64]


def share_heard(heard: bytes, said: bytes) -> float:
    """How much of `said` is in `heard`, 0 to 1. Both are 16-bit little-endian mono at 8 kHz."""
    place, sound = _samples(heard), _samples(said)
    length = min(PIECE, len(sound))
    pieces = [sound[at : at + length] for at in range(0, len(sound) - length + 1, PIECE)]
    telling = [piece for piece in pieces if piece.any() and _loudness(piece) > QUIET]
    if not telling or len(place) < length:
        return 0.0
    size = 1 << (len(place) + length).bit_length()
    spectrum = np.fft.rfft(place, size)
    sums = np.concatenate(([0.0], np.cumsum(place**2)))
    energies = np.maximum(sums[length:] - sums[:-length], length * QUIET**2)
    found = [_likeness(spectrum, size, energies, piece) > ALIKE for piece in telling]
    return sum(found) / len(found)


def _loudness(piece: Samples) -> float:
    """RMS."""
    return float(np.sqrt(np.mean(piece**2)))


def _samples(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def _likeness(
    spectrum: NDArray[np.complex128], size: int, energies: Samples, piece: Samples
) -> float:
    """The best normalised correlation of the piece with any place of the same length."""
    matches = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)[: len(energies)]
    return float(np.max(matches / np.sqrt(energies * np.sum(piece**2))))


class Ear:
    """What a phone hears, frame by frame: `take` is for MediaLeg.tap."""

    def __init__(self) -> None:
        self._heard = bytearray()
        self._frame = asyncio.Event()

    def take(self, frame: bytes) -> None:
        self._heard += frame
        self._frame.set()

    def forget(self) -> None:
        """What was heard so far counts no more."""
        self._heard.clear()

    async def hears(self, said: bytes) -> None:
        """Returns when that was heard. Raises TimeoutError long after it should have been."""
        size = int(len(said) * ENOUGH)
        async with asyncio.timeout(len(said) / (2 * RATE) + 10):
            while True:
                await self._long_as(size)
                heard = bytes(self._heard)
                if await asyncio.to_thread(share_heard, heard, said) >= ENOUGH:
                    return
                await within(PAUSE, self._long_as(len(heard) + STEP))
                size = len(heard) + 1

    async def _long_as(self, size: int) -> None:
        while len(self._heard) < size:
            self._frame.clear()
            await self._frame.wait()
