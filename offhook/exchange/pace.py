"""How often something may happen."""

from __future__ import annotations

from collections import deque

SWEEP = 1000  # keys at which those that are quiet are forgotten, or twice those that were not


class Pace:
    """At most `most` times in any `seconds`, for each key by itself."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._times: dict[str, deque[float]] = {}
        self._room = SWEEP

    def admits(self, key: str, now: float) -> bool:
        """Whether it may happen once more; then it counts."""
        since = now - self._seconds
        if len(self._times) > self._room:
            self._times = {key: at for key, at in self._times.items() if at[-1] > since}
            self._room = max(SWEEP, 2 * len(self._times))
        times = self._times.setdefault(key, deque())
        while times and times[0] <= since:
            times.popleft()
        if len(times) >= self._most:
            return False
        times.append(now)
        return True


class Spacing:
    """At most `per_second` of each key, evenly spread: one waits for the one before."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._free: dict[str, float] = {}

    def wait(self, key: str, now: float) -> float:
        """Seconds until the next may be."""
        return max(0.0, self._free.get(key, 0.0) - now)

    def took(self, key: str, now: float) -> None:
        self._free[key] = now + self._gap
