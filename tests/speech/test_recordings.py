"""Reference page Recordings, "Media": what is downloaded."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from files import recording, strength, tone
from speaking import WithSpeech

from offhook.errors import SpeechError
from offhook.media.clip import Clip
from offhook.speech.service import Speech


@pytest.fixture
def two_sides(tmp_path: Path) -> str:
    """Three seconds: 440 Hz left, 1000 Hz right."""
    return recording(tmp_path / "RE.wav", tone(3, 8000, 440), tone(3, 8000, 1000))


def heard(with_speech: WithSpeech, mp3: bytes) -> bytes:
    clip: Clip = with_speech(lambda speech: speech.decode(mp3, "audio/mpeg"))
    return Path(clip.path).read_bytes()


def test_an_mp3_sounds_like_the_recording(with_speech: WithSpeech, tmp_path: Path) -> None:
    path = recording(tmp_path / "RE.wav", tone(3, 8000))
    sound = heard(with_speech, with_speech(lambda speech: speech.mp3(path)))
    assert len(sound) / 16000 == pytest.approx(3, abs=0.2)
    assert strength(sound[8000:40000], 440) == pytest.approx(8192, rel=0.1)


@pytest.mark.parametrize("channel", [None, "mix"])
def test_an_mp3_has_32_kilobits_a_second(
    with_speech: WithSpeech, two_sides: str, channel: str | None
) -> None:
    body = with_speech(lambda speech: speech.mp3(two_sides, channel))
    assert len(body) * 8 / 3 == pytest.approx(32000, rel=0.15)
    with av.open(io.BytesIO(body), format="mp3") as media:
        assert len(media.streams.audio[0].codec_context.layout.channels) == (1 if channel else 2)
        assert media.streams.audio[0].codec_context.bit_rate == 32000


def test_both_sides_are_in_the_mix(with_speech: WithSpeech, two_sides: str) -> None:
    sound = heard(with_speech, with_speech(lambda speech: speech.mp3(two_sides, "mix")))
    for hertz in (440, 1000):
        assert strength(sound[8000:40000], hertz) == pytest.approx(8192, rel=0.1)


def test_a_wav_can_be_had_as_it_is_or_mixed(with_speech: WithSpeech, two_sides: str) -> None:
    async def both(speech: Speech) -> tuple[bytes, bytes]:
        return await speech.wav(two_sides), await speech.wav(two_sides, "mix")

    whole, mixed = with_speech(both)
    assert whole == Path(two_sides).read_bytes()
    with wave.open(io.BytesIO(mixed)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, 8000, 24000)
        sound = file.readframes(24000)
    assert strength(sound, 440) == pytest.approx(8192, rel=0.01)
    assert strength(sound, 1000) == pytest.approx(8192, rel=0.01)


def test_loud_sides_do_not_wrap_around_in_the_mix(with_speech: WithSpeech, tmp_path: Path) -> None:
    loud = (3 * np.frombuffer(tone(3, 8000), "<i2")).astype("<i2").tobytes()
    path = recording(tmp_path / "RE.wav", loud, loud)
    sound = heard(with_speech, with_speech(lambda speech: speech.mp3(path, "mix")))
    assert strength(sound[8000:40000], 440) > 30000


def test_a_recording_that_is_gone_is_an_error(with_speech: WithSpeech, tmp_path: Path) -> None:
    with pytest.raises(SpeechError) as error:
        with_speech(lambda speech: speech.mp3(str(tmp_path / "gone.wav")))
    assert error.value.code == 12400
