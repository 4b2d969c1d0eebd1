"""What the test voice says is read back exactly, whatever the line does to its sound."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.media import codecs
from offhook.testing.voice import FRAME, Ear, speak, transcribe

TEXTS = {
    "English": "Press 1 for sales, or stay on the line.",
    "repeats": "aaaa bookkeeper 000000 \x00\x00\x00 ÿÿÿ",
    "German": "Für Rückfragen drücken Sie die Rautetaste ß.",
    "Arabic": "اضغط على الرقم واحد للمبيعات",
    "Chinese": "按一转接销售部，按二转接客服。",
    "Japanese": "営業部は1を、サポートは2を押してください。",
    "Hindi": "बिक्री के लिए एक दबाएँ",
    "emoji": "Ring ☎️ 👩🏽‍💻 🏳️‍🌈!",
}


Samples = npt.NDArray[np.int16]


def over(codec: int, level: float = 1.0) -> Callable[[Samples], Samples]:
    """There and back through G.711, at `level` times the amplitude."""
    return lambda sound: codecs.decode(codec, codecs.encode(codec, (sound * level).astype("<i2")))


LINES: dict[str, Callable[[Samples], Samples]] = {
    "clear": lambda sound: sound,
    "mu-law": over(codecs.PCMU),
    "A-law": over(codecs.PCMA),
    "10 dB quieter, mu-law": over(codecs.PCMU, 0.316),
    "10 dB quieter, A-law": over(codecs.PCMA, 0.316),
    "twice over, A-law to mu-law": lambda sound: over(codecs.PCMU)(over(codecs.PCMA, 0.5)(sound)),
}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("language", TEXTS)
def test_any_language_is_exact_over_any_line(language: str, line: str) -> None:
    sent = np.frombuffer(bytes(2 * 57) + speak(TEXTS[language]).pcm, "<i2")
    assert transcribe(LINES[line](sent).tobytes()) == TEXTS[language]


def test_the_frames_may_begin_anywhere() -> None:
    pcm = speak("Goodbye! 再见").pcm
    for samples in range(0, FRAME, 7):
        assert transcribe(bytes(2 * samples) + pcm + bytes(640)) == "Goodbye! 再见"


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.integers(0, FRAME))
def test_any_text_is_exact(text: str, shift: int) -> None:
    assert transcribe(bytes(2 * shift) + speak(text).pcm + bytes(320)) == text


def test_the_loss_of_single_frames_is_survived() -> None:
    chance = random.Random(4)
    pcm = bytearray(bytes(100) + speak("The loss of single frames is survived.").pcm)
    for frame in range(0, len(pcm) // 320 - 4, 4):
        lost = frame + chance.randrange(2)
        pcm[320 * lost : 320 * (lost + 1)] = bytes(320)
    assert transcribe(bytes(pcm) + bytes(220)) == "The loss of single frames is survived."


def test_utterances_stay_apart() -> None:
    assert transcribe(speak("La.").pcm * 3) == "La.\nLa.\nLa."
    assert transcribe(speak("One.").pcm + bytes(16000) + speak("Two.").pcm) == "One.\nTwo."


def test_speech_that_is_cut_off_is_heard_as_far_as_it_went() -> None:
    ear = Ear(lambda: 0.0)
    said = speak("Press 1 for sales.").pcm
    for start in range(0, 320 * 24, 320):
        ear.feed(said[start : start + 320])
    for start in range(0, len(speak("Sales.").pcm), 320):
        ear.feed(speak("Sales.").pcm[start : start + 320])
    assert [(each.text, each.whole) for each in ear.utterances] == [
        ("Press 1", False),
        ("Sales.", True),
    ]


def test_what_follows_a_character_cut_in_two_is_heard_right() -> None:
    cut = speak("né").pcm[: 3 * 960]  # the beginning, n, and half of é
    assert transcribe(cut + speak("Yes.").pcm) == "n\nYes."


def test_times_are_those_of_the_sound() -> None:
    now = 100.0
    ear = Ear(lambda: now)
    for start in range(0, len(speak("abc").pcm), 320):
        ear.feed(speak("abc").pcm[start : start + 320])
        now += 0.02
    [said] = ear.utterances
    assert said.began == 100.0
    assert said.ended == pytest.approx(100.24)


@pytest.mark.parametrize("kind", ["silence", "noise", "dial tone", "keys", "loud hum"])
def test_other_sounds_say_nothing(kind: str) -> None:
    time = np.arange(8000) / 8000
    sounds = {
        "silence": np.zeros(8000),
        "noise": np.random.default_rng(1).normal(0, 4000, 8000),
        "dial tone": 8000 * (np.sin(2 * np.pi * 350 * time) + np.sin(2 * np.pi * 440 * time)),
        "keys": 8000 * (np.sin(2 * np.pi * 697 * time) + np.sin(2 * np.pi * 1209 * time)),
        "loud hum": 30000 * np.sin(2 * np.pi * 50 * time),
    }
    assert transcribe(sounds[kind].astype("<i2").tobytes()) == ""
