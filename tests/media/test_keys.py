"""Telephone keys: as events (RFC 4733), as tones (ITU-T Q.23, Q.24), and along wires."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from media_sounds import AGREED, FarEnd, Studio, tone

from offhook.media import codecs, keys
from offhook.media.clip import RATE, SAMPLES

BY_EAR = replace(AGREED, dtmf_payload_type=None)
OTHER = replace(AGREED, host="192.0.2.8")


def event(key: str, ticks: int, end: bool = False) -> bytes:
    return struct.pack("!BBH", keys.KEYS.index(key), 0x8A if end else 10, ticks * SAMPLES)


def press(start: int, key: str) -> list[tuple[int, bytes, bytes]]:
    """The packets of one press: where in the stream, the packet, ready to be lost or repeated."""
    far = FarEnd()
    shapes = [(tick, False) for tick in range(1, 6)] + [(5, True)] * 3
    return [
        (
            start + n,
            far.packet(
                start + n, event(key, ticks, end), ts=16000 + start * SAMPLES, payload_type=101
            ),
            bytes([n]),
        )
        for n, (ticks, end) in enumerate(shapes)
    ]


def keys_from(packets: list[bytes]) -> str:
    studio = Studio()
    studio.rtp_leg(1)
    for packet in packets:
        studio.arrive(1, packet)
        studio.tick()
    return studio.keys(1)


class TestEvents:
    def packets(self, text: str = "5", gap: int = 10) -> list[bytes]:
        pressed = [press(i * gap, key) for i, key in enumerate(text)]
        return [packet for one in pressed for _, packet, _ in one]

    @pytest.mark.parametrize("key", keys.KEYS)
    def test_a_press_is_one_key_however_many_packets_tell_of_it(self, key):
        assert keys_from(self.packets(key)) == key

    def test_the_same_key_pressed_again_is_another(self):
        assert keys_from(self.packets("5515")) == "5515"

    @pytest.mark.parametrize("arriving", [[0], [7], [5, 6, 7], [0, 1, 2], [3]])
    def test_any_packet_of_a_press_suffices(self, arriving):
        packets = self.packets("7")
        assert keys_from([packets[n] for n in arriving]) == "7"

    def test_packets_out_of_order_or_doubled_make_no_second_key(self):
        packets = self.packets("7")
        assert keys_from([packets[n] for n in (2, 1, 0, 0, 5, 4, 3, 7, 6, 7)]) == "7"

    def test_a_straggler_of_an_earlier_press_is_not_a_key(self):
        first, second = self.packets("7"), self.packets("78")[8:]
        assert keys_from([first[0], second[0], first[7], second[1]]) == "78"

    def test_a_press_that_outlasts_its_counter_is_one_key(self):
        far = FarEnd()
        full = struct.pack("!BBH", 3, 10, 0xFFFF)
        later = struct.pack("!BBH", 3, 10, 1600)
        packets = [
            far.packet(0, full, ts=1000, payload_type=101),
            far.packet(1, later, ts=1000 + 0xFFFF, payload_type=101),
        ]
        assert keys_from(packets) == "3"

    def test_so_it_is_when_the_packet_with_the_full_counter_is_lost(self):
        far = FarEnd()
        packets = [
            far.packet(n, struct.pack("!BBH", 3, 10, ticks), ts=ts, payload_type=101)
            for n, (ticks, ts) in enumerate([(160, 1000), (1600, 1000 + 0xFFFF)])
        ]
        assert keys_from(packets) == "3"

    def test_a_clock_that_is_set_back_hides_no_key(self):
        """Of a call that another sender takes over in the same stream."""
        far, stamps = FarEnd(), [("1", 4_000_000), ("2", 1000), ("3", 9000)]
        packets = [
            far.packet(n, event(key, 1), ts=ts, payload_type=101)
            for n, (key, ts) in enumerate(stamps)
        ]
        assert keys_from(packets) == "123"

    def test_a_timestamp_that_wraps_around_does_not_hide_a_key(self):
        far = FarEnd()
        stamps = [("1", 2**32 - 500), ("2", 1100), ("3", 3000)]
        packets = [
            far.packet(n, event(key, 1), ts=ts, payload_type=101)
            for n, (key, ts) in enumerate(stamps)
        ]
        assert keys_from(packets) == "123"

    @pytest.mark.parametrize("payload", [b"", b"\x05", struct.pack("!BBH", 16, 10, 160)])
    def test_flash_and_fragments_are_not_keys(self, payload):
        assert keys_from([FarEnd().packet(0, payload, payload_type=101)]) == ""

    def test_a_key_sent_is_one_event_with_a_growing_duration_and_three_farewells(self):
        studio = Studio()
        studio.rtp_leg(1)
        studio.tick(3)
        studio.engine.press(1, 9, "#")
        studio.tick(12)
        packets = studio.sent(1)
        events = [packet for packet in packets if packet.payload_type == 101]
        told = [struct.unpack("!BBH", packet.payload) for packet in events]
        assert [duration // SAMPLES for _, _, duration in told] == [1, 2, 3, 4, 5, 5, 5, 5]
        assert [volume >> 7 for _, volume, _ in told] == [0, 0, 0, 0, 0, 1, 1, 1]
        assert {code for code, _, _ in told} == {11}
        assert [packet.marker for packet in events] == [True] + [False] * 7
        assert {packet.ts for packet in events} == {packets[2].ts + SAMPLES}
        steps = np.diff([packet.seq for packet in packets])
        assert set(steps.tolist()) == {1}, "one sequence for sound and events"
        after = packets[packets.index(events[-1]) + 1]
        assert after.ts == events[0].ts + 8 * SAMPLES
        assert studio.events("done", 9)


def by_ear(sound: np.ndarray, lose: int | None = None) -> str:
    """The keys heard in this sound by a leg that gets no events."""
    studio, far = Studio(), FarEnd()
    studio.rtp_leg(1, BY_EAR)
    padded = np.concatenate((np.zeros(2 * SAMPLES), sound, np.zeros(10 * SAMPLES)))
    frames = padded[: len(padded) // SAMPLES * SAMPLES].reshape(-1, SAMPLES).astype(np.int16)
    for n, frame in enumerate(frames):
        if n != lose:
            studio.arrive(1, far.packet(n, codecs.encode(codecs.PCMU, frame).tobytes()))
        studio.tick()
    return studio.keys(1)


def pair(
    key: str, seconds: float = 0.05, level: float = 4000, twist: float = 0, off: float = 1.0
) -> np.ndarray:
    """A key's two tones; `twist` is by how many dB the high one is stronger."""
    row = next(n for n, names in enumerate(keys.PAD) if key in names)
    high = keys.HIGH[keys.PAD[row].index(key)]
    low = tone(keys.LOW[row] * off, seconds, level).astype(np.float64)
    return low + tone(high * off, seconds, level * 10 ** (twist / 20))


class TestTones:
    @pytest.mark.parametrize("key", keys.KEYS)
    def test_a_key_is_heard_in_its_tones(self, key):
        assert by_ear(pair(key)) == key

    @pytest.mark.parametrize("level", [180, 500, 2000, 12000])
    @pytest.mark.parametrize("twist", [-8, -4, 0, 4, 8])
    def test_loud_or_faint_and_twisted(self, level, twist):
        assert by_ear(pair("6", level=level * min(1, 10 ** (-twist / 20)), twist=twist)) == "6"

    @pytest.mark.parametrize("off", [0.985, 0.99, 1.01, 1.015])
    def test_a_little_off_key(self, off):
        assert by_ear(pair("1", off=off)) == "1"
        assert by_ear(pair("D", off=off)) == "D"

    @pytest.mark.parametrize("start", [0, 23, 80, 101, 159])
    def test_forty_milliseconds_suffice_wherever_they_begin(self, start):
        assert by_ear(np.concatenate((np.zeros(start), pair("9", 0.040)))) == "9"

    def test_a_tone_of_twenty_milliseconds_is_no_key(self):
        assert by_ear(pair("9", 0.020)) == ""

    def test_two_presses_are_two_keys_and_a_long_one_is_one(self):
        gap = np.zeros(int(0.06 * RATE))
        assert by_ear(np.concatenate((pair("4"), gap, pair("4"), gap, pair("5", 2.0)))) == "445"

    @pytest.mark.parametrize("lost", range(2, 8))
    def test_a_lost_packet_makes_no_second_key(self, lost):
        assert by_ear(pair("8", 0.12), lose=lost) == "8"

    def test_keys_are_heard_above_the_noise_of_a_line(self):
        noise = np.random.default_rng(1).normal(0, 200, int(0.3 * RATE))
        noise[800 : 800 + 800] += pair("2", 0.1, 2000)
        assert by_ear(noise) == "2"

    @pytest.mark.parametrize("twist", [-12, 12])
    def test_one_tone_far_above_the_other_is_no_key(self, twist):
        assert by_ear(pair("6", level=2000, twist=twist)) == ""

    @pytest.mark.parametrize("speaker", range(2))
    def test_speech_is_no_key(self, speaker):
        """More than a minute of vowels: harmonics of a gliding voice, shaped by formants."""
        vowels = [vowel(np.random.default_rng([speaker, n])) for n in range(300)]
        assert by_ear(np.concatenate(vowels)) == ""

    @pytest.mark.parametrize("hertz", [350, 440, 480, 620, 697, 941, 1209, 1400, 1633])
    def test_a_single_tone_is_no_key(self, hertz):
        assert by_ear(tone(hertz, 0.5)) == ""

    def test_dial_and_ring_tones_are_no_keys(self):
        for low, high in [(350, 440), (440, 480), (480, 620)]:
            assert by_ear(tone(low, 0.5).astype(float) + tone(high, 0.5)) == ""


def vowel(chance: np.random.Generator) -> np.ndarray:
    """A quarter of a second of a voice: every harmonic as loud as three formants let it be."""
    time = np.arange(RATE // 4) / RATE
    pitch = chance.uniform(85, 320) * (1 + chance.uniform(-0.2, 0.2) * time)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = [chance.uniform(300, 900), chance.uniform(900, 2400), chance.uniform(2400, 3400)]
    widths = chance.uniform(50, 130, 3)  # Hz, as measured in speakers
    gains = [1.0, chance.uniform(0.2, 1.2), chance.uniform(0.05, 0.5)]
    sound = chance.normal(0, 0.02, len(time))  # breath
    for harmonic in range(1, int(3800 / pitch.max()) + 1):
        hertz = harmonic * pitch.mean()
        shapes = [
            gain / (1 + ((hertz - formant) / width) ** 2)
            for formant, width, gain in zip(formants, widths, gains, strict=True)
        ]
        sound += sum(shapes) * np.sin(harmonic * phase)
    return sound * np.hanning(len(time)) * 9000 / np.abs(sound).max()


@pytest.mark.parametrize("remote", [AGREED, BY_EAR], ids=["events", "tones"])
def test_keys_sent_by_one_leg_are_read_by_another(remote):
    ours, theirs = Studio(), Studio()
    ours.rtp_leg(1, remote)
    theirs.rtp_leg(2, remote)
    ours.engine.press(1, 9, "0123456789*#ABCDd")
    while not ours.events("done", 9):
        output = ours.tick()
        for _, packet in output.packets:
            theirs.arrive(2, packet)
        theirs.tick()
    theirs.tick(10)
    assert theirs.keys(2) == "0123456789*#ABCDD"


class TestPace:
    @pytest.mark.parametrize(
        ("digits", "ticks"),
        [("1", 10), ("12", 20), ("w1", 35), ("W1", 60), ("1ww", 60), ("-1", 10)],
    )
    def test_a_key_takes_a_fifth_of_a_second_and_waits_are_as_long_as_they_say(self, digits, ticks):
        studio = Studio()
        studio.wire(1, 2)
        studio.engine.press(1, 9, digits)
        studio.tick(ticks)
        assert not studio.events("done", 9)
        studio.tick()
        assert studio.events("done", 9)

    def test_a_tone_lasts_a_tenth_of_a_second_and_so_does_the_silence_after_it(self):
        studio = Studio()
        studio.rtp_leg(1, BY_EAR)
        studio.engine.press(1, 9, "15")
        studio.tick(25)
        quiet = bytes([codecs.SILENCE[codecs.PCMU]]) * SAMPLES
        loud = [packet.payload != quiet for packet in studio.sent(1)]
        assert loud == 2 * ([True] * 5 + [False] * 5) + [False] * 5

    def test_a_key_on_a_wire_is_a_key_at_its_other_end(self):
        studio = Studio()
        studio.wire(1, 2)
        studio.engine.press(1, 9, "12#")
        studio.tick(40)
        assert (studio.keys(2), studio.keys(1)) == ("12#", "")

    def test_pressing_stops_when_told(self):
        studio = Studio()
        studio.wire(1, 2)
        studio.engine.press(1, 9, "123456")
        studio.tick(15)
        studio.engine.stop(1, 9)
        studio.tick(100)
        assert studio.keys(2) == "12"


class TestBridges:
    @pytest.fixture
    def studio(self) -> Studio:
        """Two RTP legs and a simulated one."""
        studio = Studio()
        studio.rtp_leg(1)
        studio.rtp_leg(2, OTHER)
        studio.wire(3, 4)
        studio.engine.open_room(7)
        return studio

    def seat(self, studio: Studio, *legs: int) -> None:
        for leg in legs:
            studio.engine.sit(7, leg, speaks=True, hears=True)

    def events_of(self, studio: Studio, leg: int) -> int:
        packets = [packet for packet in studio.sent(leg) if packet.payload_type == 101]
        return len({packet.ts for packet in packets})

    def press_at(self, studio: Studio, leg: int) -> None:
        for _, packet, _ in press(0, "5"):
            studio.arrive(leg, packet, (AGREED.host if leg == 1 else OTHER.host, 4000))
            studio.tick()
        studio.tick(20)

    def test_a_key_crosses_a_bridge_and_is_told_as_well(self, studio):
        self.seat(studio, 1, 2)
        self.press_at(studio, 1)
        assert studio.keys(1) == "5"
        assert self.events_of(studio, 2) == 1

    def test_a_key_crosses_to_a_simulated_phone(self, studio):
        self.seat(studio, 1, 3)
        self.press_at(studio, 1)
        assert studio.keys(4) == "5"

    def test_a_key_of_a_simulated_phone_crosses_to_a_real_one(self, studio):
        self.seat(studio, 1, 3)
        studio.engine.press(4, 9, "5")
        studio.tick(20)
        assert self.events_of(studio, 1) == 1

    def test_who_presses_faster_than_anybody_can_leaves_no_backlog(self, studio):
        """Each is told; those passed on take a fifth of a second, and are over in ten."""
        self.seat(studio, 1, 2)
        for n in range(400):
            event = FarEnd().packet(n, b"\x05\x8a\x03\x20", ts=n * 100, payload_type=101)
            studio.arrive(1, event, (AGREED.host, 4000))
        studio.tick(12 * 50)
        assert studio.keys(1) == "5" * 400
        pressed = self.events_of(studio, 2)
        assert 40 < pressed < 55
        studio.tick(50)
        assert self.events_of(studio, 2) == pressed

    def test_in_a_conference_keys_stay_with_their_leg(self, studio):
        self.seat(studio, 1, 2, 3)
        self.press_at(studio, 1)
        assert studio.keys(1) == "5"
        assert (self.events_of(studio, 2), studio.keys(4)) == (0, "")

    def test_a_muted_leg_presses_in_vain(self, studio):
        self.seat(studio, 1, 2)
        studio.engine.mute(1, True)
        self.press_at(studio, 1)
        assert self.events_of(studio, 2) == 0


@pytest.mark.parametrize(("codec", "number"), [("PCMU", 0), ("PCMA", 8), ("G722", 9)])
def test_while_a_key_is_pressed_its_events_take_the_place_of_sound(codec: str, number: int):
    """RFC 4733 section 2.5.1.2: one packet a frame, whatever it holds."""
    studio = Studio()
    leg = studio.rtp_leg(1, replace(AGREED, codec=codec, payload_type=number))  # type: ignore[arg-type]
    for presses in range(20):
        if presses == 5:
            studio.engine.press(leg, 7, "5")
        studio.tick()
    sent = studio.sent(leg)
    kinds = [packet.payload_type for packet in sent]
    assert len(sent) == 20
    assert set(kinds) == {number, AGREED.dtmf_payload_type}
    assert kinds[:5] == [number] * 5
