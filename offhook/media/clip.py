"""Recorded sound, as everybody hands it to the media plane."""

from __future__ import annotations

from offhook.frozen import frozen

RATE = 8000  # samples a second
SAMPLES = 160  # in a frame
FRAME = 0.020  # seconds in a frame
FRAME_BYTES = 2 * SAMPLES


@frozen
class Clip:
    """Sound to be played: 16-bit little-endian mono at 8 kHz, in a raw file or in memory.

    `seconds` is its length. `path` names a headerless file that any process of this machine can
    read; without it the sound is `pcm`.
    """

    seconds: float
    path: str = ""
    pcm: bytes = b""
