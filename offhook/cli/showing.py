"""`offhook demo`: a platform, a phone, a SIP call and a text, printed as they are heard.

A line of the conversation is printed once its sound was recognised in what the phone heard.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from typing import Any

import click

from offhook import clock
from offhook.carriers.behaviours import tones
from offhook.carriers.sip_carrier import SipCarrier, SipSettings
from offhook.cli.ear import Ear
from offhook.config import Address, Settings, usable_folder
from offhook.errors import ConfigError, OffhookError
from offhook.line.leg import HungUp, Leg, Target
from offhook.media.clip import RATE, Clip
from offhook.media.plane import MediaLeg, MediaPlane
from offhook.media.wav import HEADER
from offhook.model.journal import Event
from offhook.server import Serving, serving

ANY_PORT = Address("127.0.0.1", 0)
PHONE, SIP_PHONE, TEXTER = "+15550001111", "+15550002222", "+15550003333"
MESSAGE = "This is a message, spoken into a simulated phone."
BEEP = tones((1000, 0.3)).pcm  # most of it
GREETED = 2.5  # seconds of a long sentence that are enough
PATIENCE = 60.0  # seconds for all of it


async def show(data: Path | None) -> int:
    """The exit code: 0 when everything was heard and received. Raises ConfigError."""
    folder = usable_folder(data or Path(tempfile.mkdtemp(prefix="offhook-demo-")))
    settings = Settings(data=folder, http=ANY_PORT, sip=ANY_PORT, log_level="warning", drain=0)
    click.echo("Offhook starts ...")
    began = clock.now()
    try:
        async with asyncio.timeout(PATIENCE), serving(settings) as platform:
            if not platform.demo_number:
                raise ConfigError(f"{folder} has no demo number any more: choose another --data")
            click.echo(f"It is up after {clock.now() - began:.1f} s, its data in {folder}.")
            kept = await _phone_call(platform)
            await _sip_call(platform)
            await _text(platform)
    except (TimeoutError, HungUp, OffhookError) as failed:
        if isinstance(failed, ConfigError):
            raise
        why = str(failed) or "what should have been heard was not"
        click.echo(f"\nThe demonstration failed: {why}.", err=True)
        return 1
    click.echo(_afterword(kept, clock.now() - began))
    return 0


def _afterword(kept: Path, seconds: float) -> str:
    return "\n".join(
        (
            "",
            f"All of it was heard, in {seconds:.0f} s. The message is kept in",
            f"  {kept}",
            "",
            "How to go on:",
            "  make up                               # or 'offhook up': serves until stopped",
            "  . .venv/bin/activate                  # in another terminal",
            "  export OFFHOOK_DATA=offhook-data      # where 'make up' keeps its data",
            "  offhook call +15550100100             # the same menu, from your terminal",
            "The README's first five minutes connect an application of your own.",
        )
    )


class Conversation:
    """A call as the phone at one end hears it; `said` are the words of the other end."""

    def __init__(
        self, platform: Serving, name: str, media: MediaLeg, said: asyncio.Queue[Event]
    ) -> None:
        self._platform, self._name, self._media, self._said = platform, name, media, said
        self._ear = Ear()
        media.tap(self._ear.take)

    async def hears_words(self, seconds: float = inf) -> None:
        """The next sentence, or that much of it."""
        told = (await self._said.get()).data
        text = str(told["text"])
        speech = self._platform.platform.speech
        clip = await speech.say(text, "", str(told["voice"]), str(told["language"]))
        sound = await asyncio.to_thread(pcm_of, clip)
        await self._ear.hears(sound[: 2 * int(min(seconds, clip.seconds) * RATE)])
        if seconds < clip.seconds:
            text = text[: round(len(text) * seconds / clip.seconds)].rsplit(" ", 1)[0] + " ..."
        _print("Offhook", text)
        self._ear.forget()

    async def hears(self, sound: bytes, told: str) -> None:
        await self._ear.hears(sound)
        _print("Offhook", f"({told})")
        self._ear.forget()

    async def hears_recording(self, of: bytes) -> None:
        await self._said.get()
        await self.hears(of, "plays the message")

    async def press(self, key: str) -> None:
        _print(self._name, f"presses {key}")
        await self._media.send_digits(key)
        self._ear.forget()

    async def says(self, text: str) -> bytes:
        """Speaks, and gives the sound of it."""
        clip = await self._platform.platform.speech.say(text, "", "woman", "en-GB")
        _print(self._name, text)
        await self._media.play(tones((0, 0.3)))
        await self._media.play(clip)
        return await asyncio.to_thread(pcm_of, clip)


async def _phone_call(platform: Serving) -> Path:
    """Leaves a message and hears it again; gives the file that keeps it."""
    number = platform.demo_number
    click.echo(f"\nA simulated phone, {PHONE}, calls the demo number {number}:")
    with _Listener(platform) as events:
        phone = await platform.platform.network.call(PHONE, number)
        call = Conversation(platform, "the phone", phone.media, events.said)
        await call.hears_words(GREETED)
        await call.press("2")
        await call.hears_words()
        await call.hears(BEEP, "a beep")
        message = await call.says(MESSAGE)
        await call.press("#")
        await call.hears_words()
        await call.hears_recording(message)
        phone.hang_up()
        _print("the phone", "hangs up")
        recordings = platform.platform.settings.data / "recordings"
        kept = recordings / platform.platform.account.sid / f"{events.recording}.wav"
        ear = Ear()
        ear.take(await asyncio.to_thread(_sound_in, kept))
        await ear.hears(message)
    return kept


async def _sip_call(platform: Serving) -> None:
    """The same menu, over sockets: SIP and RTP."""
    async with _sip_phone() as carrier:
        host, port = carrier.address
        to = f"sip:{platform.demo_number}@{platform.sip}"
        click.echo(f"\nA SIP phone at {host}:{port} calls {to}:")
        with _Listener(platform) as events:
            leg = await carrier.dial(Target(to, SIP_PHONE, "", ""), lambda leg, early: None)
            call = Conversation(platform, "SIP phone", leg.media, events.said)
            await call.hears_words(GREETED)
            await call.press("1")
            await call.hears_words(GREETED)
            await leg.hang_up()
            _print("SIP phone", "hangs up")


@asynccontextmanager
async def _sip_phone() -> AsyncIterator[SipCarrier]:
    """A second SIP endpoint: from loopback it needs no trunk."""

    async def nobody(leg: Leg, to: str, from_: str) -> None:
        await leg.reject(480)

    media = await MediaPlane.local(range(30000, 31000))
    carrier = await SipCarrier.open(SipSettings(port=0), media, nobody)
    try:
        yield carrier
    finally:
        await carrier.close()
        await media.close()


async def _text(platform: Serving) -> None:
    network, number = platform.platform.network, platform.demo_number
    click.echo(f"\n{TEXTER} texts the demo number:")
    phone = network.phone(TEXTER)
    _print("the phone", "Is anybody there?")
    await network.text(TEXTER, number, "Is anybody there?")
    while not phone.inbox:
        await phone.news()
    _print("Offhook", phone.inbox[0].body)


class _Listener:
    """What is said in the calls of a platform, and what is recorded."""

    def __init__(self, platform: Serving) -> None:
        self.said: asyncio.Queue[Event] = asyncio.Queue()
        self.recording = ""
        self._listeners: set[Callable[[Event], None]] = platform.platform.exchange.journal.listeners

    def __enter__(self) -> _Listener:
        self._listeners.add(self._hear)
        return self

    def __exit__(self, *error: Any) -> None:
        self._listeners.discard(self._hear)

    def _hear(self, event: Event) -> None:
        if event.kind == "said":
            self.said.put_nowait(event)
        elif event.kind == "recording":
            self.recording = str(event.data["sid"])


def _print(who: str, what: str) -> None:
    click.echo(f"  {who:<10} {what}")


def pcm_of(clip: Clip) -> bytes:
    return clip.pcm or Path(clip.path).read_bytes()


def _sound_in(wav: Path) -> bytes:
    return wav.read_bytes()[HEADER:]
