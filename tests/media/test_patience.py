"""How long is waited for a far end from which nothing comes."""

from __future__ import annotations

import pytest
from media_sounds import AGREED, FarEnd, Studio


@pytest.fixture
def studio() -> Studio:
    """Two legs from whose far ends nothing comes."""
    studio = Studio()
    for leg in (1, 2):
        studio.rtp_leg(leg)
    return studio


def given_up(studio: Studio, *legs: int) -> list[int]:
    return [leg for leg in legs for _ in studio.events("dead", leg)]


@pytest.mark.parametrize(("impatient", "patient"), [(1, 2), (2, 1)])
def test_each_leg_is_given_up_after_its_own_time(studio, impatient, patient):
    for leg in (1, 2):
        studio.engine.expect(leg, 2 if leg == impatient else 4)
    studio.tick(101)
    assert given_up(studio, 1, 2) == [impatient]
    studio.tick(98)
    assert given_up(studio, patient) == []
    studio.tick(2)
    assert given_up(studio, 1, 2) == [1, 2], "each of them once"


def test_the_silence_before_it_was_asked_for_counts(studio):
    studio.tick(100)
    studio.engine.expect(1, 3)
    studio.tick(51)
    assert given_up(studio, 1) == [1]


def test_nobody_is_waited_for_any_more(studio):
    for seconds in (2, 0):
        studio.engine.expect(1, seconds)
    studio.tick(500)
    assert given_up(studio, 1) == []


def test_who_speaks_is_not_given_up_and_falls_silent_later(studio):
    studio.engine.expect(1, 2)
    for n in range(150):
        studio.arrive(1, FarEnd().packet(n))
        studio.tick()
    studio.tick(98)
    assert given_up(studio, 1) == []
    studio.tick(3)
    assert given_up(studio, 1) == [1]


@pytest.mark.parametrize("before", [True, False], ids=["before", "afterwards"])
def test_waiting_begins_when_it_is_known_who_is_waited_for(studio, before):
    """However long ago the leg was opened, and whether it was said before how long."""
    studio.slots[3] = studio.engine.open_rtp(3)
    if before:
        studio.engine.expect(3, 2)
    studio.tick(500)
    assert given_up(studio, 3) == []
    studio.engine.connect(3, AGREED)
    if not before:
        studio.engine.expect(3, 2)
    studio.tick(99)
    assert given_up(studio, 3) == []
    studio.tick(2)
    assert given_up(studio, 3) == [3]
