"""Speech as the rest of the platform sees it."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from offhook import clock
from offhook.errors import SpeechError
from offhook.media.clip import Clip
from offhook.speech.clips import Clips, key_of
from offhook.speech.containers import BAD_MEDIA, container_of
from offhook.speech.frames import Header
from offhook.speech.process import Lost, Process, Role
from offhook.speech.voices import Voice, choose

EMPTY_TEXT, LONG_TEXT, INTERNAL = 13520, 13521, 12400
LIMITS: dict[Role, float] = {"speak": 15.0, "decode": 25.0, "encode": 120.0}  # seconds
_BROKEN: dict[Role, tuple[int, str]] = {
    "speak": (EMPTY_TEXT, "The text could not be spoken"),
    "decode": (BAD_MEDIA, "The media file could not be decoded"),
    "encode": (INTERNAL, "The recording could not be converted"),
}

Note = Callable[[int, str], None]


class Speech:
    """Says texts, decodes media, converts recordings; each kind in a process of its own.

    Whatever a text or a file does to its process, only the request that brought it fails.
    Clips are kept in `folder`, up to `max_bytes` together.
    """

    def __init__(
        self,
        folder: Path,
        engine: str = "espeak",
        max_bytes: int = 512 << 20,
        limits: dict[Role, float] | None = None,
    ) -> None:
        self._clips = Clips(folder, max_bytes)
        self._limits = LIMITS | (limits or {})
        self._processes: dict[Role, Process] = {
            "speak": Process("speak", engine),
            "decode": Process("decode"),
            "encode": Process("encode"),
        }
        self._making: dict[str, asyncio.Task[Clip]] = {}
        self.waiting: Counter[Role] = Counter()  # requests without an answer yet
        self.measure: Callable[[Role, float], None] = lambda role, seconds: None

    async def start(self) -> None:
        """Start the voice; the other processes wait until they are needed.

        A voice that does not come up is no reason not to: `healthy` says so, and it is tried
        again with each text.
        """
        try:
            await self._processes["speak"].start()
        except Lost:
            return

    async def close(self) -> None:
        for task in list(self._making.values()):
            task.cancel()
        for process in self._processes.values():
            await process.close()

    @property
    def healthy(self) -> bool:
        return self._processes["speak"].works

    @property
    def pids(self) -> dict[Role, int]:
        """The processes that run now."""
        return {role: child.pid for role, child in self._processes.items() if child.pid}

    async def say(
        self, text: str, ssml: str, voice: str, language: str, note: Note | None = None
    ) -> Clip:
        """The text as sound. `ssml` is the inside of `<Say>`, "" when that is plain text.

        `note` hears of an unknown voice or language (13511, 13512) for which the default spoke.
        Raises SpeechError: 13512 the voice does not speak the language, 13520 there is nothing
        to say or the SSML is broken, 13521 too long.
        """
        chosen = choose(voice, language)
        for code, message in chosen.notes:
            if note:
                note(code, message)
        speaker = chosen.voice
        text, ssml = _one_line(text), _one_line(ssml) if speaker.ssml else ""
        if not text and "<" not in ssml:
            raise SpeechError(EMPTY_TEXT, "There is no text to say")
        if speaker.too_long(text, ssml):
            raise SpeechError(LONG_TEXT, f"The text is too long for the voice {speaker.name}")
        attributes = _attributes(speaker)
        request: Header = {"text": text, "ssml": ssml, "voice": attributes}
        engine = self._processes["speak"].version
        key = key_of("say", engine, text, ssml, *map(str, attributes.values()))
        return await self._once(key, lambda: self._ask("speak", request))

    async def decode(self, body: bytes, media_type: str) -> Clip:
        """A media file as sound; SpeechError 13420 when it cannot be played."""
        container = container_of(media_type, body)
        key = key_of("decode", container.demuxer, hashlib.sha256(body).digest())
        return await self._once(key, lambda: self._ask("decode", {"type": media_type}, body))

    async def mp3(self, path: str, channel: Literal["mix"] | None = None) -> bytes:
        """A recording (WAV) as MP3 of 32 kbit/s; "mix" makes its channels one."""
        return await self._ask("encode", {"to": "mp3", "path": path, "mix": channel == "mix"})

    async def wav(self, path: str, channel: Literal["mix"] | None = None) -> bytes:
        """A recording (WAV) as it is, or with its channels mixed to one."""
        return await self._ask("encode", {"to": "wav", "path": path, "mix": channel == "mix"})

    async def _ask(self, role: Role, request: Header, body: bytes = b"") -> bytes:
        code, message = _BROKEN[role]
        began = clock.now()
        self.waiting[role] += 1
        try:
            return await self._processes[role].ask(request, self._limits[role], body)
        except Lost as lost:
            raise SpeechError(code, f"{message}: {lost}") from None
        except SpeechError as error:
            if error.code:
                raise
            raise SpeechError(code, f"{message}: {error.message}") from None
        finally:
            self.waiting[role] -= 1
            self.measure(role, clock.now() - began)

    async def _once(self, key: str, make: Callable[[], Awaitable[bytes]]) -> Clip:
        """The clip of that key: kept, being made for somebody else, or made now."""
        if clip := self._clips.find(key):
            return clip
        task = self._making.get(key)
        if task is None:
            task = asyncio.ensure_future(self._make(key, make))
            self._making[key] = task
            task.add_done_callback(lambda done: self._made(key, done))
        # A caller who hangs up must not take the clip from another who waits for it too.
        return await asyncio.shield(task)

    async def _make(self, key: str, make: Callable[[], Awaitable[bytes]]) -> Clip:
        pcm = await make()
        with clock.outside("writing a clip"):
            return await asyncio.to_thread(self._clips.keep, key, pcm)

    def _made(self, key: str, task: asyncio.Task[Clip]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # seen, though every caller may have left


@lru_cache
def _attributes(speaker: Voice) -> dict[str, Any]:
    return asdict(speaker)


def _one_line(text: str) -> str:
    """Runs of white space are one space; control characters are none (reference page Say)."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())
