"""Rooms, the one way to mix: a seat hears the sum of the others. A bridge is a room of two."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from offhook.media.codecs import Pcm
from offhook.media.masks import Mask, some
from offhook.media.mixing import clipped


@dataclass(slots=True)
class Seat:
    slot: int
    speaks: bool = True
    hears: bool = True


class Rooms:
    """Who sits with whom. The arrays of the mix are made anew when somebody moves."""

    def __init__(self) -> None:
        self._rooms: dict[int, dict[int, Seat]] = {}
        self._room_of: dict[int, int] = {}  # by slot
        self._stale = False
        self._layout()

    def __bool__(self) -> bool:
        return bool(self._room_of)

    def open(self, room: int) -> None:
        self._rooms[room] = {}

    def close(self, room: int) -> None:
        for slot in list(self._rooms.get(room, ())):
            self.leave(slot)
        self._rooms.pop(room, None)

    def sit(self, room: int, seat: Seat) -> None:
        """Takes the seat; a leg that sits elsewhere moves. No-op when the room is closed."""
        if room not in self._rooms:
            return
        self.leave(seat.slot)
        self._rooms[room][seat.slot] = seat
        self._room_of[seat.slot] = room
        self._stale = True

    def leave(self, slot: int, room: int | None = None) -> None:
        """Gives the seat up, if it is in that room or none is named."""
        sits = self._room_of.get(slot)
        if sits is not None and room in (None, sits):
            del self._room_of[slot]
            del self._rooms[sits][slot]
            self._stale = True

    def mute(self, slot: int, on: bool) -> None:
        if seat := self._seat(slot):
            seat.speaks = not on
            self._stale = True

    @property
    def seated(self) -> AbstractSet[int]:
        """The slots of all who sit somewhere."""
        return self._room_of.keys()

    def partner(self, slot: int) -> int | None:
        """The other of a room of two, to whom keys are passed on."""
        seat = self._seat(slot)
        if seat is None or not seat.speaks:
            return None
        others = [other for other in self._rooms[self._room_of[slot]].values() if other is not seat]
        return others[0].slot if len(others) == 1 and others[0].hears else None

    def _seat(self, slot: int) -> Seat | None:
        room = self._room_of.get(slot)
        return None if room is None else self._rooms[room][slot]

    def _layout(self) -> None:
        rooms = [list(seats.values()) for seats in self._rooms.values() if len(seats) > 1]
        seats = [seat for room in rooms for seat in room]
        sizes = [len(room) for room in rooms]
        self._slots = np.array([seat.slot for seat in seats], np.intp)
        self._starts = np.cumsum([0, *sizes[:-1]]).astype(np.intp)
        self._room = np.repeat(np.arange(len(rooms)), sizes)
        self._silent = np.array([not seat.speaks for seat in seats], np.bool_)
        self._deaf = np.array([not seat.hears for seat in seats], np.bool_)
        self._any_silent, self._any_deaf = bool(self._silent.any()), bool(self._deaf.any())
        self._stale = False

    def mix(self, heard: Pcm, present: Mask, out: Pcm, sounds: Mask) -> None:
        """Write to `out`, at each seat, what the others in its room say; `sounds` tells where."""
        if self._stale:
            self._layout()
        if not len(self._slots):
            return
        speaking = present[self._slots] & ~self._silent
        if not some(speaking):
            return
        said = heard[self._slots].astype(np.int32)
        if self._any_silent:
            said[self._silent] = 0
        sums = np.add.reduceat(said, self._starts)[self._room] - said
        voices = np.add.reduceat(speaking.view(np.int8), self._starts)[self._room] - speaking
        if self._any_deaf:
            sums[self._deaf] = 0
            voices[self._deaf] = 0
        out[self._slots] = clipped(sums)
        sounds[self._slots] = voices > 0
