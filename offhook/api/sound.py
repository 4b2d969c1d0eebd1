"""Recorded sound on its way out."""

from __future__ import annotations

import io
import re
import wave

import numpy as np
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_FRAMES = 480_000  # a minute at a time


def mono(path: str) -> bytes:
    """A WAV file of two channels as one of a single channel, where both are heard."""
    out = io.BytesIO()
    with wave.open(path) as source, wave.open(out, "wb") as mixed:
        mixed.setnchannels(1)
        mixed.setsampwidth(source.getsampwidth())
        mixed.setframerate(source.getframerate())
        while frames := source.readframes(_FRAMES):
            pairs = np.frombuffer(frames, "<i2").reshape(-1, source.getnchannels())
            both = pairs.sum(axis=1, dtype=np.int32)
            mixed.writeframes(np.clip(both, -32768, 32767).astype("<i2").tobytes())
    return out.getvalue()


class Bytes(Response):
    """Bytes of which a range may be asked for (RFC 9110 section 14), a single one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        self.headers["Accept-Ranges"] = "bytes"
        whole = bytes(self.body)
        asked = _RANGE.fullmatch(headers.get(b"range", b"").decode("latin-1"))
        if asked and (asked[1] or asked[2]) and scope["method"] == "GET":
            self._narrow(whole, asked[1], asked[2])
        if scope["method"] == "HEAD":
            self.body = b""
        await super().__call__(scope, receive, send)

    def _narrow(self, whole: bytes, first: str, last: str) -> None:
        size = len(whole)
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if start > end:
            self.status_code, self.body = 416, b""
            self.headers["Content-Range"] = f"bytes */{size}"
        else:
            self.status_code, self.body = 206, whole[start : end + 1]
            self.headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        self.headers["Content-Length"] = str(len(self.body))
