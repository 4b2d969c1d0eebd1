"""Sounds to send, what to say of sounds heard, and an engine with far ends to talk to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from offhook.media import codecs, rtp
from offhook.media.clip import FRAME, RATE, SAMPLES, Clip
from offhook.media.engine import Engine
from offhook.media.orders import Event, Remote
from offhook.media.output import Output

FAR: rtp.Address = ("192.0.2.7", 4000)
STREAM = rtp.Packet(0, False, 100, 16000, 0xFEED, b"")
AGREED = Remote(FAR[0], FAR[1], "PCMU", 0, 101)

Sound = NDArray[np.int16]


def tone(hertz: float, seconds: float, amplitude: float = 8000) -> Sound:
    time = np.arange(round(seconds * RATE)) / RATE
    wave: Sound = (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.int16)
    return wave


def clip(sound: Sound) -> Clip:
    return Clip(len(sound) / RATE, pcm=sound.astype("<i2").tobytes())


def joined(frames: Iterable[bytes]) -> Sound:
    return np.frombuffer(b"".join(frames), "<i2")


def level(sound: Sound) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2))) if len(sound) else 0.0


def share(sound: Sound, hertz: float) -> float:
    """How much of a sound's energy is this tone: 1 for nothing else."""
    samples = sound.astype(np.float64)
    turn = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / RATE)
    energy = float(np.sum(samples**2))
    return 2 * abs(np.sum(samples * turn)) ** 2 / len(samples) / energy if energy else 0.0


def alike(heard: Sound, said: Sound) -> float:
    """The best correlation of `said` with any stretch of `heard`: 1 for a copy."""
    a, b = heard.astype(np.float64), said.astype(np.float64)
    products = np.correlate(a, b, "valid")
    sums = np.concatenate(([0.0], np.cumsum(a**2)))
    power = np.sqrt((sums[len(b) :] - sums[: -len(b)]) * np.sum(b**2))
    return float(np.max(products / np.maximum(power, 1.0)))


def numbered(n: int) -> bytes:
    """A mu-law frame that can be told from its neighbours."""
    return bytes([0x20 + n % 64]) * SAMPLES


def number(frame: bytes) -> int | None:
    """Which numbered frame (modulo 64) was heard to its end; None for silence."""
    sample = np.frombuffer(frame, "<i2")[-1:]
    code = int(codecs.encode(codecs.PCMU, sample)[0])
    return None if code == codecs.SILENCE[codecs.PCMU] else code - 0x20


@dataclass
class Studio:
    """An engine on the bench: what goes in is written down here, what comes out is kept."""

    engine: Engine = field(default_factory=lambda: Engine(Random(1), capacity=64))
    ticks: int = 0
    arrived: list[rtp.Arrived] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    slots: dict[int, int] = field(default_factory=dict)

    @property
    def now(self) -> float:
        return self.ticks * FRAME

    def rtp_leg(self, leg: int, remote: Remote = AGREED, tapped: bool = True) -> int:
        self.slots[leg] = self.engine.open_rtp(leg)
        self.engine.connect(leg, remote)
        self.engine.tap(leg, tapped)
        return leg

    def wire(self, leg: int, other: int) -> None:
        self.engine.open_wire(leg, other)
        self.engine.tap(leg, True)
        self.engine.tap(other, True)

    def arrive(self, leg: int, data: bytes, source: rtp.Address = FAR, after: float = 0.0) -> None:
        """A datagram, `after` seconds past the last tick."""
        self.arrived.append((self.slots[leg], data, source, self.now + after))

    def tick(self, times: int = 1) -> Output:
        output = Output()
        for _ in range(times):
            self.ticks += 1
            batches, self.arrived = rtp.batches(self.arrived), []
            output = self.engine.process(batches, self.now)
            output.packets += [(slot, self.engine.rows[slot].tobytes()) for slot in output.media]
            self.outputs.append(output)
        return output

    def events(self, kind: str, id: int) -> list[Event]:
        self.outputs.append(self.engine.collect())
        happened = [event for output in self.outputs for event in output.events]
        return [event for event in happened if event.kind == kind and event.id == id]

    def heard(self, leg: int) -> list[bytes]:
        return [event.value for event in self.events("heard", leg)]  # type: ignore[misc]

    def keys(self, leg: int) -> str:
        return "".join(str(event.value) for event in self.events("key", leg))

    def sent(self, leg: int) -> list[rtp.Packet]:
        """Every packet this leg has sent."""
        pairs = [pair for output in self.outputs for pair in output.packets]
        packets = [rtp.read(data) for slot, data in pairs if slot == self.slots[leg]]
        return [packet for packet in packets if packet]


@dataclass
class FarEnd:
    """A sender of RTP; `packet(n)` is the n-th of its stream."""

    first: rtp.Packet = STREAM

    def packet(self, n: int, payload: bytes | None = None, **changes: object) -> bytes:
        packet = replace(
            self.first,
            seq=(self.first.seq + n) & 0xFFFF,
            ts=(self.first.ts + n * SAMPLES) & 0xFFFFFFFF,
            payload=numbered(n) if payload is None else payload,
        )
        return rtp.write(replace(packet, **changes))  # type: ignore[arg-type]
