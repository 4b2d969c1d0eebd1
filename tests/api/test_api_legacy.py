"""API version 2008-08-01 beside 2010-04-01 (M07).  reference: REST conventions section 8."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from api_client import OURS, THEIRS, Api, Serving

from offhook.exchange.params import national
from offhook.model.call import Call
from offhook.store import records

URL = "http://application.test/voice"


def old(api: Api, path: str) -> str:
    return f"/2008-08-01/Accounts/{api.account.sid}{path}"


async def stored(api: Api, status: str, direction: str = "inbound") -> Call:
    """A call of summer, at 18:13:42 of Pacific daylight time."""
    at = datetime(2010, 8, 20, 1, 13, 42, tzinfo=UTC)
    call = Call(
        f"CA{status.encode().hex():0>32}", api.account.sid, OURS, THEIRS, direction, at, at,  # type: ignore[arg-type]
        status=status, start_time=at, end_time=at, duration=20,  # type: ignore[arg-type]
    )  # fmt: skip
    await api.exchange.store.write(records.calls.insert, call)
    return call


async def test_a_call_has_the_names_and_forms_of_then(serving: Serving) -> None:
    async with serving() as api:
        call = await stored(api, "completed")
        found = (await api.get(old(api, f"/Calls/{call.sid}.json"))).json
        assert (found["called"], found["caller"]) == ("4155550100", "4155550199")
        assert found["call_segment_sid"] is None
        assert not {"to", "from", "direction", "parent_call_sid"} & set(found)
        assert found["uri"] == old(api, f"/Calls/{call.sid}.json")


async def test_dates_have_the_pacific_offset(serving: Serving) -> None:
    async with serving() as api:
        call = await stored(api, "completed")
        found = (await api.get(old(api, f"/Calls/{call.sid}.json"))).json
        assert found["date_created"] == "Thu, 19 Aug 2010 18:13:42 -0700"
        assert found["start_time"] == "Thu, 19 Aug 2010 18:13:42 -0700"


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("queued", 0), ("ringing", 0), ("in-progress", 1), ("completed", 2), ("busy", 3),
        ("failed", 4), ("no-answer", 5), ("canceled", 5),
    ],
)  # fmt: skip
async def test_the_status_of_a_call_is_a_number(serving: Serving, word: str, number: int) -> None:
    async with serving() as api:
        call = await stored(api, word)
        assert (await api.get(old(api, f"/Calls/{call.sid}.json"))).json["status"] == number


@pytest.mark.parametrize(
    ("direction", "flags"), [("inbound", 1), ("outbound-dial", 2), ("outbound-api", 4)]
)
async def test_the_flags_of_a_call_are_a_number(
    serving: Serving, direction: str, flags: int
) -> None:
    async with serving() as api:
        call = await stored(api, "completed", direction)
        assert (await api.get(old(api, f"/Calls/{call.sid}.json"))).json["flags"] == flags


async def test_calls_are_placed_and_filtered_by_caller_and_called(serving: Serving) -> None:
    async with serving() as api:
        placed = await api.post(old(api, "/Calls.json"), Caller=OURS, Called=THEIRS, Url=URL)
        assert placed.status == 201
        assert (placed.json["called"], placed.json["status"]) == ("4155550199", 0)
        call = await api.exchange.store.read(records.calls.get, placed.json["sid"])
        assert call
        assert call.api_version == "2008-08-01"
        await stored(api, "busy")
        for filters, count in (
            ({"Called": THEIRS}, 1),
            ({"Caller": OURS}, 1),
            ({"Status": "3"}, 1),
        ):
            listed = (await api.get(old(api, "/Calls.json"), **filters)).json
            assert len(listed["calls"]) == count
        assert listed["uri"] == old(api, "/Calls.json?Status=3&PageSize=50&Page=0")


async def test_pages_lead_on_by_the_filters_that_were_sent(serving: Serving) -> None:
    async with serving() as api:
        call = await stored(api, "completed")
        again = replace(call, sid="CA" + "0" * 32)
        await api.exchange.store.write(records.calls.insert, again)
        filters = {"Called": OURS, "Status": "2", "PageSize": "1"}
        first = (await api.get(old(api, "/Calls.json"), **filters)).json
        assert "Called=%2B14155550100&Status=2&" in first["next_page_uri"]
        second = (await api.get(first["next_page_uri"])).json
        assert len(second["calls"]) == 1
        assert second["next_page_uri"] is None


async def test_both_versions_serve_the_same_calls(serving: Serving) -> None:
    async with serving() as api:
        call = await stored(api, "completed")
        today = (await api.get(f"Calls/{call.sid}.json")).json
        assert (today["to"], today["status"]) == (OURS, "completed")
        assert today["start_time"] == "Fri, 20 Aug 2010 01:13:42 +0000"


async def test_the_default_is_xml_in_this_version_too(serving: Serving) -> None:
    async with serving() as api:
        call = await stored(api, "completed")
        [found] = (await api.get(old(api, f"/Calls/{call.sid}"))).xml
        assert found.tag == "Call"
        assert found.findtext("Called") == "4155550100"
        assert found.findtext("CallSegmentSid") == ""
        assert found.findtext("Status") == "2"
        assert found.findtext("Uri") == old(api, f"/Calls/{call.sid}")


async def test_a_text_has_numbers_as_ten_digits_and_flags(serving: Serving) -> None:
    async with serving() as api:
        sent = await api.post(old(api, "/SMS/Messages.json"), From_=OURS, To=THEIRS, Body="Hi")
        assert sent.status == 201
        assert (sent.json["from"], sent.json["to"]) == ("4155550100", "4155550199")
        assert (sent.json["status"], sent.json["flags"]) == ("queued", 4)
        assert "direction" not in sent.json
        await api.exchange.settle()
        [found] = (await api.get(old(api, "/SMS/Messages.json"))).json["sms_messages"]
        assert found["status"] == "sent"


async def test_an_account_has_a_status_number_and_text(serving: Serving) -> None:
    async with serving() as api:
        account = (await api.get(old(api, ".json"))).json
        assert (account["status"], account["status_text"]) == (2, "Active")
        calls = account["subresource_uris"]["calls"]
        assert calls == old(api, "/Calls.json")


async def test_what_is_missing_has_a_status_and_a_message_only(serving: Serving) -> None:
    async with serving() as api:
        missing = (await api.get(old(api, f"/Calls/CA{'0' * 32}.json"))).json
        assert set(missing) == {"status", "message"}
        assert "2008-08-01" in missing["message"]
        refused = await api.post(old(api, "/Calls.json"), Caller=OURS, Url=URL)
        assert refused.code == (400, 21201)


async def test_a_numbers_own_version_is_its_own(serving: Serving) -> None:
    async with serving() as api:
        path = old(api, f"/IncomingPhoneNumbers/{api.number.sid}.json")
        found = (await api.get(path)).json
        assert (found["api_version"], found["phone_number"]) == ("2010-04-01", "4155550100")


def test_a_number_of_another_country_stays_as_it_is() -> None:
    assert national("+4930123456") == "+4930123456"
