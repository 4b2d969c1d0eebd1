"""The simulated phone network: any number can be called and texted, behaving by a table.

Its legs are pairs of the media plane that sound into each other, so its phones hear what a real
one would. `offhook.carriers.behaviours` is the table.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from offhook.carriers.behaviours import GREETING, KINDS, Behaviour, answers
from offhook.carriers.handset import REFERS, Handset, Line, SimulatedLeg
from offhook.errors import CarrierError
from offhook.line.leg import About, Ended, HungUp, Leg, Ringing, Target, Text
from offhook.media.clip import Clip
from offhook.media.plane import MediaLeg, MediaPlane
from offhook.model.message import Message

log = structlog.get_logger("offhook.simulated")

SET_UP = 0.1  # seconds until a called phone begins to ring
DELIVERY = 0.5  # seconds from `sent` to the inbox
CRASHED = 500
CALLS, TEXTS = 1000, 10_000  # the latest that a phone remembers
REASONS = {404: "Not Found", 480: "Temporarily Unavailable", 486: "Busy Here", 603: "Decline"}

Media = tuple[tuple[str, bytes], ...]  # content type and content
OnCall = Callable[[Leg, str, str], Coroutine[Any, Any, Any]]
OnText = Callable[[str, str, str, Media], Coroutine[Any, Any, Message | None]]


@dataclass
class Phone:
    """A number or a `sip:` URI of the network: how it behaves, its calls and its texts.

    `refers` is what it answers when it is sent elsewhere, and what it then tells of that.
    """

    number: str
    behaviour: Behaviour = answers
    text_error: int = 0
    greeting: Clip = GREETING
    refers: tuple[int, ...] = REFERS
    calls: deque[Handset] = field(default_factory=lambda: deque(maxlen=CALLS))
    inbox: list[Text] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def behaves(self, how: str | Behaviour) -> None:
        """By a row of the table, or as a coroutine of your own does. Raises ValueError."""
        if not isinstance(how, str):
            self.behaviour = how
            return
        kind = KINDS.get(how)
        if kind is None:
            raise ValueError(f"no phone behaves {how!r}; there are {', '.join(KINDS)}")
        self.behaviour, self.text_error = kind.calls, kind.texts

    def note(self) -> None:
        """Wakes those who wait in `news`."""
        self._news.set()
        self._news = asyncio.Event()

    async def news(self) -> None:
        """Returns after the next call or text."""
        await self._news.wait()


class SimulatedNetwork:
    """The carrier. `numbers` says what is listed and how it behaves; `takes_all` adds the rest.

    `watch` is told of each Handset as its call begins. `crashes` are the exceptions that behaviours
    ended with.
    """

    name = "simulated"

    def __init__(
        self,
        media: MediaPlane,
        on_call: OnCall,
        on_text: OnText,
        *,
        numbers: Mapping[str, str] | None = None,
        takes_all: bool = True,
    ) -> None:
        self._media, self._on_call, self._on_text = media, on_call, on_text
        self._takes_all = takes_all
        self._tasks: set[asyncio.Task[Any]] = set()
        self.phones: dict[str, Phone] = {}
        self.watch: Callable[[Handset], None] | None = None
        self.crashes: list[Exception] = []
        for number, how in (numbers or {}).items():
            self.phone(number).behaves(how)
        self._listed = set(self.phones)

    def _spawn(self, doing: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(doing, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def phone(self, number: str) -> Phone:
        """The phone of that number; there is one for every number."""
        return self.phones.setdefault(number, Phone(number))

    def takes(self, number: str) -> bool:
        """True for listed numbers, SIP phones that somebody has made known and, when all are taken,
        for any telephone number."""
        if number.startswith(("sip:", "sips:")):
            return number in self.phones
        return number in self._listed or (self._takes_all and number.lstrip("+").isdigit())

    async def call(self, from_: str, to: str) -> Handset:
        """Somebody calls the platform. Raises MediaFull."""
        line = Line(self._spawn)
        leg, handset = await self._connect(line, self.phone(from_), to)
        self._spawn(self._offer(line, leg, to, from_), f"call from {from_} to {to}")
        return handset

    async def _offer(self, line: Line, leg: Leg, to: str, from_: str) -> None:
        try:
            await self._on_call(leg, to, from_)
        except Exception:
            log.exception("call crashed", to=to, from_=from_)
            line.end(Ended("network", CRASHED))

    async def text(self, from_: str, to: str, body: str, media: Media = ()) -> Message | None:
        """Somebody texts the platform: what it made of it, None when it does not want it."""
        return await self._on_text(to, from_, body, media)

    async def dial(self, target: Target, ringing: Ringing) -> Leg:
        """As Carrier.dial says."""
        if not self.takes(target.to):
            raise CarrierError(404, f"{target.to} is not on the simulated network")
        line = Line(self._spawn)
        phone = self.phone(target.to)
        leg, handset = await self._connect(line, phone, target.from_, target.call_sid, target.near)
        self._spawn(self._behave(phone, handset), f"{target.to}, called")
        try:
            return await until_answered(line, leg, ringing)
        except asyncio.CancelledError:
            await leg.hang_up()
            raise

    async def _connect(
        self,
        line: Line,
        phone: Phone,
        other: str,
        call_sid: str = "",
        beside: MediaLeg | None = None,
    ) -> tuple[SimulatedLeg, Handset]:
        near, far = await line.open(self._media, beside)
        leg = SimulatedLeg(line, near, About())
        handset = Handset(
            line, leg, far, phone.number, other,
            outgoing=not call_sid, greeting=phone.greeting, call_sid=call_sid,
            refers=phone.refers,
        )  # fmt: skip
        phone.calls.append(handset)
        if self.watch:
            self.watch(handset)
        phone.note()
        return leg, handset

    async def _behave(self, phone: Phone, handset: Handset) -> None:
        try:
            await handset.wait(SET_UP)
            await phone.behaviour(handset)
        except HungUp:
            return
        except Exception as error:
            log.exception("phone crashed", number=phone.number)
            self.crashes.append(error)
            handset.reject(CRASHED)
            handset.hang_up()

    async def send(self, text: Text, report: Callable[[str, int], None]) -> None:
        """As Carrier.send says: sent at once, in the inbox a little later."""
        if not self.takes(text.to):
            raise CarrierError(404, f"{text.to} is not on the simulated network")
        self._spawn(self._deliver(text, report), f"text to {text.to}")

    async def _deliver(self, text: Text, report: Callable[[str, int], None]) -> None:
        await asyncio.sleep(DELIVERY)
        phone = self.phone(text.to)
        if phone.text_error:
            return report("undelivered", phone.text_error)
        phone.inbox.append(text)
        del phone.inbox[:-TEXTS]
        phone.note()
        return report("delivered", 0)

    async def close(self) -> None:
        """Everybody hangs up."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def until_answered(line: Line, leg: Leg, ringing: Ringing) -> Leg:
    """The leg, once its other end answers. Raises CarrierError when it refuses."""
    while True:
        signal, value = await line.signals.get()
        if signal == "answer":
            return leg
        if signal == "end":
            await asyncio.shield(leg.ended)
            raise CarrierError(value, REASONS.get(value, "Refused"))
        ringing(leg, bool(value))
