"""Rooms: a seat hears the sum of the others."""

from __future__ import annotations

import numpy as np
import pytest
from media_sounds import Sound, Studio, joined, level, share, tone

from offhook.media import codecs

TONES = {1: 400, 2: 700, 3: 1100, 4: 1900}


def phone(leg: int) -> int:
    """The far end of a leg."""
    return 100 + leg


@pytest.fixture
def studio() -> Studio:
    """Four simulated phones, in no room yet."""
    studio = Studio()
    for leg in TONES:
        studio.wire(leg, phone(leg))
    studio.engine.open_room(7)
    return studio


def seat(studio: Studio, *legs: int, speaks: bool = True, hears: bool = True) -> None:
    for leg in legs:
        studio.engine.sit(7, leg, speaks, hears)


def speak(studio: Studio, *legs: int, amplitude: float = 3000, seconds: float = 0.5) -> None:
    """Each of these phones sends its own tone."""
    for leg in legs:
        studio.engine.play(phone(leg), 1000 + leg, tone(TONES[leg], seconds, amplitude))


def heard(studio: Studio, leg: int) -> Sound:
    return joined(studio.heard(phone(leg)))


def tones_in(sound: Sound) -> set[int]:
    return {leg for leg, hertz in TONES.items() if len(sound) and share(sound, hertz) > 0.05}


def test_a_bridge_carries_the_sound_unchanged_and_without_a_gap(studio):
    seat(studio, 1, 2)
    speak(studio, 1)
    studio.tick(30)
    assert (heard(studio, 2) == tone(TONES[1], 0.5, 3000)).all()
    assert len(heard(studio, 1)) == 0, "nobody hears himself"


def test_what_is_said_last_arrives_before_all_is_quiet(studio):
    """Nothing ticks after that."""
    seat(studio, 1, 2)
    speak(studio, 1)
    while studio.engine.due() is not None:
        studio.tick()
    assert (heard(studio, 2) == tone(TONES[1], 0.5, 3000)).all()
    assert len(heard(studio, 2)) == 4000


def test_everybody_hears_everybody_else(studio):
    seat(studio, 1, 2, 3, 4)
    speak(studio, 1, 2, 3, 4)
    studio.tick(30)
    for leg in TONES:
        assert tones_in(heard(studio, leg)) == set(TONES) - {leg}


def test_rooms_do_not_hear_each_other(studio):
    studio.engine.open_room(8)
    seat(studio, 1, 2)
    studio.engine.sit(8, 3, True, True)
    studio.engine.sit(8, 4, True, True)
    speak(studio, 1, 3)
    studio.tick(30)
    assert tones_in(heard(studio, 2)) == {1}
    assert tones_in(heard(studio, 4)) == {3}


def test_a_sum_too_loud_stays_at_the_edge_and_does_not_wrap(studio):
    seat(studio, 1, 2, 3)
    for leg in (1, 2):
        studio.engine.play(phone(leg), leg, np.full(1600, 30000, np.int16))
    studio.tick(5)
    assert set(heard(studio, 3).tolist()) == {32767}


def test_a_muted_seat_hears_and_is_not_heard_until_it_is_unmuted(studio):
    seat(studio, 1, 2, 3)
    studio.engine.mute(1, True)
    speak(studio, 1, 2, seconds=2)
    studio.tick(30)
    assert tones_in(heard(studio, 3)) == {2}
    assert tones_in(heard(studio, 1)) == {2}
    before = len(heard(studio, 3))
    studio.engine.mute(1, False)
    studio.tick(30)
    assert tones_in(heard(studio, 3)[before:]) == {1, 2}


def test_a_one_way_seat_only_speaks_or_only_hears(studio):
    seat(studio, 1, hears=False)
    seat(studio, 2, speaks=False)
    seat(studio, 3)
    speak(studio, 1, 2, 3)
    studio.tick(30)
    assert tones_in(heard(studio, 1)) == set()
    assert tones_in(heard(studio, 2)) == {1, 3}
    assert tones_in(heard(studio, 3)) == {1}


def test_who_leaves_neither_hears_nor_is_heard(studio):
    seat(studio, 1, 2, 3)
    speak(studio, 1, 2, seconds=2)
    studio.tick(10)
    studio.engine.leave(7, 2)
    studio.tick(1)
    at = {leg: len(heard(studio, leg)) for leg in TONES}
    studio.tick(20)
    assert len(heard(studio, 2)) == at[2]
    assert tones_in(heard(studio, 3)[at[3] :]) == {1}


def test_who_sits_down_elsewhere_has_left(studio):
    studio.engine.open_room(8)
    seat(studio, 1, 2)
    studio.engine.sit(8, 1, True, True)
    studio.engine.leave(7, 1)
    studio.engine.sit(8, 3, True, True)
    speak(studio, 1)
    studio.tick(20)
    assert tones_in(heard(studio, 3)) == {1}
    assert len(heard(studio, 2)) == 0


def test_a_closed_room_is_silent_and_cannot_be_entered(studio):
    seat(studio, 1, 2)
    studio.engine.close_room(7)
    seat(studio, 1, 2)
    speak(studio, 1)
    studio.tick(20)
    assert len(heard(studio, 2)) == 0


def test_what_was_said_before_hanging_up_arrives_and_nothing_after_it(studio):
    seat(studio, 1, 2)
    speak(studio, 1, seconds=0.1)
    studio.tick(5)
    studio.engine.close(1)
    studio.engine.close(phone(1))
    studio.tick(20)
    assert len(heard(studio, 2)) == 4 * 160, "the fifth frame was still in the room"
    assert studio.engine.due() is None


def test_a_phone_whose_far_end_hung_up_says_no_more_than_it_has(studio):
    seat(studio, 1, 2)
    speak(studio, 1, seconds=1)
    studio.tick(5)
    studio.engine.close(phone(1))
    studio.tick(20)
    assert len(heard(studio, 2)) == 5 * 160
    assert studio.engine.due() is None


def test_a_clip_played_to_one_seat_is_added_to_what_it_hears(studio):
    seat(studio, 1, 2, 3)
    speak(studio, 1)
    studio.engine.play(2, 9, tone(TONES[4], 0.5, 3000))
    studio.tick(25)
    assert tones_in(heard(studio, 2)) == {1, 4}
    assert tones_in(heard(studio, 3)) == {1}


def test_real_and_simulated_phones_share_a_room(studio):
    studio.rtp_leg(50)
    seat(studio, 1, 50)
    speak(studio, 1)
    studio.tick(25)
    said = b"".join(packet.payload for packet in studio.sent(50))
    sound = codecs.decode(codecs.PCMU, np.frombuffer(said, np.uint8))
    assert share(sound[-3200:], TONES[1]) > 0.99
    assert level(sound[-3200:]) == pytest.approx(3000 / np.sqrt(2), rel=0.02)


def test_echo_sends_back_what_arrives(studio):
    studio.engine.echo(1, True)
    speak(studio, 1)
    studio.tick(30)
    assert (heard(studio, 1) == tone(TONES[1], 0.5, 3000)).all(), "and nothing where nothing does"
    studio.engine.echo(1, False)
    speak(studio, 1)
    at = len(heard(studio, 1))
    studio.tick(30)
    assert len(heard(studio, 1)) == at


def test_an_echo_is_added_to_what_the_others_say(studio):
    seat(studio, 1, 2)
    studio.engine.echo(1, True)
    speak(studio, 1, 2)
    studio.tick(30)
    assert tones_in(heard(studio, 1)) == {1, 2}
