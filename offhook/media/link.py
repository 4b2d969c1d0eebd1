"""What goes between the main process and a worker: lists of orders, and lists of events.

Each is a length in four bytes and a pickle; both ends are this program.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from typing import Any

LENGTH = struct.Struct("<I")


def frame(message: list[Any]) -> bytes:
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


class Unframer:
    """Puts messages together again from bytes that arrive in any pieces."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[list[Any]]:
        """The messages that are complete now."""
        self._bytes += data
        at = 0
        while len(self._bytes) - at >= LENGTH.size:
            start = at + LENGTH.size
            end = start + LENGTH.unpack_from(self._bytes, at)[0]
            if end > len(self._bytes):
                break
            yield pickle.loads(memoryview(self._bytes)[start:end].tobytes())
            at = end
        del self._bytes[:at]
