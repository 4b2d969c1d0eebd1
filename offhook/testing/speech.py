"""Speech for tests: everything is said by the test voice, at once and in this process."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Callable
from typing import Literal

import numpy as np

from offhook import clock
from offhook.errors import SpeechError
from offhook.media.clip import RATE, Clip
from offhook.speech.ssml import read, text_of
from offhook.speech.voices import choose
from offhook.testing.voice import speak, transcribe

NOTHING_TO_SAY, TOO_LONG = 13520, 13521


class TestVoice:
    """Takes and refuses what `offhook.speech.service.Speech` does; all voices sound the same."""

    __test__ = False  # not a class of tests, whatever pytest thinks of the name
    healthy = True

    async def start(self) -> None:
        """There is nothing to start."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def say(
        self,
        text: str,
        ssml: str,
        voice: str,
        language: str,
        note: Callable[[int, str], None] | None = None,
    ) -> Clip:
        """The words without their SSML. Raises SpeechError 13512, 13520, 13521."""
        chosen = choose(voice, language)
        for code, message in chosen.notes:
            if note:
                note(code, message)
        words = " ".join((text_of(read(ssml)) if ssml else text).split())
        if not words and "<" not in ssml:
            raise SpeechError(NOTHING_TO_SAY, "There is no text to say")
        if chosen.voice.too_long(words, ssml):
            raise SpeechError(TOO_LONG, f"The text is too long for the voice {voice}")
        return speak(words)

    async def decode(self, body: bytes, media_type: str) -> Clip:
        """A sound file as sound; telephone WAV bit by bit. Raises SpeechError 13420."""
        pcm = _telephone_wav(body)
        if pcm is None:
            # A native decoder, wanted by few tests, that takes a while to import.
            from offhook.speech.decode import decode

            with clock.outside("decoding a sound file"):
                pcm = await asyncio.to_thread(decode, body, media_type)
        return Clip(seconds=len(pcm) / (2 * RATE), pcm=pcm)

    async def mp3(self, path: str, channel: Literal["mix"] | None = None) -> bytes:
        """A recording as MP3."""
        from offhook.speech.encode import mp3

        with clock.outside("encoding a recording"):
            return await asyncio.to_thread(mp3, path, channel == "mix")

    async def wav(self, path: str, channel: Literal["mix"] | None = None) -> bytes:
        """A recording as it is, or with its channels mixed to one."""
        from offhook.speech.encode import wav

        with clock.outside("reading a recording"):
            return await asyncio.to_thread(wav, path, channel == "mix")


def _telephone_wav(body: bytes) -> bytes | None:
    """The sound of a WAV file that is mono, 16 bit, 8 kHz; None for anything else."""
    try:
        with wave.open(io.BytesIO(body)) as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, RATE):
                return None
            return bytes(file.readframes(file.getnframes()))
    except (wave.Error, EOFError):
        return None


def transcribe_wav(path: str) -> list[str]:
    """What is said in each channel of a recording (WAV, 16 bit, 8 kHz)."""
    with wave.open(path) as file:
        channels = file.getnchannels()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, channels)
    return [transcribe(samples[:, channel].tobytes()) for channel in range(channels)]


def wav_of(clip: Clip) -> bytes:
    """The clip as a WAV file, for applications that serve sound."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(clip.pcm)
    return out.getvalue()
