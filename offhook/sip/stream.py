"""Messages out of a byte stream.  RFC 3261 section 18.3, keep-alives of RFC 5626 section 3.5.1."""

from __future__ import annotations

import re
from collections.abc import Iterator

from offhook.sip.grammar import BadSip
from offhook.sip.message import MAX_HEAD, MAX_MESSAGE

PING, PONG = b"\r\n\r\n", b"\r\n"
_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:((?:[^\r]|\r\n[ \t])*)", re.IGNORECASE)
_SIZE = re.compile(rb"[0-9]{1,9}")


class Stream:
    """Feed it what arrives; it gives whole messages. `pings` counts keep-alives to be answered."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._size = 0  # of the message that is arriving, once it is known
        self.pings = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Raises BadSip where the boundary of a message is lost: the connection must be closed."""
        self._buffer += data
        while message := self._next():
            yield message

    def _next(self) -> bytes:
        self._size = self._size or self._measured()
        if not self._size or len(self._buffer) < self._size:
            return b""
        message = bytes(self._buffer[: self._size])
        del self._buffer[: self._size]
        self._size = 0
        return message

    def _measured(self) -> int:
        """The size of the message that begins here, 0 while its header is not complete."""
        self._skip_line_ends()
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadSip("too large a header", 513)
            return 0
        lengths = {found.strip() for found in _LENGTH.findall(self._buffer, 0, end)}
        length = lengths.pop() if len(lengths) == 1 else b""
        if not _SIZE.fullmatch(length) or end + int(length) > MAX_MESSAGE:
            raise BadSip("no usable Content-Length in a stream")
        return end + 4 + int(length)

    def _skip_line_ends(self) -> None:
        while self._buffer[:4] == b"\r\n\r\n":
            self.pings += 1
            del self._buffer[:4]
        if self._buffer[:2] == b"\r\n" and len(self._buffer) > 2 and self._buffer[2:3] != b"\r":
            del self._buffer[:2]
