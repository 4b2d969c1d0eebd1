"""Every list that is asked for is served by an index, in its order, without sorting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable
from store_samples import (
    FULL_MEDIA,
    FULL_NOTIFICATION,
    FULL_NUMBER,
    FULL_RECORDING,
    LATER,
    NOON,
    OWNER,
    call,
    message,
    sid,
)

from offhook.store import Connection, Where
from offhook.store.columns import metadata
from offhook.store.records import (
    accounts,
    applications,
    callbacks,
    calls,
    events,
    facts,
    media,
    messages,
    notifications,
    numbers,
    recordings,
)

MINE = Where("account_sid", "=", OWNER)


@contextmanager
def planned(connection: Connection) -> Iterator[list[str]]:
    """SQLite's plan for each query that runs meanwhile."""
    asked: list[str] = []
    plans: list[str] = []
    driver: Any = connection.connection.dbapi_connection
    driver.set_trace_callback(asked.append)
    yield plans
    driver.set_trace_callback(None)
    assert asked
    for statement in asked:
        plans += [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}")]


def listed(table: Any, *where: Where) -> Callable[[Connection], Any]:
    return lambda connection: table.page(connection, [MINE, *where])


LISTS: dict[str, Callable[[Connection], Any]] = {
    "calls": listed(calls),
    "calls by status": listed(calls, Where("status", "=", "busy")),
    "calls to": listed(calls, Where("to", "=", "+15550001111")),
    "calls from": listed(calls, Where("from_", "=", "+15550001111")),
    "calls by parent": listed(calls, Where("parent_call_sid", "=", sid("CA", 1))),
    "calls of a day": listed(
        calls, Where("start_time", ">=", NOON), Where("start_time", "<", NOON)
    ),
    "calls that ended before": listed(calls, Where("end_time", "<", NOON)),
    "calls behind one": lambda c: calls.page(c, [MINE], after=sid("CA", 1)),
    "calls before one": lambda c: calls.page(c, [MINE], before=sid("CA", 1)),
    "calls to, behind one": lambda c: calls.page(
        c, [MINE, Where("to", "=", "+15550001111")], after=sid("CA", 1)
    ),
    "messages": listed(messages),
    "messages to": listed(messages, Where("to", "=", "+15550001111")),
    "messages from": listed(messages, Where("from_", "=", "+15550001111")),
    "messages of a day": listed(messages, Where("date_sent", ">=", NOON)),
    "media of a message": listed(media, Where("parent_sid", "=", sid("MM", 1))),
    "numbers": listed(numbers),
    "applications": listed(applications),
    "recordings": listed(recordings),
    "recordings of a day": listed(recordings, Where("date_created", ">=", NOON)),
    "recordings of a call": listed(recordings, Where("call_sid", "=", sid("CA", 1))),
    "notifications": listed(notifications),
    "notifications of a day": listed(notifications, Where("message_date", ">=", NOON)),
    "notifications of a call": listed(notifications, Where("call_sid", "=", sid("CA", 1))),
    "subaccounts": lambda c: accounts.page(c, [Where("owner_account_sid", "=", OWNER)]),
}
LOOKUPS: dict[str, Callable[[Connection], Any]] = {
    "a call": lambda c: calls.get(c, sid("CA", 1)),
    "a call to save": lambda c: calls.save(c, call(1)),
    "a number": lambda c: numbers.by_number(c, "+15550001111"),
    "a number's record": lambda c: numbers.get(c, FULL_NUMBER.sid),
    "a message's media": lambda c: media.of(c, FULL_MEDIA.parent_sid),
    "a call's recordings": lambda c: recordings.of(c, FULL_RECORDING.call_sid),
    "live calls": calls.live,
    "unsent messages": messages.unsent,
    "a story": lambda c: events.of(c, sid("CA", 1)),
    "events to forget": lambda c: events.forget(c, NOON),
    "recordings to forget": lambda c: recordings.forget(c, LATER),
    "notifications to forget": lambda c: notifications.forget(c, LATER),
    "callbacks due": lambda c: callbacks.due(c, after=10),
    "a fact": lambda c: facts.get(c, "demo"),
    "facts to forget": lambda c: facts.forget(c, NOON),
}


@pytest.fixture
def filled(connection: Connection) -> Connection:
    calls.insert(connection, call(1))
    messages.insert(connection, message(1))
    recordings.insert(connection, FULL_RECORDING)
    notifications.insert(connection, FULL_NOTIFICATION)
    return connection


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_served_by_an_index_in_its_order(filled: Connection, name: str) -> None:
    with planned(filled) as plans:
        LISTS[name](filled)
    assert all(plan.startswith("SEARCH") and " INDEX " in plan for plan in plans), plans


@pytest.mark.parametrize(
    ("table", "time"), [(calls, "start_time"), (messages, "date_sent")], ids=["calls", "messages"]
)
@pytest.mark.parametrize("party", ["to", "from_"])
def test_what_one_number_did_in_a_time_is_found_at_once(
    filled: Connection, table: Any, time: str, party: str
) -> None:
    with planned(filled) as plans:
        listed(table, Where(party, "=", "+15550001111"), Where(time, ">=", NOON))(filled)
    [plan] = plans
    assert f"({party}=? AND account_sid=? AND {time}>?)" in plan.replace('"', "")


def test_calls_that_started_and_ended_in_a_time_are_found_without_those_after_it(
    filled: Connection,
) -> None:
    with planned(filled) as plans:
        listed(calls, Where("start_time", ">=", NOON), Where("end_time", "<", LATER))(filled)
    [plan] = plans
    assert "(account_sid=? AND start_time>? AND start_time<?)" in plan


@pytest.mark.parametrize(
    ("table", "filter"),
    [
        (calls, Where("status", "=", "busy")),
        (notifications, Where("log", "=", 0)),
        (numbers, Where("friendly_name", "=", "Desk")),
    ],
    ids=["calls", "notifications", "numbers"],
)
def test_the_few_that_a_filter_leaves_are_found_among_all(
    filled: Connection, table: Any, filter: Where
) -> None:
    with planned(filled) as plans:
        listed(table, filter)(filled)
    [plan] = plans
    assert f"({filter.field}=? AND account_sid=?)" in plan


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_lookup_searches_and_never_scans(filled: Connection, name: str) -> None:
    with planned(filled) as plans:
        LOOKUPS[name](filled)
    assert any(plan.startswith("SEARCH") for plan in plans), plans
    assert not any(plan.startswith("SCAN") for plan in plans), plans


def test_every_table_can_be_made_in_postgresql_as_well() -> None:
    dialect = postgresql.dialect()
    for table in metadata.sorted_tables:
        made = str(CreateTable(table).compile(dialect=dialect))
        assert ("row" in table.c) == ("BIGSERIAL" in made)
        for index in table.indexes:
            assert len(str(index.name)) <= 63  # longer names are cut there
            assert "CREATE INDEX" in str(CreateIndex(index).compile(dialect=dialect))
