"""Ringback by country, as `ringTone` names it: ((frequencies in Hz, seconds), ...).

Cadences follow ITU-T E.180 Supplement 2.
"""

from __future__ import annotations

Cadence = tuple[tuple[tuple[int, ...], float], ...]


def _once(on: float, off: float, *hertz: int) -> Cadence:
    return ((hertz, on), ((), off))


def _twice(on: float, gap: float, off: float, *hertz: int) -> Cadence:
    return ((hertz, on), ((), gap), (hertz, on), ((), off))


_NORTH_AMERICA = _once(2.0, 4.0, 440, 480)
_EUROPE = _once(1.0, 4.0, 425)
_DOUBLE = _twice(0.4, 0.2, 2.0, 400, 450)

RINGTONES: dict[str, Cadence] = {
    "us": _NORTH_AMERICA,
    "us-old": _once(2.0, 4.0, 420, 460),
    "uk": _DOUBLE,
    "au": _twice(0.4, 0.2, 2.0, 413, 438),
    "nz": _DOUBLE,
    "za": _twice(0.4, 0.2, 2.0, 400, 433),
    "in": _twice(0.4, 0.2, 2.0, 400, 425),
    "sg": _twice(0.4, 0.2, 2.0, 401, 425),
    "my": _twice(0.4, 0.2, 2.0, 425),
    "jp": _once(1.0, 2.0, 400),
    "th": _once(1.0, 4.0, 400),
    "tw": _once(1.0, 2.0, 440, 480),
    "ph": _once(1.0, 4.0, 425, 480),
    "ve": _once(1.0, 4.0, 425),
    "mx": _once(1.0, 4.0, 425),
    "br": _once(1.0, 4.0, 425),
    "cl": _once(1.0, 3.0, 400),
    "cn": _once(1.0, 4.0, 450),
    "ru": _once(0.8, 3.2, 425),
    "il": _once(1.0, 3.0, 400),
    "at": _once(1.0, 5.0, 420),
    "be": _once(1.0, 3.0, 425),
    "bg": _once(1.0, 4.0, 425),
    "ch": _EUROPE,
    "cz": _EUROPE,
    "de": _EUROPE,
    "dk": _EUROPE,
    "ee": _EUROPE,
    "es": _once(1.5, 3.0, 425),
    "fi": _EUROPE,
    "fr": _once(1.5, 3.5, 440),
    "gr": _EUROPE,
    "hu": _once(1.2, 3.7, 425),
    "it": _EUROPE,
    "lt": _EUROPE,
    "nl": _EUROPE,
    "no": _EUROPE,
    "pl": _EUROPE,
    "pt": _once(1.0, 5.0, 425),
    "se": _once(1.0, 5.0, 425),
}
DEFAULT = _NORTH_AMERICA

BEEP: Cadence = (((1000,), 1.0),)  # what says that recording begins
BEEP_SECONDS = 0.4
