"""Recorders: each channel the sum of some legs' directions, a second at a time towards the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from offhook.frozen import frozen
from offhook.media.clip import FRAME, SAMPLES
from offhook.media.codecs import Pcm
from offhook.media.mixing import clipped
from offhook.media.orders import Recorded

BLOCK = 50  # frames that are written together
SILENT = 128  # mean absolute value below which a frame is silent: about -48 dBFS

Pause = Literal["", "skip", "silence"]
Reason = Literal["stopped", "silence", "max", "ended"]
Place = tuple[int, int]  # 0 for what a leg hears from its far end, 1 for what it sends; its slot


@dataclass(slots=True)
class Recording:
    """One recording while it goes on. Limits are in frames; `quiet_limit` 0 is none."""

    id: int
    tracks: tuple[tuple[Place, ...], ...]
    rows: list[int]  # of its tracks
    max_frames: int
    quiet_limit: int
    trim: bool
    pause: Pause = ""
    frames: int = 0
    received: int = 0
    quiet: int = 0  # frames of received silence, up to now
    lead: int = 0  # frames of silence, to be cut off, before the first that was not silent
    keep: int = 0  # frames up to the end of the last that was not silent
    filled: int = 0  # frames in the block

    def ticks_to_limit(self) -> int:
        """Ticks of silence after which it ends; those of a pause count for its length alone."""
        longest = self.max_frames - self.frames
        if self.pause or not self.quiet_limit:
            return longest
        return min(longest, self.quiet_limit - self.quiet)

    def outcome(self, reason: Reason) -> Recorded:
        frames = max(self.keep - self.lead, 0) if self.trim else self.frames
        return Recorded(round(frames * FRAME, 3), reason, self.received, silent=not self.keep)


@frozen
class Block:
    """Samples for a recorder's file, channels interleaved; the last one says how it ended."""

    id: int
    samples: bytes
    outcome: Recorded | None = None


class Recorders:
    """All recordings at once: the sound in one matrix, the bookkeeping in small objects."""

    def __init__(self, capacity: int) -> None:
        self._blocks = np.zeros((capacity, BLOCK, SAMPLES), np.int16)
        self._free = list(range(capacity - 1, -1, -1))
        self._going: dict[int, Recording] = {}
        self._stale = False
        self._layout()

    def __bool__(self) -> bool:
        return bool(self._going)

    def start(
        self,
        id: int,
        tracks: tuple[tuple[Place, ...], ...],
        max_frames: int,
        quiet_limit: int,
        trim: bool,
    ) -> None:
        rows = [self._free.pop() for _ in tracks]
        self._going[id] = Recording(id, tracks, rows, max_frames, quiet_limit, trim)
        self._stale = True

    def pause(self, id: int, pause: Pause) -> None:
        if recording := self._going.get(id):
            recording.pause = pause

    def stop(self, id: int, reason: Reason) -> list[Block]:
        """The last block; nothing when the recording is over already."""
        recording = self._going.pop(id, None)
        if recording is None:
            return []
        self._stale = True
        self._free.extend(recording.rows)
        return [self._block(recording, recording.outcome(reason))]

    def without(self, slot: int) -> list[Block]:
        """A leg has left: recordings that have no leg left end."""
        blocks = []
        for recording in list(self._going.values()):
            recording.tracks = tuple(
                tuple(place for place in track if place[1] != slot) for track in recording.tracks
            )
            if not any(recording.tracks):
                blocks += self.stop(recording.id, "ended")
        self._stale = True
        return blocks

    @property
    def heard(self) -> set[int]:
        """The slots of all whose far ends are recorded."""
        tracks = (track for one in self._going.values() for track in one.tracks)
        return {slot for track in tracks for way, slot in track if way == 0}

    def ticks_to_limit(self) -> int | None:
        """Ticks of silence after which the first of them ends; None if none does."""
        limits = [one.ticks_to_limit() for one in self._going.values() if one.pause != "skip"]
        return min(limits, default=None)

    def _layout(self) -> None:
        """Where each track's sources lie; a track without any is fed by a place of silence."""
        tracks = [
            (one, row, track)
            for one in self._going.values()
            for row, track in zip(one.rows, one.tracks, strict=True)
        ]
        filled = [(one, row, track) for one, row, track in tracks if track]
        places = [place for _, _, track in filled for place in track]
        self._directions = np.array([direction for direction, _ in places], np.intp)
        self._slots = np.array([slot for _, slot in places], np.intp)
        sizes = [len(track) for _, _, track in filled]
        self._starts = np.cumsum([0, *sizes[:-1]]).astype(np.intp)
        self._summed = len(places) != len(filled)
        self._rows = np.array([row for _, row, _ in filled], np.intp)
        self._owners = [one for one, _, _ in filled]
        self._empty = [(one, row) for one, row, track in tracks if not track]
        self._stale = False

    def record(self, sound: Pcm, present: NDArray[np.bool_]) -> list[Block]:
        """One tick. `sound[0]` is what each leg hears, `sound[1]` what it sends; `present` is true
        where something was received, silent or not."""
        if self._stale:
            self._layout()
        frames, received = self._tracks(sound, present)
        level = np.abs(frames).view(np.uint16).mean(axis=1)  # -32768 stays as it is
        loud, live = (level >= SILENT).tolist(), received.tolist()
        at = np.array([one.filled for one in self._owners], np.intp)
        muted = [i for i, one in enumerate(self._owners) if one.pause]
        frames[muted] = 0
        self._blocks[self._rows, at] = frames
        for one, row in self._empty:
            self._blocks[row, one.filled] = 0
        heard: dict[int, tuple[bool, bool]] = {}
        for one, now_loud, now_live in zip(self._owners, loud, live, strict=True):
            was_loud, was_live = heard.get(one.id, (False, False))
            heard[one.id] = was_loud or now_loud, was_live or now_live
        blocks = []
        for id, (any_loud, any_live) in heard.items():
            blocks += self._count(self._going[id], any_loud, any_live)
        return blocks

    def _tracks(self, sound: Pcm, present: NDArray[np.bool_]) -> tuple[Pcm, NDArray[np.bool_]]:
        frames = sound[self._directions, self._slots]
        received = present[self._directions, self._slots]
        if self._summed:
            sums = np.add.reduceat(frames, self._starts, dtype=np.int32)
            frames = clipped(sums)
            received = np.logical_or.reduceat(received, self._starts)
        return frames, received

    def _count(self, one: Recording, loud: bool, live: bool) -> list[Block]:
        """A frame more: the block, if it is full, and the end, if that was the limit."""
        if one.pause == "skip":
            return []
        one.frames += 1
        if not one.pause:
            one.received += live
            if loud:
                one.quiet, one.keep = 0, one.frames
            elif live:
                one.quiet += 1
        if one.trim and not one.keep:
            one.lead += 1
        else:
            one.filled += 1
        if one.frames >= one.max_frames:
            return self.stop(one.id, "max")
        if one.quiet_limit and one.quiet >= one.quiet_limit:
            return self.stop(one.id, "silence")
        return [self._block(one)] if one.filled == BLOCK else []

    def _block(self, one: Recording, outcome: Recorded | None = None) -> Block:
        part = self._blocks[one.rows, : one.filled].reshape(len(one.rows), -1)
        one.filled = 0
        return Block(one.id, np.ascontiguousarray(part.T).tobytes(), outcome)

    def fill(self, ticks: int, live: bool) -> list[Block]:
        """Time has passed in which nobody looked; if `live`, because nothing sounded."""
        blocks: list[Block] = []
        for one in list(self._going.values()):
            self._blocks[one.rows, one.filled :] = 0
            for _ in range(ticks):
                if not one.filled:
                    self._blocks[one.rows] = 0
                blocks += self._count(one, loud=False, live=live)
                if one.id not in self._going:
                    break
        return blocks
