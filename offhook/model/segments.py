"""How many parts a text is sent in.  3GPP TS 23.038 section 6.2.1, TS 23.040 section 9.2.3.24."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from offhook.frozen import frozen

Encoding = Literal["GSM-7", "UCS-2"]

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E,
    "|": 0x40, "€": 0x65,
}  # fmt: skip
_SEPTETS = {
    **{character: 1 for character in BASIC if character != "\x1b"},
    **dict.fromkeys(EXTENSION, 2),
}
_LIMITS: dict[Encoding, tuple[int, int]] = {"GSM-7": (160, 153), "UCS-2": (70, 67)}

MAX_UNITS = 1600

_LOOKALIKES = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′ʹʻʼʽˈ`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−⁃", "-"),
        **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006", " "),
        **dict.fromkeys("\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
        **dict.fromkeys("\u2028\u2029", "\n"),
        "…": "...", "‼": "!!", "⁇": "??", "•": "*", "·": ".", "⁄": "/", "∕": "/", "‹": "<",
        "›": ">", "×": "x",
    }
)  # fmt: skip


@frozen
class Segmented:
    """A text as it goes on air. `units` are septets or UTF-16 code units, without headers."""

    encoding: Encoding
    units: int
    parts: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.parts)


def segment(body: str) -> Segmented:
    """The parts of a text: 160 septets or 70 UTF-16 units alone, 153 or 67 when there are several.

    An escape pair and a surrogate pair stay in one part. An empty text is one part.
    """
    encoding = encoding_of(body)
    sizes = [_size(character, encoding) for character in body]
    alone, joined = _LIMITS[encoding]
    units = sum(sizes)
    parts = (body,) if units <= alone else tuple(_split(body, sizes, joined))
    return Segmented(encoding, units, parts)


def encoding_of(body: str) -> Encoding:
    return "GSM-7" if all(character in _SEPTETS for character in body) else "UCS-2"


def utf16_units(body: str) -> int:
    """The length that the limit of 1600 (21617) is counted in."""
    return sum(_size(character, "UCS-2") for character in body)


def smart_encoded(body: str) -> str:
    """The text with typographic look-alikes replaced by GSM characters (`SmartEncoded`)."""
    return body.translate(_LOOKALIKES)


def _size(character: str, encoding: Encoding) -> int:
    if encoding == "GSM-7":
        return _SEPTETS[character]
    return 2 if ord(character) > 0xFFFF else 1


def _split(body: str, sizes: list[int], limit: int) -> Iterable[str]:
    start, filled = 0, 0
    for index, size in enumerate(sizes):
        if filled + size > limit:
            yield body[start:index]
            start, filled = index, 0
        filled += size
    yield body[start:]
