"""Legs as the main process sees them, wherever their sound is made."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from offhook.media.clip import Clip
from offhook.media.orders import Event, Identity, Remote, Stats
from offhook.media.players import Cadence
from offhook.media.studio import Studio

KEYS = 1000  # pressed and taken by nobody, beyond which no more are kept

A = TypeVar("A")
P = ParamSpec("P")


class Host(Protocol):
    """Where a studio runs: on this loop, or in a worker process."""

    healthy: bool

    def do(
        self, order: Callable[Concatenate[Studio, P], None], *args: P.args, **kw: P.kwargs
    ) -> None: ...

    async def open_rtp(self, leg: int, ip: str) -> int: ...

    async def close(self) -> None: ...


# A host's next job: its number, and a future for its end.
Jobs = Callable[[Host], tuple[int, asyncio.Future[None]]]


class MediaLeg:
    """Sound both ways between us and a far end. Everything is safe, and nothing, once it is closed.

    `keys` are those the far end presses (0-9*#A-D), in order.
    """

    def __init__(self, jobs: Jobs, host: Host, id: int) -> None:
        self.keys: asyncio.Queue[str] = asyncio.Queue(KEYS)
        self.id = id
        self.host = host
        self.codec = ""
        self.room: object = None  # where it was seated last
        self._jobs = jobs
        self._stats: asyncio.Future[Stats] = asyncio.get_running_loop().create_future()
        self._closing = False
        self._hear: Callable[[bytes], None] | None = None
        self._dead: Callable[[str], None] | None = None

    async def play(self, clip: Clip) -> None:
        """Play to the far end; returns with the last frame, or when another sound takes its place.

        A leg plays one sound at a time. Cancelling silences it.
        """
        await self._job(Studio.play_clip, clip)

    async def play_tone(self, cadence: Cadence) -> None:
        """Play ((frequencies in Hz, seconds), ...) until cancelled; no frequencies are silence."""
        await self._job(Studio.play_tone, cadence)

    async def send_digits(self, digits: str) -> None:
        """Press keys at the far end: 100 ms each and 100 ms apart; `w` waits 0.5 s, `W` 1 s."""
        await self._job(Studio.press, digits)

    def pressed(self, key: str) -> None:
        """The far end pressed a key, as its signalling says instead of its sound (SIP INFO)."""
        self.host.do(Studio.pressed, self.id, key)

    def echo(self, on: bool) -> None:
        """Send back what arrives."""
        self.host.do(Studio.echo, self.id, on)

    def tap(self, hear: Callable[[bytes], None] | None) -> None:
        """Hand every frame (320 bytes) that arrives to `hear`; nothing comes while none arrives."""
        self._hear = None if self.closed else hear
        self.host.do(Studio.tap, self.id, hear is not None)

    def on_death(self, hook: Callable[[str], None]) -> None:
        """Call `hook`, once, with why, when nothing can come any more: its worker died."""
        self._dead = None if self.closed else hook

    async def close(self) -> Stats:
        """Hang up the sound; jobs on this leg return, recordings of nothing but it end."""
        if not self._closing:
            self._closing = True
            self.host.do(Studio.close, self.id)
        return await asyncio.shield(self._stats)

    @property
    def closed(self) -> bool:
        return self._stats.done()

    async def _job(self, order: Callable[[Studio, int, int, A], None], argument: A) -> None:
        if self._closing:
            return
        job, done = self._jobs(self.host)
        try:
            self.host.do(order, self.id, job, argument)
            await done
        finally:
            if not done.done() or done.cancelled():
                self.host.do(Studio.stop, self.id, job)

    def take(self, event: Event) -> None:
        """What the plane was told of this leg."""
        match event:
            case Event("key", _, str(key)):
                if not self.keys.full():
                    self.keys.put_nowait(key)
            case Event("heard", _, bytes(frame)) if self._hear:
                self._hear(frame)
            case Event("dead", _, why) if self._dead:
                self._dead(str(why or ""))
            case Event("closed", _, Stats() as stats):
                self._closing = True
                self._hear = self._dead = None  # who listened is held no longer
                self._stats.set_result(stats)


class RtpLeg(MediaLeg):
    """A leg over RTP on `port` (and RTCP on the one above). Silent until connected."""

    def __init__(self, jobs: Jobs, host: Host, id: int, identity: Identity) -> None:
        super().__init__(jobs, host, id)
        self.identity = identity  # for the handshakes of browsers, one for all legs
        self.port = 0  # until it is open

    def connect(self, remote: Remote) -> None:
        """What the session description agreed on; again after a re-INVITE.

        Raises ValueError for a host that is not a numeric address: nothing is looked up here.
        """
        ipaddress.ip_address(remote.host)
        self.codec = remote.codec
        self.host.do(Studio.connect, self.id, remote)

    def on_timeout(self, seconds: float, hook: Callable[[str], None]) -> None:
        """Call `hook`, once, when nothing has come for so long; with why when nothing can come any
        more: no keys were agreed on, or the leg's worker died."""
        self.on_death(hook)
        self.host.do(Studio.expect, self.id, seconds)


class Link(RtpLeg):
    """One end of what goes between two workers: no far end's, and no part of any figures."""
