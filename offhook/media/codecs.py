"""G.711 by table (ITU-T G.711): a byte a sample, 8 kHz."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Pcm = NDArray[np.int16]

PCMU: Final = 0  # static payload types, RFC 3551 section 6; also the index of the codec here
PCMA: Final = 8
SILENCE: Final = {PCMU: 0xFF, PCMA: 0xD5}


def _mulaw_table() -> Pcm:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> Pcm:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code & 0x70) >> 4
    step = ((code & 0x0F) << 4) + 8
    magnitude = np.where(segment == 0, step, (step + 0x100) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest(table: Pcm) -> Bytes:
    """The inverse of a decoding table: for every 16-bit value, by its unsigned bits, its code."""
    codes = np.argsort(table, kind="stable")
    values = table[codes].astype(np.int32)
    halves = (values[1:] + values[:-1]) // 2
    wanted = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    return codes[np.searchsorted(halves, wanted)].astype(np.uint8)


_DECODE: Final = {PCMU: _mulaw_table(), PCMA: _alaw_table()}
_ENCODE: Final = {codec: _nearest(table) for codec, table in _DECODE.items()}
for _codec, _code in SILENCE.items():
    _ENCODE[_codec][0] = _code  # zero lies between two codes; the positive one is silence


def decode(codec: int, sound: Bytes) -> Pcm:
    """The samples behind these bytes, in their shape."""
    return _DECODE[codec].take(sound)


def encode(codec: int, sound: Pcm) -> Bytes:
    """The bytes for these samples, in their shape; each becomes the nearest value there is."""
    return _ENCODE[codec].take(sound.view(np.uint16))
