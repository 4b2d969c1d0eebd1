"""Our recordings (WAV, 8 kHz 16 bit) as they are downloaded (reference page Recordings, media)."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import numpy.typing as npt

BIT_RATE = 32_000
_CHUNK = 8192  # frames

Samples = npt.NDArray[np.int16]


def _chunks(recording: wave.Wave_read, mix: bool) -> Iterator[Samples]:
    """Blocks of frames, one row a frame; `mix` makes all channels one."""
    while block := recording.readframes(_CHUNK):
        rows = np.frombuffer(block, dtype="<i2").reshape(-1, recording.getnchannels())
        yield _mixed(rows) if mix else rows


def _mixed(rows: Samples) -> Samples:
    """The sum, as both sides would be heard on one line; loud coincidences are limited."""
    total = rows.sum(axis=1, dtype=np.int32, keepdims=True)
    mixed: Samples = np.clip(total, -32768, 32767).astype(np.int16)
    return mixed


def mp3(path: str, mix: bool = False) -> bytes:
    """The WAV file at `path` as MP3 of 32 kbit/s."""
    out = io.BytesIO()
    with wave.open(path, "rb") as recording, av.open(out, "w", format="mp3") as media:
        channels = 1 if mix else recording.getnchannels()
        layout = "mono" if channels == 1 else "stereo"
        stream: Any = media.add_stream("libmp3lame", rate=recording.getframerate())
        stream.layout, stream.format, stream.bit_rate = layout, "s16p", BIT_RATE
        for rows in _chunks(recording, mix):
            planes = np.ascontiguousarray(rows.T)
            frame = av.AudioFrame.from_ndarray(planes, format="s16p", layout=layout)
            frame.sample_rate = recording.getframerate()
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    return out.getvalue()


def wav(path: str, mix: bool = False) -> bytes:
    """The WAV file at `path`, its channels mixed to one where asked."""
    out = io.BytesIO()
    with wave.open(path, "rb") as recording, wave.open(out, "wb") as copy:
        copy.setnchannels(1 if mix else recording.getnchannels())
        copy.setsampwidth(recording.getsampwidth())
        copy.setframerate(recording.getframerate())
        for rows in _chunks(recording, mix):
            copy.writeframes(rows.astype("<i2").tobytes())
    return out.getvalue()
