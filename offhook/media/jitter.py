"""Jitter buffers of all legs at once: packets in at any time, one frame a tick out.

Each leg has a ring of eight frames, addressed by how far a packet's timestamp lies ahead of the
frame that is due. Playing starts when `target` frames wait and starts over when none is left;
`target` follows how late packets come, from one frame to five. Where one frame too many always
waits, two become one: the first fades out while the second fades in.

Frames lie in their ring as they came, as G.711, until somebody asks for their sound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offhook.media import codecs
from offhook.media.clip import RATE, SAMPLES
from offhook.media.codecs import PCMA, PCMU, Bytes, Pcm
from offhook.media.masks import Mask, every, some

Slots = NDArray[np.intp]
Stamps = NDArray[np.uint32]
Times = NDArray[np.float64]

DEPTH = 8  # frames in a ring, and bits of a byte
PREFILL = 2  # frames, until a leg has shown how regular it is
MOST = 5  # frames that are waited for at most
FAR_BEHIND = -100  # frames: not late any more but a sender that set its clock anew
DOUBTFUL = 3  # late packets, while nothing else comes, by which it has set it back by less
FORGET = 0.999  # what is left of the worst lateness, each packet: a quarter after 28 s
SLACK = 120  # samples by which a target is rounded up: a worst lateness under 5 ms counts as none
REVIEW = 50  # ticks between two looks at whether a buffer is deeper than it needs to be
DRIFT = 5  # samples a review by which a sender's clock may fall behind ours unnoticed
QUIET = 400  # frames whose peak is below this are joined before others
MASK = 0xFFFFFFFF

_BITS = np.arange(1 << DEPTH, dtype=np.uint8)[:, None] >> np.arange(DEPTH, dtype=np.uint8) & 1
_HOW_MANY = _BITS.sum(axis=1, dtype=np.int8)  # frames that wait
_LOWEST = _BITS.argmax(axis=1)  # how far ahead the first of them is
_BIT = np.zeros(DEPTH - FAR_BEHIND, np.uint8)  # of a frame so far ahead; none for one that is late
_BIT[:DEPTH] = 1 << np.arange(DEPTH)
_FRAME = np.array([0, SAMPLES], np.uint32)
_RISING = np.linspace(0, 1, SAMPLES, dtype=np.float32)


class JitterBuffers:
    """Arrays indexed by slot. Timestamps are 32 bits and wrap; only their differences are used."""

    def __init__(self, capacity: int) -> None:
        self._ring = np.zeros((capacity, DEPTH, SAMPLES), np.uint8)
        self._alaw = np.zeros(capacity, np.bool_)  # what is in the ring is A-law
        self._have = np.zeros(capacity, np.uint8)  # bit n: the frame n after the one that is due
        self._due = np.zeros(capacity, np.intp)  # place in the ring of the frame played next
        self._due_ts = np.zeros(capacity, np.uint32)
        self._started = np.zeros(capacity, np.bool_)
        self._playing = np.zeros(capacity, np.bool_)
        self._starved = np.zeros(capacity, np.bool_)  # ran out while playing
        self._any_starved = False
        self._doubts = np.zeros(capacity, np.int8)  # late packets since it ran out
        self._floor = np.zeros(capacity, np.uint32)  # least transit seen, in samples
        self._peak = np.zeros(capacity)  # worst lateness seen lately, in samples
        self._low = np.zeros(capacity, np.int8)  # fewest frames left after a tick since the review
        self._parts: dict[int, dict[int, Mask]] = {}  # by slot and place: what came
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
        self._have[slots] = 0
        self._started[slots] = self._playing[slots] = self._starved[slots] = False
        self._low[slots] = DEPTH
        self._doubts[slots] = 0
        self.joined[slots] = False
        for slot in np.atleast_1d(slots).tolist() if self._parts else ():
            self._parts.pop(slot, None)

    def speak(self, slot: int, alaw: bool) -> None:
        """Its frames come in this law from now on; those that wait are put into it."""
        if alaw != self._alaw[slot]:
            waiting = codecs.decode(self._law(slot), self._ring[slot])
            self._alaw[slot] = alaw
            self._ring[slot] = codecs.encode(self._law(slot), waiting)

    def put(self, slots: Slots, ts: Stamps, frames: Bytes, transit: Stamps) -> None:
        """One frame for each of these slots, all different, so long `under_way`."""
        started = self._started[slots]
        if not every(started):
            fresh = ~started
            self._begin(slots[fresh], ts[fresh], transit[fresh])
        ahead = (ts - self._due_ts[slots]).view(np.int32) // SAMPLES
        astray = (ahead - FAR_BEHIND).view(np.uint32) >= DEPTH - FAR_BEHIND
        if some(astray):
            self.restart(slots[astray])
            self.put(slots, ts, frames, transit)
            return
        self._judge(slots, ahead, transit)
        have, bit = self._have[slots], _BIT[ahead]
        new = bit & ~have != 0
        if not every(new):
            self._doubt(slots[ahead < 0])
            self.duplicates[slots[(ahead >= 0) & ~new]] += 1
            slots, ahead, frames = slots[new], ahead[new], frames[new]
            have, bit = have[new], bit[new]
        self._ring[slots, self._due[slots] + ahead & DEPTH - 1] = frames
        self._have[slots] = have | bit

    def put_any(self, slot: int, ts: int, sound: Bytes, at: float) -> None:
        """A packet of any length: a frame is there when all of its parts are."""
        if len(sound) == SAMPLES:
            stamps = np.array([ts], np.uint32)
            self.put(np.array([slot]), stamps, sound[None], under_way(stamps, at))
            return
        while len(sound):
            ahead, start = divmod(self._place(slot, ts, at), SAMPLES)
            part, sound = sound[: SAMPLES - start], sound[SAMPLES - start :]
            if ahead < 0:
                self._doubt(np.array([slot]))
            else:
                self._put_part(slot, ahead, start, part)
            ts = (ts + len(part)) & MASK

    def _doubt(self, late: Slots) -> None:
        """These packets are too late; where that is all that comes, the next one begins afresh."""
        self.late[late] += 1
        dry = late[(self._have[late] == 0) & ~self._playing[late]]
        self._doubts[dry] += 1
        if len(lost := dry[self._doubts[dry] >= DOUBTFUL]):
            self.restart(lost)
            self._peak[lost] = SAMPLES  # they were not late

    def _place(self, slot: int, ts: int, at: float) -> int:
        """How many samples ahead of the frame that is due, judged."""
        slots, stamps = np.array([slot]), np.array([ts], np.uint32)
        late = under_way(stamps, at)
        ahead = after(ts, int(self._due_ts[slot]))
        if self._started[slot] and not FAR_BEHIND * SAMPLES <= ahead < DEPTH * SAMPLES:
            self.restart(slot)
        if not self._started[slot]:
            self._begin(slots, stamps, late)
            ahead = 0
        self._judge(slots, np.array([ahead // SAMPLES], np.int32), late)
        return ahead

    def _put_part(self, slot: int, ahead: int, start: int, part: Bytes) -> None:
        bit, place = 1 << ahead, int(self._due[slot] + ahead) % DEPTH
        parts, end = self._parts.setdefault(slot, {}), start + len(part)
        came = parts.get(place)
        if self._have[slot] & bit or (came is not None and came[start:end].all()):
            self.duplicates[slot] += 1
            return
        if came is None:
            came = parts[place] = np.zeros(SAMPLES, np.bool_)
            self._ring[slot, place] = codecs.SILENCE[self._law(slot)]
        self._ring[slot, place, start:end] = part
        came[start:end] = True
        if came.all():
            self._have[slot] |= bit
            del parts[place]

    def _begin(self, slots: Slots, ts: Stamps, transit: Stamps) -> None:
        self._due_ts[slots] = ts
        self._due[slots] = 0
        self._floor[slots] = transit
        self._started[slots] = True

    def _judge(self, slots: Slots, ahead: NDArray[np.int32], transit: Stamps) -> None:
        """Remember how late packets come: by the clock, and by having been missed when due."""
        late = (transit - self._floor[slots]).view(np.int32)
        peak = self._peak[slots] = np.maximum(self._peak[slots] * FORGET, late)
        if some(early := late < 0):
            self._floor[slots[early]] = transit[early]
        if self._any_starved:
            starved = self._starved[slots]
            missed = starved & (ahead == 0)
            short = slots[missed]
            self._peak[short] = np.maximum(peak[missed], self.target[short] * SAMPLES)
            self._starved[slots[starved]] = False
            self._any_starved = some(self._starved)

    def take(self, top: int) -> Mask:
        """Time goes on by a frame for all slots below `top`: whose frame has come. `frames` has
        them until the next `put`."""
        if self._parts:
            self._give_up_parts()
        if len(self._deep):
            self._join()
        have, playing = self._have[:top], self._playing[:top]
        waiting = have != 0
        if some(waiting > playing):
            ready = (waiting > playing) & (_HOW_MANY[have] >= self.target[:top])
            self._start(np.flatnonzero(ready))
        self.passed = passed = waiting & playing
        if some(starved := playing > waiting):
            self._playing[:top][starved] = False
            self._starved[:top][starved] = self._any_starved = True
        came: Mask = (have & passed).view(np.bool_)
        have >>= passed
        self._due[:top] += passed
        self._due[:top] &= DEPTH - 1
        self._due_ts[:top] += _FRAME[passed.view(np.uint8)]
        np.minimum(self._low[:top], _HOW_MANY[have], out=self._low[:top])
        self._ticks += 1
        if self._ticks % REVIEW == 0:
            self._review(top)
        return came

    def frames(self, slots: Slots) -> Pcm:
        """The sound of the frames that `take` has taken; anything where none came."""
        return self._decoded(slots, self._due[slots] - 1 & DEPTH - 1)

    def _decoded(self, slots: Slots, places: Slots) -> Pcm:
        frames, alaw = self._ring[slots, places], self._alaw[slots]
        sound = codecs.decode(PCMU, frames)
        if some(alaw):
            sound[alaw] = codecs.decode(PCMA, frames[alaw])
        return sound

    def _law(self, slot: int) -> int:
        return PCMA if self._alaw[slot] else PCMU

    def heard(self, slot: int) -> int:
        """The timestamp of the frame that was taken last."""
        return int(self._due_ts[slot]) - SAMPLES & MASK

    def _give_up_parts(self) -> None:
        """Of a frame that is due, while others wait behind it, no more will come in time."""
        for slot, parts in self._parts.items():
            due = int(self._due[slot])
            if due in parts and self._playing[slot] and self._have[slot]:
                self._have[slot] |= 1
                del parts[due]

    def _start(self, slots: Slots) -> None:
        """Begin to play at the first frame there is."""
        self._skip(slots, _LOWEST[self._have[slots]])
        self._playing[slots] = True
        self._doubts[slots] = 0
        self._low[slots] = DEPTH

    def _skip(self, slots: Slots, frames: NDArray[np.intp]) -> None:
        if self._parts:
            for slot, due, count in zip(*map(list, (slots, self._due[slots], frames)), strict=True):
                for place in range(due, due + count):
                    self._parts.get(slot, {}).pop(place % DEPTH, None)
        self._have[slots] >>= frames.astype(np.uint8)
        self._due[slots] = (self._due[slots] + frames) % DEPTH
        self._due_ts[slots] += np.uint32(SAMPLES) * frames.astype(np.uint32)

    def _review(self, top: int) -> None:
        """Once a second: set the targets, and join two frames where one too many always waits."""
        self._floor[:top] += np.uint32(DRIFT)
        needed = 1 + (self._peak[:top] + SLACK) // SAMPLES
        self.target[:top] = target = np.clip(needed, 1, MOST).astype(np.intp)
        spare = self._low[:top] - target
        self._low[:top] = DEPTH
        deep = np.flatnonzero(self._playing[:top] & (spare >= 0))
        if len(deep):
            quiet = np.abs(self._decoded(deep, self._due[deep])).max(axis=1) < QUIET
            self._deep = deep[quiet | (spare[deep] >= 1)]

    def _join(self) -> None:
        """Make one frame of the one that is due and the one after it, where both are there."""
        slots, self._deep = self._deep, self._deep[:0]
        slots = slots[(self._have[slots] & 3 == 3) & self._playing[slots]]
        due, following = self._due[slots], (self._due[slots] + 1) % DEPTH
        both = joined(self._decoded(slots, due), self._decoded(slots, following))
        for slot, place, frame in zip(slots.tolist(), following.tolist(), both, strict=True):
            self._ring[slot, place] = codecs.encode(self._law(slot), frame)
        self._skip(slots, np.ones_like(slots))
        self.joined[slots] = True


def joined(first: Pcm, second: Pcm) -> Pcm:
    """Frames that begin as the first do and end as the second: no step is heard at either end."""
    made: Pcm = np.rint(first + _RISING * (second.astype(np.float32) - first)).astype(np.int16)
    return made


def after(ts: int, other: int) -> int:
    """By how much one timestamp comes after another; negative before it."""
    return ((ts - other + 0x80000000) & MASK) - 0x80000000


def under_way(ts: Stamps, at: float | Times) -> Stamps:
    """How long packets took to come, in samples, plus an unknown constant; wraps like `ts`."""
    if isinstance(at, float):
        return np.uint32(int(at * RATE) & MASK) - ts
    return (at * RATE).astype(np.int64).astype(np.uint32) - ts
