"""Lists: newest first, page by page, and nothing moves that was there (paging, 06 section 4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from store_samples import FULL_NUMBER, NOON, OTHER, OWNER, call, sid

from offhook.model.call import Call
from offhook.store import Connection, UnknownPlace, Where
from offhook.store.records import calls, numbers

MINE = Where("account_sid", "=", OWNER)


def order(found: list[Call]) -> list[int]:
    """The numbers the calls were made with."""
    return [int(one.sid[2:], 16) for one in found]


def page(connection: Connection, *where: Where, size: int = 3, **place: Any) -> list[int]:
    return order(calls.page(connection, [MINE, *where], size, **place))


@pytest.fixture
def nine(connection: Connection) -> Connection:
    """Calls 1 to 9, a second apart, stored in another order than they were made."""
    for number in (5, 1, 9, 2, 8, 3, 7, 4, 6):
        calls.insert(connection, call(number))
    return connection


def test_the_newest_come_first(nine: Connection) -> None:
    assert page(nine) == [9, 8, 7]


def test_a_page_goes_on_behind_a_record(nine: Connection) -> None:
    assert page(nine, after=sid("CA", 7)) == [6, 5, 4]
    assert page(nine, after=sid("CA", 2)) == [1]
    assert page(nine, after=sid("CA", 1)) == []


def test_the_page_before_a_record_is_the_nearest_one_in_the_same_order(nine: Connection) -> None:
    assert page(nine, before=sid("CA", 4)) == [7, 6, 5]
    assert page(nine, before=sid("CA", 8)) == [9]
    assert page(nine, before=sid("CA", 9)) == []


def test_calls_of_one_instant_are_each_listed_once(connection: Connection) -> None:
    for number in range(1, 8):
        calls.insert(connection, call(number, date_created=NOON))
    first = page(connection)
    second = page(connection, after=sid("CA", first[-1]))
    third = page(connection, after=sid("CA", second[-1]))
    assert first + second + third == [7, 6, 5, 4, 3, 2, 1]
    assert page(connection, before=sid("CA", second[0])) == first


def test_what_arrives_meanwhile_does_not_move_the_following_pages(nine: Connection) -> None:
    assert page(nine) == [9, 8, 7]
    for number in (10, 11, 12, 13):
        calls.insert(nine, call(number))
    assert page(nine, after=sid("CA", 7)) == [6, 5, 4]


def test_deleting_while_paging_skips_nothing(nine: Connection) -> None:
    seen: list[int] = []
    place: dict[str, str] = {}
    while found := page(nine, **place):
        seen += found
        place = {"after": sid("CA", found[-1])}
        for number in found:
            calls.delete(nine, sid("CA", number))
    assert seen == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert calls.count(nine) == 0


@pytest.mark.parametrize("direction", ["after", "before"])
def test_a_place_that_never_was_is_unknown(nine: Connection, direction: str) -> None:
    with pytest.raises(UnknownPlace):
        page(nine, **{direction: sid("CA", 77)})


def test_an_offset_skips_as_many(nine: Connection) -> None:
    assert page(nine, offset=4) == [5, 4, 3]


def test_lists_see_one_account_and_count_it(nine: Connection) -> None:
    calls.insert(nine, call(20, account_sid=OTHER))
    assert page(nine, size=50) == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert calls.count(nine, [MINE]) == 9
    assert calls.count(nine) == 10


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("=", 5, [5]),
        ("<", 3, [2, 1]),
        ("<=", 3, [3, 2, 1]),
        (">", 7, [9, 8]),
        (">=", 7, [9, 8, 7]),
    ],
)
def test_dates_are_compared(nine: Connection, op: Any, value: int, expected: list[int]) -> None:
    bound = NOON + timedelta(seconds=value)
    assert page(nine, Where("date_created", op, bound)) == expected


def test_one_of_several_values_is_looked_for(connection: Connection) -> None:
    for number, status in enumerate(["busy", "failed", "ringing", "busy"]):
        calls.insert(connection, call(number, status=status))
    assert page(connection, Where("status", "in", ["busy", "ringing"])) == [3, 2, 0]
    assert page(connection, Where("status", "in", [])) == []


def test_a_pattern_has_wildcards_and_escapes(connection: Connection) -> None:
    for number, name in enumerate(["100% off", "1000 off"]):
        one = replace(
            FULL_NUMBER, sid=sid("PN", number), phone_number=f"+1555000{number}", friendly_name=name
        )
        numbers.insert(connection, one)

    def found(field: str, pattern: str) -> list[str]:
        return [n.sid for n in numbers.page(connection, [Where(field, "like", pattern)])]

    assert found("phone_number", "%5000_") == [sid("PN", 1), sid("PN", 0)]
    assert found("phone_number", "%0001") == [sid("PN", 1)]
    assert found("friendly_name", "100\\%%") == [sid("PN", 0)]


def test_a_list_bounded_by_start_time_is_in_its_order(connection: Connection) -> None:
    """Otherwise an old day among a million calls could not be found quickly."""
    for number, started in ((1, 50), (2, 40), (3, None), (4, 30), (5, 20)):
        at = NOON + timedelta(seconds=started) if started else None
        calls.insert(connection, call(number, start_time=at))
    since = Where("start_time", ">=", NOON)
    assert page(connection, since, size=2) == [1, 2]
    assert page(connection, since, size=2, after=sid("CA", 2)) == [4, 5]
    assert page(connection, since, size=2, before=sid("CA", 5)) == [2, 4]
    calls.delete(connection, sid("CA", 2))
    assert page(connection, since, size=2, after=sid("CA", 2)) == [4, 5]
    with pytest.raises(UnknownPlace):
        page(connection, since, after=sid("CA", 3))
