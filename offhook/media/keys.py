"""Telephone keys: their names, tones and RTP events (ITU-T Q.23, RFC 4733)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import Final

import numpy as np

from offhook.frozen import frozen
from offhook.media.clip import RATE, SAMPLES
from offhook.media.codecs import Pcm

KEYS: Final = "0123456789*#ABCD"  # in the order of their event codes, RFC 4733 section 3.2
LOW: Final = (697, 770, 852, 941)
HIGH: Final = (1209, 1336, 1477, 1633)
PAD: Final = ("123A", "456B", "789C", "*0#D")  # a row for each low tone

TONE = 5  # ticks: 100 ms
GAP = 5
SHORT_WAIT = 25  # ticks of a `w`
LONG_WAIT = 50  # ticks of a `W`
FULL = 0xFFFF  # the longest duration that a packet can tell
LATEST = 2 * FULL  # ticks by which a packet may tell of a press before the last one
FAREWELLS = 3  # packets that say an event has ended, RFC 4733 section 2.5.1.4
LEVEL = 4600  # amplitude of either tone: -14 dBm0 each
VOLUME = 10  # -dBm0, as an event packet states it


@frozen
class Beat:
    """One tick of pressing: a key that has sounded for `ticks` ticks, or has just ended."""

    key: str
    ticks: int
    ended: bool = False


def beats(digits: str) -> Iterator[Beat | None]:
    """What to send in each tick to press these digits; None is silence.

    Characters that are neither a key, `w` (half a second) nor `W` (a second) are left out.
    """
    for digit in digits:
        if digit == "w":
            yield from (None,) * SHORT_WAIT
        elif digit == "W":
            yield from (None,) * LONG_WAIT
        elif (key := digit.upper()) in KEYS:
            yield from (Beat(key, tick + 1) for tick in range(TONE))
            yield from (Beat(key, TONE, ended=True),) * FAREWELLS
            yield from (None,) * (GAP - FAREWELLS)


@cache
def tone(key: str) -> Pcm:
    """The key's two tones, in frames."""
    row = next(row for row, keys in enumerate(PAD) if key in keys)
    time = np.arange(TONE * SAMPLES) * (2 * np.pi / RATE)
    wave = np.sin(LOW[row] * time) + np.sin(HIGH[PAD[row].index(key)] * time)
    frames: Pcm = (LEVEL * wave).astype(np.int16).reshape(TONE, SAMPLES)
    return frames


def event(beat: Beat, clock: int = 1) -> bytes:
    """The payload of an event packet, RFC 4733 section 2.3; `clock` ticks last a sample."""
    flags = VOLUME | (0x80 if beat.ended else 0)
    return struct.pack("!BBH", KEYS.index(beat.key), flags, beat.ticks * SAMPLES * clock)


class EventReader:
    """Tells presses apart in the events of one leg: an event has one timestamp, however often sent.

    The press is told with the first packet that arrives of it. One that outlasts the 16 bits of its
    duration goes on under a timestamp of that much later (section 2.5.1.3) and is still one press.
    """

    def __init__(self) -> None:
        self._press: tuple[int, int] | None = None  # code, timestamp

    def read(self, payload: bytes, ts: int) -> str | None:
        """The key, if this packet is the first to tell of its press."""
        if len(payload) < 4:
            return None
        code = payload[0]
        if code >= len(KEYS) or (self._press and _late(ts, self._press[1])):
            return None
        again = self._press in ((code, ts), (code, (ts - FULL) & 0xFFFFFFFF))
        self._press = code, ts
        return None if again else KEYS[code]


def _late(ts: int, other: int) -> bool:
    """Further behind than any straggler is a clock that was set anew."""
    return 0 < (other - ts) & 0xFFFFFFFF <= LATEST
