"""Strangers' sound files to telephone sound; runs in a process that can open no files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import soxr

from offhook.errors import SpeechError
from offhook.speech.containers import (
    BAD_MEDIA,
    MAX_CHANNELS,
    MAX_SECONDS,
    Container,
    container_of,
)
from offhook.speech.sound import RATE, pcm16

MAX_BAD_PACKETS = 100
_INTEGERS = {"u8": (128, 128), "s16": (0, 1 << 15), "s32": (0, 1 << 31), "s64": (0, 1 << 63)}


def decode(body: bytes, media_type: str) -> bytes:
    """PCM, 8 kHz 16-bit mono, at the file's own level; SpeechError 13420 when there is none."""
    container = container_of(media_type, body)
    try:
        return _decode(body, container)
    except (av.error.FFmpegError, EOFError, ValueError) as error:
        raise SpeechError(BAD_MEDIA, f"The media file is not {media_type}: {_why(error)}") from None


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _decode(body: bytes, container: Container) -> bytes:
    options = {"protocol_whitelist": "none", "codec_whitelist": ",".join(container.codecs)}
    options.update(container.options)
    out = bytearray()
    with av.open(io.BytesIO(body), "r", format=container.demuxer, options=options) as media:
        if not media.streams.audio:
            raise SpeechError(BAD_MEDIA, "The media file contains no sound")
        codec = media.streams.audio[0].codec_context.name
        if codec not in container.codecs:
            raise SpeechError(BAD_MEDIA, f"Sound in {codec} cannot be played")
        resampler: soxr.ResampleStream | None = None
        rate = 0
        for frame in _frames(media, media.streams.audio[0]):
            if frame.sample_rate != rate:
                out += _rest(resampler)
                rate = _possible(frame.sample_rate)
                resampler = soxr.ResampleStream(rate, RATE, 1, dtype="float32")
            assert resampler
            out += pcm16(resampler.resample_chunk(_mono(frame)))
            if len(out) > 2 * RATE * MAX_SECONDS:
                raise SpeechError(BAD_MEDIA, f"The media lasts more than {MAX_SECONDS} seconds")
        out += _rest(resampler)
    if not out:
        raise SpeechError(BAD_MEDIA, "The media file contains no sound")
    return bytes(out)


def _frames(media: Any, stream: Any) -> Iterator[Any]:
    """Decoded frames. Damaged packets (a tag in the middle, a cut) are passed over."""
    bad = 0
    for packet in media.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            bad += 1
            if bad > MAX_BAD_PACKETS:
                raise


def _possible(rate: int) -> int:
    if not 1000 <= rate <= 192_000:
        raise SpeechError(BAD_MEDIA, f"A sample rate of {rate} cannot be played")
    return rate


def _rest(resampler: Any) -> bytes:
    if resampler is None:
        return b""
    return pcm16(resampler.resample_chunk(np.zeros(0, np.float32), last=True))


def _mono(frame: Any) -> Any:
    """All channels mixed to one, as floats of -1 to 1."""
    channels = len(frame.layout.channels)
    if not 1 <= channels <= MAX_CHANNELS:
        raise SpeechError(BAD_MEDIA, f"Media of {channels} channels cannot be played")
    samples = frame.to_ndarray()
    # Planar frames come as one row a channel, packed ones as one row in turns.
    rows = samples if frame.format.is_planar else samples.reshape(-1, channels).T
    mixed = rows.astype(np.float32).mean(axis=0, dtype=np.float32)
    middle, full = _INTEGERS.get(frame.format.name.removesuffix("p"), (0, 1))
    return np.asarray((mixed - middle) / full, dtype=np.float32)
