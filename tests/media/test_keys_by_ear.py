"""Tones are heard as ITU-T Q.24 asks, and an hour of speech and music presses no key.

The speech is made anew each time: fourteen languages, eight voices of each, slow and fast, high and
low, through mu-law as a caller's would come.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context

import numpy as np
import pytest
from media_sounds import Sound

from offhook.media import codecs, keys
from offhook.media.clip import RATE, SAMPLES
from offhook.media.inband import InBand
from offhook.speech.engines import load
from offhook.speech.voices import Voice

RIGHTS = {
    "en-US": "All human beings are born free and equal in dignity and rights. They are endowed "
    "with reason and conscience and should act towards one another in a spirit of brotherhood.",
    "de-DE": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit "
    "Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    "fr-FR": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont "
    "doués de raison et de conscience et doivent agir dans un esprit de fraternité.",
    "es-ES": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados "
    "como están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
    "it-IT": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono "
    "dotati di ragione e di coscienza e devono agire in spirito di fratellanza.",
    "pl-PL": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
    "sv-SE": "Alla människor är födda fria och lika i värde och rättigheter.",
}
OTHERS = ("en-GB", "nl-NL", "pt-BR", "da-DK", "tr-TR", "id-ID", "ro-RO")  # read the English
RATES, PITCHES = ("x-slow", "slow", "medium", "fast"), ("x-low", "low", "medium", "high", "x-high")


def spoken(language: str) -> bytes:
    """Four minutes and more of one language, by eight voices."""
    engine = load("espeak")
    text = RIGHTS.get(language, RIGHTS["en-US"])
    said = []
    for n, (gender, nth) in enumerate(product(("woman", "man"), range(4))):
        voice = Voice("", language, gender, nth, "neural")  # type: ignore[arg-type]
        rate, pitch = RATES[n % 4], PITCHES[(n + len(said)) % 5]
        words = f"{text} 1 800 555 01{n}2 34 56 78 90. {text} Oh, no! Who? You and I, mm."
        ssml = f"<prosody rate='{rate}' pitch='{pitch}'>{words}</prosody>"
        said.append(engine.synthesize(words, ssml, voice))
    return b"".join(said)


def music(seconds: int, chance: np.random.Generator) -> Sound:
    """Chords of instruments: notes that fade, of three harmonics and more."""
    sound = np.zeros(seconds * RATE)
    at = 0
    while at < len(sound) - RATE:
        time = np.arange(int(chance.uniform(0.08, 0.6) * RATE)) / RATE
        fading = np.minimum(1, time / 0.01) * np.exp(-time * chance.uniform(0, 5))
        for _ in range(chance.integers(1, 4)):
            hertz, falls = 440 * 2 ** (chance.integers(-24, 27) / 12), chance.uniform(0.5, 1.2)
            for harmonic in range(1, chance.integers(4, 8)):
                if hertz * harmonic < 3900:
                    wave = np.sin(2 * np.pi * hertz * harmonic * time)
                    sound[at : at + len(time)] += 2000 * fading * wave / harmonic**falls
        at += int(len(time) * chance.uniform(0.5, 1))
    return quantised(sound)


def quantised(sound: np.ndarray) -> Sound:
    samples = np.clip(np.rint(sound), -32768, 32767).astype(np.int16)
    return codecs.decode(codecs.PCMU, codecs.encode(codecs.PCMU, samples))


def heard(sounds: list[Sound]) -> list[str]:
    """The keys in each of these, all listened to at once."""
    frames = max(-(-len(sound) // SAMPLES) for sound in sounds) + 8
    lines = np.stack([np.pad(one, (0, frames * SAMPLES - len(one))) for one in sounds])
    ear, slots, found = InBand(len(lines)), np.arange(len(lines)), [""] * len(lines)
    for frame in np.split(lines, frames, axis=1):
        for slot, key in ear.hear(slots, frame):
            found[slot] += key
    return found


def test_an_hour_of_speech_presses_no_key():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        made = b"".join(pool.map(spoken, [*RIGHTS, *OTHERS]))
    line = quantised(np.frombuffer(made, "<i2"))
    hour = line[: 3600 * RATE]
    assert len(hour) == 3600 * RATE
    assert "".join(heard(np.split(hour, 120))) == ""


def test_ten_minutes_of_music_presses_no_key():
    chance = np.random.default_rng(1)
    assert "".join(heard([music(30, chance) for _ in range(20)])) == ""


@dataclass(frozen=True)
class Line:
    """How keys arrive. Levels in dB, frequencies as factors."""

    low: float = 1.0
    high: float = 1.0
    twist: float = 0.0  # of the high tone above the low one
    noise: float = 99.0  # signal to noise
    on: float = 0.040  # seconds
    off: float = 0.040
    loudest: float = 4000

    def presses(self, key: str, start: int, chance: np.random.Generator) -> Sound:
        """Ten presses of a key, the first of which begins somewhere in a frame."""
        row = next(n for n, names in enumerate(keys.PAD) if key in names)
        hertz = keys.LOW[row] * self.low, keys.HIGH[keys.PAD[row].index(key)] * self.high
        time, gain = np.arange(round(self.on * RATE)) / RATE, 10 ** (self.twist / 20)
        low, high = (np.sin(2 * np.pi * each * time + chance.uniform(0, 6)) for each in hertz)
        press = self.loudest * min(1, 1 / gain) * (low + gain * high)
        sound = np.tile(np.concatenate((press, np.zeros(round(self.off * RATE)))), 10)
        sound = np.concatenate((np.zeros(start + 2 * SAMPLES), sound))
        level = np.sqrt(np.mean(press**2) / 10 ** (self.noise / 10))
        return quantised(sound + chance.normal(0, level, len(sound)))


def pressed(line: Line) -> list[str]:
    """What is heard of every key, beginning at any place of a frame."""
    chance, starts = np.random.default_rng(7), range(0, SAMPLES, 17)
    return heard([line.presses(key, start, chance) for key in keys.KEYS for start in starts])


WANTED = [key * 10 for key in keys.KEYS for _ in range(0, SAMPLES, 17)]


@pytest.mark.parametrize(
    "line",
    [
        Line(),
        Line(noise=15),
        Line(on=0.050, off=0.050, noise=15),
        Line(on=0.100, noise=15),
        Line(twist=-8),
        Line(twist=4),
        Line(loudest=320),
        Line(loudest=15000),
        *(
            Line(low, high, twist, 15, on=0.045, off=0.045)
            for low, high, twist in product((0.985, 1.015), (0.985, 1.015), (-8, 4))
        ),
    ],
    ids=str,
)
def test_every_press_is_heard_once(line: Line):
    """Q.24 table A.1: 40 ms of tone and of silence, 1.5 % off, the high tone 4 dB above or 8 dB
    below the low one, and noise 15 dB below them."""
    assert pressed(line) == WANTED


@pytest.mark.parametrize(
    "line",
    [
        Line(on=0.020),
        Line(low=1.035, on=0.2),
        Line(high=0.965, on=0.2),
        Line(twist=12, on=0.2),
        Line(twist=-12, on=0.2),
        Line(noise=3, on=0.2),
        Line(loudest=60, on=0.2),
    ],
    ids=str,
)
def test_what_is_no_press_is_not_heard(line: Line):
    """Too short, too far off, one tone alone, drowned in noise, or cross-talk."""
    assert set(pressed(line)) == {""}
