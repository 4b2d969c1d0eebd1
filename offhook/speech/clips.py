"""Sound made once: raw PCM files in a folder of limited size, the least used go first."""

from __future__ import annotations

import hashlib
import math
import os
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from offhook import clock
from offhook.media.clip import Clip

BYTES_A_SECOND = 16_000
TOUCH_SECONDS = 3600.0


def key_of(*parts: str | bytes) -> str:
    """A name for what these parts make; no two lists of parts have the same one."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


@dataclass(slots=True)
class _Kept:
    """A file of the folder, and when its time was last set."""

    clip: Clip
    size: int
    touched: float = -math.inf


class Clips:
    """The folder belongs to one process. Methods may be called from any thread.

    A file's modification time is when it was last used, give or take an hour, so that order
    survives a restart.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.part"):
            leftover.unlink(missing_ok=True)
        files = sorted((path.stat().st_mtime, path) for path in folder.glob("*.pcm"))
        self._kept = OrderedDict((path.stem, _kept(path, path.stat().st_size)) for _, path in files)
        self._total = sum(kept.size for kept in self._kept.values())

    def find(self, key: str) -> Clip | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            if not _used(kept):  # somebody tidied the folder
                self._forget(key)
                return None
            self._kept.move_to_end(key)
            return kept.clip

    def keep(self, key: str, pcm: bytes) -> Clip:
        """Write it, whole or not at all. On a full disk the clip stays in memory."""
        path, part = self._folder / f"{key}.pcm", self._folder / f"{key}.part"
        try:
            part.write_bytes(pcm)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            return Clip(len(pcm) / BYTES_A_SECOND, pcm=pcm)
        with self._lock:
            self._forget(key)
            self._kept[key] = kept = _kept(path, len(pcm))
            self._total += kept.size
            self._make_room(key)
        return kept.clip

    def _make_room(self, newest: str) -> None:
        while self._total > self._max_bytes:
            oldest = next(iter(self._kept))
            if oldest == newest:
                return
            self._forget(oldest)
            (self._folder / f"{oldest}.pcm").unlink(missing_ok=True)

    def _forget(self, key: str) -> None:
        if kept := self._kept.pop(key, None):
            self._total -= kept.size


def _kept(path: Path, size: int) -> _Kept:
    return _Kept(Clip(size / BYTES_A_SECOND, path=str(path)), size)


def _used(kept: _Kept) -> bool:
    """Whether the file is still there. To set its time costs ten times what a look does."""
    now = clock.monotonic()
    if now - kept.touched < TOUCH_SECONDS:
        return os.path.exists(kept.clip.path)
    with suppress(OSError):
        os.utime(kept.clip.path)
        kept.touched = now
        return True
    return False
