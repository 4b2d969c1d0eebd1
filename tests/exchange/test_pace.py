"""How often something may happen, for each of many."""

from __future__ import annotations

from offhook.exchange.pace import SWEEP, Pace


class Moment(float):
    """A time that counts how often it is compared."""

    looks = 0

    def __gt__(self, other: object) -> bool:
        Moment.looks += 1
        return float(self) > float(other)  # type: ignore[arg-type]


def test_each_may_so_often_in_a_time() -> None:
    pace = Pace(2, 30)
    assert [pace.admits("a", at) for at in (0, 1, 2, 30, 30.5, 31)] == [
        True, True, False, True, False, True,
    ]  # fmt: skip
    assert pace.admits("b", 2)


def test_very_many_at_a_time_are_not_looked_through_for_each() -> None:
    pace, many = Pace(15, 30), 20 * SWEEP
    assert all(pace.admits(str(n), Moment(n / many)) for n in range(many))
    assert Moment.looks < 2 * many


def test_who_was_counted_among_very_many_still_is() -> None:
    pace = Pace(1, 30)
    assert pace.admits("first", 0)
    assert all(pace.admits(str(n), 1) for n in range(3 * SWEEP))
    assert not pace.admits("first", 29)
    assert pace.admits("first", 30)
