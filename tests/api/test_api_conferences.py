"""Conferences, who is in them, and their recordings.

reference: REST voice, Conferences and Participants.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_client import OURS, THEIRS, Api, Serving, furnish

from offhook import sids
from offhook.model.gatherings import Conference, Participant, claim
from offhook.model.recording import Recording
from offhook.store import records
from offhook.store.gatherings import conferences, participants

MARCH = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def room(api: Api, name: str = "lounge", **more: Any) -> Conference:
    """A room that calls have opened."""
    own = api.account.sid
    opened = Conference(sids.new("CF"), own, name, claim(own, name), MARCH, MARCH, "in-progress")
    opened = replace(opened, **more)
    await api.exchange.store.write(conferences.insert, opened)
    return opened


async def joined(api: Api, conference: Conference, **more: Any) -> Participant:
    one = Participant(sids.new("CP"), api.account.sid, conference.sid, sids.new("CA"), MARCH, MARCH)
    one = replace(one, **more)
    await api.exchange.store.write(participants.insert, one)
    return one


async def test_a_conference_is_told_by_sid_and_by_name(serving: Serving) -> None:
    async with serving() as api:
        opened = await room(api)
        found = (await api.get(f"Conferences/{opened.sid}.json")).json
        assert list(found) == [
            "account_sid", "date_created", "date_updated", "api_version", "friendly_name",
            "region", "sid", "status", "uri", "subresource_uris", "reason_conference_ended",
            "call_sid_ending_conference",
        ]  # fmt: skip
        assert (found["friendly_name"], found["status"]) == ("lounge", "in-progress")
        assert found["reason_conference_ended"] is None
        assert found["subresource_uris"]["participants"] == (
            f"{api.base}/Conferences/{opened.sid}/Participants.json"
        )
        assert (await api.get("Conferences/lounge.json")).json == found
        assert (await api.get("Conferences/kitchen.json")).code == (404, 20404)
        assert (await api.get(f"Conferences/{sids.new('CF')}.json")).code == (404, 20404)


async def test_conferences_of_other_accounts_are_missing(serving: Serving) -> None:
    async with serving() as api:
        opened = await room(api)
        other, _ = await furnish(api.exchange.store, number="+14155550177")
        path = f"/2010-04-01/Accounts/{other.sid}/Conferences/{opened.sid}.json"
        auth = (other.sid, other.auth_token)
        assert (await api.request("GET", path, auth=auth)).code == (404, 20404)


async def test_conferences_are_filtered(serving: Serving) -> None:
    async with serving() as api:
        old = await room(api, "old", date_created=MARCH - timedelta(days=1))
        over = await room(api, "over", status="completed", claim="over")
        both = {old.sid, over.sid}

        async def found(**query: Any) -> set[str]:
            listed = (await api.get("Conferences.json", **query)).json["conferences"]
            return {each["sid"] for each in listed}

        assert await found() == both
        assert await found(Status="completed") == {over.sid}
        assert await found(FriendlyName="old") == {old.sid}
        assert await found(DateCreated="2026-03-01") == {over.sid}
        assert await found(**{"DateCreated<": "2026-02-28"}) == {old.sid}
        assert await found(**{"DateUpdated>": "2026-03-01"}) == both


async def test_a_conference_is_ended_once(serving: Serving) -> None:
    async with serving() as api:
        opened = await room(api)
        await joined(api, opened)
        path = f"Conferences/{opened.sid}.json"
        assert (await api.post(path, Status="paused")).code == (400, 20001)
        assert (await api.post(path, AnnounceUrl="nonsense")).code == (400, 21205)
        over = await api.post(path, Status="completed")
        assert over.json["status"] == "completed"
        assert over.json["reason_conference_ended"] == "conference-ended-via-api"
        assert (await api.post(path, Status="completed")).code == (404, 16022)
        people = (await api.get(f"Conferences/{opened.sid}/Participants.json")).json
        assert people["participants"] == []
        assert (await api.get("Conferences/lounge.json")).code == (404, 20404)
        assert (await room(api)).sid != opened.sid  # the name is free again


async def test_participants_are_found_by_call_and_by_label(serving: Serving) -> None:
    async with serving() as api:
        opened = await room(api)
        one = await joined(api, opened, label="agent", queue_time=1000)
        base = f"Conferences/{opened.sid}/Participants"
        found = (await api.get(f"{base}/{one.call_sid}.json")).json
        assert list(found) == [
            "account_sid", "call_sid", "label", "call_sid_to_coach", "coaching", "conference_sid",
            "date_created", "date_updated", "end_conference_on_exit", "muted", "hold",
            "start_conference_on_enter", "status", "queue_time", "uri",
        ]  # fmt: skip
        assert (found["label"], found["queue_time"]) == ("agent", "1000")
        assert found["uri"] == f"{api.base}/{base}/{one.call_sid}.json"
        assert (await api.get(f"{base}/agent.json")).json == found
        assert (await api.get("Conferences/lounge/Participants/agent.json")).json == found
        assert (await api.get(f"{base}/nobody.json")).code == (404, 20404)


async def test_only_who_is_there_is_listed(serving: Serving) -> None:
    async with serving() as api:
        opened = await room(api)
        muted = await joined(api, opened, muted=True)
        held = await joined(api, opened, hold=True)
        gone = await joined(api, opened, status="complete")
        base = f"Conferences/{opened.sid}/Participants"

        async def found(**query: Any) -> set[str]:
            listed = (await api.get(f"{base}.json", **query)).json["participants"]
            return {each["call_sid"] for each in listed}

        assert await found() == {muted.call_sid, held.call_sid}
        assert await found(Muted="true") == {muted.call_sid}
        assert await found(Hold="false") == {muted.call_sid}
        assert await found(Coaching="true") == set()
        assert (await api.get(f"{base}/{gone.call_sid}.json")).code == (404, 20404)


async def test_a_participant_is_changed_and_let_go(serving: Serving) -> None:
    async with serving() as api:
        opened = await room(api)
        one, other = await joined(api, opened), await joined(api, opened)
        path = f"Conferences/{opened.sid}/Participants/{one.call_sid}.json"
        assert (await api.post(path, Muted="true")).json["muted"] is True
        assert (await api.post(path, EndConferenceOnExit="true")).json["muted"] is True
        assert (await api.post(path, Muted="perhaps")).json["muted"] is False
        assert (await api.post(path, Hold="perhaps")).code == (400, 20001)
        coaching = (await api.post(path, CallSidToCoach=other.call_sid)).json
        assert (coaching["coaching"], coaching["call_sid_to_coach"]) == (True, other.call_sid)
        assert (await api.delete(path)).status == 204
        assert (await api.get(path)).code == (404, 20404)


async def test_whom_one_coaches_is_there_and_not_on_hold(serving: Serving) -> None:
    async with serving() as api:
        opened = await room(api)
        one, held = await joined(api, opened), await joined(api, opened, hold=True)
        path = f"Conferences/{opened.sid}/Participants/{one.call_sid}.json"
        assert (await api.post(path, Coaching="true")).code == (400, 16028)
        assert (await api.post(path, CallSidToCoach=sids.new("CA"))).code == (400, 16028)
        assert (await api.post(path, CallSidToCoach=held.call_sid)).code == (400, 16027)


CALL = {"From": OURS, "To": THEIRS}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"From": ""}, 21213),
        ({"To": ""}, 21201),
        ({"To": "nobody"}, 21211),
        ({"From": "+14155559999"}, 21210),
        ({"To": "app:AP" + "0" * 32}, 21218),
        ({"Timeout": "4"}, 21208),
        ({"MaxParticipants": "251"}, 20001),
        ({"Beep": "loud"}, 20001),
        ({"StatusCallback": "nonsense"}, 21205),
        ({"Label": "x" * 129}, 16024),
        ({"Label": "CA" + "0" * 32}, 16024),
        ({"Label": "agent"}, 16026),
        ({"Coaching": "true"}, 16028),
        ({"MaxParticipants": "2"}, 16020),
        ({}, 16030),
    ],
)
async def test_a_participant_that_cannot_be_called_is_refused(
    serving: Serving, change: dict[str, str], code: int
) -> None:
    """The last one is fine, but for calls that REST cannot connect to conferences yet."""
    async with serving() as api:
        opened = await room(api)
        await joined(api, opened, label="agent")
        await joined(api, opened)
        path = f"Conferences/{opened.sid}/Participants.json"
        assert (await api.post(path, **(CALL | change))).code == (400, code)


async def test_a_room_that_is_over_or_never_was_takes_nobody(serving: Serving) -> None:
    async with serving() as api:
        over = await room(api, status="completed")
        found = await api.post(f"Conferences/{over.sid}/Participants.json", **CALL)
        assert found.code == (404, 16022)
        never = f"Conferences/{sids.new('CF')}/Participants.json"
        assert (await api.post(never, **CALL)).code == (404, 20404)


async def test_the_recordings_of_a_conference(serving: Serving) -> None:
    async with serving() as api:
        opened = await room(api)
        recording = Recording(
            sids.new("RE"), api.account.sid, sids.new("CA"), "Conference", MARCH, MARCH, MARCH,
            status="completed", duration=3, conference_sid=opened.sid,
        )  # fmt: skip
        await api.exchange.store.write(records.recordings.insert, recording)
        base = f"Conferences/{opened.sid}/Recordings"
        [listed] = (await api.get(f"{base}.json")).json["recordings"]
        assert listed["uri"] == f"{api.base}/{base}/{recording.sid}.json"
        assert "track" not in listed
        assert (await api.get(f"{base}/{recording.sid}.json")).json == listed
        assert (await api.get(f"{base}/Twilio.CURRENT.json")).code == (404, 20404)
        paused = await api.post(f"{base}/{recording.sid}.json", Status="paused")
        assert paused.code == (400, 16114)
        other = await room(api, "other")
        elsewhere = await api.get(f"Conferences/{other.sid}/Recordings/{recording.sid}.json")
        assert elsewhere.code == (404, 20404)
        assert (await api.delete(f"{base}/{recording.sid}.json")).status == 204
        assert (await api.get(f"{base}.json")).json["recordings"] == []
