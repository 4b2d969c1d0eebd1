"""What is kept beside the records: stories, owed callbacks, dialogs, facts, and forgetting."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from store_samples import FULL_NOTIFICATION, FULL_RECORDING, NOON, OWNER, sid

from offhook.model.journal import Event, LiveDialog, PendingCallback
from offhook.store import Connection, Where
from offhook.store.records import callbacks, dialogs, events, facts, notifications, recordings

ONE, TWO = sid("CA", 1), sid("CA", 2)


def event(number: int, subject: str = ONE) -> Event:
    return Event(subject, OWNER, NOON + timedelta(seconds=number), "key", {"n": number})


def numbers_of(found: list[Event]) -> list[int]:
    return [one.data["n"] for one in found]


def callback(subject: str, token: str) -> PendingCallback:
    params = (("CallSid", subject), ("A", "1"), ("A", "2 \u00e9"))
    return PendingCallback(subject, OWNER, "https://a.example/s", "GET", params, token, NOON)


def test_a_story_is_told_in_order(connection: Connection) -> None:
    events.insert_many(connection, [event(3), event(1, TWO), event(2)])
    events.insert(connection, event(1))
    assert events.of(connection, ONE) == [event(3), event(2), event(1)]
    assert events.of(connection, TWO) == [event(1, TWO)]
    assert events.of(connection, ONE, size=2) == [event(3), event(2)]


def test_a_story_keeps_its_latest_events_only(connection: Connection) -> None:
    for number in range(8):
        events.insert(connection, event(number), limit=3)
        events.insert(connection, event(100, TWO), limit=1000)
    assert numbers_of(events.of(connection, ONE)) == [5, 6, 7]
    events.insert_many(connection, [event(number) for number in range(20, 30)], limit=3)
    assert numbers_of(events.of(connection, ONE)) == [27, 28, 29]
    assert len(events.of(connection, TWO)) == 8


def test_nothing_to_insert_is_nothing(connection: Connection) -> None:
    events.insert_many(connection, [])
    assert events.of(connection, ONE) == []


def test_old_events_are_forgotten_some_at_a_time(connection: Connection) -> None:
    events.insert_many(connection, [event(number) for number in range(5)])
    before = NOON + timedelta(seconds=3)
    assert [events.forget(connection, before, size=2) for _ in range(3)] == [2, 1, 0]
    assert numbers_of(events.of(connection, ONE)) == [3, 4]


def test_a_subjects_story_goes_with_it(connection: Connection) -> None:
    events.insert_many(connection, [event(1), event(2, TWO), event(3)])
    assert events.delete(connection, ONE) == 2
    assert events.of(connection, ONE) == []
    assert len(events.of(connection, TWO)) == 1


def test_callbacks_are_owed_in_the_order_of_their_ids(connection: Connection) -> None:
    owed = [callback(ONE, "a"), callback(TWO, "b"), callback(ONE, "c")]
    for one in owed:
        callbacks.insert(connection, one)
    due = callbacks.due(connection)
    ids = [one.id for one in due]
    assert ids == sorted(ids)
    assert due == [replace(one, id=given) for one, given in zip(owed, ids, strict=True)]
    assert callbacks.due(connection, after=ids[0], size=1) == [due[1]]
    assert callbacks.count(connection) == 3


def test_a_callback_that_is_done_is_gone_and_its_id_is_not_given_again(
    connection: Connection,
) -> None:
    callbacks.insert(connection, callback(ONE, "a"))
    [first] = callbacks.due(connection)
    assert callbacks.delete(connection, first.id)
    assert not callbacks.delete(connection, first.id)
    assert callbacks.due(connection) == []
    callbacks.insert(connection, callback(ONE, "b"))
    [second] = callbacks.due(connection)
    assert second.id > first.id


def test_a_dialog_lasts_from_answer_to_end(connection: Connection) -> None:
    kept = LiveDialog(ONE, "sip", {"call_id": "x", "routes": ["<sip:a;lr>"], "cseq": 2})
    dialogs.insert(connection, kept)
    dialogs.insert(connection, LiveDialog(TWO, "sip", {}))
    assert dialogs.all(connection) == [kept, LiveDialog(TWO, "sip", {})]
    assert dialogs.delete(connection, ONE)
    assert not dialogs.delete(connection, ONE)
    assert [one.call_sid for one in dialogs.all(connection)] == [TWO]


def test_a_calls_later_dialog_takes_the_place_of_its_earlier_one(connection: Connection) -> None:
    dialogs.insert(connection, LiveDialog(ONE, "sip", {"cseq": 1}))
    dialogs.insert(connection, LiveDialog(ONE, "sip", {"cseq": 2}))
    assert dialogs.all(connection) == [LiveDialog(ONE, "sip", {"cseq": 2})]


def test_a_fact_is_put_back_whole_and_forgotten_when_it_expires(
    connection: Connection,
) -> None:
    assert facts.get(connection, ONE) is None
    facts.put(connection, ONE, [{"name": "a", "value": "1"}], NOON)
    facts.put(connection, ONE, [{"name": "a", "value": "2"}], NOON + timedelta(hours=1))
    facts.put(connection, TWO, [], NOON)
    facts.put(connection, "for ever", ["x"])
    assert facts.get(connection, ONE) == [{"name": "a", "value": "2"}]
    assert facts.forget(connection, NOON + timedelta(seconds=1)) == 1
    assert facts.get(connection, TWO) is None
    assert facts.get(connection, "for ever") == ["x"]
    assert facts.delete(connection, ONE)
    assert not facts.delete(connection, ONE)


def test_forgetting_recordings_names_the_files_to_delete(connection: Connection) -> None:
    def recording(number: int, status: str = "completed") -> None:
        made = NOON + timedelta(days=number)
        one = replace(
            FULL_RECORDING, sid=sid("RE", number), date_created=made, path=f"/r/{number}.wav"
        )
        recordings.insert(connection, replace(one, status=status))  # type: ignore[arg-type]

    recording(3)
    recording(1)
    recording(2, "in-progress")
    recording(5)
    finished = [Where("status", "in", ["completed", "absent"])]
    limit = NOON + timedelta(days=4)
    assert [one.path for one in recordings.forget(connection, limit, finished, size=1)] == [
        "/r/1.wav"
    ]
    assert [one.path for one in recordings.forget(connection, limit, finished)] == ["/r/3.wav"]
    assert recordings.forget(connection, limit, finished) == []
    assert [one.path for one in recordings.all(connection)] == ["/r/2.wav", "/r/5.wav"]


def test_forgetting_deletes_the_old_and_keeps_the_rest(connection: Connection) -> None:
    for number in range(3):
        made = NOON + timedelta(days=number)
        one = replace(FULL_NOTIFICATION, sid=sid("NO", number), date_created=made)
        notifications.insert(connection, one)
    gone = notifications.forget(connection, NOON + timedelta(days=1))
    assert [one.sid for one in gone] == [sid("NO", 0)]
    assert notifications.count(connection) == 2
