"""Jitter buffers of all legs at once: packets in at any time, one frame a tick out.

Each leg has a ring of eight frames, addressed by how far a packet's timestamp lies ahead of the
frame that is due. Playing starts when `target` frames wait and starts over when none is left;
`target` follows how late packets come, from one frame to five. Where one frame too many always
waits, two become one: the first fades out while the second fades in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offhook.media.clip import RATE, SAMPLES
from offhook.media.codecs import Pcm

Slots = NDArray[np.intp]
Stamps = NDArray[np.uint32]
Times = NDArray[np.float64]

DEPTH = 8  # frames in a ring
PREFILL = 2  # frames, until a leg has shown how regular it is
MOST = 5  # frames that are waited for at most
FAR_BEHIND = -100  # frames: not late any more but a sender that set its clock anew
FORGET = 0.999  # what is left of the worst lateness, each packet: a quarter after 28 s
SLACK = 120  # samples by which a target is rounded up: a worst lateness under 5 ms counts as none
REVIEW = 50  # ticks between two looks at whether a buffer is deeper than it needs to be
DRIFT = 2  # samples a review by which a sender's clock may fall behind ours unnoticed
QUIET = 400  # frames whose peak is below this are joined before others
MASK = 0xFFFFFFFF

_RISING = np.linspace(0, 1, SAMPLES, dtype=np.float32)


class JitterBuffers:
    """Arrays indexed by slot. Timestamps are 32 bits and wrap; only their differences are used."""

    def __init__(self, capacity: int) -> None:
        self._ring = np.zeros((capacity, DEPTH, SAMPLES), np.int16)
        self._have = np.zeros((capacity, DEPTH), np.bool_)
        self._due = np.zeros(capacity, np.intp)  # place in the ring of the frame played next
        self._due_ts = np.zeros(capacity, np.uint32)
        self._started = np.zeros(capacity, np.bool_)
        self._playing = np.zeros(capacity, np.bool_)
        self._starved = np.zeros(capacity, np.bool_)  # ran out while playing
        self._floor = np.zeros(capacity, np.uint32)  # least transit seen, in samples
        self._peak = np.zeros(capacity)  # worst lateness seen lately, in samples
        self._low = np.zeros(capacity, np.intp)  # fewest frames left after a tick since the review
        self._parts: dict[int, dict[int, NDArray[np.bool_]]] = {}  # by slot and place: what came
        self._ticks = 0
        self.passed = np.zeros(0, np.bool_)  # whose time went on in the last tick
        self._deep = np.zeros(0, np.intp)  # slots whose next two frames are to be joined
        self.joined = np.zeros(capacity, np.bool_)  # the frame taken next is two in one
        self.target = np.zeros(capacity, np.intp)
        self.late = np.zeros(capacity, np.int64)
        self.duplicates = np.zeros(capacity, np.int64)

    def reset(self, slot: int) -> None:
        """A new leg in this slot."""
        self.restart(slot)
        self._peak[slot] = SAMPLES
        self.target[slot] = PREFILL
        self.late[slot] = self.duplicates[slot] = 0

    def restart(self, slots: int | Slots) -> None:
        """A new stream: what waits is dropped, the next packet begins afresh."""
        self._have[slots] = False
        self._started[slots] = self._playing[slots] = self._starved[slots] = False
        self._low[slots] = DEPTH
        self.joined[slots] = False
        for slot in np.atleast_1d(slots).tolist() if self._parts else ():
            self._parts.pop(slot, None)

    def put(self, slots: Slots, ts: Stamps, frames: Pcm, at: Times) -> None:
        """One frame for each of these slots, all different; `at` in seconds."""
        fresh = ~self._started[slots]
        if fresh.any():
            self._begin(slots[fresh], ts[fresh], _transit(ts, at)[fresh])
        ahead = (ts - self._due_ts[slots]).view(np.int32) // SAMPLES
        astray = (ahead >= DEPTH) | (ahead < FAR_BEHIND)
        if astray.any():
            self.restart(slots[astray])
            self.put(slots, ts, frames, at)
            return
        self._judge(slots, ahead, _transit(ts, at))
        place = (self._due[slots] + ahead) % DEPTH
        new = (ahead >= 0) & ~self._have[slots, place]
        if not new.all():
            self.late[slots[ahead < 0]] += 1
            self.duplicates[slots[(ahead >= 0) & ~new]] += 1
            slots, place, frames = slots[new], place[new], frames[new]
        self._ring[slots, place] = frames
        self._have[slots, place] = True

    def put_any(self, slot: int, ts: int, sound: Pcm, at: float) -> None:
        """A packet of any length: a frame is there when all of its parts are."""
        if len(sound) == SAMPLES:
            self.put(np.array([slot]), np.array([ts], np.uint32), sound[None], np.array([at]))
            return
        while len(sound):
            ahead, start = divmod(self._place(slot, ts, at), SAMPLES)
            part, sound = sound[: SAMPLES - start], sound[SAMPLES - start :]
            if ahead < 0:
                self.late[slot] += 1
            else:
                self._put_part(slot, int(self._due[slot] + ahead) % DEPTH, start, part)
            ts = (ts + len(part)) & MASK

    def _place(self, slot: int, ts: int, at: float) -> int:
        """How many samples ahead of the frame that is due, judged."""
        slots, stamps = np.array([slot]), np.array([ts], np.uint32)
        transit = _transit(stamps, np.array([at]))
        ahead = after(ts, int(self._due_ts[slot]))
        if self._started[slot] and not FAR_BEHIND * SAMPLES <= ahead < DEPTH * SAMPLES:
            self.restart(slot)
        if not self._started[slot]:
            self._begin(slots, stamps, transit)
            ahead = 0
        self._judge(slots, np.array([ahead // SAMPLES], np.int32), transit)
        return ahead

    def _put_part(self, slot: int, place: int, start: int, part: Pcm) -> None:
        parts, end = self._parts.setdefault(slot, {}), start + len(part)
        came = parts.get(place)
        if self._have[slot, place] or (came is not None and came[start:end].all()):
            self.duplicates[slot] += 1
            return
        if came is None:
            came = parts[place] = np.zeros(SAMPLES, np.bool_)
            self._ring[slot, place] = 0
        self._ring[slot, place, start:end] = part
        came[start:end] = True
        if came.all():
            self._have[slot, place] = True
            del parts[place]

    def _begin(self, slots: Slots, ts: Stamps, transit: Stamps) -> None:
        self._due_ts[slots] = ts
        self._due[slots] = 0
        self._floor[slots] = transit
        self._started[slots] = True

    def _judge(self, slots: Slots, ahead: NDArray[np.int32], transit: Stamps) -> None:
        """Remember how late packets come: by the clock, and by having been missed when due."""
        late = (transit - self._floor[slots]).view(np.int32)
        if (early := late < 0).any():
            self._floor[slots[early]] = transit[early]
        self._peak[slots] = np.maximum(self._peak[slots] * FORGET, late)
        starved = self._starved[slots]
        if starved.any():
            missed = slots[starved & (ahead == 0)]
            self._peak[missed] = np.maximum(self._peak[missed], self.target[missed] * SAMPLES)
            self._starved[slots[starved]] = False

    def take(self, slots: Slots) -> tuple[Pcm, NDArray[np.bool_]]:
        """The frame due for each of these slots, and whether there is one; silence if not."""
        if self._parts:
            self._give_up_parts()
        if len(self._deep):
            self._join()
        waiting = self._have[slots].sum(axis=1)
        playing = self._playing[slots]
        if not playing.all():
            ready = ~playing & (waiting >= self.target[slots]) & (waiting > 0)
            self._start(slots[ready])
            playing |= ready
        due = self._due[slots]
        frames = self._ring[slots, due]
        present = self._have[slots, due] & playing
        if present.all():
            self._have[slots, due] = False
        else:
            self._have[slots[present], due[present]] = False
            frames[~present] = 0
            starved = slots[playing & (waiting == 0)]
            self._playing[starved] = False
            self._starved[starved] = True
        self.passed = move = playing & (waiting > 0)
        self._due[slots] = (due + move) % DEPTH
        self._due_ts[slots] += (move * SAMPLES).astype(np.uint32)
        self._low[slots] = np.minimum(self._low[slots], waiting - present)
        self._ticks += 1
        if self._ticks % REVIEW == 0:
            self._review(slots)
        return frames, present

    def heard(self, slot: int) -> int:
        """The timestamp of the frame that was taken last."""
        return int(self._due_ts[slot]) - SAMPLES & MASK

    def _give_up_parts(self) -> None:
        """Of a frame that is due, while others wait behind it, no more will come in time."""
        for slot, parts in self._parts.items():
            due = int(self._due[slot])
            if due in parts and self._playing[slot] and self._have[slot].any():
                self._have[slot, due] = True
                del parts[due]

    def _start(self, slots: Slots) -> None:
        """Begin to play at the first frame there is."""
        turned = (self._due[slots, None] + np.arange(DEPTH)) % DEPTH
        skip = self._have[slots[:, None], turned].argmax(axis=1)
        self._skip(slots, skip)
        self._playing[slots] = True
        self._low[slots] = DEPTH

    def _skip(self, slots: Slots, frames: NDArray[np.intp]) -> None:
        if self._parts:
            for slot, due, count in zip(*map(list, (slots, self._due[slots], frames)), strict=True):
                for place in range(due, due + count):
                    self._parts.get(slot, {}).pop(place % DEPTH, None)
        self._due[slots] = (self._due[slots] + frames) % DEPTH
        self._due_ts[slots] += np.uint32(SAMPLES) * frames.astype(np.uint32)

    def _review(self, slots: Slots) -> None:
        """Once a second: set the targets, and join two frames where one too many always waits."""
        self._floor[slots] += np.uint32(DRIFT)
        target = 1 + ((self._peak[slots] + SLACK) // SAMPLES).astype(np.intp)
        self.target[slots] = target = np.clip(target, 1, MOST)
        spare = self._low[slots] - target
        self._low[slots] = DEPTH
        deep = self._playing[slots] & (spare >= 0)
        if deep.any():
            slots, spare = slots[deep], spare[deep]
            quiet = np.abs(self._ring[slots, self._due[slots]]).max(axis=1) < QUIET
            self._deep = slots[quiet | (spare >= 1)]

    def _join(self) -> None:
        """Make one frame of the one that is due and the one after it, where both are there."""
        slots, self._deep = self._deep, self._deep[:0]
        both = self._have[slots, self._due[slots]]
        both &= self._have[slots, (self._due[slots] + 1) % DEPTH]
        slots = slots[both & self._playing[slots]]
        due, following = self._due[slots], (self._due[slots] + 1) % DEPTH
        self._ring[slots, following] = joined(self._ring[slots, due], self._ring[slots, following])
        self._have[slots, due] = False
        self._skip(slots, np.ones_like(slots))
        self.joined[slots] = True


def joined(first: Pcm, second: Pcm) -> Pcm:
    """Frames that begin as the first do and end as the second: no step is heard at either end."""
    made: Pcm = np.rint(first + _RISING * (second.astype(np.float32) - first)).astype(np.int16)
    return made


def after(ts: int, other: int) -> int:
    """By how much one timestamp comes after another; negative before it."""
    return ((ts - other + 0x80000000) & MASK) - 0x80000000


def _transit(ts: Stamps, at: Times) -> Stamps:
    """How long a packet was under way, in samples, plus an unknown constant; wraps like `ts`."""
    return (at * RATE).astype(np.int64).astype(np.uint32) - ts
