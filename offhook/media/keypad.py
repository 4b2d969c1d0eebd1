"""The keys we press at far ends: who is in the middle of which."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from offhook.media.keys import Beat, beats

PASSED_ON = 50  # keys that may wait for one another: more than that nobody presses in ten seconds


@dataclass(slots=True)
class Pressing:
    """Keys being pressed on a leg. `jobs` are over when `beats` run out."""

    waiting: deque[str]
    beats: Iterator[Beat | None]
    jobs: list[int] = field(default_factory=list)
    start: int = 0  # RTP timestamp at which the present event began


class Keypad:
    def __init__(self) -> None:
        self._pressing: dict[int, Pressing] = {}

    def __bool__(self) -> bool:
        return bool(self._pressing)

    def press(self, slot: int, jobs: list[int], digits: str) -> None:
        """Press these after those being pressed. Too many that are nobody's job are left out."""
        pressing = self._pressing.get(slot)
        if pressing is None:
            waiting = deque[str]()
            pressing = self._pressing[slot] = Pressing(waiting, _all_beats(waiting))
        if jobs or len(pressing.waiting) < PASSED_ON:
            pressing.jobs += jobs
            pressing.waiting.append(digits)

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


def _all_beats(waiting: deque[str]) -> Iterator[Beat | None]:
    while waiting:
        yield from beats(waiting.popleft())
