"""The test voice takes and refuses what the platform's speech does."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from offhook.errors import SpeechError
from offhook.testing.speech import TestVoice, transcribe_wav, wav_of
from offhook.testing.voice import speak, transcribe


async def said(text: str, ssml: str = "", voice: str = "", language: str = "") -> str:
    return transcribe((await TestVoice().say(text, ssml, voice, language)).pcm)


async def test_white_space_is_single() -> None:
    assert await said("  Press 1 \n   for sales. ") == "Press 1 for sales."


async def test_ssml_is_stripped() -> None:
    assert await said("Hi there", 'Hi <break time="1s"/><emphasis>there</emphasis>') == "Hi there"


@pytest.mark.parametrize("text", ["", "  \n "])
async def test_nothing_to_say_is_refused(text: str) -> None:
    with pytest.raises(SpeechError) as refused:
        await said(text)
    assert refused.value.code == 13520


async def test_a_voice_that_does_not_speak_the_language_is_refused() -> None:
    with pytest.raises(SpeechError) as refused:
        await said("Hello", voice="Polly.Hans", language="en-US")
    assert refused.value.code == 13512


async def test_an_unknown_voice_is_noted() -> None:
    notes: list[int] = []
    await TestVoice().say("Hello", "", "nobody", "", lambda code, message: notes.append(code))
    assert notes == [13511]


async def test_telephone_wav_is_taken_as_it_is() -> None:
    clip = speak("Ça va ?")
    assert await TestVoice().decode(wav_of(clip), "audio/wav") == clip


async def test_other_sound_is_decoded() -> None:
    samples = np.frombuffer(speak("Twice the rate.").pcm, "<i2")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((2, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.repeat(samples, 4).astype("<i2").tobytes())
    clip = await TestVoice().decode(out.getvalue(), "audio/wav")
    assert transcribe(clip.pcm) == "Twice the rate."


async def test_what_is_no_sound_is_refused() -> None:
    with pytest.raises(SpeechError) as refused:
        await TestVoice().decode(b"<html>", "text/html")
    assert refused.value.code == 13420


async def test_recordings_are_converted(tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(wav_of(speak("For the record.")))
    assert transcribe_wav(str(path)) == ["For the record."]
    mp3 = await TestVoice().mp3(str(path))
    assert transcribe((await TestVoice().decode(mp3, "audio/mpeg")).pcm) == "For the record."
    assert await TestVoice().wav(str(path)) == path.read_bytes()
