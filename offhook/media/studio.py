"""An engine with a shelf of clips and recordings on disk: what one worker runs."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import numpy as np

from offhook.media.clip import Clip
from offhook.media.codecs import Pcm
from offhook.media.engine import Engine
from offhook.media.orders import Event, Recorded, RecorderOrder, Remote, Stats, Tally
from offhook.media.output import Output
from offhook.media.recorders import Block
from offhook.media.rtp import Address, Batch
from offhook.media.wav import WavFile
from offhook.media.web import Doors

NO_KEYS = "no keys were agreed on with the browser"
SHELF = 64 * 2**20  # bytes of clips kept in memory

Aside = Callable[[Callable[[], Any], Callable[[Any], None]], None]


class Studio(Engine):
    """`aside(work, then)` does work that may wait for a disk, in order, and hands its result to
    `then` where the engine's methods may be called."""

    def __init__(self, random: Random, aside: Aside, tell: Callable[[Event], None]) -> None:
        super().__init__(random)
        self._aside = aside
        self._announce = tell
        self._shelf = Shelf()
        self._loading: set[int] = set()
        self.late_ticks = 0  # counted by whoever has the clock
        self._files: dict[int, WavFile] = {}
        self.doors = Doors()

    def connect(self, leg: int, remote: Remote) -> None:
        """As the engine does; a browser is where its checks come from, not where it says."""
        super().connect(leg, remote)
        slot = self._slot.get(leg)
        if slot is not None and (at := self.doors.agree(slot, remote)):
            self._receivers.move(slot, at)

    def pressed(self, leg: int, key: str) -> None:
        """The far end pressed a key, says its signalling."""
        if (slot := self._slot.get(leg)) is not None:
            self._keying.heard(slot, key)

    def enter(self, slot: int, data: bytes, source: Address) -> bytes:
        """A datagram to one of `doors`: its RTP, as sealed as it came, or nothing."""
        came = self.doors.receive(slot, data, source, self.now)
        self._locks.refused[slot] += came.failed or not came.known
        self._output.replies += [(slot, reply, source) for reply in came.replies]
        if came.at:
            self._receivers.move(slot, came.at)
        if came.keys:
            self._locks.agree(slot, came.keys)
        if came.failed:
            self._tell(Event("dead", self._leg[slot], NO_KEYS))
        if came.report:
            self.report(slot, came.report)
        return came.packet

    def process(self, batches: Iterable[Batch], at: float) -> Output:
        """As the engine does; some get everything on one port."""
        output = super().process(batches, at)
        if shared := self.doors.slots:
            output.replies += self.doors.again(at)
            output.replies += [one for one in output.reports if one[0] in shared]
            output.reports = [one for one in output.reports if one[0] not in shared]
        return output

    def _account(self, slot: int) -> Stats:
        """As the engine does; some hear of it on their only port."""
        stats, shared, output = super()._account(slot), self.doors.slots, self._output
        output.replies += [one for one in output.farewells if one[0] in shared]
        output.farewells = [one for one in output.farewells if one[0] not in shared]
        return stats

    def _forget(self, slot: int) -> None:
        super()._forget(slot)
        self.doors.forget(slot)

    def play_clip(self, leg: int, job: int, clip: Clip) -> None:
        """As `play`, from when the clip is read. One that cannot be read is over at once."""
        if (sound := self._shelf.find(clip)) is not None:
            self.play(leg, job, sound)
            return

        def play(sound: Pcm) -> None:
            self._shelf.keep(clip, sound)
            if job in self._loading:
                self._loading.discard(job)
                self.play(leg, job, sound)

        self._loading.add(job)
        self._aside(lambda: read(clip), play)

    def stop(self, leg: int, job: int) -> None:
        self._loading.discard(job)
        super().stop(leg, job)

    def tally(self, job: int) -> None:
        """`tallied` tells what became of everybody's packets so far."""
        total = self._reports.total(self._remote) + Tally(late_ticks=self.late_ticks)
        self._announce(Event("tallied", job, total))

    def record(self, recorder: int, order: RecorderOrder) -> None:
        """As the engine does, to `order.path`."""

        def start() -> None:
            self._files[recorder] = WavFile(order.path, len(order.tracks))

        self._aside(lambda: _survive(start), lambda _: None)
        super().record(recorder, order)

    def write(self, blocks: Iterable[Block]) -> None:
        """Blocks that the engine gave go to their files; `recorded` tells when one is complete."""
        for block in blocks:
            self._aside(partial(self._write, block), self._written)

    def _write(self, block: Block) -> Event | None:
        file = self._files.get(block.id)
        failed = file is None or not _survive(lambda: file.write(block.samples))
        if block.outcome is None:
            return None
        self._files.pop(block.id, None)
        outcome = block.outcome
        held = min(outcome.seconds, file.seconds) if file else 0.0
        if file is None or not _survive(lambda: file.close(held)) or failed:
            outcome = replace(outcome, reason="failed")
        if held < outcome.seconds:
            outcome = Recorded(held, "failed", outcome.frames if held else 0, silent=not held)
        return Event("recorded", block.id, outcome)

    def _written(self, event: Event | None) -> None:
        if event is not None:
            self._announce(event)


class Shelf:
    """Clips in memory, those used last, by path, identity and length of their file.

    The date of a clip's file is when it was last used, and says nothing of its content.
    """

    def __init__(self) -> None:
        self._clips: OrderedDict[tuple[str, int, int], Pcm] = OrderedDict()
        self._bytes = 0

    def find(self, clip: Clip) -> Pcm | None:
        """The sound if it is at hand."""
        if not clip.path:
            return np.frombuffer(clip.pcm[: len(clip.pcm) & ~1], "<i2")
        key = _state(clip.path)
        if key not in self._clips:
            return None
        self._clips.move_to_end(key)
        return self._clips[key]

    def keep(self, clip: Clip, sound: Pcm) -> None:
        """It was read just now, perhaps for several at once."""
        key = _state(clip.path)
        if key in self._clips or not len(sound):
            return
        self._bytes += sound.nbytes
        self._clips[key] = sound
        while self._bytes > SHELF:
            self._bytes -= self._clips.popitem(last=False)[1].nbytes


def read(clip: Clip) -> Pcm:
    """The sound of a file; none when it cannot be read."""
    try:
        sound: Pcm = np.fromfile(clip.path, "<i2")
    except OSError:
        sound = np.zeros(0, np.int16)
    return sound


def _state(path: str) -> tuple[str, int, int]:
    try:
        stat = os.stat(path)
    except OSError:
        return path, 0, 0
    return path, stat.st_ino, stat.st_size


def _survive(work: Callable[[], None]) -> bool:
    """Whether it could be done: a full disk ends a recording, not the calls."""
    try:
        work()
    except OSError:
        return False
    return True
