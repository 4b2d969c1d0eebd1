"""A call while it lasts: a leg, its record, and what verbs may do to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn, TypeVar
from urllib.parse import urljoin

from offhook.aio import race, until
from offhook.errors import DocumentError, SpeechError, WebhookError
from offhook.frozen import frozen
from offhook.line.leg import HungUp, Leg, Transfer
from offhook.line.orders import DialOrder, DialOutcome, RecordOutcome, RecordVerb
from offhook.media.clip import Clip
from offhook.model.call import Call, Status
from offhook.model.fetch import Fetch, Script
from offhook.model.recording import Recording

T = TypeVar("T")

BUSY, NOT_FOUND = 486, 404  # what <Reject> answers (RFC 3261 section 21.4)


@frozen
class Services:
    """What the exchange does for a call. Each takes the call first."""

    answer: Callable[[LiveCall], Awaitable[None]]
    speak: Callable[[LiveCall, str, str, str, str], Awaitable[Clip]]
    load: Callable[[LiveCall, str], Awaitable[Clip]]
    record: Callable[[LiveCall, RecordVerb], Awaitable[RecordOutcome]]
    dial: Callable[[LiveCall, DialOrder], Awaitable[DialOutcome]]
    send_text: Callable[[LiveCall, str, str, str, str], Awaitable[tuple[str, str]]]
    tell: Callable[[LiveCall, Fetch], Awaitable[None]]
    recording_url: Callable[[Recording], str]
    note: Callable[[LiveCall, int, str], None]
    journal: Callable[[LiveCall, str, dict[str, Any]], None]
    go_on: Callable[[LiveCall, Fetch], None]  # a call of its own from here, with that document


class Redirects:
    """Where REST sends a call. The last document counts, and takes the place of what runs."""

    def __init__(self) -> None:
        self._make_ready()

    def _make_ready(self) -> None:
        self.there: asyncio.Future[Fetch] = asyncio.get_running_loop().create_future()

    def put(self, document: Fetch) -> None:
        self.take()
        self.there.set_result(document)

    def take(self) -> Fetch | None:
        if not self.there.done():
            return None
        document = self.there.result()
        self._make_ready()
        return document

    async def next(self) -> Fetch:
        while not (document := self.take()):
            await asyncio.wait((self.there,))
        return document


@dataclass
class LiveCall:
    """Every waiting method raises HungUp once the leg has ended.

    `script` is what answers for the call (its fallback serves all its documents); `whisper` is set
    on a dialled segment, whose document ends in a bridge and may not dial.
    """

    record: Call
    leg: Leg
    script: Script
    services: Services
    answered: bool = False
    whisper: bool = False
    document_url: str = ""
    rejected: Status | None = (
        None  # the final status that <Reject> or an unanswered <Dial> left behind
    )
    position: tuple[str, int, int] = ("", 0, 0)  # the running verb, its line and column
    redirects: Redirects = field(default_factory=Redirects)
    sounds: dict[str, Clip] = field(default_factory=dict)  # that came before they are played
    closing: bool = False  # no document will be run any more
    over: asyncio.Event = field(default_factory=asyncio.Event)  # the record is final
    ended_at: datetime | None = None  # when the leg ended
    finishing: bool = False  # on its way to `over`
    limit: asyncio.Timeout | None = None  # its longest duration, while documents run

    async def answer(self) -> None:
        if not self.answered:
            await self.services.answer(self)

    async def on_line(self, doing: Coroutine[Any, Any, T]) -> T:
        """What `doing` gives, unless the leg ends first: then it is cancelled and HungUp raised."""
        if self.gone:
            doing.close()
            raise HungUp
        try:
            async with until(self.leg.ended):
                result = await doing
                if not self.gone:  # sound that ends with the leg may be over a moment before
                    return result
        except Exception:
            if not self.gone:
                raise
        raise HungUp

    async def say(self, text: str, ssml: str, voice: str, language: str, loop: int = 1) -> None:
        await self.answer()
        try:
            clip = await self.services.speak(self, text, ssml, voice, language)
        except SpeechError as error:
            return self.note(error.code, error.message)
        self.services.journal(self, "said", {"text": text, "voice": voice, "language": language})
        return await self._repeat(loop, clip)

    async def play(self, url: str, loop: int = 1) -> None:
        await self.answer()
        try:
            clip = await self.clip(url)
        except (SpeechError, WebhookError, DocumentError) as error:
            return self.note(error.code, error.message)
        self.services.journal(self, "said", {"play": self.resolve(url), "seconds": clip.seconds})
        return await self._repeat(loop, clip)

    async def clip(self, url: str) -> Clip:
        """The sound at `url`, decoded. Raises SpeechError, WebhookError, DocumentError."""
        target = self.resolve(url)
        if target in self.sounds:
            return self.sounds[target]
        return await self.on_line(self._load(target))

    @asynccontextmanager
    async def ready(self, urls: Sequence[str]) -> AsyncIterator[None]:
        """The sounds at `urls` are all there inside, so that none is waited for between them.

        One that cannot be had is asked for once more when its turn comes, and says then why.
        """
        loading = (self.clip(url) for url in urls)
        for url, found in zip(
            urls, await asyncio.gather(*loading, return_exceptions=True), strict=True
        ):
            if isinstance(found, Clip):
                self.sounds[self.resolve(url)] = found
        try:
            yield
        finally:
            self.sounds.clear()

    async def _load(self, url: str) -> Clip:
        return await self.services.load(self, url)

    async def _repeat(self, times: int, clip: Clip) -> None:
        played = 0
        while times == 0 or played < times:
            await self.on_line(self.leg.media.play(clip))
            played += 1
            if not clip.seconds:
                await asyncio.sleep(1)
            elif played != times:
                await asyncio.sleep(0)

    async def press(self, digits: str) -> None:
        await self.answer()
        await self.on_line(self.leg.media.send_digits(digits))

    async def silence(self, seconds: float) -> None:
        """Waits; does not answer."""
        await self.on_line(asyncio.sleep(seconds))

    async def key(
        self, *, within: float, over: Coroutine[Any, Any, object] | None = None
    ) -> str | None:
        """The next key, or None after `within` seconds of quiet.

        `over` runs meanwhile; a key cancels it, and quiet is counted from its end.
        """

        async def quiet() -> None:
            if over is not None:
                await over
            await asyncio.sleep(within)

        key: str | None = await self.on_line(race(self.leg.media.keys.get(), quiet()))
        if key is not None:
            self.services.journal(self, "key", {"key": key})
        return key

    def forget_keys(self) -> None:
        """Keys pressed so far were meant for nobody."""
        while not self.leg.media.keys.empty():
            self.leg.media.keys.get_nowait()

    async def record_sound(self, order: RecordVerb) -> RecordOutcome:
        """Records the caller; a caller who hangs up gives an outcome too, with digits `hangup`."""
        await self.answer()
        return await self.services.record(self, order)

    async def dial(self, order: DialOrder) -> DialOutcome:
        """Calls the targets and bridges; gives an outcome even when the caller hangs up."""
        return await self.services.dial(self, order)

    async def refer(self, to: str) -> Transfer | None:
        """Asks the caller's phone to call the URI `to` in our place; an outcome also when the
        caller hangs up. None: a phone that cannot be asked."""
        await self.answer()
        return await self.leg.refer(to)

    async def send_text(
        self, to: str, from_: str, body: str, status_callback: str
    ) -> tuple[str, str]:
        """(MessageSid, `sent` or `invalid`). Empty `to` and `from_` are this call's two ends."""
        return await self.services.send_text(self, to, from_, body, status_callback)

    async def tell(self, fetch: Fetch) -> None:
        """Requests a URL although the caller is gone; what it answers is not run."""
        await self.services.tell(self, fetch)

    def recording_url(self, recording: Recording) -> str:
        return self.services.recording_url(recording)

    async def hang_up(self) -> NoReturn:
        await self.leg.hang_up()
        raise HungUp

    async def reject(self, busy: bool) -> NoReturn:
        """Refuse an unanswered call; an answered one is hung up."""
        if not self.answered:
            self.rejected = "busy" if busy else "no-answer"
            await self.leg.reject(BUSY if busy else NOT_FOUND)
        await self.hang_up()

    @property
    def gone(self) -> bool:
        return self.leg.ended.done()

    def at(self, verb: str, line: int, column: int) -> None:
        self.position = (verb, line, column)
        where = {"verb": verb, "line": line, "column": column, "url": self.document_url}
        self.services.journal(self, "twiml", where)

    def note(self, code: int, message: str = "") -> None:
        self.services.note(self, code, message)

    def resolve(self, url: str) -> str:
        """`url` against the current document's. Raises DocumentError where it stays relative."""
        try:
            absolute = urljoin(self.document_url, url.strip())
        except ValueError:
            absolute = ""
        if not absolute.lower().startswith(("http://", "https://")):
            verb, line, column = self.position
            code = 15004 if not self.document_url else 11100
            raise DocumentError(code, f"{verb or 'document'}: {url!r} is no URL", line, column)
        return absolute
