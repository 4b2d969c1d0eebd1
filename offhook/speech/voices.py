"""Which voice is meant: the documented voice and language names (reference page Say, `voice`)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import Literal

from offhook.errors import SpeechError
from offhook.frozen import frozen

Gender = Literal["female", "male"]
Family = Literal["basic", "polly", "google"]

BAD_VOICE, BAD_LANGUAGE = 13511, 13512


@frozen
class Voice:
    """Who speaks. `language` is BCP-47; `nth` tells voices of one language and gender apart."""

    name: str
    language: str
    gender: Gender
    nth: int = 0
    family: Family = "basic"

    @property
    def ssml(self) -> bool:
        """Basic voices speak the text alone; their tags are stripped."""
        return self.family != "basic"

    def too_long(self, text: str, ssml: str) -> bool:
        """Whether the text passes the limit of its family (13521)."""
        if self.family == "google":
            return len((ssml or text).encode()) > 5000
        return len(text) > (3000 if self.family == "polly" else 4096)


@frozen
class Choice:
    """The voice that speaks, and the codes and texts of what had to be put right first."""

    voice: Voice
    notes: tuple[tuple[int, str], ...] = ()


# locale: (female names, male names)
POLLY = {
    "en-US": ("Joanna Kendra Kimberly Ivy Salli Ruth Danielle",
              "Matthew Joey Justin Kevin Stephen Gregory"),
    "en-GB": ("Amy Emma", "Brian Arthur"),
    "en-AU": ("Nicole Olivia", "Russell"),
    "en-IN": ("Aditi Raveena Kajal", ""),
    "en-NZ": ("Aria", ""),
    "en-ZA": ("Ayanda", ""),
    "en-IE": ("Niamh", ""),
    "en-GB-WLS": ("", "Geraint"),
    "fr-FR": ("Celine Lea", "Mathieu Remi"),
    "fr-CA": ("Chantal Gabrielle", "Liam"),
    "es-ES": ("Conchita Lucia", "Enrique Sergio"),
    "es-MX": ("Mia", "Andres"),
    "es-US": ("Lupe Penelope", "Miguel Pedro"),
    "it-IT": ("Bianca Carla", "Giorgio Adriano"),
    "pt-BR": ("Camila Vitoria", "Ricardo Thiago"),
    "pt-PT": ("Ines", "Cristiano"),
    "ro-RO": ("Carmen", ""),
    "ca-ES": ("Arlet", ""),
    "de-DE": ("Marlene Vicki", "Hans Daniel"),
    "de-AT": ("Hannah", ""),
    "nl-NL": ("Lotte Laura", "Ruben"),
    "da-DK": ("Naja Sofie", "Mads"),
    "nb-NO": ("Liv Ida", ""),
    "sv-SE": ("Astrid Elin", ""),
    "is-IS": ("Dora", "Karl"),
    "fi-FI": ("Suvi", ""),
    "cy-GB": ("Gwyneth", ""),
    "pl-PL": ("Ewa Maja Ola", "Jacek Jan"),
    "ru-RU": ("Tatyana", "Maxim"),
    "tr-TR": ("Filiz Burcu", ""),
    "arb": ("Zeina", ""),
    "ar-AE": ("Hala", "Zayd"),
    "hi-IN": ("Aditi Kajal", ""),
    "ja-JP": ("Mizuki Kazuha Tomoko", "Takumi"),
    "ko-KR": ("Seoyeon", ""),
    "cmn-CN": ("Zhiyu", ""),
    "yue-CN": ("Hiujin", ""),
}  # fmt: skip

ALICE = [
    "ca-ES",
    "da-DK",
    "de-DE",
    "en-AU",
    "en-CA",
    "en-GB",
    "en-IN",
    "en-US",
    "es-ES",
    "es-MX",
    "fi-FI",
    "fr-CA",
    "fr-FR",
    "it-IT",
    "ja-JP",
    "ko-KR",
    "nb-NO",
    "nl-NL",
    "pl-PL",
    "pt-BR",
    "pt-PT",
    "ru-RU",
    "sv-SE",
    "zh-CN",
    "zh-HK",
    "zh-TW",
]

GOOGLE = [
    "af-ZA",
    "ar-XA",
    "bg-BG",
    "bn-IN",
    "cs-CZ",
    "el-GR",
    "et-EE",
    "eu-ES",
    "fr-BE",
    "fr-CH",
    "gu-IN",
    "he-IL",
    "hr-HR",
    "hu-HU",
    "id-ID",
    "kn-IN",
    "lt-LT",
    "lv-LV",
    "ml-IN",
    "mr-IN",
    "ms-MY",
    "no-NO",
    "pa-IN",
    "ro-RO",
    "sk-SK",
    "sl-SI",
    "sr-RS",
    "sw-KE",
    "ta-IN",
    "te-IN",
    "th-TH",
    "uk-UA",
    "ur-IN",
    "vi-VN",
    "zh-CN",
    "cmn-TW",
    "yue-HK",
]

_LOCALES = {tag.casefold(): tag for tag in (*GOOGLE, *ALICE, *POLLY)}
_PRIMARIES = {tag.partition("-")[0] for tag in _LOCALES}
_SAME = {
    "zh": "cmn", "zh-cn": "cmn-CN", "zh-tw": "cmn-TW", "zh-hk": "yue-HK",
    "no": "nb", "no-no": "nb-NO", "arb": "ar-XA",
}  # fmt: skip

_GOOGLE_NAME = re.compile(
    r"google\.([a-z]{2,3}-[a-z0-9]{2,3})-(standard|wavenet|neural2|chirp3-hd)-([a-z]+)"
)
_CHIRP_MEN = {
    "achird",
    "algenib",
    "algieba",
    "alnilam",
    "charon",
    "enceladus",
    "fenrir",
    "iapetus",
    "orus",
    "puck",
    "rasalgethi",
    "sadachbia",
    "sadaltager",
    "schedar",
    "umbriel",
    "zubenelgenubi",
}


def _polly_voices() -> dict[str, tuple[Voice, ...]]:
    found: dict[str, tuple[Voice, ...]] = {}
    genders: tuple[Gender, Gender] = ("female", "male")
    for locale, names in POLLY.items():
        for gender, row in zip(genders, names, strict=True):
            for nth, name in enumerate(row.split()):
                voice = Voice(f"Polly.{name}", locale, gender, nth, "polly")
                key = voice.name.casefold()
                found[key] = (*found.get(key, ()), voice)
    return found


_POLLY = _polly_voices()


def _named(name: str) -> tuple[Voice, ...]:
    """The voice of that name, once for each of its languages, its own first; () when unknown."""
    key = _plain(name)
    if key in ("man", "woman", "alice"):
        return (Voice(key, "en-US", "male" if key == "man" else "female"),)
    if key.startswith("polly."):
        stem = key.removesuffix("-neural").removesuffix("-generative")
        return tuple(replace(voice, name=name) for voice in _POLLY.get(stem, ()))
    if match := _GOOGLE_NAME.fullmatch(key):
        return _google(name, *match.groups())
    return ()


def _google(name: str, locale: str, tech: str, last: str) -> tuple[Voice, ...]:
    """Lettered voices: B, D, I and J are men; the others have names of stars and moons."""
    if locale not in _LOCALES or (tech != "chirp3-hd" and len(last) > 1):
        return ()
    man = last in "bdij" if len(last) == 1 else last in _CHIRP_MEN
    nth = ord(last[0]) - ord("a")
    return (Voice(name, _LOCALES[locale], "male" if man else "female", nth, "google"),)


def _plain(name: str) -> str:
    """Lower case without accents: `Polly.Céline` is `Polly.Celine`."""
    apart = unicodedata.normalize("NFKD", name.strip().casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _speaks(voice: Voice, language: str) -> bool:
    own, asked = _same(voice.language), _same(language)
    return own == asked or asked == own.partition("-")[0]


def _same(language: str) -> str:
    tag = language.casefold()
    return _SAME.get(tag, tag).casefold()


def known_language(language: str) -> str:
    """The language as it is usually written, or "" when no voice speaks it.

    A region nobody has named (`de-CH`) is as good as its language.
    """
    tag = language.strip().replace("_", "-")
    if tag.casefold() in _LOCALES:
        return _LOCALES[tag.casefold()]
    well_formed = re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", tag)
    return tag if well_formed and tag.partition("-")[0].casefold() in _PRIMARIES else ""


def choose(voice: str, language: str) -> Choice:
    """The voice that `voice` and `language` (either may be "") name.

    An unknown name is noted and the default used (13511 voice, 13512 language). A voice that
    does not speak the language asked for raises SpeechError 13512.
    """
    notes: list[tuple[int, str]] = []
    candidates = _named(voice) if voice else ()
    if voice and not candidates:
        notes.append((BAD_VOICE, f"There is no voice {voice!r}; the default voice speaks"))
    tag = known_language(language) if language else ""
    if language and not tag:
        notes.append((BAD_LANGUAGE, f"No voice speaks {language!r}; the default language is used"))
    if not candidates:
        return Choice(Voice("man", tag or "en-US", "male"), tuple(notes))
    own = candidates[0]
    if not tag:
        return Choice(own, tuple(notes))
    if own.family == "basic":
        return Choice(replace(own, language=tag), tuple(notes))
    for candidate in candidates:
        if _speaks(candidate, tag):
            return Choice(candidate, tuple(notes))
    raise SpeechError(BAD_LANGUAGE, f"{voice} speaks {own.language}, not {tag}")
