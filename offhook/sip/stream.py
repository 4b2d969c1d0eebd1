"""Messages out of a byte stream.  RFC 3261 section 18.3, keep-alives of RFC 5626 section 3.5.1."""

from __future__ import annotations

import re

from offhook.sip.grammar import BadSip
from offhook.sip.message import MAX_HEAD, MAX_MESSAGE

_LENGTH = re.compile(rb"(?:^|\r\n)(?:content-length|l)[ \t]*:[ \t]*([^\r]*)", re.IGNORECASE)


class Stream:
    """Feed it what arrives; it gives whole messages. `pings` counts keep-alives to be answered."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.pings = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Raises BadSip where the boundary of a message is lost: the connection must be closed."""
        self._buffer += data
        messages = []
        while message := self._next():
            messages.append(message)
        return messages

    def _next(self) -> bytes:
        self._skip_line_ends()
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadSip("too large a header", 513)
            return b""
        found = _LENGTH.search(self._buffer, 0, end)
        length = found[1].strip() if found else b""
        if not length.isdigit() or end + int(length) > MAX_MESSAGE:
            raise BadSip("no usable Content-Length in a stream")
        size = end + 4 + int(length)
        if len(self._buffer) < size:
            return b""
        message = bytes(self._buffer[:size])
        del self._buffer[:size]
        return message

    def _skip_line_ends(self) -> None:
        while self._buffer[:4] == b"\r\n\r\n":
            self.pings += 1
            del self._buffer[:4]
        if self._buffer[:2] == b"\r\n" and len(self._buffer) > 2 and self._buffer[2:3] != b"\r":
            del self._buffer[:2]
