"""Sound files as applications serve them, made by FFmpeg's encoders."""

from __future__ import annotations

import io
import math
import wave
from pathlib import Path

import av
import numpy as np


def tone(seconds: float, rate: int, hertz: float = 440, channels: int = 1) -> bytes:
    """A sine at a quarter of full scale, interleaved 16-bit samples."""
    one = 8192 * np.sin(2 * math.pi * hertz * np.arange(int(seconds * rate)) / rate)
    return np.repeat(one.astype("<i2"), channels).tobytes()


def wav(pcm: bytes, rate: int, channels: int = 1, width: int = 2) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(pcm)
    return out.getvalue()


def encoded(
    container: str, codec: str, rate: int, layout: str = "mono", seconds: float = 2
) -> bytes:
    """`seconds` of 440 Hz in that container and codec."""
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    out = io.BytesIO()
    with av.open(out, "w", format=container) as media:
        stream = media.add_stream(codec, rate=rate)
        stream.layout = layout
        resampler = av.AudioResampler(
            stream.codec_context.codec.audio_formats[0].name, layout, rate, stream.frame_size or 160
        )
        samples = np.frombuffer(tone(2, rate, channels=channels), "<i2").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, "s16", layout)
        frame.sample_rate = rate
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            media.mux(stream.encode(piece))
        media.mux(stream.encode(None))
    return out.getvalue()


def recording(path: Path, left: bytes, right: bytes = b"") -> str:
    """A WAV file of ours: 8 kHz, one channel or two."""
    sides = [np.frombuffer(side, "<i2") for side in (left, right) if side]
    path.write_bytes(wav(np.stack(sides, axis=1).tobytes(), 8000, len(sides)))
    return str(path)


def strength(pcm: bytes, hertz: float) -> float:
    """The amplitude of that frequency in 8 kHz sound; a sine of amplitude 1000 gives 1000."""
    sound = np.frombuffer(pcm, "<i2").astype(float)
    turning = np.exp(-2j * math.pi * hertz * np.arange(len(sound)) / 8000)
    return float(2 * abs((sound * turning).mean()))
