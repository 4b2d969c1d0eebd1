"""Reference page Play, "MIME types": strangers' files as telephone sound."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from files import encoded, strength, tone, wav
from speaking import WithSpeech

from offhook.errors import SpeechError
from offhook.media.clip import Clip
from offhook.speech import containers
from offhook.speech.service import Speech


def refused(with_speech: WithSpeech, body: bytes, media_type: str) -> str:
    with pytest.raises(SpeechError) as error:
        with_speech(lambda speech: speech.decode(body, media_type))
    assert error.value.code == 13420
    return error.value.message


FILES = {
    "an MP3 in stereo": lambda: encoded("mp3", "libmp3lame", 44100, "stereo"),
    "a telephone MP3": lambda: encoded("mp3", "libmp3lame", 8000),
    "a WAV in stereo": lambda: wav(tone(2, 44100, channels=2), 44100, 2),
    "a telephone WAV": lambda: wav(tone(2, 8000), 8000),
    "a WAV in surround": lambda: wav(tone(2, 48000, channels=6), 48000, 6),
    "a mu-law WAV": lambda: encoded("wav", "pcm_mulaw", 8000),
    "an 8-bit WAV": lambda: encoded("wav", "pcm_u8", 11025),
    "a 24-bit WAV": lambda: encoded("wav", "pcm_s24le", 16000),
    "a float WAV": lambda: encoded("wav", "pcm_f32le", 16000, "stereo"),
    "an AIFF": lambda: encoded("aiff", "pcm_s16be", 22050),
    "an AIFF in stereo": lambda: encoded("aiff", "pcm_s16be", 8000, "stereo"),
    "an AIFC": lambda: encoded("aiff", "pcm_s16le", 16000),
    "mu-law": lambda: encoded("mulaw", "pcm_mulaw", 8000),
    "an AU": lambda: encoded("au", "pcm_mulaw", 8000),
    "an Ogg": lambda: encoded("ogg", "libopus", 48000),
}


@pytest.mark.parametrize(
    ("media_type", "file"),
    [
        ("audio/mpeg", "an MP3 in stereo"),
        ("audio/mp3", "a telephone MP3"),
        ("audio/wav", "a WAV in stereo"),
        ("audio/wave", "a telephone WAV"),
        ("audio/x-wav; codecs=1", "a WAV in surround"),
        ("Audio/X-WAV", "a mu-law WAV"),
        ("audio/wav", "an 8-bit WAV"),
        ("audio/wav", "a 24-bit WAV"),
        ("audio/wav", "a float WAV"),
        ("audio/aiff", "an AIFF"),
        ("audio/x-aiff", "an AIFF in stereo"),
        ("audio/x-aifc", "an AIFC"),
        ("audio/ulaw", "mu-law"),
        ("audio/basic", "mu-law"),
        ("audio/basic", "an AU"),
        ("audio/ogg", "an Ogg"),
    ],
)
def test_documented_types_are_played(with_speech: WithSpeech, media_type: str, file: str) -> None:
    """M03: audio files are played."""
    body = FILES[file]()
    clip: Clip = with_speech(lambda speech: speech.decode(body, media_type))
    assert clip.seconds == pytest.approx(2, abs=0.1)
    heard = Path(clip.path).read_bytes()
    assert strength(heard, 440) == pytest.approx(8192, rel=0.1)
    assert strength(heard, 600) < 200


@pytest.mark.parametrize("media_type", ["audio/gsm", "audio/x-gsm"])
def test_gsm_is_played(with_speech: WithSpeech, media_type: str) -> None:
    frame = bytes([0xD0]) + bytes(32)  # one of 20 ms (GSM 06.10, 33 bytes that begin with 0xD)
    clip: Clip = with_speech(lambda speech: speech.decode(frame * 50, media_type))
    assert clip.seconds == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("media_type", ["video/mp4", "text/html", "", "audio/", "audio/mpegurl"])
def test_other_types_are_refused(with_speech: WithSpeech, media_type: str) -> None:
    refused(with_speech, wav(tone(1, 8000), 8000), media_type)


GARBAGE = {
    "nothing": b"",
    "a page": b"<html>Not found</html>",
    "all bytes": bytes(range(256)) * 100,
    "half a header": b"RIFF",
}


@pytest.mark.parametrize("media_type", ["audio/mpeg", "audio/wav", "audio/aiff", "audio/ogg"])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_refused(with_speech: WithSpeech, media_type: str, garbage: str) -> None:
    refused(with_speech, GARBAGE[garbage], media_type)


@pytest.mark.parametrize("media_type", ["audio/mpeg", "audio/wav", "audio/ogg", "audio/aiff"])
def test_a_list_of_files_opens_none_of_them(
    with_speech: WithSpeech, tmp_path: Path, media_type: str
) -> None:
    """The container follows from the type: a script for the concat demuxer is no MP3."""
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav(tone(2, 8000), 8000))
    body = f"ffconcat version 1.0\nfile '{secret}'\n".encode()
    refused(with_speech, body, media_type)
    refused(with_speech, body * 500, media_type)


def test_a_playlist_in_disguise_plays_as_the_noise_it_is(with_speech: WithSpeech) -> None:
    body = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n" * 200
    clip: Clip = with_speech(lambda speech: speech.decode(body, "audio/ulaw"))
    assert clip.seconds == pytest.approx(len(body) / 8000)


def test_a_codec_that_does_not_belong_in_the_container_is_refused(with_speech: WithSpeech) -> None:
    refused(with_speech, encoded("wav", "adpcm_yamaha", 8000), "audio/wav")


def test_a_file_over_the_size_limit_is_refused(with_speech: WithSpeech) -> None:
    body = wav(bytes(containers.MAX_BYTES), 48000)
    assert "larger than 64 MB" in refused(with_speech, body, "audio/wav")


def test_a_file_over_the_longest_time_is_refused(with_speech: WithSpeech) -> None:
    body = b"\xff" * (8000 * containers.MAX_SECONDS + 8000)
    assert "3600 seconds" in refused(with_speech, body, "audio/ulaw")


def test_the_longest_file_is_played(with_speech: WithSpeech) -> None:
    body = b"\xff" * (8000 * containers.MAX_SECONDS)
    clip: Clip = with_speech(lambda speech: speech.decode(body, "audio/ulaw"))
    assert clip.seconds == 3600


def test_too_many_channels_are_refused(with_speech: WithSpeech) -> None:
    refused(with_speech, wav(tone(1, 8000, channels=16), 8000, 16), "audio/wav")


def test_an_absurd_sample_rate_is_refused(with_speech: WithSpeech) -> None:
    refused(with_speech, wav(tone(1, 8000), 1), "audio/wav")


def test_a_file_that_is_cut_off_plays_to_the_cut(with_speech: WithSpeech) -> None:
    whole = encoded("mp3", "libmp3lame", 44100)
    clip: Clip = with_speech(lambda s: s.decode(whole[: len(whole) // 2], "audio/mpeg"))
    assert clip.seconds == pytest.approx(1, abs=0.2)


def test_sound_above_what_a_telephone_carries_does_not_fold_back(with_speech: WithSpeech) -> None:
    body = wav(tone(1, 44100, hertz=7000), 44100)
    clip: Clip = with_speech(lambda speech: speech.decode(body, "audio/wav"))
    assert strength(Path(clip.path).read_bytes(), 1000) < 50


def test_the_same_file_is_decoded_once(with_speech: WithSpeech) -> None:
    """M10: media files are cached locally."""
    body = wav(tone(1, 8000), 8000)

    async def twice(speech: Speech) -> list[Clip]:
        asked = [speech.decode(body, "audio/wav"), speech.decode(body, "audio/x-wav")]
        return await asyncio.gather(*asked)

    first, second = with_speech(twice)
    assert first == second
    written = Path(first.path).stat().st_ino
    assert with_speech(lambda speech: speech.decode(body, "audio/wav")) == first
    assert Path(first.path).stat().st_ino == written


def test_the_same_bytes_of_another_type_are_another_sound(with_speech: WithSpeech) -> None:
    body = io.BytesIO(wav(tone(1, 8000), 8000)).getvalue()

    async def both(speech: Speech) -> list[Clip]:
        return [await speech.decode(body, kind) for kind in ("audio/wav", "audio/ulaw")]

    wave_sound, ulaw_sound = with_speech(both)
    assert ulaw_sound.seconds > 1.9 * wave_sound.seconds
