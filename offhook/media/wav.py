"""WAV files that can be read at any moment, also after a crash in the middle of one."""

from __future__ import annotations

import errno
import os
import struct
from typing import Final

from offhook.media.clip import RATE

HEADER: Final = 44


class WavFile:
    """16-bit PCM at 8 kHz. Each write leaves a header behind that covers what came before it.

    Raises OSError from every method.
    """

    def __init__(self, path: str, channels: int) -> None:
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        self._channels = channels
        self._bytes = 0
        self._put(0, self._header())

    @property
    def seconds(self) -> float:
        """How much sound it holds."""
        return self._bytes / (2 * self._channels * RATE)

    def write(self, samples: bytes) -> None:
        self._put(HEADER + self._bytes, samples)
        self._bytes += len(samples)
        self._put(0, self._header())

    def _put(self, at: int, data: bytes) -> None:
        self._file.seek(at)
        if self._file.write(data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self, seconds: float) -> None:
        """Keep only so much."""
        self._bytes = min(self._bytes, round(seconds * RATE) * 2 * self._channels)
        try:
            self._put(0, self._header())
            self._file.truncate(HEADER + self._bytes)
        finally:
            self._file.close()

    def _header(self) -> bytes:
        frame = 2 * self._channels
        form = struct.pack("<HHIIHH", 1, self._channels, RATE, RATE * frame, frame, 16)
        riff = struct.pack("<4sI4s", b"RIFF", HEADER - 8 + self._bytes, b"WAVE")
        data = struct.pack("<4sI", b"data", self._bytes)
        return riff + struct.pack("<4sI", b"fmt ", len(form)) + form + data


def seconds(path: str) -> float:
    """How much sound a file of ours holds by its header; 0 when there is none. Raises OSError."""
    with open(path, "rb") as file:
        header = file.read(HEADER)
    if len(header) < HEADER:
        return 0.0
    rate, length = struct.unpack_from("<I", header, 28)[0], struct.unpack_from("<I", header, 40)[0]
    return length / rate if rate else 0.0
