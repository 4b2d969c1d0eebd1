"""Queues, their members, and feedback on messages.

reference: REST voice, Queues; messaging section 2.4.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from api_client import OURS, THEIRS, Api, Serving

from offhook import clock, sids
from offhook.model.call import Call
from offhook.model.gatherings import Member
from offhook.store import records
from offhook.store.gatherings import members


async def enqueued(api: Api, queue_sid: str, seconds: int) -> str:
    """The SID of a call, not under way any more, that came into the queue so long ago."""
    now = clock.utc()
    call = Call(sids.new("CA"), api.account.sid, OURS, THEIRS, "inbound", now, now)
    await api.exchange.store.write(records.calls.insert, call)
    since = now - timedelta(seconds=seconds)
    waiting = Member(call.sid, api.account.sid, queue_sid, since)
    await api.exchange.store.write(members.insert, waiting)
    return call.sid


async def queue(api: Api, name: str = "support", **more: Any) -> Any:
    made = await api.post("Queues.json", FriendlyName=name, **more)
    assert made.status == 201
    return made.json


async def test_a_queue_is_made_with_its_defaults(serving: Serving) -> None:
    async with serving() as api:
        made = await queue(api)
        assert list(made) == [
            "date_updated", "current_size", "friendly_name", "uri", "account_sid",
            "average_wait_time", "sid", "date_created", "max_size", "subresource_uris",
        ]  # fmt: skip
        assert made["friendly_name"] == "support"
        assert (made["current_size"], made["average_wait_time"], made["max_size"]) == (0, 0, 1000)
        assert made["uri"] == f"{api.base}/Queues/{made['sid']}.json"
        members_uri = f"{api.base}/Queues/{made['sid']}/Members.json"
        assert made["subresource_uris"] == {"members": members_uri}
        assert (await api.get(made["uri"])).json == made


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, 20001),
        ({"FriendlyName": "x" * 65}, 20002),
        ({"FriendlyName": "q", "MaxSize": "5001"}, 20001),
        ({"FriendlyName": "q", "MaxSize": "many"}, 20001),
        ({"FriendlyName": "taken"}, 22003),
    ],
)
async def test_a_queue_that_cannot_be_is_refused(
    serving: Serving, form: dict[str, str], code: int
) -> None:
    async with serving() as api:
        await queue(api, "taken")
        refused = await api.post("Queues.json", **form)
        assert refused.code == (400, code)
        listed = (await api.get("Queues.json")).json["queues"]
        assert [each["friendly_name"] for each in listed] == ["taken"]


async def test_a_queue_is_renamed_unless_another_has_the_name(serving: Serving) -> None:
    async with serving() as api:
        first, second = await queue(api, "first"), await queue(api, "second")
        assert (await api.post(second["uri"], FriendlyName="first")).code == (400, 22003)
        changed = await api.post(second["uri"], FriendlyName="third", MaxSize=7)
        assert changed.status == 200
        assert (changed.json["friendly_name"], changed.json["max_size"]) == ("third", 7)
        assert (await api.post(first["uri"], FriendlyName="second")).status == 200
        assert (await api.post(first["uri"], FriendlyName="second")).status == 200


async def test_members_are_counted_and_their_wait_is_averaged(serving: Serving) -> None:
    async with serving() as api:
        made = await queue(api)
        await enqueued(api, made["sid"], 100)
        await enqueued(api, made["sid"], 300)
        seen = (await api.get(made["uri"])).json
        assert seen["current_size"] == 2
        assert seen["average_wait_time"] in range(200, 203)
        [listed] = (await api.get("Queues.json")).json["queues"]
        assert listed["current_size"] == 2


async def test_a_queue_goes_only_when_nobody_waits(serving: Serving) -> None:
    async with serving() as api:
        made = await queue(api)
        call_sid = await enqueued(api, made["sid"], 1)
        assert (await api.delete(made["uri"])).code == (409, 20409)
        await api.exchange.store.write(members.delete, call_sid)
        assert (await api.delete(made["uri"])).status == 204
        assert (await api.get(made["uri"])).code == (404, 20404)
        assert (await queue(api))["sid"] != made["sid"]


async def test_members_stand_in_the_order_in_which_they_came(serving: Serving) -> None:
    async with serving() as api:
        made = await queue(api)
        base = f"Queues/{made['sid']}/Members"
        first, second = [await enqueued(api, made["sid"], age) for age in (60, 30)]
        listed = (await api.get(f"{base}.json")).json["queue_members"]
        assert [(each["call_sid"], each["position"]) for each in listed] == [
            (first, 1), (second, 2),
        ]  # fmt: skip
        front = (await api.get(f"{base}/Front.json")).json
        assert list(front) == [
            "call_sid", "date_enqueued", "position", "uri", "wait_time", "queue_sid",
        ]  # fmt: skip
        assert front["call_sid"] == first
        assert front["wait_time"] in range(60, 63)
        last = (await api.get(f"{base}/{second}.json")).json
        assert last["position"] == 2
        paged = (await api.get(f"{base}.json", PageSize=1, Page=1)).json
        assert [each["call_sid"] for each in paged["queue_members"]] == [second]
        assert paged["next_page_uri"] is None


async def test_an_empty_queue_has_no_front(serving: Serving) -> None:
    async with serving() as api:
        base = f"Queues/{(await queue(api))['sid']}/Members"
        assert (await api.get(f"{base}/Front.json")).code == (404, 20404)
        assert (await api.get(f"{base}.json")).json["queue_members"] == []
        assert (await api.get(f"Queues/{sids.new('QU')}/Members.json")).code == (404, 20404)


async def test_a_member_of_another_queue_is_none_of_this_one(serving: Serving) -> None:
    async with serving() as api:
        one, other = await queue(api, "one"), await queue(api, "other")
        call_sid = await enqueued(api, one["sid"], 5)
        found = await api.get(f"Queues/{other['sid']}/Members/{call_sid}.json")
        assert found.code == (404, 20404)


async def test_letting_out_a_call_that_has_ended_is_refused(serving: Serving) -> None:
    async with serving() as api:
        made = await queue(api)
        await enqueued(api, made["sid"], 5)
        front = f"Queues/{made['sid']}/Members/Front.json"
        assert (await api.post(front)).code == (400, 21205)
        assert (await api.post(front, Url="http://a.test/")).code == (400, 21220)


async def message(api: Api) -> str:
    form = {"To": THEIRS, "From": OURS, "Body": "Hi"}
    sid: str = (await api.post("Messages.json", **form)).json["sid"]
    return sid


async def test_feedback_is_confirmed_unless_it_says_otherwise(serving: Serving) -> None:
    async with serving() as api:
        sid = await message(api)
        said = await api.post(f"Messages/{sid}/Feedback.json")
        assert said.status == 200
        assert list(said.json) == [
            "account_sid", "message_sid", "outcome", "date_created", "date_updated", "uri",
        ]  # fmt: skip
        assert (said.json["message_sid"], said.json["outcome"]) == (sid, "confirmed")
        again = await api.post(f"Messages/{sid}/Feedback.json", Outcome="unconfirmed")
        assert again.json["outcome"] == "unconfirmed"
        assert again.json["date_created"] == said.json["date_created"]


async def test_feedback_needs_a_message_and_a_word_that_is_known(serving: Serving) -> None:
    async with serving() as api:
        nothing = await api.post(f"Messages/{sids.new('SM')}/Feedback.json")
        assert nothing.code == (404, 20404)
        wrong = await api.post(f"Messages/{await message(api)}/Feedback.json", Outcome="maybe")
        assert wrong.code == (400, 20001)
