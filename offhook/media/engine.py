"""The media engine: packets and the time in, packets and events out. No sockets, no clock.

Time is cut into ticks of 20 ms from the engine's beginning. In each, every leg hears a frame (from
its jitter buffer, or from the other end of its wire) and says one (its room, its player, its echo).
What a wire carries is heard at its other end in the same tick; a room mixes what was heard before.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import replace
from random import Random

import numpy as np

from offhook.media.clip import FRAME, SAMPLES
from offhook.media.codecs import Pcm
from offhook.media.coding import Coder, agree
from offhook.media.concealing import Concealment
from offhook.media.inband import InBand
from offhook.media.keying import Keying
from offhook.media.masks import some
from offhook.media.mixing import add
from offhook.media.orders import Event, RecorderOrder, Remote, Stats
from offhook.media.output import Output
from offhook.media.players import Cadence, Players, render
from offhook.media.ports import MediaFull
from offhook.media.receiving import Receivers
from offhook.media.recorders import Pause, Recorders
from offhook.media.reports import Reports
from offhook.media.rooms import Rooms, Seat
from offhook.media.rtp import Batch
from offhook.media.secure import Locks
from offhook.media.sending import Senders
from offhook.media.wires import Wires

CAPACITY = 2048  # legs of one engine; memory is taken as they come


class Engine:
    """Legs are named by the caller's ids; each lives in a slot, the index of all arrays.

    `now` is told to it before each order: seconds since its beginning. Orders to a leg that is
    closed do nothing.
    """

    now = 0.0

    def __init__(self, random: Random, capacity: int = CAPACITY) -> None:
        self._free = list(range(capacity))  # a heap: low slots first, so that arrays stay dense
        self._slot: dict[int, int] = {}
        self._leg: dict[int, int] = {}
        self._sound = np.zeros((2, capacity, SAMPLES), np.int16)  # heard from, said to, far ends
        self._present = np.zeros((2, capacity), np.bool_)
        self._arrived = np.zeros(capacity, np.bool_)  # present and not made up
        self._remote: dict[int, Remote] = {}  # of connected RTP legs
        self._taps: set[int] = set()
        self._echoes: set[int] = set()
        self._by_ear: set[int] = set()  # whose keys are tones
        self._sending: set[int] = set()
        self._patience: dict[int, float] = {}  # seconds without packets until `dead`
        self._may_die = math.inf  # before then nobody's patience is over
        self._coders: dict[int, Coder] = {}  # of legs whose codec is no table
        self._senders = Senders(capacity, random, self._coders)
        self._rooms, self._wires = Rooms(), Wires()
        self._keying = Keying(self._remote, self._wires, self._rooms, self._senders, self._tell_key)
        self._concealment = Concealment(capacity, random)
        self._receivers = Receivers(capacity, self._keying.heard, self._calm, self._coders)
        self._locks = Locks()
        self._in_band = InBand(capacity)
        self._reports = Reports(self._senders, self._receivers, random)
        self._players = Players(capacity)
        self._recorders = Recorders(2 * capacity)
        self._output = Output()
        self._tick = 0
        self._heeded: set[int] = set()  # RTP legs to whom somebody listens
        self._layout()
        self.rows = self._senders.rows
        self.targets = self._receivers.targets

    # Legs

    def open_rtp(self, leg: int) -> int:
        """The leg's slot, by which packets are addressed. Raises MediaFull."""
        slot = self._open(leg)
        self._receivers.open(slot, self.now)
        for each in (self._senders, self._reports, self._in_band, self._concealment):
            each.open(slot)
        return slot

    def open_wire(self, leg: int, other: int) -> None:
        self._wires.open(self._open(leg), self._open(other))

    def _open(self, leg: int) -> int:
        if not self._free:
            raise MediaFull("the engine has no room for another leg")
        slot = heapq.heappop(self._free)
        self._slot[leg], self._leg[slot] = slot, leg
        self._sound[:, slot] = 0
        self._present[:, slot] = self._arrived[slot] = False
        self._stale = True
        return slot

    def connect(self, leg: int, remote: Remote) -> None:
        """Agreed, or agreed anew, with the far end."""
        if (slot := self._slot.get(leg)) is None:
            return
        self._remote[slot] = remote
        if remote.web:
            self._locks.expect(slot)
        else:
            self._locks.agree(slot, remote.srtp)
        agree(self._coders, slot, remote.codec)
        _enter(self._by_ear, slot, self._keying.by_ear(slot))
        _enter(self._sending, slot, remote.send)
        self._receivers.connect(slot, remote, self.now)
        self._reports.connect(slot, remote.codec)
        self._senders.connect(slot, remote.codec, remote.payload_type)
        for batch in self._receivers.early(slot, self.now):
            self._receivers.receive(self._locks.open(batch))
        self._stale = True

    def close(self, leg: int) -> None:
        """The leg is gone; `closed` tells how it fared."""
        if (slot := self._slot.pop(leg, None)) is None:
            return
        self._catch_up()
        self._done(self._players.stop(slot) + self._keying.keypad.stop(slot))
        self._output.blocks += self._recorders.without(slot)
        self._rooms.leave(slot)
        self._tell(Event("closed", leg, self._account(slot)))
        self._forget(slot)

    def _account(self, slot: int) -> Stats:
        """How the leg fared. Its far end is told that we are leaving."""
        if slot not in self._remote:
            return Stats()
        if goodbye := self._locks.seal_report(slot, self._reports.goodbye(slot)):
            self._output.farewells.append((slot, goodbye, self._receivers.reports_to(slot)))
        stats = self._reports.last(slot)
        return replace(stats, refused=stats.refused + self._locks.refused[slot])

    def _forget(self, slot: int) -> None:
        self._wires.close(slot)
        self._receivers.close(slot)
        self._senders.close(slot)
        self._locks.forget(slot)
        self._reports.close(slot)
        for known in (self._remote, self._patience, self._leg, self._coders):
            known.pop(slot, None)
        for legs in (self._taps, self._echoes, self._by_ear, self._sending):
            legs.discard(slot)
        heapq.heappush(self._free, slot)
        self._stale = True

    # What legs say

    def play(self, leg: int, job: int, sound: Pcm, again: bool = False) -> None:
        """The sound, once or until stopped; `done` tells that the job is over, however it ended."""
        slot = self._slot.get(leg)
        self._done([job] if slot is None else self._players.start(slot, job, sound, again))

    def play_tone(self, leg: int, job: int, cadence: Cadence) -> None:
        self.play(leg, job, render(cadence), again=True)

    def press(self, leg: int, job: int, digits: str) -> None:
        """Press keys, one after the other, after those being pressed."""
        if (slot := self._slot.get(leg)) is None:
            self._done([job])
        else:
            self._keying.keypad.press(slot, [job], digits)

    def stop(self, leg: int, job: int) -> None:
        """End a job at once."""
        if (slot := self._slot.get(leg)) is None:
            return
        self._done(self._players.stop(slot, job) + self._keying.keypad.stop(slot, job))

    def echo(self, leg: int, on: bool) -> None:
        self._switch(self._echoes, leg, on)

    # What is heard

    def tap(self, leg: int, on: bool) -> None:
        """`heard` tells each frame that arrives at this leg."""
        self._switch(self._taps, leg, on)

    def expect(self, leg: int, seconds: float) -> None:
        """`dead` tells, once, that nothing has come for so long; 0 stops waiting."""
        if (slot := self._slot.get(leg)) is not None:
            self._patience[slot] = seconds
            if seconds:
                self._may_die = min(self._may_die, self._alive_at(slot) + seconds)

    def report(self, slot: int, data: bytes) -> None:
        """RTCP that arrived."""
        self._reports.receive(slot, self._locks.open_report(slot, data), self.now)

    def _switch(self, legs: set[int], leg: int, on: bool) -> None:
        if (slot := self._slot.get(leg)) is not None:
            _enter(legs, slot, on)
            self._stale = True

    def _calm(self, slot: int, payload: bytes) -> None:
        self._concealment.calm(slot, payload)
        self._stale = True

    # Rooms

    def open_room(self, room: int) -> None:
        self._rooms.open(room)

    def close_room(self, room: int) -> None:
        self._rooms.close(room)
        self._stale = True

    def sit(self, room: int, leg: int, speaks: bool, hears: bool) -> None:
        if (slot := self._slot.get(leg)) is not None:
            self._rooms.sit(room, Seat(slot, speaks, hears))
            self._stale = True

    def leave(self, room: int, leg: int) -> None:
        if (slot := self._slot.get(leg)) is not None:
            self._rooms.leave(slot, room)
            self._stale = True

    def mute(self, leg: int, on: bool) -> None:
        if (slot := self._slot.get(leg)) is not None:
            self._rooms.mute(slot, on)

    # Recorders

    def record(self, recorder: int, order: RecorderOrder) -> None:
        """Record from now on; blocks of samples follow, the last with the outcome."""
        self._catch_up()
        known, ways = self._slot, {"in": 0, "out": 1}
        tracks = tuple(
            tuple((ways[way], known[leg]) for leg, way in track if leg in known)
            for track in order.tracks
        )
        frames = max(1, round(order.max_seconds / FRAME))
        quiet = round(order.silence_seconds / FRAME)
        self._recorders.start(recorder, tracks, frames, quiet, order.trim)
        self._stale = True
        if not any(tracks):
            self._output.blocks += self._recorders.stop(recorder, "ended")

    def pause_recorder(self, recorder: int, pause: Pause) -> None:
        self._catch_up()
        self._recorders.pause(recorder, pause)

    def stop_recorder(self, recorder: int) -> None:
        self._catch_up()
        self._output.blocks += self._recorders.stop(recorder, "stopped")

    # Time

    def due(self) -> float | None:
        """When `process` wants to be called next; None while nothing can be heard or ends."""
        if self._busy():
            return (self._tick + 1) * FRAME
        limit = self._recorders.ticks_to_limit()
        return None if limit is None else (self._tick + limit) * FRAME

    def _busy(self) -> bool:
        if self._remote or self._players or self._keying.keypad:
            return True
        return some(self._present[0, self._wires.ends])

    def _catch_up(self) -> None:
        """Account for time that passed while nothing was due."""
        if not self._busy():
            self._pass(int(self.now / FRAME + 1e-6) - self._tick)

    def _pass(self, ticks: int) -> None:
        if ticks > 0:  # nothing was due, or we came late: what was said then is not known
            self._senders.advance(self._top, ticks)
            self._output.blocks += self._recorders.fill(ticks, live=not self._busy())
            self._tick += ticks

    def collect(self) -> Output:
        """What orders have given since the last call."""
        output, self._output = self._output, Output()
        return output

    def process(self, batches: Iterable[Batch], at: float) -> Output:
        """One tick. Ticks that were missed pass in silence; nothing is made up for."""
        self.now = at
        if self._stale:
            self._layout()
        self._pass(round(at / FRAME) - self._tick - 1)
        self._tick += 1
        for batch in batches:
            self._receivers.receive(self._locks.open(batch))
        self._hear()
        self._say()
        self._send()
        self._wires.carry(self._sound, self._present, self._arrived)
        self._overhear()
        self._review()
        self._locks.seal(self._output, self.rows)
        return self.collect()

    def _layout(self) -> None:
        self._top = max(self._leg, default=-1) + 1
        self._rtp = np.zeros(self._top, np.bool_)
        self._rtp[list(self._remote)] = True
        self._sends = np.zeros(self._top, np.bool_)
        self._media = sorted(self._sending - self._coders.keys())
        self._sends[self._media] = True
        self._coded = sorted(self._sending & self._coders.keys())
        self._listens = np.array(sorted(self._by_ear), np.intp)
        self._heed()
        self._stale = False

    def _heed(self) -> None:
        """Of all that comes, only what somebody listens to is made sound."""
        heeded = self._by_ear | self._taps | self._echoes | self._rooms.seated
        heeded |= self._recorders.heard | self._concealment.noisy
        heeded &= self._remote.keys()
        for slot in heeded - self._heeded:
            self._concealment.begin(slot)
        self._heeded, self._hears = heeded, np.array(sorted(heeded), np.intp)

    def _hear(self) -> None:
        if not self._remote:
            return
        came, heeded = self._receivers.take(self._top), self._hears
        for there in (self._arrived, self._present[0]):
            np.copyto(there[: self._top], came, where=self._rtp)
        if len(heeded):
            frames, present = self._receivers.frames(heeded)
            self._concealment.fill(heeded, frames, present, self._sound[0, heeded])
            self._sound[0, heeded] = frames
            self._present[0, heeded] = present
        if len(self._listens):
            for slot, key in self._in_band.hear(self._listens, self._sound[0, self._listens]):
                self._keying.heard(slot, key)

    def _say(self) -> None:
        heard, said = self._sound[0, : self._top], self._sound[1, : self._top]
        present, sounds = self._present[0, : self._top], self._present[1, : self._top]
        said.fill(0)
        sounds.fill(False)
        if self._rooms:
            self._rooms.mix(heard, present, said, sounds)
        if self._echoes:
            slots = np.fromiter(self._echoes, np.intp)
            slots = slots[present[slots]]
            add(said, sounds, slots, heard[slots])
        if self._players:
            self._done(self._players.play(said, sounds))

    def _send(self) -> None:
        """Packets of all RTP legs, each a sound or, while a key is pressed, an event."""
        self._senders.mark()
        said, sends, media = self._sound[1, : self._top], self._sends, self._media
        coded = self._coded
        if self._keying.keypad:
            self._output.packets, over = self._keying.send(self._sound[1], self._present[1])
            self._done(over)
            pressing = [slot for slot, _ in self._output.packets]
            sends = sends.copy()
            sends[pressing] = False
            media = np.flatnonzero(sends).tolist()
            coded = [slot for slot in coded if slot not in pressing]
        self._output.packets += self._senders.encode(coded, said)
        if media:
            self._senders.pack(said, sends)
            self._output.media = media
        self._senders.advance(self._top, 1)

    def _overhear(self) -> None:
        for slot in self._taps:
            if self._arrived[slot]:
                self._tell(Event("heard", self._leg[slot], self._sound[0, slot].tobytes()))
        if self._recorders:
            live = np.array((self._arrived[: self._top], self._present[1, : self._top]))
            live[0, self._wires.ends] = True  # a simulated phone is never cut off, only silent
            self._output.blocks += self._recorders.record(self._sound, live)

    def _review(self) -> None:
        due, where = self._reports.due(self._tick, self.now), self._receivers.reports_to
        self._output.reports += [(slot, report, where(slot)) for slot, report in due]
        if self.now > self._may_die:
            self._bury()

    def _bury(self) -> None:
        self._may_die = math.inf
        for slot, seconds in [each for each in self._patience.items() if each[1]]:
            until = self._alive_at(slot) + seconds
            if self.now > until and slot in self._remote:
                del self._patience[slot]
                self._tell(Event("dead", self._leg[slot]))
            else:
                self._may_die = min(self._may_die, until)

    def _alive_at(self, slot: int) -> float:
        """When its far end was last heard, or heard of."""
        return max(float(self._receivers.heard_at[slot]), self._reports.alive_at(slot))

    # What is told

    def _tell_key(self, slot: int, key: str) -> None:
        self._tell(Event("key", self._leg[slot], key))

    def _done(self, jobs: Iterable[int]) -> None:
        for job in jobs:
            self._tell(Event("done", job))

    def _tell(self, event: Event) -> None:
        self._output.events.append(event)


def _enter(legs: set[int], slot: int, on: bool) -> None:
    (legs.add if on else legs.discard)(slot)
