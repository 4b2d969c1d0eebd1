"""Reference page Say: `voice` and `language`, and the table of names."""

from __future__ import annotations

import pytest

from offhook.errors import SpeechError
from offhook.speech.voices import ALICE, GOOGLE, POLLY, choose


def polly_names() -> list[tuple[str, str]]:
    return [(name, tag) for tag, rows in POLLY.items() for row in rows for name in row.split()]


def test_without_voice_and_language_a_man_speaks_american_english() -> None:
    voice = choose("", "").voice
    assert (voice.name, voice.language, voice.gender) == ("man", "en-US", "male")


@pytest.mark.parametrize(("name", "locale"), polly_names())
@pytest.mark.parametrize("suffix", ["", "-Neural", "-Generative"])
def test_every_polly_voice_is_known_with_its_language(name: str, locale: str, suffix: str) -> None:
    choice = choose(f"Polly.{name}{suffix}", locale)
    assert choice.notes == ()
    assert (choice.voice.language, choice.voice.ssml) == (locale, True)


def test_a_voice_without_language_speaks_its_own() -> None:
    assert choose("Polly.Vicki", "").voice.language == "de-DE"
    assert choose("Google.ja-JP-Neural2-B", "").voice.language == "ja-JP"


def test_a_language_without_voice_is_spoken_by_the_default_voice() -> None:
    assert choose("", "sv-SE").voice.language == "sv-SE"


def test_bilingual_voices_speak_both_their_languages() -> None:
    assert choose("Polly.Aditi", "").voice.language == "en-IN"
    assert choose("Polly.Aditi", "hi-IN").voice.language == "hi-IN"


@pytest.mark.parametrize(
    ("accented", "plain"),
    [
        ("Polly.Céline", "Polly.Celine"),
        ("Polly.Vitória-Neural", "Polly.Vitoria"),
        ("Polly.Inês", "Polly.Ines"),
        ("Polly.Dóra", "Polly.Dora"),
        ("Polly.Léa-Neural", "Polly.Lea"),
    ],
)
def test_accented_spellings_are_the_same_voices(accented: str, plain: str) -> None:
    spelled, known = choose(accented, "").voice, choose(plain, "").voice
    assert (spelled.language, spelled.gender, spelled.nth) == (
        known.language,
        known.gender,
        known.nth,
    )


@pytest.mark.parametrize("locale", ALICE)
@pytest.mark.parametrize("name", ["alice", "man", "woman"])
def test_basic_voices_speak_all_locales_of_alice(name: str, locale: str) -> None:
    choice = choose(name, locale)
    assert choice.notes == ()
    assert (choice.voice.language, choice.voice.ssml) == (locale, False)
    assert choice.voice.gender == ("male" if name == "man" else "female")


@pytest.mark.parametrize("locale", [*GOOGLE, "en-US", "es-US", "cmn-CN"])
@pytest.mark.parametrize("tail", ["Standard-A", "Wavenet-D", "Neural2-F", "Chirp3-HD-Charon"])
def test_google_voices_are_known_in_every_locale(locale: str, tail: str) -> None:
    choice = choose(f"Google.{locale}-{tail}", locale)
    assert choice.notes == ()
    assert choice.voice.gender == ("male" if tail[-1] in "Dn" else "female")


@pytest.mark.parametrize(
    "name", ["Polly.Nobody", "robot", "Google.en-US", "Google.xx-XX-Wavenet-A", "Polly."]
)
def test_an_unknown_voice_is_noted_and_the_default_speaks(name: str) -> None:
    choice = choose(name, "de-DE")
    assert [code for code, _ in choice.notes] == [13511]
    assert (choice.voice.name, choice.voice.language) == ("man", "de-DE")


@pytest.mark.parametrize("tag", ["klingon", "xx-YY", "e", "en_US!"])
def test_an_unknown_language_is_noted_and_the_voices_own_used(tag: str) -> None:
    choice = choose("Polly.Hans", tag)
    assert [code for code, _ in choice.notes] == [13512]
    assert choice.voice.language == "de-DE"


@pytest.mark.parametrize(
    ("voice", "language"),
    [
        ("Polly.Joanna", "de-DE"),
        ("Polly.Joanna", "en-GB"),
        ("Google.en-US-Standard-A", "fr-FR"),
        ("Polly.Aditi", "ja-JP"),
    ],
)
def test_a_voice_that_does_not_speak_the_language_is_refused(voice: str, language: str) -> None:
    with pytest.raises(SpeechError) as refused:
        choose(voice, language)
    assert refused.value.code == 13512


@pytest.mark.parametrize(
    ("voice", "language"),
    [("Polly.Zhiyu", "zh-CN"), ("Polly.Liv", "no-NO"), ("Polly.Joanna", "en"),
     ("Polly.Zeina", "ar"), ("Polly.Zhiyu", "zh"), ("Polly.Amy", "EN-gb")],
)  # fmt: skip
def test_other_names_of_the_same_language_are_accepted(voice: str, language: str) -> None:
    assert choose(voice, language).notes == ()


def test_a_region_nobody_named_is_as_good_as_its_language() -> None:
    assert choose("alice", "de-CH").voice.language == "de-CH"
