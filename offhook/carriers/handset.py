"""One call on the simulated network: the platform's end is a Leg, the person's a Handset."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal, TypeVar

from offhook import clock
from offhook.line.leg import (
    DECLINED,
    NOBODY_WANTS_TRANSFERS,
    About,
    Ended,
    HungUp,
    Leg,
    Trace,
    Transfer,
    Wish,
)
from offhook.media.clip import Clip
from offhook.media.plane import MediaLeg, MediaPlane

OK, GONE, NO_SOUND = 200, 487, 500  # RFC 3261 section 21
REFERS = (202, 100, 200)
STEP = 0.5  # seconds from one thing that a phone tells of its REFER to the next
State = Literal["calling", "ringing", "answered", "over"]
T = TypeVar("T")

Spawn = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]


class Line:
    """What the two ends of a call share. It ends once; its sound is closed behind it."""

    def __init__(self, spawn: Spawn) -> None:
        self.spawn = spawn
        self.state: State = "calling"
        self.signals: asyncio.Queue[tuple[str, int]] = asyncio.Queue()  # ring, answer, end
        self.answered = asyncio.Event()
        self.over: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self.refer: Callable[[str], Coroutine[Any, Any, Transfer]] | None = None  # a SIP phone's
        self._sound: tuple[MediaLeg, ...] = ()

    async def open(
        self, media: MediaPlane, beside: MediaLeg | None = None
    ) -> tuple[MediaLeg, MediaLeg]:
        """Our end and theirs, on the worker that `beside` is on."""
        near, far = await media.open_wire(beside)
        self._sound = (near, far)
        near.on_death(lambda why: self.end(Ended("network", NO_SOUND, why)))
        return near, far

    def ring(self, early_media: bool) -> None:
        if self.state in ("calling", "ringing"):
            self.state = "ringing"
            self.signals.put_nowait(("ring", int(early_media)))

    def answer(self) -> None:
        """Raises HungUp."""
        if self.state == "over":
            raise HungUp
        if self.state != "answered":
            self.state = "answered"
            self.answered.set()
            self.signals.put_nowait(("answer", OK))

    def end(self, ended: Ended) -> None:
        """As the leg sees it. Only the first end counts."""
        if self.state == "over":
            return
        self.state = "over"
        self.over.set_result(ended)
        self.signals.put_nowait(("end", ended.code))
        self.spawn(self._close(), "closing a simulated line")

    async def _close(self) -> None:
        for leg in self._sound:
            await leg.close()


class SimulatedLeg(Leg):
    """The platform's end of a call."""

    def __init__(self, line: Line, media: MediaLeg, about: About) -> None:
        self.media, self.trace = media, Trace()
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._line, self._about = line, about
        line.over.add_done_callback(self._over)

    @property
    def about(self) -> About:
        return self._about

    async def ring(self) -> None:
        self._line.ring(early_media=False)

    async def answer(self) -> None:
        self._line.answer()

    async def reject(self, code: int) -> None:
        if self._line.state != "answered":
            self._line.end(Ended("near", code))
            await asyncio.shield(self.ended)

    async def hang_up(self) -> None:
        self._line.end(Ended("near", OK if self._line.state == "answered" else GONE))
        await asyncio.shield(self.ended)

    async def refer(self, to: str) -> Transfer | None:
        if self._line.refer is None:
            return None
        fared = await self._line.refer(to)
        if self._line.state == "over":
            await asyncio.shield(self.ended)
        return fared

    def _over(self, over: asyncio.Future[Ended]) -> None:
        if not self.ended.done():
            self.ended.set_result(over.result())


class Handset:
    """The person's end of a call: made by them (`outgoing`) or received. `leg` is the other end.

    `call_sid` is known of received calls. `refers` is what a SIP phone does when it is asked to
    call a URI: the status that it answers, then those that it tells; `sent_to` are the URIs.

    What is done on a call that is over does nothing; waiting on it raises HungUp.
    """

    def __init__(
        self,
        line: Line,
        leg: Leg,
        media: MediaLeg,
        number: str,
        other: str,
        *,
        outgoing: bool,
        greeting: Clip,
        call_sid: str = "",
        refers: tuple[int, ...] = REFERS,
    ) -> None:
        self.media, self.number, self.other, self.outgoing = media, number, other, outgoing
        self.leg, self.greeting, self.call_sid = leg, greeting, call_sid
        self.began = clock.now()
        self.sent_to: list[str] = []
        self._line, self._refers = line, refers
        if number.startswith(("sip:", "sips:")):
            line.refer = self._refer

    @property
    def state(self) -> State:
        return self._line.state

    @property
    def keys(self) -> asyncio.Queue[str]:
        """The keys that the other side pressed, in order."""
        return self.media.keys

    @property
    def ended(self) -> asyncio.Future[Ended]:
        """How the call ended, seen from the platform: `far` is this phone."""
        return self._line.over

    def ring(self, *, early_media: bool = False) -> None:
        """A received call: the caller is told that it rings, with sound already or without."""
        self._line.ring(early_media)

    def answer(self) -> None:
        """Pick up. Raises HungUp when the caller has given up."""
        self._line.answer()

    def reject(self, code: int = 603) -> None:
        """Refuse a received call with a SIP status."""
        if self.state != "answered":
            self._line.end(Ended("far", code))

    def hang_up(self) -> None:
        """End it. A call that was not answered is given up, or refused with 480."""
        if self.state == "answered":
            return self._line.end(Ended("far", OK))
        return self._line.end(Ended("far", GONE if self.outgoing else 480))

    async def answered(self) -> None:
        """Returns once the call is answered. Raises HungUp."""
        await self._unless_over(self._line.answered.wait())

    def press(self, keys: str) -> asyncio.Task[None]:
        """Press keys, `0-9*#A-D` and `w`, `W` for half and whole seconds, one after the other."""
        return self._line.spawn(self.media.send_digits(keys), f"{self.number} presses {keys}")

    async def play(self, clip: Clip) -> None:
        """Sound into the phone; returns when it is out. Raises HungUp."""
        await self._unless_over(self.media.play(clip))

    def hear(self, listener: Callable[[bytes], None] | None) -> None:
        """Give every frame that arrives to `listener`."""
        self.media.tap(listener)

    async def wait(self, seconds: float) -> None:
        """Raises HungUp when the call ends first."""
        await self._unless_over(asyncio.sleep(seconds))

    async def transfer(self, to: str) -> int:
        """Ask to have the other end talk to the URI `to` instead: the SIP status of how that went.

        When it went well, this phone hangs up. Raises HungUp when the call ends before.
        """
        if self.leg.on_refer is None:
            self.leg.trace.add("debugger", {"code": NOBODY_WANTS_TRANSFERS})
            return DECLINED
        told: asyncio.Queue[int] = asyncio.Queue()
        self.leg.on_refer(Wish(to, told.put_nowait))
        status = 0
        while status < OK:
            status = await self._unless_over(told.get())
        if status < OK + 100:
            self.hang_up()
        return status

    async def _refer(self, to: str) -> Transfer:
        """As it was set up to do; when the call to the target went well, it hangs up."""
        self.sent_to.append(to)
        fared = Transfer()
        with suppress(HungUp):
            for status in self._refers:
                await self.wait(STEP)
                fared = Transfer(fared.answer or status, status if fared.answer else 0)
            if OK <= fared.outcome < OK + 100:
                self.hang_up()
        return fared

    async def _unless_over(self, doing: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(doing)
        either: list[asyncio.Future[Any]] = [task, self._line.over]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise HungUp
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
