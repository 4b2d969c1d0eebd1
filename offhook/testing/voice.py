"""A voice that a test can read back: text as UTF-8 in tones, 60 ms a byte.

It survives G.711, attenuation, frames cut anywhere, the loss of a single frame, recording and
bridging, so what a phone `heard` is what reached its ear, exact in any language.

64 tones, 50 Hz apart, are orthogonal in any 20 ms. They form four groups of 16; a symbol is one
tone each of two groups. Bytes alternate between two pairs of groups, so that equal neighbours stay
apart without a clock, and the two pairs left over mark beginning and end. No symbol has a tone in
both bands of DTMF.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offhook import clock
from offhook.media.clip import Clip

RATE = 8000
FRAME = 160  # samples in 20 ms
FRAMES_PER_SYMBOL = 3
AMPLITUDE = 8000.0  # of each of the two tones

TONES = 350.0 + 50.0 * np.arange(64)
PAIRS = ((0, 2), (1, 3), (0, 3), (1, 2))  # groups that sound together: even and odd bytes, marks
START, END, NOTHING = 512, 513, -1  # symbols beside 0..511: parity << 8 | byte
_MARKS = {START: (0, 63), END: (16, 47)}  # tones of the marks

PURE = 0.75  # share of a frame's energy that the two tones of a symbol must have
AUDIBLE = 100.0  # mean amplitude below which a frame is silence
BATCH = 12  # frames that are read at once: the largest product for which BLAS starts no threads
PAUSE = 0.1  # seconds without a symbol after which what was being said is over

Samples = npt.NDArray[np.int16]


def _sounds() -> list[bytes]:
    """Each symbol as PCM."""
    time = np.arange(FRAME * FRAMES_PER_SYMBOL) / RATE
    waves = AMPLITUDE * np.sin(2 * np.pi * np.outer(TONES, time))
    tones = [
        (16 * PAIRS[parity][0] + (byte >> 4), 16 * PAIRS[parity][1] + (byte & 15))
        for parity in (0, 1)
        for byte in range(256)
    ]
    tones += [_MARKS[START], _MARKS[END]]
    return [(waves[low] + waves[high]).astype("<i2").tobytes() for low, high in tones]


def _matrix() -> npt.NDArray[np.float32]:
    """Frames times this are the cosine and sine parts of every tone, in units of energy."""
    angles = 2 * np.pi * np.outer(np.arange(FRAME) / RATE, TONES)
    parts = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    return np.ascontiguousarray(parts / np.sqrt(FRAME / 2), dtype=np.float32)


_SOUNDS, _MATRIX = _sounds(), _matrix()
_LOW, _HIGH = (np.array(groups) for groups in zip(*PAIRS, strict=True))


def speak(text: str) -> Clip:
    """The text in the test voice."""
    pcm = b"".join(
        [
            _SOUNDS[START],
            *(_SOUNDS[(place & 1) << 8 | byte] for place, byte in enumerate(text.encode())),
            _SOUNDS[END],
        ]
    )
    return Clip(seconds=len(pcm) / (2 * RATE), pcm=pcm)


def symbols(frames: Samples) -> list[int]:
    """The symbol that each frame (a row of 160 samples) carries, or NOTHING."""
    sound = frames.astype(np.float32)
    energy = np.einsum("ij,ij->i", sound, sound)
    parts = sound @ _MATRIX
    powers = (parts[:, :64] ** 2 + parts[:, 64:] ** 2).reshape(-1, 4, 16)
    best, peaks = powers.argmax(axis=2), powers.max(axis=2)
    sums = peaks[:, _LOW] + peaks[:, _HIGH]
    pair = sums.argmax(axis=1)
    rows = np.arange(len(frames))
    low, high = best[rows, _LOW[pair]], best[rows, _HIGH[pair]]
    weaker = np.minimum(peaks[rows, _LOW[pair]], peaks[rows, _HIGH[pair]])
    clear = (sums[rows, pair] > PURE * energy) & (weaker > 0.1 * energy)
    clear &= energy > FRAME * AUDIBLE**2
    codes = np.where(pair < 2, pair << 8 | low << 4 | high, NOTHING)
    codes[(pair == 2) & (low == 0) & (high == 15)] = START
    codes[(pair == 3) & (low == 0) & (high == 15)] = END
    return np.where(clear, codes, NOTHING).tolist()  # type: ignore[no-any-return]


@dataclass(slots=True)
class Utterance:
    """What was said in one go. `began` and `ended` are loop time; `whole` if it was not cut off."""

    began: float
    ended: float
    text: str = ""
    whole: bool = False


class Ear:
    """Listens to frames of 320 bytes and writes down what is said."""

    def __init__(self, now: Callable[[], float] = clock.now) -> None:
        self._utterances: list[Utterance] = []
        self._now = now
        self._frames: list[bytes] = []
        self._times: list[float] = []
        self._last = NOTHING
        self._speaking: Utterance | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def utterances(self) -> list[Utterance]:
        self._understand()
        return self._utterances

    @property
    def text(self) -> str:
        """All that was heard so far, one utterance a line."""
        return "\n".join(utterance.text for utterance in self.utterances)

    def feed(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._times.append(self._now())
        if len(self._frames) >= BATCH:
            self._understand()

    def _understand(self) -> None:
        """Reads what was fed; many frames at once cost a tenth of single ones."""
        if self._frames:
            frames = np.frombuffer(b"".join(self._frames), "<i2").reshape(-1, FRAME)
            times = self._times
            self._frames, self._times = [], []
            for code, at in zip(symbols(frames), times, strict=True):
                if code != NOTHING:
                    self._hear(code, at)

    def _hear(self, code: int, at: float) -> None:
        """One symbol, as of loop time `at`."""
        speaking = self._speaking
        if speaking and at - speaking.ended > PAUSE:
            speaking = self._speaking = None
        if speaking:
            speaking.ended = at
        if code == self._last:
            return
        self._last = code
        if code == END:
            if speaking:
                speaking.whole = True
            self._speaking = None
        elif code == START or speaking is None:
            self._begin(at)
        if code < START and self._speaking:
            self._speaking.text += self._decoder.decode(bytes([code & 255]))

    def _begin(self, at: float) -> None:
        self._decoder.reset()
        self._speaking = Utterance(at, at)
        self._utterances.append(self._speaking)


def transcribe(pcm: bytes) -> str:
    """What is said in 16-bit mono PCM at 8 kHz, one utterance a line."""
    now = 0.0
    ear = Ear(lambda: now)
    for place in range(len(pcm) // (2 * FRAME)):
        now = place * FRAME / RATE
        ear.feed(pcm[2 * FRAME * place : 2 * FRAME * (place + 1)])
    return ear.text
