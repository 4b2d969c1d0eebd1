"""What goes into a table comes out equal, whatever its fields hold."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy.dialects import sqlite
from store_samples import (
    FULL_ACCOUNT,
    FULL_APPLICATION,
    FULL_CALL,
    FULL_MEDIA,
    FULL_MESSAGE,
    FULL_NOTIFICATION,
    FULL_NUMBER,
    FULL_RECORDING,
    HOOK,
    LATER,
    NOON,
    call,
    message,
    sid,
)

from offhook.model.fetch import Callback
from offhook.store import Connection, Taken, Where
from offhook.store.records import (
    accounts,
    applications,
    calls,
    media,
    messages,
    notifications,
    numbers,
    recordings,
)

EVERY: list[tuple[Any, Any]] = [
    (accounts, FULL_ACCOUNT),
    (applications, FULL_APPLICATION),
    (calls, FULL_CALL),
    (media, FULL_MEDIA),
    (messages, FULL_MESSAGE),
    (notifications, FULL_NOTIFICATION),
    (numbers, FULL_NUMBER),
    (recordings, FULL_RECORDING),
]
every_table = pytest.mark.parametrize(
    ("table", "record"), EVERY, ids=[type(record).__name__ for _, record in EVERY]
)


def bare(record: Any) -> Any:
    """The same record with every field that has a default at it."""
    optional = (f for f in fields(record) if (f.default, f.default_factory) != (MISSING, MISSING))
    defaults = {
        f.name: f.default_factory() if f.default_factory is not MISSING else f.default
        for f in optional
    }
    return replace(record, **defaults)


@every_table
def test_a_record_with_every_field_set_comes_back_equal(
    connection: Connection, table: Any, record: Any
) -> None:
    table.insert(connection, record)
    assert table.get(connection, record.sid) == record


@every_table
def test_a_record_of_defaults_comes_back_equal(
    connection: Connection, table: Any, record: Any
) -> None:
    table.insert(connection, bare(record))
    assert table.get(connection, record.sid) == bare(record)


@every_table
def test_saving_replaces_every_field_that_may_change(
    connection: Connection, table: Any, record: Any
) -> None:
    before = bare(record)
    table.insert(connection, before)
    assert table.save(connection, record)
    stays = {field: getattr(before, field) for field in table.fixed}
    assert table.get(connection, record.sid) == replace(record, **stays)


@pytest.mark.parametrize(
    "change",
    [{"to": "+15550009999"}, {"account_sid": "AC" + "9" * 32}, {"parent_call_sid": sid("CA", 9)}],
)
def test_who_called_whom_for_which_account_is_written_once(
    connection: Connection, change: dict[str, str]
) -> None:
    call = bare(FULL_CALL)
    calls.insert(connection, call)
    assert calls.save(connection, replace(call, status="ringing", **change))
    assert calls.get(connection, call.sid) == replace(call, status="ringing")


@every_table
def test_a_deleted_record_is_gone_and_saving_it_does_not_bring_it_back(
    connection: Connection, table: Any, record: Any
) -> None:
    table.insert(connection, record)
    assert table.delete(connection, record.sid)
    assert table.get(connection, record.sid) is None
    assert not table.delete(connection, record.sid)
    assert not table.save(connection, record)
    assert table.count(connection) == 0


@every_table
def test_a_sid_is_there_once(connection: Connection, table: Any, record: Any) -> None:
    table.insert(connection, record)
    with pytest.raises(Taken):
        table.insert(connection, record)


def test_samples_leave_no_field_at_its_default() -> None:
    """Otherwise the round trips above would prove less than they say."""
    for _, record in EVERY:
        untouched = bare(record)
        for field in fields(record):
            if (field.default, field.default_factory) != (MISSING, MISSING):
                assert getattr(record, field.name) != getattr(untouched, field.name), field.name


def test_dates_come_back_in_utc_to_the_microsecond(connection: Connection) -> None:
    calls.insert(connection, call(0, start_time=LATER))
    kept = calls.get(connection, sid("CA", 0))
    assert kept is not None
    assert kept.date_created.isoformat() == "2026-03-02T12:00:00.123456+00:00"
    assert kept.start_time is not None
    assert kept.start_time.isoformat() == "2026-03-02T13:30:00+00:00"


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
        datetime(2026, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2026, 6, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_dates_are_kept_as_the_text_that_sqlalchemy_makes_of_them(
    connection: Connection, at: datetime
) -> None:
    """So that databases of all releases are alike, and dates are in order as they are as text."""
    calls.insert(connection, replace(call(1), date_created=at))
    kept = connection.exec_driver_sql("SELECT date_created FROM calls").scalar_one()
    own = sqlite.DATETIME().bind_processor(connection.dialect)
    assert own is not None
    assert kept == own(at.astimezone(UTC))


@pytest.mark.parametrize("text", ["\udcff", "\0", "\u2028", "\U0001f4de", '\r\n"\\', "\x7f"])
def test_any_text_survives_in_what_a_leg_brought(connection: Connection, text: str) -> None:
    """Bytes that are not UTF-8 travel through SIP as surrogate escapes."""
    calls.insert(connection, replace(call(1), details={text: [text]}))
    kept = calls.get(connection, sid("CA", 1))
    assert kept is not None
    assert kept.details == {text: [text]}


def test_a_date_without_a_time_zone_is_refused(connection: Connection) -> None:
    naive = datetime(2026, 3, 2, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(Exception, match="without a time zone"):
        calls.insert(connection, call(0, start_time=naive))


def test_a_phone_number_belongs_to_one_owner(connection: Connection) -> None:
    numbers.insert(connection, FULL_NUMBER)
    with pytest.raises(Taken):
        numbers.insert(connection, replace(FULL_NUMBER, sid=sid("PN", 2)))


def test_a_number_is_found_by_its_e164(connection: Connection) -> None:
    numbers.insert(connection, FULL_NUMBER)
    assert numbers.by_number(connection, "+15550001111") == FULL_NUMBER
    assert numbers.by_number(connection, "5550001111") is None


def test_the_first_account_is_the_one_that_was_there_first(connection: Connection) -> None:
    assert accounts.first(connection) is None
    accounts.insert(connection, FULL_ACCOUNT)
    accounts.insert(connection, replace(FULL_ACCOUNT, sid=sid("AC", 1), date_created=NOON))
    assert accounts.first(connection) == FULL_ACCOUNT


def test_live_calls_are_those_without_a_final_status(connection: Connection) -> None:
    words = ["completed", "ringing", "busy", "queued", "failed", "in-progress", "canceled"]
    for number, status in enumerate(words):
        calls.insert(connection, call(number, status=status))
    assert [live.status for live in calls.live(connection)] == ["ringing", "queued", "in-progress"]


def test_unsent_messages_are_those_still_on_their_way_out(connection: Connection) -> None:
    words = ["sent", "queued", "received", "sending", "failed", "accepted", "scheduled"]
    for number, status in enumerate(words):
        messages.insert(connection, message(number, status=status))
    unsent = [waiting.status for waiting in messages.unsent(connection)]
    assert unsent == ["queued", "sending", "accepted"]


def test_a_messages_media_go_with_it(connection: Connection) -> None:
    first, second = (replace(FULL_MEDIA, sid=sid("ME", n), path=f"/data/{n}") for n in (1, 2))
    other = replace(FULL_MEDIA, sid=sid("ME", 3), parent_sid=sid("MM", 2))
    for one in (first, second, other):
        media.insert(connection, one)
    assert media.of(connection, first.parent_sid) == [first, second]
    assert media.delete_of(connection, first.parent_sid) == [first, second]
    assert media.all(connection) == [other]


def test_a_calls_recordings_are_listed_oldest_first(connection: Connection) -> None:
    second, first = (replace(FULL_RECORDING, sid=sid("RE", n)) for n in (1, 2))
    elsewhere = replace(FULL_RECORDING, sid=sid("RE", 3), call_sid=sid("CA", 9))
    for one in (first, second, elsewhere):
        recordings.insert(connection, one)
    assert recordings.of(connection, sid("CA", 1)) == [first, second]


def test_a_callback_is_stored_as_columns_that_can_be_asked_for(connection: Connection) -> None:
    calls.insert(connection, call(1, callback=HOOK))
    calls.insert(connection, call(2, callback=Callback()))
    found = calls.page(connection, [Where("callback_url", "=", HOOK.url)])
    assert [one.sid for one in found] == [sid("CA", 1)]
