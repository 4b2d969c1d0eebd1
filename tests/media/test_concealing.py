"""What is heard where nothing came.  ITU-T G.711 appendix I, RFC 3389."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from media_sounds import AGREED, FarEnd, Sound, Studio, level, share, tone

from offhook.media import codecs, rtp
from offhook.media.clip import RATE, SAMPLES
from offhook.media.coding import Coder
from offhook.media.orders import Remote

NOISY = replace(AGREED, noise_payload_type=13)


class Bridge:
    """A far end that talks, and what the other of a room hears of it."""

    def __init__(self, remote: Remote = AGREED) -> None:
        self.studio = Studio()
        self.here, self.there = self.studio.rtp_leg(1, remote), self.studio.rtp_leg(2)
        self.studio.engine.open_room(1)
        for leg in (self.here, self.there):
            self.studio.engine.sit(1, leg, True, True)

    def says(self, sound: Sound, *lost: int, first: int = 0) -> None:
        """A packet a tick, without those that are lost."""
        for n, frame in enumerate(sound.reshape(-1, SAMPLES), first):
            if n not in lost:
                payload = codecs.encode(codecs.PCMU, frame).tobytes()
                self.studio.arrive(self.here, FarEnd().packet(n, payload))
            self.studio.tick()

    def noise(self, n: int, payload: bytes) -> None:
        far = FarEnd(rtp.Packet(13, False, 100, 16000, 0xFEED, b""))
        self.studio.arrive(self.here, far.packet(n, payload))

    @property
    def heard(self) -> Sound:
        """From the first sound on."""
        data = b"".join(packet.payload for packet in self.studio.sent(self.there))
        sound = codecs.decode(codecs.PCMU, np.frombuffer(data, np.uint8))
        return sound[int(np.argmax(np.abs(sound) > 20)) // SAMPLES * SAMPLES :]


def frames(sound: Sound) -> list[Sound]:
    return list(sound.reshape(-1, SAMPLES))


@pytest.mark.parametrize("hertz", [100, 150, 190, 440])
def test_a_lost_packet_of_a_voice_is_hardly_heard(hertz: float):
    bridge = Bridge()
    bridge.says(tone(hertz, 0.6), 15)
    made = frames(bridge.heard)[15]
    assert share(made, hertz) > 0.8
    assert 0.6 < level(made) / level(tone(hertz, 0.6)) < 1.0


def test_the_sound_goes_on_from_where_it_was():
    """No click: the step into the made up frame is none that the tone does not make itself."""
    bridge = Bridge()
    bridge.says(tone(150, 0.6), 15)
    steps = np.abs(np.diff(bridge.heard[14 * SAMPLES : 15 * SAMPLES + 80].astype(int)))
    assert steps.max() < 2.5 * 2 * np.pi * 150 / 8000 * 8000


def spoken() -> Sound:
    """Ten seconds of vowels: a voice of gliding pitch through three formants that move."""
    chance, made = np.random.default_rng(4), []
    for _ in range(40):
        time = np.arange(RATE // 4) / RATE
        pitch = chance.uniform(90, 240) * (1 + chance.uniform(-0.15, 0.15) * time)
        phase, sound = 2 * np.pi * np.cumsum(pitch) / RATE, np.zeros(len(time))
        formants = chance.uniform((300, 900, 2400), (900, 2400, 3400))
        for harmonic in range(1, 16):
            gains = 1 / (1 + ((harmonic * pitch.mean() - formants) / 100) ** 2)
            sound += gains.sum() * np.sin(harmonic * phase)
        made.append(sound * np.hanning(len(time)) / np.abs(sound).max())
    return (12000 * np.concatenate(made)).astype(np.int16)


@pytest.mark.parametrize(("codec", "number"), [("PCMU", 0), ("G722", 9)])
def test_of_a_voice_of_which_five_percent_are_lost_more_is_heard_than_with_silence(
    codec: str, number: int
):
    """What is made up is nearer to what was lost than silence is, and about as loud."""
    lost = {int(n) for n in np.random.default_rng(2).choice(range(20, 480), 25, replace=False)}
    whole, holed = (
        heard_of(replace(AGREED, codec=codec, payload_type=number), spoken(), gone)
        for gone in (set(), lost)
    )
    places = [n for n in range(min(len(whole), len(holed))) if (whole[n] != holed[n]).any()]
    said, made = (
        np.concatenate([frames[n] for n in places]).astype(float) for frames in (whole, holed)
    )
    assert np.sum((made - said) ** 2) < 0.7 * np.sum(said**2), "than nothing at all would be"
    assert 0.5 < level(made) / level(said) < 1.1


def heard_of(remote: Remote, sound: Sound, lost: set[int]) -> list[Sound]:
    """The frames that the other side of a bridge hears, without these packets."""
    bridge, coder = Bridge(remote), Coder(remote.codec) if remote.codec == "G722" else None
    first = rtp.Packet(remote.payload_type, False, 100, 16000, 7, b"")
    for n, frame in enumerate(frames(sound)):
        encoded = coder.encode(frame) if coder else codecs.encode(codecs.PCMU, frame).tobytes()
        if n not in lost:
            bridge.studio.arrive(bridge.here, FarEnd(first).packet(n, encoded))
        bridge.studio.tick()
    data = b"".join(packet.payload for packet in bridge.studio.sent(bridge.there))
    return frames(codecs.decode(codecs.PCMU, np.frombuffer(data, np.uint8)))


def test_a_longer_gap_fades_to_silence_in_sixty_milliseconds():
    bridge = Bridge()
    bridge.says(tone(150, 0.6), *range(15, 21))
    levels = [level(frame) for frame in frames(bridge.heard)[14:21]]
    assert levels[0] > levels[1] > levels[2] > levels[3] > 0
    assert levels[4:] == [0, 0, 0]


def test_what_comes_after_a_gap_is_heard_as_it_is_from_five_milliseconds_on():
    lost, whole = Bridge(), Bridge()
    lost.says(tone(150, 0.6), 15)
    whole.says(tone(150, 0.6))
    begin = 16 * SAMPLES + 40
    assert (lost.heard[begin:] == whole.heard[begin:]).all()


@pytest.mark.parametrize("gap", [1, 2, 3])
def test_the_sound_comes_again_without_a_click(gap: int):
    """The step out of what was made up is none that the tone does not make itself."""
    bridge, sound = Bridge(), tone(437, 4)
    bridge.says(sound, *(n + k for n in range(20, 190, 10) for k in range(gap)))
    steps = np.abs(np.diff(bridge.heard.astype(int)))
    assert steps.max() < 1.1 * np.abs(np.diff(sound.astype(int))).max()


def test_nothing_is_made_up_before_anything_came():
    bridge = Bridge()
    bridge.studio.tick(20)
    assert not np.any(bridge.heard)


def test_a_leg_does_not_inherit_what_its_place_heard_before():
    bridge = Bridge(NOISY)
    bridge.says(tone(150, 0.2))
    bridge.noise(10, b"\x28")
    bridge.studio.tick(2)
    bridge.studio.engine.close(bridge.here)
    again = bridge.studio.rtp_leg(3)
    bridge.studio.engine.open_room(2)
    other = bridge.studio.rtp_leg(4)
    for leg in (again, other):
        bridge.studio.engine.sit(2, leg, True, True)
    bridge.studio.tick(10)
    assert {packet.payload for packet in bridge.studio.sent(other)} == {b"\xff" * SAMPLES}


# RFC 3389


@pytest.mark.parametrize("quieter", [40, 50, 60])
def test_comfort_noise_has_the_level_that_was_asked_for(quieter: int):
    """Section 3.1: the level is in -dBov, below that of a square wave at full scale."""
    bridge = Bridge(NOISY)
    bridge.says(tone(150, 0.4))
    bridge.noise(20, bytes([quieter]))
    bridge.studio.tick(60)
    noise = bridge.heard[24 * SAMPLES :]
    wanted = 32768 * 10 ** (-quieter / 20)
    assert 0.8 < level(noise) / wanted < 1.25
    assert max(share(noise, hertz) for hertz in range(100, 4000, 50)) < 0.05


def test_the_voice_ends_the_noise():
    bridge = Bridge(NOISY)
    bridge.says(tone(150, 0.4))
    bridge.noise(20, b"\x28")
    bridge.studio.tick(30)
    bridge.says(tone(440, 0.4), first=50)
    bridge.studio.tick(10)
    end = frames(bridge.heard)
    assert share(np.concatenate(end[56:66]), 440) > 0.99
    assert level(end[-3]) == 0


def test_spectral_information_is_left_aside_and_127_is_silence():
    bridge = Bridge(NOISY)
    bridge.says(tone(150, 0.4))
    bridge.noise(20, bytes([40, 127, 100]))
    bridge.studio.tick(10)
    assert level(frames(bridge.heard)[-1]) > 100
    bridge.noise(30, b"\x7f")
    bridge.studio.tick(10)
    assert level(frames(bridge.heard)[-1]) == 0


def test_noise_that_was_not_agreed_on_is_not_made():
    bridge = Bridge()
    bridge.says(tone(150, 0.4))
    bridge.noise(20, b"\x28")
    bridge.studio.tick(20)
    assert level(frames(bridge.heard)[-1]) == 0


def test_two_legs_do_not_hear_the_same_noise():
    made = []
    for leg in (1, 2):
        bridge = Bridge(NOISY)
        if leg == 2:
            bridge.here, bridge.there = bridge.there, bridge.here
            bridge.studio.engine.connect(bridge.here, NOISY)
        bridge.says(tone(150, 0.4))
        bridge.noise(20, b"\x28")
        bridge.studio.tick(10)
        made.append(bridge.heard[-SAMPLES:])
    assert (made[0] != made[1]).any()
