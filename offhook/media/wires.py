"""Wires between legs that have no far end of their own: what one end says, the other hears."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offhook.media.codecs import Pcm


class Wires:
    """The legs at both ends of each, by slot."""

    def __init__(self) -> None:
        self._other: dict[int, int] = {}  # both ways
        self._orphans: list[int] = []  # whose other end has closed, but was heard until now
        self._layout()

    def open(self, here: int, there: int) -> None:
        self._other[here], self._other[there] = there, here
        self._layout()

    def close(self, slot: int) -> None:
        """One end is gone, and with it the wire."""
        if (other := self._other.pop(slot, None)) is not None:
            del self._other[other]
            self._orphans.append(other)
            self._layout()

    def other(self, slot: int) -> int | None:
        return self._other.get(slot)

    def _layout(self) -> None:
        self.ends = np.array(list(self._other), np.intp)
        self._others = np.array(list(self._other.values()), np.intp)

    def carry(self, sound: Pcm, present: NDArray[np.bool_], arrived: NDArray[np.bool_]) -> None:
        """What was said in this tick is heard: `sound` and `present` of the engine, heard and
        said, and what really `arrived`."""
        if len(self.ends):
            sound[0, self.ends] = sound[1, self._others]
            present[0, self.ends] = arrived[self.ends] = present[1, self._others]
        if self._orphans:
            sound[0, self._orphans] = 0
            present[0, self._orphans] = arrived[self._orphans] = False
            self._orphans.clear()
