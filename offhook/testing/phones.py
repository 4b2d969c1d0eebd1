"""Phones as a test holds them: they say what they heard, and fail when it is something else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from offhook import clock
from offhook.carriers.behaviours import Behaviour
from offhook.carriers.handset import Handset, State
from offhook.carriers.simulated import Phone
from offhook.exchange.exchange import Exchange
from offhook.line.leg import Ended, Leg, Text
from offhook.media.clip import Clip
from offhook.model.call import Call
from offhook.model.journal import Event
from offhook.testing.voice import Ear, speak

PATIENCE = 30.0  # virtual seconds that an expectation has
LONGEST_CALL = 86_400.0
MOMENT = 0.001  # virtual seconds in which everything that is due happens


class PhoneCall:
    """One call of a phone, made or received.

    Expectations wait, in virtual time, and raise AssertionError with what there was instead.
    """

    def __init__(self, handset: Handset, records: Records) -> None:
        self.handset = handset
        self._records = records
        self._ear = Ear()
        self._read = 0
        self._frame = asyncio.Event()
        self._keys = ""
        handset.hear(self._listen)
        handset.ended.add_done_callback(lambda _: self._frame.set())

    def __repr__(self) -> str:
        there = self.handset
        way = "to" if there.outgoing else "from"
        return f"<call of {there.number} {way} {there.other}, {there.state}>"

    @property
    def state(self) -> State:
        return self.handset.state

    @property
    def sid(self) -> str:
        """The CallSid, "" while the platform has none for it."""
        return self._records.sid_of(self.handset)

    @property
    def record(self) -> Call:
        """The call as the platform has stored it."""
        return self._records.call(self.sid)

    @property
    def heard(self) -> str:
        """Everything that was said to this phone so far, each piece a line."""
        return self._ear.text

    @property
    def keys(self) -> str:
        """The keys that were pressed at this phone's other end so far."""
        while not self.handset.keys.empty():
            self._keys += self.handset.keys.get_nowait()
        return self._keys

    async def hears(self, words: str, *, within: float = PATIENCE) -> None:
        """Waits until the words are said, after those heard before; `within` in seconds."""
        __tracebackhide__ = True
        deadline = clock.now() + within
        while words not in self._unread:
            if not await self._more(deadline):
                raise AssertionError(self._instead(words, within))
        self._read += self._unread.index(words) + len(words)

    async def hears_nothing(self, seconds: float) -> None:
        """Waits so long, and nothing may be said."""
        __tracebackhide__ = True
        deadline, before = clock.now() + seconds, self._unread.strip()
        while not before and await self._more(deadline):
            before = self._unread.strip()
        if before:
            raise AssertionError(f"{self!r} heard {before!r} in what was to be silence")

    @property
    def _unread(self) -> str:
        return self._ear.text[self._read :]

    def _instead(self, words: str, within: float) -> str:
        heard = self._unread.strip("\n")
        what = repr(heard) if heard else "nothing"
        over = f"; the call is over: {self.handset.ended.result()}" if self.state == "over" else ""
        return f"{self!r} did not hear {words!r} within {within:g} s but {what}{over}"

    def _listen(self, frame: bytes) -> None:
        self._ear.feed(frame)
        self._frame.set()

    async def _more(self, deadline: float) -> bool:
        """True after another frame; False when the call or the time is over."""
        self._frame.clear()
        if self.state == "over":
            return False
        return await arrives(self._frame.wait(), deadline - clock.now())

    def press(self, keys: str) -> asyncio.Task[None]:
        """Press keys (`0-9*#A-D`, `w` and `W` to pause); await it to be done before going on."""
        return self.handset.press(keys)

    async def says(self, text: str) -> None:
        """Speak into the phone, to the end."""
        await self.handset.play(speak(text))

    async def plays(self, clip: Clip) -> None:
        await self.handset.play(clip)

    def answer(self) -> None:
        self.handset.answer()

    def reject(self, code: int = 603) -> None:
        """Refuse a received call with a SIP status."""
        self.handset.reject(code)

    async def transfers(self, to: str) -> int:
        """Have the other end talk to `to` instead of you: the SIP status of how that went."""
        status = await self.handset.transfer(to)
        await asyncio.sleep(MOMENT)
        return status

    @property
    def sent_to(self) -> list[str]:
        """Where this phone was sent by `<Refer>`."""
        return self.handset.sent_to

    async def answered(self, *, within: float = PATIENCE) -> None:
        """Waits until the other side answers."""
        __tracebackhide__ = True
        waiting = asyncio.ensure_future(self.handset.answered())
        await asyncio.wait({waiting}, timeout=within)
        if not waiting.done() or waiting.exception():
            waiting.cancel()
            raise AssertionError(f"{self!r} was not answered within {within:g} s")
        await asyncio.sleep(MOMENT)

    async def hang_up(self) -> None:
        """Returns when the platform has done what it does then."""
        self.handset.hang_up()
        await asyncio.sleep(MOMENT)

    async def ended(self, *, within: float = LONGEST_CALL) -> Ended:
        """Waits for the end: `near` is the platform, `far` this phone."""
        __tracebackhide__ = True
        await asyncio.wait({self.handset.ended}, timeout=within)
        if not self.handset.ended.done():
            raise AssertionError(f"{self!r} did not end within {within:g} s")
        await asyncio.sleep(MOMENT)
        return self.handset.ended.result()


class TestPhone:
    """A number, and what happens on it."""

    __test__ = False

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self.calls: list[PhoneCall] = []
        self._taken = 0
        self._read = 0

    @property
    def number(self) -> str:
        return self._phone.number

    @property
    def inbox(self) -> list[Text]:
        return self._phone.inbox

    def behaves(self, how: str | Behaviour) -> None:
        """From now on: a row of the table (`busy`, `voicemail`...), or a coroutine of yours."""
        self._phone.behaves(how)

    def refers(self, *statuses: int) -> None:
        """What a SIP phone answers to `<Refer>`, then what it tells: 202, 100, 200 by itself."""
        self._phone.refers = statuses

    def greets(self, text: str) -> None:
        """What its voicemail says."""
        self._phone.greeting = speak(text)

    async def rings(self, *, within: float = PATIENCE) -> PhoneCall:
        """The next call that this phone receives, once it rings or is answered."""
        __tracebackhide__ = True
        deadline = clock.now() + within
        while (call := self._next()) is None:
            if not await arrives(self._phone.news(), deadline - clock.now()):
                raise AssertionError(f"{self.number} was not called within {within:g} s")
        while call.state == "calling":
            await asyncio.sleep(MOMENT)
        await asyncio.sleep(MOMENT)
        return call

    def _next(self) -> PhoneCall | None:
        received = [call for call in self.calls if not call.handset.outgoing]
        if self._taken >= len(received):
            return None
        self._taken += 1
        return received[self._taken - 1]

    async def reads(self, words: str, *, within: float = PATIENCE) -> Text:
        """Waits for a text, after those read before, with these words in it."""
        __tracebackhide__ = True
        deadline = clock.now() + within
        while True:
            unread = self.inbox[self._read :]
            for place, text in enumerate(unread):
                if words in text.body:
                    self._read += place + 1
                    await asyncio.sleep(MOMENT)
                    return text
            if not await arrives(self._phone.news(), deadline - clock.now()):
                bodies = ", ".join(repr(text.body) for text in unread) or "nothing"
                raise AssertionError(
                    f"{self.number} did not read {words!r} within {within:g} s but {bodies}"
                )


async def arrives(event: Awaitable[Any], within: float) -> bool:
    """Whether it happens within so many seconds."""
    try:
        async with asyncio.timeout(max(within, 0)):
            await event
    except TimeoutError:
        return False
    return True


class Records:
    """What a phone may know of the platform's records. `call` finds one by its SID."""

    def __init__(self, exchange: Exchange, call: Callable[[str], Call]) -> None:
        self.call = call
        self._exchange = exchange
        self._sids: dict[Leg, str] = {}
        exchange.journal.listeners.add(self._note)

    def _note(self, event: Event) -> None:
        live = self._exchange.live.get(event.subject)
        if live and live.leg not in self._sids:
            self._sids[live.leg] = event.subject

    def sid_of(self, handset: Handset) -> str:
        """The CallSid of a call, "" while there is none."""
        return handset.call_sid or self._sids.get(handset.leg, "")
