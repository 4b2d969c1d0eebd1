"""A leg that opens in the place of another has nothing of it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from media_sounds import AGREED, FAR, FarEnd, Studio, joined, level, numbered, tone

from offhook.media import codecs, keys, rtp
from offhook.media.clip import SAMPLES
from offhook.media.engine import Engine
from offhook.media.orders import Recorded, RecorderOrder, Remote
from offhook.media.ports import MediaFull

STRANGER: rtp.Address = ("198.51.100.9", 9)
BY_EAR = replace(AGREED, dtmf_payload_type=None)
SILENCE = bytes([codecs.SILENCE[codecs.PCMU]]) * SAMPLES


@pytest.fixture
def studio() -> Studio:
    """A leg that hears its far end."""
    studio = Studio()
    studio.rtp_leg(1)
    spoken(studio, 1, range(10))
    return studio


def spoken(studio: Studio, leg: int, frames: range) -> None:
    for n in frames:
        studio.arrive(leg, FarEnd().packet(n, numbered(5)))
        studio.tick()


def open_instead(studio: Studio, leg: int, of: int, remote: Remote | None = AGREED) -> None:
    """This leg in the place of one that closes; nobody has said how it is to be listened to."""
    studio.engine.close(of)
    studio.slots[leg] = studio.engine.open_rtp(leg)
    assert studio.slots[leg] == studio.slots.get(of, studio.slots[leg])
    if remote:
        studio.engine.connect(leg, remote)


def test_nothing_is_said_while_nobody_is_there(studio):
    before = studio.sent(1)
    studio.engine.close(1)
    studio.tick(5)
    assert studio.sent(1) == before


def test_no_sound_before_it_has_a_far_end(studio):
    before = studio.sent(1)
    open_instead(studio, 2, of=1, remote=None)
    studio.engine.tap(2, True)
    studio.engine.record(9, RecorderOrder("", (((2, "in"),),), 60, 0, trim=False))
    studio.tick(5)
    studio.engine.stop_recorder(9)
    [outcome] = [block.outcome for block in studio.engine.collect().blocks]
    assert outcome == Recorded(0.1, "stopped", 0, silent=True)
    assert studio.heard(2) == []
    assert studio.sent(2) == before


def test_no_sound_in_a_room(studio):
    studio.wire(3, 103)
    studio.wire(4, 104)
    studio.engine.open_room(9)
    studio.engine.sit(9, 4, True, True)
    studio.engine.play(103, 8, tone(440, 5))
    studio.tick(5)
    for leg in (3, 103):
        studio.engine.close(leg)
    studio.wire(5, 105)
    studio.engine.sit(9, 5, True, True)
    studio.tick(5)
    assert studio.heard(104) == []


def test_no_seat(studio):
    studio.wire(3, 103)
    studio.engine.open_room(9)
    for leg in (1, 3):
        studio.engine.sit(9, leg, True, True)
    spoken(studio, 1, range(10, 20))
    open_instead(studio, 2, of=1)
    before = len(studio.heard(103))
    spoken(studio, 2, range(10))
    assert before > 0
    assert len(studio.heard(103)) == before


def test_no_other_end_of_a_wire():
    studio = Studio()
    studio.wire(1, 2)
    open_instead(studio, 3, of=2)
    studio.engine.play(3, 9, tone(440, 1))
    studio.tick(10)
    studio.engine.press(1, 10, "5")
    studio.tick(10)
    assert (studio.heard(1), studio.keys(3)) == ([], "")


def test_no_other_address(studio):
    studio.tick(20)
    for n in range(30, 35):
        studio.arrive(1, FarEnd().packet(n), STRANGER)
        studio.tick()
    assert studio.engine.targets[studio.slots[1]] == STRANGER
    open_instead(studio, 2, of=1)
    assert studio.engine.targets[studio.slots[2]] == FAR


def test_nobody_who_listens(studio):
    assert studio.heard(1)
    open_instead(studio, 2, of=1)
    spoken(studio, 2, range(10))
    assert studio.heard(2) == []


def test_no_echo(studio):
    studio.engine.echo(1, True)
    spoken(studio, 1, range(10, 20))
    assert studio.sent(1)[-1].payload == numbered(5)
    open_instead(studio, 2, of=1)
    spoken(studio, 2, range(10))
    assert {packet.payload for packet in studio.sent(2)[20:]} == {SILENCE}


def test_nobody_who_waits_for_its_end(studio):
    studio.engine.expect(1, 2)
    open_instead(studio, 2, of=1)
    studio.tick(500)
    assert studio.events("dead", 2) == []


def test_no_recording(studio):
    studio.rtp_leg(3)
    tracks = (((1, "in"),), ((3, "in"),))
    studio.engine.record(9, RecorderOrder("", tracks, 60, 0, trim=False))
    studio.tick(5)
    open_instead(studio, 2, of=1)
    spoken(studio, 2, range(10))
    studio.engine.stop_recorder(9)
    sound = joined(block.samples for block in studio.engine.collect().blocks)
    assert level(sound[-3200:]) == 0


@pytest.mark.parametrize(("codec", "number"), [("G722", 9), ("opus", 111)])
def test_nothing_that_a_codec_remembers(codec, number):
    agreed = replace(AGREED, codec=codec, payload_type=number)
    used, fresh = Studio(), Studio()
    used.rtp_leg(1, agreed)
    used.engine.play(1, 9, tone(440, 1))
    used.tick(20)
    open_instead(used, 2, of=1, remote=agreed)
    fresh.rtp_leg(2, agreed)
    for studio in (used, fresh):
        studio.tick(20)
    said = [packet.payload for packet in used.sent(2)[20:]]
    assert said == [packet.payload for packet in fresh.sent(2)]


def test_no_key_that_was_pressed():
    studio = Studio()
    studio.rtp_leg(1, BY_EAR)
    pressed(studio, 1)
    open_instead(studio, 2, of=1, remote=BY_EAR)
    pressed(studio, 2)
    assert (studio.keys(1), studio.keys(2)) == ("5", "5")


def pressed(studio: Studio, leg: int) -> None:
    sound = np.tile(keys.tone("5"), (4, 1))[:10]
    for n, frame in enumerate(sound):
        studio.arrive(leg, FarEnd().packet(n, codecs.encode(codecs.PCMU, frame).tobytes()))
        studio.tick()


def test_there_are_so_many_and_no_more():
    studio = Studio(Engine(Random(1), capacity=2))
    for leg in (1, 2):
        studio.rtp_leg(leg)
    with pytest.raises(MediaFull):
        studio.engine.open_rtp(3)
    open_instead(studio, 3, of=2)
    with pytest.raises(MediaFull):
        studio.engine.open_rtp(4)
