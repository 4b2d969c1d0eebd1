"""G.722 and Opus, a leg at a time, by FFmpeg: beside the tables by which all others go at once.

Inside, sound is 8 kHz whatever a leg speaks; a coder brings it there and back. Its state follows
the stream, so every leg that needs one has its own.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from offhook.media.clip import RATE, SAMPLES
from offhook.media.codecs import Pcm

TAPS = 16  # of the filters between two rates, each side of the middle, for each multiple of ours
EDGE = 3600  # Hz up to which they let sound pass
LONGEST = 6 * SAMPLES  # samples of the longest Opus packet, RFC 6716 section 2.1.4
BITS = "16000"  # a second, of the Opus that we send: speech at 8 kHz
OPUS_FRAMES = ((80, 160, 320, 480), (80, 160), (20, 40, 80, 160))  # samples, RFC 6716 table 2
CLOCKS: Final = {"G722": 1, "opus": 6}  # RTP ticks to a sample of ours: RFC 3551, RFC 7587


def _lowpass(factor: int) -> NDArray[np.float32]:
    """A filter at `factor` times our rate, of sum 1."""
    at = np.arange(-TAPS * factor, TAPS * factor + 1) / (factor * RATE)
    taps = np.sinc(2 * EDGE * at) * np.hamming(len(at))
    made: NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    return made


class Down:
    """From `factor` times our rate to ours."""

    def __init__(self, factor: int) -> None:
        self._factor, self._taps = factor, _lowpass(factor)
        self._past = np.zeros(len(self._taps) - 1, np.float32)

    def __call__(self, sound: Pcm) -> Pcm:
        """As many samples as are whole; `sound` is a multiple of `factor` long."""
        line = np.concatenate((self._past, sound.astype(np.float32)))
        self._past = line[len(line) - len(self._past) :]
        return _rounded(sliding_window_view(line, len(self._taps))[:: self._factor] @ self._taps)


class Up:
    """From our rate to `factor` times it."""

    def __init__(self, factor: int) -> None:
        self._factor, self._taps = factor, _lowpass(factor) * factor
        self._past = np.zeros(len(self._taps) - 1, np.float32)

    def __call__(self, sound: Pcm) -> Pcm:
        spread = np.zeros(len(sound) * self._factor, np.float32)
        spread[:: self._factor] = sound
        line = np.concatenate((self._past, spread))
        self._past = line[len(line) - len(self._past) :]
        return _rounded(np.convolve(line, self._taps, "valid"))


def _rounded(sound: NDArray[np.float32]) -> Pcm:
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)


class Coder:
    """Both directions of one leg. `clock` is how many RTP ticks a sample of ours lasts."""

    def __init__(self, codec: str) -> None:
        self.codec, self.clock = codec, CLOCKS[codec]
        rate = 2 * RATE if codec == "G722" else RATE
        name = "g722" if codec == "G722" else "libopus"
        self._up = Up(2) if codec == "G722" else None
        self._down = Down(2) if codec == "G722" else Down(6)
        self._in = _context(name, "r", 2 * RATE if codec == "G722" else 6 * RATE)
        self._out = _context(name, "w", rate)
        self._lost = b""  # a packet of nothing but a header: 20 ms that were lost
        self._sent = 0
        self._at = -1  # of the last packet that came, in ticks that do not wrap
        if codec == "opus":
            self._out.options = {"application": "voip", "frame_duration": "20", "b": BITS}
        self._out.open()

    def encode(self, frame: Pcm) -> bytes:
        """The payload for a frame."""
        sound = self._up(frame) if self._up else frame
        made = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="mono")
        made.sample_rate, made.pts = self._out.sample_rate, self._sent
        self._sent += len(sound)
        return b"".join(bytes(packet) for packet in self._out.encode(made))

    def decode(self, payload: bytes) -> Pcm:
        """The sound of a packet; none when it is not what it should be."""
        if self.codec == "opus" and payload:
            self._lost = _nothing(payload[0])
        try:
            frames: list[Any] = self._in.decode(av.Packet(payload))
        except av.FFmpegError:
            return np.zeros(0, np.int16)
        parts = [self._down(frame.to_ndarray().reshape(-1)) for frame in frames]
        return np.concatenate([np.zeros(0, np.int16), *parts])[:LONGEST]

    def conceal(self) -> Pcm:
        """20 ms in place of a packet that was lost, if the codec has a way: Opus goes on with what
        it heard (RFC 6716 section 4.4)."""
        return self.decode(self._lost) if self._lost else np.zeros(0, np.int16)

    def length(self, payload: bytes) -> int:
        """Samples of ours that a packet holds, by its header alone; 0 for what cannot be."""
        if self.codec == "G722":
            return len(payload)
        return opus_samples(payload)

    def stamp(self, ts: int) -> int:
        """A packet's timestamp in samples of ours; it wraps where theirs would, `clock` times."""
        if self._at < 0:
            self._at = ts
        step = (ts - self._at) & 0xFFFFFFFF
        self._at += step - (1 << 32 if step >= 1 << 31 else 0)
        return self._at // self.clock & 0xFFFFFFFF


def opus_samples(payload: bytes) -> int:
    """RFC 6716 sections 3.1 and 3.2; 0 for what is no packet."""
    if not payload:
        return 0
    kind, code = payload[0] >> 3, payload[0] & 3
    sizes = OPUS_FRAMES[0 if kind < 12 else 1 if kind < 16 else 2]
    counts = (1, 2, 2, payload[1] & 0x3F if len(payload) > 1 else 0)
    samples = counts[code] * sizes[kind % len(sizes)]
    return samples if samples <= LONGEST else 0


def _nothing(header: int) -> bytes:
    """A packet of the same kind whose only frame, of 20 ms, is empty (section 3.2.1)."""
    kind = header >> 3
    kind = kind & ~3 | 1 if kind < 12 else kind | 1 if kind < 16 else kind | 3
    return bytes([kind << 3])


def _context(name: str, mode: Any, rate: int) -> AudioCodecContext:
    context = av.CodecContext.create(name, mode)
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout = rate, "mono"
    if mode == "w":
        context.format, context.time_base = av.AudioFormat("s16"), Fraction(1, rate)
    return context


def agree(coders: dict[int, Coder], slot: int, codec: str) -> None:
    """The slot's coder follows what was agreed; one of the same codec goes on where it was."""
    known = coders.get(slot)
    if codec not in CLOCKS:
        coders.pop(slot, None)
    elif known is None or known.codec != codec:
        coders[slot] = Coder(codec)
