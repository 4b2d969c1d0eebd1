"""The keys we press at far ends: who is in the middle of which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from offhook.media.keys import Beat, beats


@dataclass(slots=True)
class Pressing:
    """Keys being pressed on a leg. `jobs` are over when `beats` run out."""

    beats: Iterator[Beat | None]
    jobs: list[int]
    start: int = 0  # RTP timestamp at which the present event began


class Keypad:
    def __init__(self) -> None:
        self._pressing: dict[int, Pressing] = {}

    def __bool__(self) -> bool:
        return bool(self._pressing)

    def press(self, slot: int, jobs: list[int], digits: str) -> None:
        """Press these after those being pressed."""
        before = self._pressing.get(slot, Pressing(iter(()), []))
        after = chain(before.beats, beats(digits))
        self._pressing[slot] = Pressing(after, before.jobs + jobs, before.start)

    def stop(self, slot: int, job: int | None = None) -> list[int]:
        """Let go, of everything or if that job is among it; the jobs that are over by that."""
        pressing = self._pressing.get(slot)
        if pressing is None or (job is not None and job not in pressing.jobs):
            return []
        del self._pressing[slot]
        return pressing.jobs

    def tick(self) -> tuple[list[tuple[int, Pressing, Beat]], list[int]]:
        """What each slot does in this tick, and the jobs that are over."""
        sounding, over = [], []
        for slot, pressing in list(self._pressing.items()):
            try:
                beat = next(pressing.beats)
            except StopIteration:
                over += self.stop(slot)
                continue
            if beat is not None:
                sounding.append((slot, pressing, beat))
        return sounding, over
