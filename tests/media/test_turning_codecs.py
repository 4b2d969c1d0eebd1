"""A far end may send any codec that was offered and taken, and turn to another at any moment.

RFC 3264 section 7: under the numbers of the offer, whatever those of the answer are.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from media_sounds import AGREED, FAR, Sound, Studio, joined, level, share, tone

from offhook.media import codecs, rtcp, rtp
from offhook.media.clip import SAMPLES
from offhook.media.coding import Coder
from offhook.media.orders import KEYS, Remote, Stats

OFFERED = replace(AGREED, others=((8, "PCMA"), (9, "G722"), (111, "opus"), (110, KEYS)))
TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "opus": 111}
TABLES = {"PCMU": codecs.PCMU, "PCMA": codecs.PCMA}


@dataclass
class Talker:
    """A far end that says a tone, a frame a tick, in whichever codec."""

    remote: Remote = OFFERED
    coders: dict[str, Coder] = field(default_factory=dict)
    said: int = 0

    def __post_init__(self) -> None:
        self.studio = Studio()
        self.leg = self.studio.rtp_leg(1, self.remote)
        self.sound = tone(440, 60).reshape(-1, SAMPLES)

    def says(self, codec: str, frames: int, number: int | None = None) -> Sound:
        """What is newly heard meanwhile, without what was on its way before."""
        before = len(self.studio.heard(self.leg))
        for _ in range(frames):
            frame, n = self.sound[self.said], self.said
            clock = 6 if codec == "opus" else 1
            kind = TYPES[codec] if number is None else number
            packet = rtp.Packet(kind, False, n, n * SAMPLES * clock, 7, self._coded(codec, frame))
            self.studio.arrive(self.leg, rtp.write(packet))
            self.studio.tick()
            self.said += 1
        return joined(self.studio.heard(self.leg)[before + 8 :])

    def _coded(self, codec: str, frame: Sound) -> bytes:
        if codec in TABLES:
            return codecs.encode(TABLES[codec], frame).tobytes()
        if codec not in self.coders:
            self.coders[codec] = Coder(codec)
        return self.coders[codec].encode(frame)

    def stats(self) -> Stats:
        self.studio.engine.close(self.leg)
        [event] = self.studio.events("closed", self.leg)
        assert isinstance(event.value, Stats)
        return event.value


def is_the_tone(heard: Sound) -> bool:
    """In every frame; for some of them Opus is louder than it should, where it has to begin."""
    pure = all(share(frame, 440) > 0.9 for frame in heard.reshape(-1, SAMPLES))
    return pure and 0.8 < level(heard) / level(tone(440, 1)) < 1.2


@pytest.mark.parametrize("codec", TYPES)
def test_whichever_it_is_from_the_first_packet_on(codec: str):
    talker = Talker()
    heard = talker.says(codec, 60)
    assert len(heard) > 45 * SAMPLES
    assert is_the_tone(heard)
    assert talker.stats().refused == 0


@pytest.mark.parametrize("first", TYPES)
@pytest.mark.parametrize("second", TYPES)
def test_it_may_turn_to_another_and_back(first: str, second: str):
    talker = Talker()
    for codec in (first, second, first, second):
        heard = talker.says(codec, 50)
        assert len(heard) > 36 * SAMPLES
        assert is_the_tone(heard)
    assert talker.stats().refused == 0


def test_between_laws_nothing_is_missed():
    """Both are tables, and what waits to be heard stays good."""
    talker = Talker()
    talker.says("PCMU", 20)
    before = len(talker.studio.heard(talker.leg))
    for codec in ("PCMA", "PCMU") * 10:
        talker.says(codec, 1)
    heard = joined(talker.studio.heard(talker.leg)[before:])
    assert len(heard) == 20 * SAMPLES
    assert is_the_tone(heard)


def test_what_we_say_stays_in_the_codec_that_was_agreed_on():
    talker = Talker()
    talker.says("G722", 30)
    assert {packet.payload_type for packet in talker.studio.sent(talker.leg)} == {0}


def test_the_same_codec_may_have_two_numbers():
    """The one that we offered, and the one that the answer made of it."""
    talker = Talker(Remote(*FAR, "opus", 96, None, others=((111, "opus"),)))
    for number in (111, 96, 111):
        assert is_the_tone(talker.says("opus", 50, number))
    assert talker.stats().refused == 0
    assert {packet.payload_type for packet in talker.studio.sent(talker.leg)} == {96}


def test_keys_may_come_under_the_number_that_we_offered():
    talker = Talker()
    for n in range(4):
        event = rtp.Packet(110, n == 0, 50 + n, 8000, 7, b"\x05\x0a\x03\xc0")
        talker.studio.arrive(talker.leg, rtp.write(event))
        talker.studio.tick()
    assert talker.studio.keys(talker.leg) == "5"


def test_agreeing_anew_does_not_interrupt_what_it_speaks():
    """A session that is refreshed says the same again."""
    talker = Talker()
    talker.says("G722", 30)
    before = len(talker.studio.heard(talker.leg))
    talker.studio.engine.connect(talker.leg, OFFERED)
    talker.says("G722", 20)
    heard = joined(talker.studio.heard(talker.leg)[before:])
    assert len(heard) == 20 * SAMPLES
    assert is_the_tone(heard)


def test_jitter_is_told_in_the_clock_of_what_comes():
    talker = Talker()
    coder = Coder("opus")
    for n in range(400):
        packet = rtp.Packet(111, False, n, n * SAMPLES * 6, 7, coder.encode(talker.sound[n]))
        talker.studio.arrive(talker.leg, rtp.write(packet), after=0.008 * (n % 2))
        talker.studio.tick()
    sent = [one for output in talker.studio.outputs for one in output.reports]
    report = rtcp.read(sent[-1][1])
    assert report is not None
    assert report.receptions[0].jitter == pytest.approx(0.008 * 48000, rel=0.1)


def test_what_was_not_agreed_on_is_not_heard():
    talker = Talker(AGREED)
    assert not np.any(talker.says("G722", 50))
    assert talker.stats().refused == 50


@pytest.mark.parametrize("codecs_agreed", [("PCMU", "PCMA"), ("PCMA", "PCMU")])
def test_what_we_say_follows_what_is_agreed_on_anew(codecs_agreed: tuple[str, str]):
    studio = Studio()
    leg = studio.rtp_leg(1)
    said = tone(440, 0.02)
    for n, codec in enumerate(codecs_agreed):
        studio.engine.connect(leg, Remote(*FAR, codec, TYPES[codec], 101))
        studio.engine.play(leg, n, said)
        studio.tick()
        packet = studio.sent(leg)[-1]
        assert packet.payload_type == TYPES[codec]
        heard = codecs.decode(TABLES[codec], np.frombuffer(packet.payload, np.uint8))
        assert np.abs(heard.astype(int) - said).max() < 300
