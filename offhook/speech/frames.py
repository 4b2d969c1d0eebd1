"""What the speech processes and the main one say to each other: a header in JSON and some bytes."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

_LENGTHS = struct.Struct(">II")
_READ = 1 << 20

Header = dict[str, Any]


def send(sock: socket.socket, header: Header, body: bytes = b"") -> None:
    packed = json.dumps(header).encode()
    sock.sendall(_LENGTHS.pack(len(packed), len(body)) + packed)
    sock.sendall(body)


def receive(sock: socket.socket, before: Callable[[], None] = lambda: None) -> tuple[Header, bytes]:
    """The next message; EOFError when the other side is gone. `before` runs ahead of each read."""
    lengths = _LENGTHS.unpack(_exactly(sock, _LENGTHS.size, before))
    header, body = (_exactly(sock, length, before) for length in lengths)
    return json.loads(header), body


def _exactly(sock: socket.socket, count: int, before: Callable[[], None]) -> bytes:
    whole = bytearray()
    while len(whole) < count:
        before()
        part = sock.recv(min(count - len(whole), _READ))
        if not part:
            raise EOFError("the other side is gone")
        whole += part
    return bytes(whole)
