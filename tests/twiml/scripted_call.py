"""A call whose caller follows a script, and an application whose documents are a table.

The call keeps what a `LiveCall` promises to verbs: every wait ends in HungUp when the caller goes,
recording and dialling give an outcome all the same. A word takes a second to say, a file ten.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from offhook.aio import race
from offhook.line.leg import HungUp, Transfer
from offhook.line.orders import DialOrder, DialOutcome, RecordOutcome, RecordVerb
from offhook.model.fetch import Fetch
from offhook.model.recording import Recording
from offhook.twiml.document import parse
from offhook.twiml.interpreter import interpret
from offhook.twiml.program import Document, Verb

FILE_SECONDS = 10.0
API = "https://api.test"
NOTHING_RECORDED = RecordOutcome(None)
TALKED = DialOutcome("completed")


@dataclass
class Application:
    """Documents by URL; "" is the first one."""

    documents: dict[str, str]
    asked: list[Fetch] = field(default_factory=list)

    async def fetch(self, wanted: Fetch) -> Document[Verb]:
        self.asked.append(wanted)
        return parse(self.documents[wanted.url])


@dataclass
class ScriptedCall:
    whisper: bool = False
    answered: bool = False
    recorded: RecordOutcome = NOTHING_RECORDED
    record_seconds: float = 3.0
    dialled: DialOutcome = TALKED
    dial_seconds: float = 20.0
    text_status: str = "sent"
    refers: Transfer | None = None
    refer_seconds: float = 5.0
    answered_at: float | None = None
    heard: list[str] = field(default_factory=list)
    heard_at: list[float] = field(default_factory=list)
    spoken: list[tuple[str, str, str, str, int]] = field(default_factory=list)
    pressed: list[str] = field(default_factory=list)
    notes: list[int] = field(default_factory=list)
    notes_said: list[str] = field(default_factory=list)
    notes_at: list[tuple[str, int, int]] = field(default_factory=list)
    position: tuple[str, int, int] = ("", 0, 0)
    positions: list[tuple[str, int, int]] = field(default_factory=list)
    recordings: list[RecordVerb] = field(default_factory=list)
    dials: list[DialOrder] = field(default_factory=list)
    texts: list[tuple[str, str, str, str]] = field(default_factory=list)
    told: list[Fetch] = field(default_factory=list)
    referred: list[str] = field(default_factory=list)
    refused_with: str = ""
    keys: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    # -- the caller's script

    def presses(self, keys: str, at: float) -> None:
        def press() -> None:
            for key in keys:
                self.keys.put_nowait(key)

        asyncio.get_running_loop().call_later(at, press)

    def hangs_up(self, at: float) -> None:
        asyncio.get_running_loop().call_later(at, self.ended.set)

    async def runs(self, twiml: str, **answers: str) -> list[Fetch]:
        """Runs the document and those it leads to; what the application was asked after the first.

        An answer is named by its action, with the slash left out.
        """
        documents = {f"/{name}": text for name, text in answers.items()} | {"": twiml}
        application = Application(documents)
        await interpret(self, Fetch(), application.fetch)  # type: ignore[arg-type]
        return application.asked[1:]

    # -- what verbs may do

    @property
    def gone(self) -> bool:
        return self.ended.is_set()

    async def _on_line(self, doing: Coroutine[Any, Any, Any]) -> Any:
        async def left() -> None:
            await self.ended.wait()
            raise HungUp

        return await race(left(), doing)

    async def answer(self) -> None:
        if self.gone:
            raise HungUp
        if not self.answered:
            self.answered, self.answered_at = True, now()

    async def say(self, text: str, ssml: str, voice: str, language: str, loop: int) -> None:
        await self.answer()
        self.spoken.append((text, ssml, voice, language, loop))
        await self._sounds(text, len(text.split()), loop)

    async def play(self, url: str, loop: int) -> None:
        await self.answer()
        await self._sounds(url, FILE_SECONDS, loop)

    @asynccontextmanager
    async def ready(self, urls: Sequence[str]) -> AsyncIterator[None]:
        yield

    async def _sounds(self, what: str, seconds: float, loop: int) -> None:
        for _ in range(loop):
            self.heard.append(what)
            self.heard_at.append(now())
            await self._on_line(asyncio.sleep(seconds))

    async def press(self, digits: str) -> None:
        await self.answer()
        self.pressed.append(digits)

    async def silence(self, seconds: float) -> None:
        await self._on_line(asyncio.sleep(seconds))

    async def key(
        self, *, within: float, over: Coroutine[Any, Any, object] | None = None
    ) -> str | None:
        async def quiet() -> None:
            if over is not None:
                await over
            await asyncio.sleep(within)

        key: str | None = await self._on_line(race(self.keys.get(), quiet()))
        return key

    def forget_keys(self) -> None:
        while not self.keys.empty():
            self.keys.get_nowait()

    async def record_sound(self, order: RecordVerb) -> RecordOutcome:
        await self.answer()
        self.recordings.append(order)
        await race(self.ended.wait(), asyncio.sleep(self.record_seconds, True))
        if self.gone:
            return RecordOutcome(self.recorded.recording, "hangup")
        return self.recorded

    async def dial(self, order: DialOrder) -> DialOutcome:
        self.dials.append(order)
        await race(self.ended.wait(), asyncio.sleep(self.dial_seconds, True))
        return self.dialled

    async def refer(self, to: str) -> Transfer | None:
        await self.answer()
        self.referred.append(to)
        await race(self.ended.wait(), asyncio.sleep(self.refer_seconds, True))
        return self.refers

    async def send_text(
        self, to: str, from_: str, body: str, status_callback: str
    ) -> tuple[str, str]:
        self.texts.append((to, from_, body, status_callback))
        return "SM" + "1" * 32, self.text_status

    async def tell(self, fetch: Fetch) -> None:
        self.told.append(fetch)

    def recording_url(self, recording: Recording) -> str:
        return f"{API}/Recordings/{recording.sid}"

    async def hang_up(self) -> NoReturn:
        self.ended.set()
        raise HungUp

    async def reject(self, busy: bool) -> NoReturn:
        if not self.answered:
            self.refused_with = "busy" if busy else "rejected"
        await self.hang_up()

    def note(self, code: int, message: str = "") -> None:
        self.notes.append(code)
        self.notes_said.append(message)
        self.notes_at.append(self.position)

    def at(self, verb: str, line: int, column: int) -> None:
        self.position = (verb, line, column)
        self.positions.append(self.position)


def now() -> float:
    return asyncio.get_running_loop().time()
