"""Clips and tones, as a leg's far end hears them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from media_sounds import AGREED, Studio, joined, level, share, tone


@pytest.fixture
def studio() -> Studio:
    studio = Studio()
    studio.wire(1, 2)
    return studio


@pytest.mark.parametrize("seconds", [0.02, 0.5, 0.52, 1.0, 3.7])
def test_a_clip_is_heard_whole_once_and_without_a_gap(studio, seconds):
    said = tone(440, seconds)
    studio.engine.play(1, 9, said)
    studio.tick(round(seconds / 0.02) - 1)
    assert not studio.events("done", 9)
    studio.tick()
    assert studio.events("done", 9), "over with its last frame"
    studio.tick(5)
    assert (joined(studio.heard(2)) == said).all()


def test_a_clip_that_ends_within_a_frame_is_filled_up_with_silence(studio):
    studio.engine.play(1, 9, np.full(200, 500, np.int16))
    studio.tick(3)
    assert joined(studio.heard(2)).tolist() == [500] * 200 + [0] * 120


def test_a_clip_started_when_another_is_over_follows_without_a_gap(studio):
    studio.engine.play(1, 9, tone(440, 0.1))
    studio.tick(5)
    studio.engine.play(1, 10, tone(880, 0.1))
    studio.tick(5)
    assert (joined(studio.heard(2)) == np.concatenate((tone(440, 0.1), tone(880, 0.1)))).all()


def test_an_empty_clip_is_over_at_once(studio):
    studio.engine.play(1, 9, np.zeros(0, np.int16))
    assert studio.events("done", 9)


def test_stopping_is_immediate_and_stops_only_that_sound(studio):
    studio.engine.play(1, 9, tone(440, 1))
    studio.tick(5)
    studio.engine.stop(1, 8)
    studio.tick(5)
    studio.engine.stop(1, 9)
    assert studio.events("done", 9)
    studio.tick(5)
    assert len(studio.heard(2)) == 10


def test_another_sound_takes_the_place_of_the_first_which_is_over(studio):
    studio.engine.play(1, 9, tone(440, 1))
    studio.tick(5)
    studio.engine.play(1, 10, tone(880, 0.1))
    assert studio.events("done", 9)
    studio.tick(20)
    assert share(joined(studio.heard(2))[800:], 880) > 0.99
    assert studio.events("done", 10)


def test_closing_a_leg_ends_what_it_plays(studio):
    studio.engine.play(1, 9, tone(440, 1))
    studio.engine.press(1, 10, "1")
    studio.engine.close(1)
    assert studio.events("done", 9)
    assert studio.events("done", 10)


@pytest.mark.parametrize(
    "order",
    [
        lambda engine: engine.play(1, 9, tone(440, 1)),
        lambda engine: engine.play_tone(1, 9, (((440,), 1.0),)),
        lambda engine: engine.press(1, 9, "1"),
    ],
)
def test_a_closed_leg_plays_nothing_and_is_done_with_it(studio, order):
    studio.engine.close(1)
    order(studio.engine)
    assert studio.events("done", 9)
    assert studio.engine.due() is None


def test_a_cadence_repeats_until_it_is_stopped(studio):
    ring = (((440, 480), 0.2), ((), 0.3))
    studio.engine.play_tone(1, 9, ring)
    studio.tick(100)
    sound = joined(studio.heard(2)).reshape(-1, 4000)
    for period in sound:
        assert share(period[:1600], 440) == pytest.approx(0.5, abs=0.02)
        assert share(period[:1600], 480) == pytest.approx(0.5, abs=0.02)
        assert level(period[1600:]) == 0
    assert len(sound) == 4
    studio.engine.stop(1, 9)
    studio.tick(2)
    assert studio.engine.due() is None


@pytest.mark.parametrize("busy", [True, False], ids=["playing", "idle"])
def test_a_simulated_leg_wants_ticks_only_while_it_sounds(studio, busy):
    assert studio.engine.due() is None
    if busy:
        studio.engine.play(1, 9, tone(440, 0.1))
        assert studio.engine.due() is not None
    studio.tick(7)
    assert studio.engine.due() is None


def test_a_simulated_leg_that_presses_keys_wants_ticks_until_it_has(studio):
    studio.engine.press(1, 9, "1")
    while studio.engine.due() is not None:
        studio.tick()
    assert studio.events("done", 9)
    assert studio.keys(2) == "1"


def test_a_real_leg_always_wants_ticks(studio):
    studio.rtp_leg(5)
    assert studio.engine.due() == pytest.approx(0.02)


def test_a_leg_that_is_on_hold_numbers_no_packets_while_others_are_sent():
    """Whoever resumes would take them for lost."""
    studio = Studio()
    for leg in (1, 2):
        studio.rtp_leg(leg)
    studio.tick(2)
    studio.engine.connect(1, replace(AGREED, send=False))
    studio.tick(10)
    studio.engine.connect(1, AGREED)
    studio.tick(2)
    sent = studio.sent(1)
    assert len(sent) == 4
    assert [(one.seq - sent[0].seq) & 0xFFFF for one in sent] == [0, 1, 2, 3]
    assert (sent[2].ts - sent[1].ts) & 0xFFFFFFFF == 11 * 160
    assert len(studio.sent(2)) == 14
