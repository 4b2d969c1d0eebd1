"""G.722 and Opus.  RFC 3551 section 4.5.2 (G.722 and its clock), RFC 7587 (Opus)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from media_sounds import AGREED, FAR, FarEnd, Sound, Studio, joined, level, share, tone

from offhook.media import codecs, rtp
from offhook.media.clip import SAMPLES
from offhook.media.coding import Coder, Down, Up
from offhook.media.orders import Remote

CODED = [("G722", 9, 1), ("opus", 111, 6)]


def remote(codec: str, number: int) -> Remote:
    return Remote(FAR[0], FAR[1], codec, number, 110)  # type: ignore[arg-type]


def frames(sound: Sound) -> list[Sound]:
    return list(sound.reshape(-1, SAMPLES))


@pytest.mark.parametrize(("codec", "number", "clock"), CODED)
def test_a_tone_is_heard_by_whoever_speaks_it(codec: str, number: int, clock: int):
    studio, far = Studio(), Coder(codec)
    leg = studio.rtp_leg(1, remote(codec, number))
    studio.engine.play(leg, 1, tone(440, 1.0))
    studio.tick(50)
    sent = studio.sent(leg)
    assert {packet.payload_type for packet in sent} == {number}
    assert {b.seq - a.seq & 0xFFFF for a, b in pairwise(sent)} == {1}
    steps = {b.ts - a.ts & 0xFFFFFFFF for a, b in pairwise(sent)}
    assert steps == {SAMPLES * clock}
    assert [packet.marker for packet in sent] == [True] + [False] * 49
    heard = np.concatenate([far.decode(packet.payload) for packet in sent])
    assert len(heard) == 8000
    assert share(heard[1600:], 440) > 0.97
    assert 0.8 < level(heard[1600:]) / level(tone(440, 1.0)) < 1.2


@pytest.mark.parametrize(("codec", "number", "clock"), CODED)
def test_a_tone_that_arrives_is_heard(codec: str, number: int, clock: int):
    studio, coder = Studio(), Coder(codec)
    leg = studio.rtp_leg(1, remote(codec, number))
    first = rtp.Packet(number, False, 100, 0xFFFFFF00, 7, b"")  # its timestamps wrap
    for n, frame in enumerate(frames(tone(700, 1.0))):
        far = FarEnd(replace(first, ts=(first.ts + n * SAMPLES * (clock - 1)) & 0xFFFFFFFF))
        studio.arrive(leg, far.packet(n, coder.encode(frame)))
        studio.tick()
    heard = joined(studio.heard(leg))
    assert len(heard) >= 48 * SAMPLES
    assert share(heard[1600:], 700) > 0.97
    assert 0.8 < level(heard[1600:]) / level(tone(700, 1.0)) < 1.2


def test_opus_packets_of_sixty_milliseconds_fill_three_frames():
    studio, coder = Studio(), Coder("opus")
    leg = studio.rtp_leg(1, remote("opus", 111))
    three = [coder.encode(frame) for frame in frames(tone(700, 0.6))]
    for n in range(10):  # code 3: several frames of one configuration (RFC 6716 section 3.2.5)
        parts = three[3 * n : 3 * n + 3]
        lengths = b"".join(bytes([len(part) - 1]) for part in parts[:2])
        packed = bytes([parts[0][0] & 0xFC | 3, 0x83]) + lengths + b"".join(p[1:] for p in parts)
        far = FarEnd(rtp.Packet(111, False, 100 + n, 960 * 3 * n, 7, packed))
        studio.arrive(leg, far.packet(0, packed))
        studio.tick(3)
    assert share(joined(studio.heard(leg))[1600:], 700) > 0.9


@pytest.mark.parametrize(("codec", "number", "clock"), CODED)
def test_keys_are_timed_by_their_own_clock(codec: str, number: int, clock: int):
    studio = Studio()
    leg = studio.rtp_leg(1, replace(remote(codec, number), dtmf_clock=8000 * clock))
    studio.engine.press(leg, 1, "5")
    studio.tick(10)
    events = [packet for packet in studio.sent(leg) if packet.payload_type == 110]
    durations = [int.from_bytes(packet.payload[2:4]) for packet in events]
    assert durations[:5] == [SAMPLES * clock * n for n in range(1, 6)]
    assert len({packet.ts for packet in events}) == 1


@pytest.mark.parametrize("noise", [b"", b"\x00", bytes(range(256)), b"\xff" * 400])
@pytest.mark.parametrize(("codec", "number", "clock"), CODED)
def test_what_is_no_sound_of_the_codec_breaks_nothing(
    codec: str, number: int, clock: int, noise: bytes
):
    studio, coder = Studio(), Coder(codec)
    leg = studio.rtp_leg(1, remote(codec, number))
    first = rtp.Packet(number, False, 100, 0, 7, b"")
    studio.arrive(leg, FarEnd(first).packet(0, noise))
    studio.tick()
    for n, frame in enumerate(frames(tone(700, 0.4)), 1):
        far = FarEnd(replace(first, ts=n * SAMPLES * (clock - 1)))
        studio.arrive(leg, far.packet(n, coder.encode(frame)))
        studio.tick()
    assert share(joined(studio.heard(leg))[-1600:], 700) > 0.9


def test_a_call_between_two_codecs_is_heard_both_ways():
    studio = Studio()
    table, coded = studio.rtp_leg(1, AGREED), studio.rtp_leg(2, remote("opus", 111))
    studio.engine.open_room(1)
    for leg in (table, coded):
        studio.engine.sit(1, leg, True, True)
    coder, decoder, other = Coder("opus"), Coder("opus"), frames(tone(700, 1.0))
    for n, frame in enumerate(frames(tone(500, 1.0))):
        far = FarEnd(rtp.Packet(111, False, 9, n * SAMPLES * 5, 7, b""))
        studio.arrive(coded, far.packet(n, coder.encode(frame)))
        payload = codecs.encode(codecs.PCMU, other[n]).tobytes()
        studio.arrive(table, FarEnd().packet(n, payload))
        studio.tick()
    there = np.concatenate([decoder.decode(packet.payload) for packet in studio.sent(coded)])
    assert share(there[1600:], 700) > 0.95
    payloads = b"".join(packet.payload for packet in studio.sent(table))
    here = codecs.decode(codecs.PCMU, np.frombuffer(payloads, np.uint8))
    assert share(here[1600:], 500) > 0.95


def test_every_first_packet_is_marked_whoever_else_speaks_what():
    """RFC 3551 section 4.1."""
    studio = Studio()
    for leg, agreed in enumerate((AGREED, remote("opus", 111), replace(AGREED, port=4002)), 1):
        studio.rtp_leg(leg, agreed)
    studio.tick(5)
    for leg in studio.slots:
        assert [packet.marker for packet in studio.sent(leg)] == [True] + [False] * 4


def test_going_back_to_a_table_ends_the_coding():
    studio = Studio()
    leg = studio.rtp_leg(1, remote("opus", 111))
    studio.tick(2)
    studio.engine.connect(leg, AGREED)
    studio.tick(2)
    assert [packet.payload_type for packet in studio.sent(leg)] == [111, 111, 0, 0]
    assert len(studio.sent(leg)[-1].payload) == SAMPLES


@pytest.mark.parametrize("factor", [2, 6])
def test_rates_are_changed_without_a_seam_or_a_mirror(factor: int):
    up, down = Up(factor), Down(factor)
    made = np.concatenate([up(frame) for frame in frames(tone(1000, 0.5))])
    assert len(made) == 4000 * factor
    back = np.concatenate([down(part) for part in made.reshape(25, -1)])
    assert share(back[400:], 1000) > 0.999
    high = (8000 * np.sin(2 * np.pi * 5000 * np.arange(8000) / (8000 * factor))).astype(np.int16)
    assert level(Down(factor)(high)[200:]) < 100
