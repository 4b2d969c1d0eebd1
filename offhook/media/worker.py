"""A worker process: a studio on real sockets, ticking on absolute deadlines.

Started as `python -m offhook.media.worker FD`, where FD is its end of a stream socket pair. It
reads orders from it, writes events to it, one message each way in a tick, and ends when it closes.
"""

from __future__ import annotations

import errno
import gc
import math
import select
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from random import SystemRandom
from typing import Any

from offhook import clock
from offhook.media.clip import FRAME
from offhook.media.link import Unframer, frame
from offhook.media.orders import Event, Stats
from offhook.media.output import Output
from offhook.media.ports import MediaFull
from offhook.media.rtp import Address
from offhook.media.sockets import Sockets
from offhook.media.studio import Studio

CHUNK = 1 << 16
BACKLOG = 1 << 20  # bytes unread by the main process beyond which it is not told what is heard
LATE = FRAME / 2  # seconds after its time that a tick may begin
GLANCE = 0.005  # seconds between two looks for a disk that is being waited for


class Worker:
    def __init__(self, link: socket.socket) -> None:
        link.setblocking(False)
        self._link = link
        self._unframer = Unframer()
        self._outgoing = bytearray()
        self._events: list[Event] = []
        self._origin = clock.monotonic()
        self._sockets = Sockets()
        self._slots: dict[int, int] = {}
        self._disk = ThreadPoolExecutor(1)
        self._waiting = 0
        self._awaited: float | None = None  # the tick that was waited for
        self._ready: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._studio = Studio(SystemRandom(), self._aside, self._events.append)
        self._sockets.guard(self._studio.doors.slots, self._enter)

    def run(self) -> None:
        """Until the main process is gone; the first message says that it has begun."""
        self._events.append(Event("opened", 0, 0))
        self._tell()
        while self._listen(self._patience()):
            self._take_results()
            due = self._studio.due()
            now = self._now()
            if due is not None and now >= due:
                self._tick(due, now)
            else:
                self._deliver(self._studio.collect())
            if not self._may_wait(due, now):
                self._tell()
        self._disk.shutdown()

    def _may_wait(self, due: float | None, now: float) -> bool:
        """Whether the next tick is soon enough to tell what there is; ports are waited for."""
        soon = due is not None and now < due <= now + FRAME
        urgent = self._outgoing or any(event.kind == "opened" for event in self._events)
        return soon and not urgent

    def _now(self) -> float:
        return clock.monotonic() - self._origin

    def _patience(self) -> float | None:
        """Seconds until there is something to do."""
        due = self._awaited = self._studio.due()
        waits = [] if due is None else [max(0.0, due - self._now())]
        if self._waiting:
            waits.append(GLANCE)
        return min(waits, default=None)

    def _listen(self, patience: float | None) -> bool:
        """Wait for orders and carry them out; False when no more can come.

        With a tick close ahead they wait for it: what they are about begins with a tick anyhow.
        """
        near = self._awaited is not None and patience is not None and patience <= FRAME
        writing = [self._link] if self._outgoing else []
        came, _, _ = select.select([] if near else [self._link], writing, [], patience)
        if near:
            came, _, _ = select.select([self._link], [], [], 0)
        more = bool(came)
        while more:
            try:
                data = self._link.recv(CHUNK)
            except BlockingIOError:
                return True
            except ConnectionError:
                return False
            if not data:
                return False
            for orders in self._unframer.feed(data):
                for name, args in orders:
                    self._obey(name, args)
            more = len(data) == CHUNK
        return True

    def _obey(self, name: str, args: tuple[Any, ...]) -> None:
        """One that fails is reported on standard error and harms nobody else."""
        self._studio.now = self._now()
        try:
            if name == "open_rtp":
                self._open_rtp(*args)
            elif name == "prepare":
                self._prepare(*args)
            else:
                getattr(self._studio, name)(*args)
        except Exception:
            traceback.print_exc()

    def _prepare(self, ip: str, port: int) -> None:
        """`prepared` tells whether it could be done."""
        try:
            self._sockets.prepare(ip, port)
        except OSError as error:
            self._events.append(Event("prepared", port, error.errno))
        else:
            self._events.append(Event("prepared", port, 0))

    def _open_rtp(self, leg: int, ip: str, port: int) -> None:
        """`opened` tells those who wait for it: for ports that were prepared, nobody does."""
        # Legs closed by the same message go first: this one may get the slot of one of them.
        self._deliver(self._studio.collect())
        awaited = not self._sockets.is_prepared(port)
        try:
            self._sockets.prepare(ip, port)
            slot = self._slots[leg] = self._studio.open_rtp(leg)
        except OSError as error:
            self._events.append(Event("opened", leg, error.errno))
        except MediaFull as full:
            self._events += (Event("dead", leg, str(full)), Event("closed", leg, Stats()))
            self._events.append(Event("opened", leg, errno.EMFILE))
        else:
            self._sockets.open(slot, port)
            if awaited:
                self._events.append(Event("opened", leg, 0))

    def _enter(self, slot: int, data: bytes, source: Address) -> bytes:
        """Handshakes are the work of a large library on what strangers send: one that breaks
        harms nobody else."""
        try:
            return self._studio.enter(slot, data, source)
        except Exception:
            traceback.print_exc()
            return b""

    def _tick(self, due: float, now: float) -> None:
        """The tick that is due; after a stall, or a rest, the present one."""
        at = max(due, math.floor(now / FRAME) * FRAME)
        self._studio.late_ticks += due == self._awaited and now - due > LATE
        self._studio.now = now
        batches = self._sockets.drain(now, self._studio.report)
        self._deliver(self._studio.process(batches, at))

    def _deliver(self, output: Output) -> None:
        self._sockets.send(output, self._studio.rows, self._studio.targets)
        self._studio.write(output.blocks)
        for event in output.events:
            if event.kind == "closed" and (slot := self._slots.pop(event.id, None)) is not None:
                self._sockets.close(slot)
        self._events += output.events

    def _tell(self) -> None:
        if self._events:
            if len(self._outgoing) > BACKLOG:
                self._events[:] = [one for one in self._events if one.kind != "heard"]
            self._outgoing += frame(self._events)
            self._events.clear()
        if self._outgoing:
            try:
                sent = self._link.send(self._outgoing)
            except (BlockingIOError, ConnectionError):
                return
            del self._outgoing[:sent]

    def _aside(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        def done(future: Future[Any]) -> None:
            self._ready.append((then, future.result()))

        self._waiting += 1
        self._disk.submit(work).add_done_callback(done)

    def _take_results(self) -> None:
        while self._ready:
            then, result = self._ready.popleft()
            self._waiting -= 1
            self._studio.now = self._now()
            then(result)
            self._deliver(self._studio.collect())


def main() -> None:
    # A small number, whatever the main process's was: `select` takes no other.
    with socket.socket(fileno=int(sys.argv[1])) as given:
        link = given.dup()
    worker = Worker(link)
    gc.collect()
    gc.freeze()
    worker.run()


if __name__ == "__main__":
    main()
