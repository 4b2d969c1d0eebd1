"""espeak-ng: the library and data that espeakng-loader bundles, never the system's."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import espeakng_loader
import numpy as np

from offhook.errors import SpeechError
from offhook.speech import ssml as markup
from offhook.speech.sound import PEAK, telephone
from offhook.speech.ssml import Tag
from offhook.speech.voices import Voice

MAX_SECONDS = 600
MAX_BREAK_MS = 10_000

# speak_lib.h
_SYNCHRONOUS, _NO_EXIT = 2, 0x8000
_UTF8, _SSML = 1, 0x10
_CHARACTERS = 1
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)

# Locales to espeak's voice files, where the language alone would not find the nearest one.
_NEAREST = {
    "en": "en-US", "en-us": "en-US", "en-ca": "en-US",
    "en-gb": "en", "en-au": "en", "en-nz": "en", "en-za": "en", "en-ie": "en", "en-in": "en",
    "en-gb-wls": "en",
    "fr-be": "fr-BE", "fr-ch": "fr-CH",
    "es-mx": "es-419", "es-us": "es-419", "es-419": "es-419",
    "pt-br": "pt-BR",
    "zh": "cmn", "zh-hk": "yue", "no": "nb", "arb": "ar", "iw": "he",
}  # fmt: skip
_WOMEN = ("f2", "f1", "f3", "f4")
_MEN = ("m3", "m1", "m2", "m7")

_SPELLED = {"characters", "spell-out"}
_DIGITS = {"digits", "telephone"}
_WORDS = {
    "volume": {"default", "silent", "x-soft", "soft", "medium", "loud", "x-loud"},
    "rate": {"x-slow", "slow", "medium", "fast", "x-fast"},
    "pitch": {"default", "x-low", "low", "medium", "high", "x-high"},
}
_PERCENT = re.compile(r"[+-]?\d{1,3}(\.\d{1,3})?%")
_DECIBEL = re.compile(r"([+-]?\d{1,2}(?:\.\d{1,3})?)dB")
_TIME = re.compile(r"\+?(\d{1,6}(?:\.\d{1,3})?)(ms|s)")


def create() -> Espeak:
    return Espeak()


class Espeak:
    """One instance a process: the library keeps its state in globals."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
        _declare(self._lib)
        data = str(espeakng_loader.get_data_path()).encode()
        self._rate = self._lib.espeak_Initialize(_SYNCHRONOUS, 0, data, _NO_EXIT)
        if self._rate <= 0:
            raise OSError("espeak-ng does not start: its data is missing or of another version")
        self.version = f"espeak-ng {self._lib.espeak_Info(None).decode()}"
        self._chunks: list[bytes] = []
        self._samples = 0
        self._collector = _CALLBACK(self._collect)  # kept: the library holds only its address
        self._lib.espeak_SetSynthCallback(self._collector)

    def _collect(self, wave: Any, count: int, _events: Any) -> int:
        """Called by the library with some sound; 1 stops it."""
        if wave and count > 0:
            self._chunks.append(ctypes.string_at(wave, 2 * count))
            self._samples += count
        return int(self._samples > MAX_SECONDS * self._rate)

    def synthesize(self, text: str, ssml: str, voice: Voice) -> bytes:
        nodes: list[str | Tag] = markup.read(ssml) if ssml and voice.ssml else [text]
        document = f"<speak>{_render(nodes, voice)}</speak>".encode()
        self._speak_as(voice)
        self._chunks, self._samples = [], 0
        if self._lib.espeak_Synth(
            document, len(document) + 1, 0, _CHARACTERS, 0, _UTF8 | _SSML, None, None
        ):
            raise SpeechError(13520, "The text cannot be spoken")
        if self._samples > MAX_SECONDS * self._rate:
            raise SpeechError(13521, f"The text takes more than {MAX_SECONDS} seconds to say")
        samples = np.frombuffer(b"".join(self._chunks), dtype=np.int16)
        self._chunks = []
        # A volume asked for must stay what it is beside other clips.
        return telephone(samples, self._rate, None if b"<prosody volume" in document else PEAK)

    def _speak_as(self, voice: Voice) -> None:
        for name in _files(voice.language):
            if self._lib.espeak_SetVoiceByName(f"{name}+{_variant(voice)}".encode()) == 0:
                return
        raise SpeechError(13512, f"espeak-ng does not speak {voice.language}")


def _declare(lib: Any) -> None:
    text, number, pointer = ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p
    size, unsigned = ctypes.c_size_t, ctypes.c_uint
    lib.espeak_Initialize.argtypes = [number, number, text, number]
    lib.espeak_Info.argtypes, lib.espeak_Info.restype = [pointer], text
    lib.espeak_SetVoiceByName.argtypes = [text]
    lib.espeak_Synth.argtypes = [
        text, size, unsigned, number, unsigned, unsigned, pointer, pointer,
    ]  # fmt: skip


def _files(language: str) -> list[str]:
    """espeak's voice files for a language, the nearest first."""
    tag = language.casefold()
    primary = tag.partition("-")[0]
    return [_NEAREST[key] for key in (tag, primary) if key in _NEAREST] + [primary]


def _variant(voice: Voice) -> str:
    family = _WOMEN if voice.gender == "female" else _MEN
    return family[voice.nth % len(family)]


def _render(nodes: list[str | Tag], voice: Voice) -> str:
    """The same in espeak's dialect. Only what is written here reaches the library."""
    return "".join(
        escape(node) if isinstance(node, str) else _RENDERERS[node.name](node, voice)
        for node in nodes
    )


def _keep(tag: Tag, voice: Voice) -> str:
    return f"<{tag.name}>{_render(tag.inner, voice)}</{tag.name}>"


def _strip(tag: Tag, voice: Voice) -> str:
    return _render(tag.inner, voice)


def _break(tag: Tag, _voice: Voice) -> str:
    if match := _TIME.fullmatch(tag.attributes.get("time", "").strip()):
        wanted = float(match[1]) * (1 if match[2] == "ms" else 1000)
        return f'<break time="{min(int(wanted), MAX_BREAK_MS)}ms"/>'
    strength = tag.attributes.get("strength", "medium")
    known = strength in ("none", "x-weak", "weak", "medium", "strong", "x-strong")
    return f'<break strength="{strength}"/>' if known else "<break/>"


def _emphasis(tag: Tag, voice: Voice) -> str:
    level = tag.attributes.get("level", "moderate")
    level = level if level in ("strong", "moderate", "reduced") else "moderate"
    return f'<emphasis level="{level}">{_render(tag.inner, voice)}</emphasis>'


def _prosody(tag: Tag, voice: Voice) -> str:
    kept = ""
    for name, words in _WORDS.items():
        asked = tag.attributes.get(name, "").strip()
        loud = _DECIBEL.fullmatch(asked) if name == "volume" else None
        if loud:
            kept += f' {name}="{min(100 * 10 ** (float(loud[1]) / 20), 200) - 100:+.0f}%"'
        elif asked in words or (name != "volume" and _PERCENT.fullmatch(asked)):
            kept += f' {name}="{asked}"'
    return f"<prosody{kept}>{_render(tag.inner, voice)}</prosody>"


def _say_as(tag: Tag, voice: Voice) -> str:
    """Spelling and digits are espeak's; it reads dates, times and units from the text as it is."""
    kind = tag.attributes.get("interpret-as", "")
    inner = _render(tag.inner, voice)
    if kind in _SPELLED:
        return f'<say-as interpret-as="characters">{inner}</say-as>'
    if kind in _DIGITS:
        return f'<say-as interpret-as="telephone">{inner}</say-as>'
    if kind == "expletive":
        return '<break time="500ms"/>'
    if kind == "ordinal" and voice.language.startswith("en"):
        return _ordinal(inner)
    return inner


def _ordinal(number: str) -> str:
    digits = number.strip()
    if not digits.isdecimal():
        return number
    last = "th" if digits[-2:] in ("11", "12", "13") else ""
    return digits + (last or {"1": "st", "2": "nd", "3": "rd"}.get(digits[-1], "th"))


def _sub(tag: Tag, voice: Voice) -> str:
    return escape(tag.attributes["alias"]) if "alias" in tag.attributes else _strip(tag, voice)


def _lang(tag: Tag, voice: Voice) -> str:
    asked = tag.attributes.get("xml:lang", "")
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", asked):
        return _strip(tag, voice)
    attributes = f"xml:lang={quoteattr(_files(asked)[0])} gender={quoteattr(voice.gender)}"
    return f"<voice {attributes}>{_render(tag.inner, voice)}</voice>"


_RENDERERS: dict[str, Callable[[Tag, Voice], str]] = {
    "break": _break,
    "emphasis": _emphasis,
    "lang": _lang,
    "p": _keep,
    "phoneme": _strip,
    "prosody": _prosody,
    "s": _keep,
    "say-as": _say_as,
    "sub": _sub,
    "w": _strip,
}
