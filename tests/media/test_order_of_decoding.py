"""Codecs with a memory are decoded in the order in which packets were sent.  RFC 3551, RFC 7587."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from media_sounds import AGREED, FarEnd, Sound, Studio, joined, level, share, tone
from test_concealing import spoken

from offhook.media import codecs, rtcp, rtp
from offhook.media.clip import FRAME, SAMPLES
from offhook.media.coding import Coder, opus_samples
from offhook.media.orders import Stats
from offhook.media.unpacking import Unpacker

CODED = [("G722", 9), ("opus", 111)]
CHIRP = np.round(9000 * np.sin(np.cumsum(np.linspace(0.2, 0.8, 50 * SAMPLES)))).astype(np.int16)


class Far:
    """A far end that speaks a codec, and all of its packets."""

    def __init__(self, codec: str, number: int, sound: Sound, size: int = SAMPLES) -> None:
        coder, first = Coder(codec), rtp.Packet(number, False, 9, 2**32 - 5000, 7, b"")
        self.studio = Studio()
        self.remote = replace(AGREED, codec=codec, payload_type=number)  # type: ignore[arg-type]
        self.leg = self.studio.rtp_leg(1, self.remote)
        self.packets = [
            FarEnd(replace(first, ts=first.ts + n * SAMPLES * (coder.clock - 1) & 0xFFFFFFFF))
            .packet(n, coder.encode(frame))
            for n, frame in enumerate(sound.reshape(-1, SAMPLES))
        ]  # fmt: skip

    def arrives(self, order: list[list[int]], late: float = 0.0) -> Sound:
        """What is heard of these packets, by tick."""
        for ready in order:
            for n in ready:
                self.studio.arrive(self.leg, self.packets[n], after=late * (n % 2))
            self.studio.tick()
        self.studio.tick(6)
        return joined(self.studio.heard(self.leg))

    def bridged(self, order: list[list[int]]) -> Sound:
        """What a leg in PCMU that shares a room with this one is sent, a row a frame."""
        leg = self.studio.rtp_leg(2)
        self.studio.engine.open_room(1)
        for seat in (self.leg, leg):
            self.studio.engine.sit(1, seat, True, True)
        self.arrives(order)
        sent = b"".join(packet.payload for packet in self.studio.sent(leg))
        return codecs.decode(codecs.PCMU, np.frombuffer(sent, np.uint8)).reshape(-1, SAMPLES)


def in_turn(*numbers: int) -> list[list[int]]:
    return [[n] for n in numbers]


@pytest.mark.parametrize(("codec", "number"), CODED)
@pytest.mark.parametrize(
    "order",
    [
        [*in_turn(*range(10)), [11], [10], *in_turn(*range(12, 50))],
        [*in_turn(*range(10)), [11, 10], [], *in_turn(*range(12, 50))],
        [*in_turn(*range(20)), [20, 18], [20], *in_turn(*range(21, 50))],
        [[0, 3, 1, 2], [], [], [], *in_turn(*range(4, 50))],
    ],
    ids=["swapped", "swapped in a tick", "doubled", "a shuffled burst"],
)
def test_packets_in_disorder_are_heard_as_if_they_had_not_been(
    codec: str, number: int, order: list[list[int]]
):
    wanted = Far(codec, number, CHIRP).arrives(in_turn(*range(50)))
    heard = Far(codec, number, CHIRP).arrives(order)
    assert len(wanted) == len(heard) >= 45 * SAMPLES
    assert (heard == wanted).all()


@pytest.mark.parametrize(("codec", "number"), CODED)
def test_what_comes_too_late_spoils_nothing_after_it(codec: str, number: int):
    """The decoder goes on as if the packet had been lost."""
    without = [*in_turn(*range(20)), [], *in_turn(*range(21, 50))]
    late = [*in_turn(*range(20)), [], *in_turn(*range(21, 25)), [25, 20], *in_turn(*range(26, 50))]
    wanted = Far(codec, number, CHIRP).arrives(without)
    assert (Far(codec, number, CHIRP).arrives(late) == wanted).all()


@pytest.mark.parametrize(("codec", "number"), CODED)
def test_a_lost_packet_is_concealed(codec: str, number: int):
    """What was heard before goes on, a little quieter."""
    far = Far(codec, number, tone(440, 1.0))
    sound = far.bridged([[n] if n != 30 else [] for n in range(50)])
    before, made = [frame for frame in sound if np.any(np.abs(frame) > 20)][29:31]
    assert 0.5 < level(made) / level(before) < 1
    assert share(made, 440) > 0.8


@pytest.mark.parametrize("gap", [3, 10, 30])
def test_what_comes_after_a_gap_is_about_as_loud_as_it_was_said(gap: int):
    """To a decoder of Opus that is not told of the gap it may be a blast."""
    far, sound = Far("opus", 111, spoken()), spoken()
    heard = far.arrives([[n] if n % 60 < 60 - gap else [] for n in range(len(far.packets))])
    assert np.abs(heard.astype(int)).max() < 1.5 * np.abs(sound.astype(int)).max()


class Counting(Coder):
    decoded = 0

    def decode(self, payload: bytes) -> Sound:
        self.decoded += 1
        return super().decode(payload)


@pytest.mark.parametrize("apart", [20, 10], ids=["a silence that is refreshed", "worse"])
def test_what_was_never_due_is_not_decoded_later(apart: int):
    """In a silence Opus says something every 400 ms (RFC 7587 section 3.1.3), too little to be
    played; an hour of that must cost nothing when the voice comes back."""
    coder = Counting("opus")
    unpacker, payload = Unpacker(coder), Coder("opus").encode(tone(440, 0.02))
    for n in range(9000):
        unpacker.put(n * apart * SAMPLES, payload)
    unpacker.frame(9000 * apart * SAMPLES, two=False)
    assert coder.decoded <= 64


def test_opus_makes_up_for_its_own_losses():
    """RFC 6716 section 4.4: its decoder knows more of the voice than we do, and is told of the loss
    so that it knows where it is afterwards."""
    far, own = Far("opus", 111, CHIRP), Coder("opus")
    sound = far.bridged([[n] if n != 30 else [] for n in range(40)])
    parts = []
    for n, packet in enumerate(far.packets[:40]):
        read = rtp.read(packet)
        parts.append(own.conceal() if n == 30 or not read else own.decode(read.payload))
    wanted = codecs.decode(codecs.PCMU, codecs.encode(codecs.PCMU, np.stack(parts)))
    start = next(n for n, frame in enumerate(sound) if (frame == wanted[20]).all()) - 20
    assert start >= 0
    assert [n for n in range(20, 36) if (sound[start + n] != wanted[n]).any()] == []


@pytest.mark.parametrize(("codec", "number", "clock"), [("G722", 9, 8000), ("opus", 111, 48000)])
def test_jitter_is_reported_in_the_clock_of_the_payload(codec: str, number: int, clock: int):
    """RFC 3550 section 6.4.1; G.722's clock is 8 kHz for historical reasons, RFC 3551 4.5.2."""
    far = Far(codec, number, np.zeros(400 * SAMPLES, np.int16))
    far.arrives(in_turn(*range(400)), late=0.008)
    reports = [rtcp.read(data) for output in far.studio.outputs for _, data, _ in output.reports]
    said = [report.receptions[0].jitter for report in reports if report and report.receptions]
    assert said[-1] == pytest.approx(0.008 * clock, rel=0.1)
    far.studio.engine.close(far.leg)
    figures = far.studio.events("closed", far.leg)[0].value
    assert isinstance(figures, Stats)
    assert figures.jitter_ms == pytest.approx(8, rel=0.1)


@pytest.mark.parametrize(
    ("payload", "milliseconds"),
    [
        (b"\x08x", 20), (b"\x18x", 60), (b"\x60x", 10), (b"\x68x", 20), (b"\x80x", 2.5),
        (b"\xf8x", 20), (b"\xf9xx", 40), (b"\xfaxx", 40), (b"\x0b\x83xxx", 60), (b"\xfb\x06", 120),
        (b"", 0), (b"\xfb", 0), (b"\xfb\x07", 0), (b"\x1b\x03", 0), (b"\xfb\x00", 0),
    ],
)  # fmt: skip
def test_how_long_an_opus_packet_lasts_is_told_by_its_first_bytes(
    payload: bytes, milliseconds: float
):
    """RFC 6716 sections 3.1 and 3.2.5; 120 ms are the most there may be."""
    assert opus_samples(payload) == milliseconds * 8


@pytest.mark.parametrize(("codec", "number"), CODED)
def test_a_stream_that_starts_over_is_decoded_from_its_first_packet(codec: str, number: int):
    far, again = Far(codec, number, CHIRP), Far(codec, number, tone(700, 1.0))
    far.arrives(in_turn(*range(30)))
    before = len(far.studio.heard(far.leg))
    for n in range(50):
        packet = rtp.read(again.packets[n])
        assert packet
        far.studio.arrive(1, rtp.write(replace(packet, ssrc=99, ts=packet.ts - 90000 & 0xFFFFFFFF)))
        far.studio.tick()
    heard = joined(far.studio.heard(far.leg)[before + 5 :])
    assert len(heard) * FRAME / SAMPLES > 0.7
    assert share(heard, 700) > 0.95


def test_what_cannot_be_decoded_is_not_heard():
    """Two frames of 10 ms must be as long as each other (RFC 6716 section 3.2.3)."""
    far, broken = Far("opus", 111, CHIRP), b"\x01\0\0\0"
    assert opus_samples(broken) == SAMPLES
    far.packets[20:] = [packet[: rtp.HEADER] + broken for packet in far.packets[20:]]
    heard = far.arrives(in_turn(*range(50)))
    assert len(heard) == 20 * SAMPLES
