"""Conferences, queues, SIP domains and usage: found by index, named once, summed up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from store_samples import NOON, OTHER, OWNER, sid
from test_store_plans import planned

from offhook.model.gatherings import Conference, Member, Queue, claim
from offhook.model.sip_domains import SipDomain
from offhook.model.usage import Period, Sums, Used
from offhook.store import Connection, Where, usage
from offhook.store.gatherings import (
    conferences,
    forks,
    members,
    participants,
    queues,
    transcriptions,
    user_messages,
)
from offhook.store.sip_domains import addresses, credentials, domains, lists, mappings, went
from offhook.store.table import Taken

MINE = Where("account_sid", "=", OWNER)


def listed(table: Any, *where: Where) -> Callable[[Connection], Any]:
    return lambda connection: table.page(connection, [MINE, *where])


LISTS: dict[str, Callable[[Connection], Any]] = {
    "conferences": listed(conferences),
    "conferences by status": listed(conferences, Where("status", "=", "completed")),
    "conferences by name": listed(conferences, Where("friendly_name", "=", "lounge")),
    "conferences updated": listed(conferences, Where("date_updated", ">=", NOON)),
    "participants": listed(participants, Where("conference_sid", "=", sid("CF", 1))),
    "queues": listed(queues),
    "transcriptions": listed(transcriptions),
    "of a recording": listed(transcriptions, Where("recording_sid", "=", sid("RE", 1))),
    "domains": listed(domains),
    "lists": listed(lists, Where("kind", "=", "credentials")),
    "credentials": listed(credentials, Where("list_sid", "=", sid("CL", 1))),
    "addresses": listed(addresses, Where("list_sid", "=", sid("AL", 1))),
    "triggers": listed(usage.triggers),
}
LOOKUPS: dict[str, Callable[[Connection], Any]] = {
    "a room by name": lambda c: conferences.named(c, OWNER, "lounge"),
    "a participant": lambda c: participants.one(c, sid("CF", 1), sid("CA", 1)),
    "a queue by name": lambda c: queues.named(c, OWNER, "support"),
    "who waits": lambda c: members.of(c, sid("QU", 1)),
    "a fork": lambda c: forks.one(c, sid("CA", 1), "stream", "mine"),
    "a message": lambda c: user_messages.all(
        c, Where("call_sid", "=", sid("CA", 1)), Where("idempotency_key", "=", "k")
    ),
    "a domain by name": lambda c: domains.named(c, "a.example.org"),
    "domains above": lambda c: domains.above(c, "a.b.example.org"),
    "what counts": lambda c: mappings.of(c, sid("SD", 1), "calls"),
    "where it counts": lambda c: mappings.with_list(c, sid("CL", 1)),
    "a user": lambda c: credentials.user(c, [sid("CL", 1)], "ann"),
    "usage": lambda c: usage.sums(c, [OWNER, OTHER], Period(date(2026, 1, 1), date(2026, 2, 1))),
    "what went": lambda c: went(c, sid("CL", 1)),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_served_by_an_index_in_its_order(connection: Connection, name: str) -> None:
    with planned(connection) as plans:
        LISTS[name](connection)
    assert all(plan.startswith("SEARCH") and " INDEX " in plan for plan in plans), plans


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_lookup_searches_and_never_scans(connection: Connection, name: str) -> None:
    with planned(connection) as plans:
        LOOKUPS[name](connection)
    assert any(plan.startswith("SEARCH") for plan in plans), plans
    assert not any(plan.startswith("SCAN") for plan in plans), plans


def test_a_room_of_a_name_is_open_once_in_an_account(connection: Connection) -> None:
    first = Conference(sid("CF", 1), OWNER, "lounge", claim(OWNER, "lounge"), NOON, NOON)
    conferences.insert(connection, first)
    theirs = replace(first, sid=sid("CF", 2), account_sid=OTHER, claim=claim(OTHER, "lounge"))
    conferences.insert(connection, theirs)
    assert conferences.named(connection, OTHER, "lounge") == theirs
    conferences.save(connection, replace(first, claim=first.sid, status="completed"))
    assert conferences.named(connection, OWNER, "lounge") is None
    again = replace(first, sid=sid("CF", 3))
    conferences.insert(connection, again)
    assert conferences.named(connection, OWNER, "lounge") == again
    with pytest.raises(Taken):
        conferences.insert(connection, replace(first, sid=sid("CF", 4)))


def test_a_queue_counts_its_members_and_their_places(connection: Connection) -> None:
    queues.insert(connection, Queue(sid("QU", 1), OWNER, "q", claim(OWNER, "q"), NOON, NOON))
    for number in (1, 2, 3):
        since = NOON + timedelta(seconds=10 * number)
        member = Member(sid("CA", number), OWNER, sid("QU", 1), since)
        members.insert(connection, member)
    assert [members.place(connection, each) for each in members.of(connection, sid("QU", 1))] == [
        1, 2, 3,
    ]  # fmt: skip
    now = NOON + timedelta(seconds=60)
    assert members.waiting(connection, OWNER, now) == {sid("QU", 1): (3, 40)}
    members.delete(connection, sid("CA", 1))
    [first, _] = members.of(connection, sid("QU", 1))
    assert (first.call_sid, members.place(connection, first)) == (sid("CA", 2), 1)


def test_domains_know_what_lies_above_and_below_them(connection: Connection) -> None:
    made = [
        SipDomain(sid("SD", number), OWNER, name, NOON, NOON)
        for number, name in enumerate(("example.org", "a.example.org", "aexample.org"))
    ]
    for each in made:
        domains.insert(connection, each)
    assert domains.above(connection, "b.a.example.org") == made[:2]
    assert domains.below(connection, made[0]) == [made[1]]


def test_what_went_is_remembered(connection: Connection) -> None:
    made = SipDomain(sid("SD", 1), OWNER, "example.org", NOON, NOON)
    domains.insert(connection, made)
    assert not went(connection, made.sid)
    domains.delete(connection, made.sid)
    assert went(connection, made.sid)
    assert not went(connection, made.sid, sid("SD", 2))


def test_usage_adds_up_by_day_and_category(connection: Connection) -> None:
    calls, texts = Used("calls", 1, 2, 30), Used("sms", 1, 1, 5)
    usage.add(connection, OWNER, NOON, [calls, texts])
    usage.add(connection, OWNER, NOON, [calls])
    usage.add(connection, OWNER, NOON + timedelta(days=1), [calls])
    usage.add(connection, OTHER, NOON, [calls])
    usage.add(connection, OWNER, NOON, [])
    march = Period(date(2026, 3, 1), date(2026, 3, 31))
    assert usage.sums(connection, [OWNER], march) == {
        ("", "calls"): Sums(3, 6, 90), ("", "sms"): Sums(1, 1, 5),
    }  # fmt: skip
    assert usage.sums(connection, [OWNER, OTHER], march, usage.DAY, "calls") == {
        ("2026-03-02", "calls"): Sums(3, 6, 90), ("2026-03-03", "calls"): Sums(1, 2, 30),
    }  # fmt: skip
    assert usage.sums(connection, [OWNER], Period(date(2026, 4, 1), date(2026, 4, 2))) == {}


def test_sums_of_millions_fit(connection: Connection) -> None:
    much = Used("totalprice", 0, 0, 4_000_000_000_000)
    usage.add(connection, OWNER, NOON, [much])
    found = usage.sums(connection, [OWNER], Period(date.min, date.max))
    assert found["", "totalprice"].price == 4_000_000_000_000
