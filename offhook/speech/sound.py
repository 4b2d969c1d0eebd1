"""Samples to what a telephone carries: 8 kHz, 16 bit, mono, at a level that fits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

RATE = 8000
PEAK = 0.5  # of full scale: speech then lies near -26 dBov, the nominal level (ITU-T G.107)


def telephone(samples: npt.NDArray[Any], rate: int, peak: float | None = PEAK) -> bytes:
    """`samples` (int16, mono) as PCM at 8 kHz with its loudest sample at `peak`.

    None keeps the level, except where it would clip.
    """
    line = soxr.resample(samples.astype(np.float32) / 32768, rate, RATE)
    loudest = float(np.abs(line).max(initial=0.0))
    if peak is not None and loudest > 0:
        line *= peak / loudest
    elif loudest > 1:
        line /= loudest
    return pcm16(line)


def pcm16(line: npt.NDArray[Any]) -> bytes:
    """Floats of -1 to 1 as 16-bit little-endian samples."""
    return np.clip(np.round(line * 32767), -32768, 32767).astype("<i2").tobytes()
