"""The media plane as the main process sees it: legs, rooms and recorders, on asyncio."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from random import Random, SystemRandom
from typing import TypeVar
from weakref import WeakSet

import structlog

from offhook import clock
from offhook.frozen import frozen
from offhook.media import wav
from offhook.media.clip import FRAME
from offhook.media.dtls import identity
from offhook.media.legs import Host, Link, MediaLeg, RtpLeg
from offhook.media.local import LocalHost
from offhook.media.meeting import LOOPBACK, Room
from offhook.media.orders import Direction, Event, Recorded, RecorderOrder, Remote, Stats
from offhook.media.ports import MediaFull, Ports
from offhook.media.remote import WorkerHost
from offhook.media.studio import Studio
from offhook.media.tallies import Tallies

__all__ = [
    "MediaFull",
    "MediaLeg",
    "MediaPlane",
    "RecordOrder",
    "Recorded",
    "Recorder",
    "Remote",
    "Room",
    "RtpLeg",
    "Source",
    "Stats",
]

log = structlog.get_logger("offhook.media")

L = TypeVar("L", bound=RtpLeg)
WORKER_DIED = "the media worker died"
RESPAWN = 1.0  # seconds until the next attempt to start a worker


Source = tuple[MediaLeg, Direction]  # "in": what its far end says; "out": what it hears


@frozen
class RecordOrder:
    """What to record into a WAV file: each channel is the sum of its sources.

    It ends by itself after `max_seconds`, after `silence_seconds` in a row of received silence (0:
    never), or when all its legs have closed. `trim` cuts the silence at both ends off.
    """

    path: str
    channels: tuple[tuple[Source, ...], ...]
    max_seconds: float = 3600
    silence_seconds: float = 0
    trim: bool = False


class Recorder:
    """A recording while it goes on."""

    def __init__(self, host: Host, id: int, path: str) -> None:
        self.id = id
        self.host = host
        self._path = path
        self._outcome: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()

    async def done(self) -> Recorded:
        """How it ended, as soon as it has and the file is complete."""
        return await asyncio.shield(self._outcome)

    async def stop(self) -> Recorded:
        if not self._outcome.done():
            self.host.do(Studio.stop_recorder, self.id)
        return await self.done()

    def pause(self, skip: bool) -> None:
        """Record silence instead of the sound, or nothing at all (`skip`)."""
        self.host.do(Studio.pause_recorder, self.id, "skip" if skip else "silence")

    def resume(self) -> None:
        self.host.do(Studio.pause_recorder, self.id, "")

    def rescued(self) -> Recorded:
        """What the file holds, when nobody is left to tell."""
        try:
            seconds = wav.seconds(self._path)
        except OSError:
            return Recorded(0.0, "failed", 0, silent=True)
        return Recorded(seconds, "ended", round(seconds / FRAME), silent=False)

    def take(self, outcome: Recorded) -> None:
        self._outcome.set_result(outcome)


class MediaPlane:
    def __init__(self, ports: range) -> None:
        self.identity = identity(clock.utc())
        self._hosts: list[Host] = []
        self._ports = Ports(ports)
        self._ids = count(1)
        self._legs: dict[int, MediaLeg] = {}
        self._jobs: dict[int, tuple[Host, asyncio.Future[None]]] = {}
        self._recorders: dict[int, Recorder] = {}
        self._rooms: WeakSet[Room] = WeakSet()
        self._replacing: set[asyncio.Task[None]] = set()
        self._closing = False
        self.tallies = Tallies()
        self.over: Callable[[Stats], None] = lambda stats: None  # is told how each RTP leg fared

    @classmethod
    async def local(cls, ports: range, random: Random | None = None) -> MediaPlane:
        """The engine on the running loop, whatever its time is made of."""
        plane = cls(ports)
        plane._hosts.append(LocalHost(random or SystemRandom(), plane._ports, plane._take))
        return plane

    @classmethod
    async def workers(cls, count: int, ports: range) -> MediaPlane:
        """The engine in so many processes. Raises OSError when they cannot be started."""
        plane = cls(ports)
        for _ in range(count):
            plane._hosts.append(await WorkerHost.start(plane._ports, plane._take, plane._lost))
        return plane

    @property
    def healthy(self) -> bool:
        """False while a worker is missing."""
        return not self._replacing and all(host.healthy for host in self._hosts)

    @property
    def legs(self) -> Counter[str]:
        """How many are open, by codec; "" are those without RTP, or not connected yet."""
        legs = self._legs.values()
        return Counter(leg.codec for leg in legs if not isinstance(leg, Link))

    @property
    def free_ports(self) -> int:
        """Pairs of RTP ports that no leg has."""
        return len(self._ports)

    @property
    def hosts(self) -> tuple[Host, ...]:
        return tuple(self._hosts)

    async def open_rtp(self, local_ip: str, near: MediaLeg | None = None) -> RtpLeg:
        """A leg on a free pair of ports. Raises MediaFull."""
        return await self._open(RtpLeg, self._host(near), local_ip)

    async def _open(self, kind: type[L], host: Host, local_ip: str) -> L:
        leg = kind(self.job, host, next(self._ids), self.identity)
        self._legs[leg.id] = leg  # from now on: others that open count it
        try:
            leg.port = await host.open_rtp(leg.id, local_ip)
        except BaseException as error:
            self._legs.pop(leg.id, None)
            if isinstance(error, OSError):
                raise MediaFull(f"no RTP port on {local_ip}: {error}") from error
            raise
        return leg

    async def open_wire(self, near: MediaLeg | None = None) -> tuple[MediaLeg, MediaLeg]:
        """Two legs, back to back: what one sends the other hears, keys as well."""
        host = self._host(near)
        here, there = (MediaLeg(self.job, host, next(self._ids)) for _ in range(2))
        self._legs |= {here.id: here, there.id: there}
        host.do(Studio.open_wire, here.id, there.id)
        return here, there

    async def open_room(self, *legs: MediaLeg) -> Room:
        self._rooms.add(
            room := Room(next(self._ids), lambda host: self._open(Link, host, LOOPBACK))
        )
        for leg in legs:
            await room.add(leg)
        return room

    async def record(self, order: RecordOrder) -> Recorder:
        """Begin to record. Raises ValueError when the legs live on different workers."""
        legs = [leg for channel in order.channels for leg, _ in channel]
        if len({id(leg.host) for leg in legs}) != 1:
            raise ValueError("a recording's legs live on one worker")
        tracks = tuple(tuple((leg.id, way) for leg, way in channel) for channel in order.channels)
        recorder = Recorder(legs[0].host, next(self._ids), order.path)
        self._recorders[recorder.id] = recorder
        limits = (order.max_seconds, order.silence_seconds, order.trim)
        legs[0].host.do(Studio.record, recorder.id, RecorderOrder(order.path, tracks, *limits))
        return recorder

    def job(self, host: Host) -> tuple[int, asyncio.Future[None]]:
        """The number of a new job, and a future for its end."""
        job = next(self._ids)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs[job] = host, done
        done.add_done_callback(lambda _: self._jobs.pop(job, None))
        return job, done

    async def close(self) -> None:
        """Close every leg, see recordings to their end, and end the workers."""
        self._closing = True
        for task in self._replacing:
            task.cancel()
        for leg in list(self._legs.values()):
            await leg.close()
        for recorder in list(self._recorders.values()):
            await recorder.stop()
        for host in self._hosts:
            await host.close()

    def _host(self, near: MediaLeg | None) -> Host:
        if near is not None:
            return near.host
        if not self._hosts:
            raise MediaFull("the process for sound has died; another one starts")
        if len(self._hosts) == 1:
            return self._hosts[0]
        load = {id(host): 0 for host in self._hosts}
        for leg in self._legs.values():
            load[id(leg.host)] += 1
        return min(self._hosts, key=lambda host: load[id(host)])

    def _lost(self, host: WorkerHost) -> None:
        """A worker died, and everything in it; another takes its place."""
        self._hosts.remove(host)
        self.tallies.lost(host)
        for job, (where, _) in list(self._jobs.items()):
            if where is host:
                self._take(Event("done", job))
        legs = [leg for leg in self._legs.values() if leg.host is host]
        log.error("a media worker died", pid=host.pid, legs=len(legs))
        for leg in legs:
            self._take(Event("dead", leg.id, WORKER_DIED))
            self._take(Event("closed", leg.id, Stats()))
        for recorder in [one for one in self._recorders.values() if one.host is host]:
            self._take(Event("recorded", recorder.id, recorder.rescued()))
        if not self._closing:
            for work in (self._replace(), *map(_mended, self._rooms)):
                task = asyncio.ensure_future(work)
                self._replacing.add(task)
                task.add_done_callback(self._replacing.discard)

    async def _replace(self) -> None:
        while True:
            with suppress(OSError):
                self._hosts.append(await WorkerHost.start(self._ports, self._take, self._lost))
                return
            await asyncio.sleep(RESPAWN)

    def _take(self, event: Event) -> None:
        """What a studio tells."""
        if event.kind == "done":
            _, done = self._jobs.get(event.id, (None, None))
            if done and not done.done():
                done.set_result(None)
        elif event.kind == "recorded":
            recorder = self._recorders.pop(event.id, None)
            if recorder and isinstance(event.value, Recorded):
                recorder.take(event.value)
        elif event.kind == "tallied":
            self.tallies.take(event)
        elif leg := self._legs.get(event.id):
            if event.kind == "closed":
                del self._legs[event.id]
                self._ended(leg, event.value)
            leg.take(event)

    def _ended(self, leg: MediaLeg, stats: object) -> None:
        if isinstance(leg, RtpLeg) and leg.port:
            self._ports.give_back(leg.port)
        if isinstance(stats, Stats) and not isinstance(leg, Link):
            self.over(stats)


async def _mended(room: Room) -> None:
    with suppress(MediaFull):
        await room.mend()
