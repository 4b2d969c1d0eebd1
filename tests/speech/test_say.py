"""Reference page Say, heard from the real espeak-ng."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from speaking import WithSpeech

from offhook.errors import SpeechError
from offhook.media.clip import Clip
from offhook.speech.service import Speech

FOX = "The quick brown fox jumps over the lazy dog."


def samples(clip: Clip) -> Any:
    pcm = clip.pcm or Path(clip.path).read_bytes()
    return np.frombuffer(pcm, "<i2").astype(float)


def say(
    with_speech: WithSpeech, text: str, ssml: str = "", voice: str = "", language: str = ""
) -> tuple[Clip, Any]:
    clip: Clip = with_speech(lambda speech: speech.say(text, ssml, voice, language))
    return clip, samples(clip)


def refused(with_speech: WithSpeech, *args: str) -> int:
    with pytest.raises(SpeechError) as error:
        with_speech(lambda speech: speech.say(*args))
    return error.value.code


def test_a_sentence_takes_as_long_as_speaking_it_does(with_speech: WithSpeech) -> None:
    """M03: text is said."""
    clip, sound = say(with_speech, FOX)
    assert 2 < clip.seconds < 4
    assert len(sound) == round(clip.seconds * 8000)


def test_speech_is_as_loud_as_a_telephone_voice_and_never_clips(with_speech: WithSpeech) -> None:
    for language in ("en-US", "de-DE", "ja-JP", "he-IL"):
        _, sound = say(with_speech, FOX, language=language)
        assert 16000 < abs(sound).max() < 16800
        level = 20 * np.log10(np.sqrt((sound**2).mean()) / 32768)
        assert -32 < level < -20


def test_languages_sound_different(with_speech: WithSpeech) -> None:
    english, german = (say(with_speech, FOX, language=tag)[1] for tag in ("en-US", "de-DE"))
    assert len(english) != len(german)


def pitch(sound: Any) -> float:
    """Hz: the median over all loud moments of where 64 ms are most like themselves before."""
    found = []
    for moment in sound[: len(sound) // 512 * 512].reshape(-1, 512):
        alike = np.correlate(moment, moment, "full")[511:]
        lag = 25 + int(alike[25:115].argmax())  # 320 to 70 Hz
        if alike[0] > 512 * 2000**2 and alike[lag] > 0.5 * alike[0]:
            found.append(8000 / lag)
    return float(np.median(found))


def test_women_speak_higher_than_men(with_speech: WithSpeech) -> None:
    man, woman = (pitch(say(with_speech, FOX, voice=voice)[1]) for voice in ("man", "woman"))
    assert 75 < man < 140 < woman < 300


def test_voices_of_one_language_can_be_told_apart(with_speech: WithSpeech) -> None:
    joanna, kendra = (say(with_speech, FOX, "", f"Polly.{n}")[1] for n in ("Joanna", "Kendra"))
    assert len(joanna) != len(kendra) or not np.allclose(joanna, kendra)


@pytest.mark.parametrize(("time", "seconds"), [("500ms", 0.5), ("2s", 2), ("10s", 10), ("99s", 10)])
def test_a_break_lengthens_speech_by_its_time(
    with_speech: WithSpeech, time: str, seconds: float
) -> None:
    plain, _ = say(with_speech, "one two", "one <w>two</w>", "Polly.Amy")
    paused, _ = say(with_speech, "one two", f'one <break time="{time}"/>two', "Polly.Amy")
    assert paused.seconds - plain.seconds == pytest.approx(seconds, abs=0.15)


@pytest.mark.parametrize(
    "marked",
    [
        "<w role='amazon:NN'>hello</w> there",
        "<phoneme alphabet='ipa' ph='x'>hello</phoneme> there",
        "<amazon:effect name='whispered'>hello</amazon:effect> there",
        "<sub alias='hello'>h3llo w0rld and more</sub> there",
        "<say-as interpret-as='cardinal'>hello</say-as> there",
        "<prosody rate='nonsense'>hello</prosody> there",
    ],
)
def test_tags_are_not_spoken(with_speech: WithSpeech, marked: str) -> None:
    plain, _ = say(with_speech, "hello there", "", "Polly.Amy")
    tagged, _ = say(with_speech, "hello there", marked, "Polly.Amy")
    assert tagged.seconds == pytest.approx(plain.seconds, abs=0.1)


def test_basic_voices_speak_the_text_without_its_tags(with_speech: WithSpeech) -> None:
    plain, _ = say(with_speech, "one two", "", "alice")
    tagged, _ = say(with_speech, "one two", 'one<break time="5s"/> two', "alice")
    assert tagged == plain


@pytest.mark.parametrize(
    ("marked", "longer"),
    [
        ("<prosody rate='x-slow'>{}</prosody>", True),
        ("<prosody rate='200%'>{}</prosody>", False),
        ("<say-as interpret-as='spell-out'>{}</say-as>", True),
        ("<p>{}</p><p>{}</p>", True),
    ],
)
def test_prosody_and_structure_are_heard(
    with_speech: WithSpeech, marked: str, longer: bool
) -> None:
    plain, _ = say(with_speech, "hello", "", "Polly.Amy")
    tagged, _ = say(with_speech, "hello", marked.replace("{}", "hello"), "Polly.Amy")
    assert tagged.seconds > 1.2 * plain.seconds if longer else tagged.seconds < plain.seconds


@pytest.mark.parametrize(
    ("volume", "ratio"), [("-6dB", 0.5), ("x-soft", 0.3), ("silent", 0), ("+4dB", 1.5)]
)
def test_volume_is_heard(with_speech: WithSpeech, volume: str, ratio: float) -> None:
    def loudness(asked: str) -> float:
        ssml = f"<prosody volume='{asked}'>{FOX}</prosody>"
        return float(np.sqrt((say(with_speech, FOX, ssml, "Polly.Amy")[1] ** 2).mean()))

    assert loudness(volume) / loudness("medium") == pytest.approx(ratio, abs=0.12)


def test_digits_are_read_one_by_one(with_speech: WithSpeech) -> None:
    spelled, _ = say(with_speech, "123", "<say-as interpret-as='digits'>123</say-as>", "Polly.Amy")
    apart, _ = say(with_speech, "1 2 3", "", "Polly.Amy")
    number, _ = say(with_speech, "123456", "", "Polly.Amy")
    assert spelled.seconds == pytest.approx(apart.seconds, abs=0.3)
    assert number.seconds > 1.5 * spelled.seconds


def test_ordinals_are_spoken_as_such(with_speech: WithSpeech) -> None:
    third = say(with_speech, "3", "<say-as interpret-as='ordinal'>3</say-as>", "Polly.Amy")[0]
    third_word = say(with_speech, "3rd", "", "Polly.Amy")[0]
    assert third.seconds == pytest.approx(third_word.seconds, abs=0.02)
    eleventh = say(with_speech, "11", "<say-as interpret-as='ordinal'>11</say-as>", "Polly.Amy")[0]
    eleventh_word = say(with_speech, "11th", "", "Polly.Amy")[0]
    assert eleventh.seconds == pytest.approx(eleventh_word.seconds, abs=0.02)


def test_another_language_inside_is_spoken_as_that_language(with_speech: WithSpeech) -> None:
    text = "Die Eisenbahnbrücke"
    own, _ = say(with_speech, text, f"<w>{text}</w>", "Polly.Amy")
    german, _ = say(with_speech, text, f"<lang xml:lang='de-DE'>{text}</lang>", "Polly.Amy")
    assert german.seconds != own.seconds


def test_white_space_is_one_space(with_speech: WithSpeech) -> None:
    plain, _ = say(with_speech, "one two")
    assert say(with_speech, "  one\n\n\t two\0 ")[0] == plain


@pytest.mark.parametrize("voice", ["", "Polly.Amy"])
@pytest.mark.parametrize("text", ["", " \n ", "\0"])
def test_empty_text_is_refused(with_speech: WithSpeech, voice: str, text: str) -> None:
    assert refused(with_speech, text, "", voice, "") == 13520


def test_broken_ssml_is_refused(with_speech: WithSpeech) -> None:
    assert refused(with_speech, "a", "<s>a", "Polly.Amy", "") == 13520


@pytest.mark.parametrize(
    ("voice", "letters", "most"),
    [("man", "a ", 2048), ("Polly.Amy", "a ", 1500), ("Google.en-US-Standard-A", "é ", 1666)],
)
def test_text_over_the_familys_limit_is_refused(
    with_speech: WithSpeech, voice: str, letters: str, most: int
) -> None:
    assert say(with_speech, letters * most, "", voice)[0].seconds > 60
    assert refused(with_speech, letters * most + "é é é", "", voice, "") == 13521


def test_ssml_that_would_take_hours_is_refused(with_speech: WithSpeech) -> None:
    assert refused(with_speech, "a", 'a<break time="10s"/>' * 100, "Polly.Amy", "") == 13521


def test_an_unknown_voice_is_noted_and_the_text_spoken(with_speech: WithSpeech) -> None:
    noted: list[int] = []
    clip = with_speech(
        lambda speech: speech.say(FOX, "", "robot", "", lambda code, _message: noted.append(code))
    )
    assert noted == [13511]
    assert clip.seconds > 2


def test_the_same_text_and_voice_are_the_same_clip(with_speech: WithSpeech) -> None:
    async def body(speech: Speech) -> list[Clip]:
        asked = [("a", "man"), ("a", "man"), ("a", "woman"), ("b", "man")]
        return [await speech.say(text, "", voice, "") for text, voice in asked]

    first, second, woman, other = with_speech(body)
    assert first == second
    assert len({first.path, woman.path, other.path}) == 3


def test_clips_outlive_a_restart(with_speech: WithSpeech) -> None:
    async def body(speech: Speech) -> tuple[Clip, int]:
        clip = await speech.say(FOX, "", "", "")
        return clip, Path(clip.path).stat().st_ino

    assert with_speech(body, fresh=True) == with_speech(body, fresh=True)


def test_many_who_ask_for_one_clip_at_once_get_it(with_speech: WithSpeech) -> None:
    async def body(speech: Speech) -> list[Clip]:
        asking = [asyncio.ensure_future(speech.say(FOX, "", "", "")) for _ in range(20)]
        await asyncio.sleep(0)
        asking[0].cancel()  # whoever asked first hangs up
        return await asyncio.gather(*asking[1:])

    clips = with_speech(body, fresh=True)
    assert len(set(clips)) == 1
    assert samples(clips[0]).any()
