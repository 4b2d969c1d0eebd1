"""Adding sound to sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offhook.media.codecs import Pcm
from offhook.media.masks import Mask, some


def clipped(sound: NDArray[np.int32]) -> Pcm:
    """Sums that left the range of 16 bits stay at its edge."""
    return np.clip(sound, -32768, 32767).astype(np.int16)


def add(out: Pcm, sounds: Mask, slots: NDArray[np.intp], frames: Pcm) -> None:
    """Add a frame to each of these slots; `sounds` tells, and is told, where there is any."""
    if some(sounds[slots]):
        frames = clipped(out[slots].astype(np.int32) + frames)
    out[slots] = frames
    sounds[slots] = True
