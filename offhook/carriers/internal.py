"""From one of our numbers to another: a call or a text that never leaves the house."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import structlog

from offhook.carriers.handset import GONE, OK, Line, SimulatedLeg
from offhook.carriers.simulated import CRASHED, DELIVERY, Media, OnCall, OnText, until_answered
from offhook.line.leg import About, Ended, Leg, Ringing, Target, Text, Trace
from offhook.media.plane import MediaLeg, MediaPlane

log = structlog.get_logger("offhook.internal")
Attached = Callable[[str], Coroutine[Any, Any, Media]]
UNKNOWN_HANDSET = 30005


class CalledLeg(Leg):
    """The end that is called: what the caller's leg sees as `far` is `near` here."""

    def __init__(self, line: Line, media: MediaLeg) -> None:
        self.media, self.trace = media, Trace()
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._line = line
        line.over.add_done_callback(self._over)

    @property
    def about(self) -> About:
        return About()

    async def ring(self) -> None:
        self._line.ring(early_media=False)

    async def answer(self) -> None:
        self._line.answer()

    async def reject(self, code: int) -> None:
        if self._line.state != "answered":
            await self._end(code)

    async def hang_up(self) -> None:
        await self._end(OK if self._line.state == "answered" else GONE)

    async def _end(self, code: int) -> None:
        self._line.end(Ended("far", code))
        await asyncio.shield(self.ended)

    def _over(self, over: asyncio.Future[Ended]) -> None:
        how = over.result()
        if not self.ended.done():
            self.ended.set_result(replace(how, by="far" if how.by == "near" else "near"))


class InternalCarrier:
    """Both legs are ours, so both calls have records, webhooks and callbacks of their own.

    `attached` gives the media of a text, which its sender has fetched already, by its SID.
    """

    name = "internal"

    def __init__(
        self, media: MediaPlane, on_call: OnCall, on_text: OnText, attached: Attached
    ) -> None:
        self._media, self._on_call, self._on_text = media, on_call, on_text
        self._attached = attached
        self._tasks: set[asyncio.Task[Any]] = set()

    async def dial(self, target: Target, ringing: Ringing) -> Leg:
        line = Line(self._spawn)
        near, far = await line.open(self._media, target.near)
        leg = SimulatedLeg(line, near, About())
        called = CalledLeg(line, far)
        self._spawn(self._offer(line, called, target), f"call to {target.to}")
        try:
            return await until_answered(line, leg, ringing)
        except asyncio.CancelledError:
            await leg.hang_up()
            raise

    async def _offer(self, line: Line, called: Leg, target: Target) -> None:
        try:
            await self._on_call(called, target.to, target.from_)
        except Exception:
            log.exception("call crashed", to=target.to, from_=target.from_)
            line.end(Ended("far", CRASHED))

    async def send(self, text: Text, report: Callable[[str, int], None]) -> None:
        self._spawn(self._deliver(text, report), f"text to {text.to}")

    async def _deliver(self, text: Text, report: Callable[[str, int], None]) -> None:
        await asyncio.sleep(DELIVERY)
        media = await self._attached(text.sid) if text.media else ()
        taken = await self._on_text(text.to, text.from_, text.body, media)
        report(*(("delivered", 0) if taken else ("undelivered", UNKNOWN_HANDSET)))

    def _spawn(self, doing: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(doing, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
