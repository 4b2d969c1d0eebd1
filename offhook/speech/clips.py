"""Sound made once: raw PCM files in a folder of limited size, the least used go first."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from pathlib import Path
from threading import Lock

from offhook.media.clip import Clip

BYTES_A_SECOND = 16_000


def key_of(*parts: str | bytes) -> str:
    """A name for what these parts make; no two lists of parts have the same one."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


class Clips:
    """The folder belongs to one process. Methods may be called from any thread.

    A file's modification time is when it was last used, so that order survives a restart.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.part"):
            leftover.unlink(missing_ok=True)
        files = sorted((path.stat().st_mtime, path) for path in folder.glob("*.pcm"))
        self._sizes = OrderedDict((path.stem, path.stat().st_size) for _, path in files)
        self._total = sum(self._sizes.values())

    def find(self, key: str) -> Clip | None:
        path = self._path(key)
        with self._lock:
            if key not in self._sizes:
                return None
            try:
                os.utime(path)
            except OSError:  # somebody tidied the folder
                self._forget(key)
                return None
            self._sizes.move_to_end(key)
            return Clip(self._sizes[key] / BYTES_A_SECOND, path=str(path))

    def keep(self, key: str, pcm: bytes) -> Clip:
        """Write it, whole or not at all. On a full disk the clip stays in memory."""
        path, part = self._path(key), self._folder / f"{key}.part"
        seconds = len(pcm) / BYTES_A_SECOND
        try:
            part.write_bytes(pcm)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            return Clip(seconds, pcm=pcm)
        with self._lock:
            self._forget(key)
            self._sizes[key] = len(pcm)
            self._total += len(pcm)
            self._make_room(key)
        return Clip(seconds, path=str(path))

    def _make_room(self, newest: str) -> None:
        while self._total > self._max_bytes:
            oldest = next(iter(self._sizes))
            if oldest == newest:
                return
            self._forget(oldest)
            self._path(oldest).unlink(missing_ok=True)

    def _forget(self, key: str) -> None:
        self._total -= self._sizes.pop(key, 0)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.pcm"
