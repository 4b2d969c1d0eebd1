"""Pages of lists.  reference: REST conventions sections 3.2 and 4."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from api_client import OURS, THEIRS, Api, Serving

from offhook import sids
from offhook.model.message import Message
from offhook.store import records

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


async def write(api: Api, count: int, first: int = 0) -> None:
    """Messages whose bodies are their numbers, one a minute, the highest the newest."""
    message = Message(
        "", api.account.sid, THEIRS, OURS, "", "outbound-api", MARCH, MARCH, status="sent"
    )
    for number in range(first, first + count):
        at = MARCH + timedelta(minutes=number)
        stored = replace(message, sid=sids.new("SM"), body=str(number), date_created=at)
        await api.exchange.store.write(records.messages.insert, stored)


def bodies(page: Any) -> list[int]:
    return [int(message["body"]) for message in page["messages"]]


async def test_the_envelope_has_exactly_these_keys(serving: Serving) -> None:
    async with serving() as api:
        await write(api, 3)
        page = (await api.get("Messages.json", PageSize="2", To=THEIRS)).json
        messages = page.pop("messages")
        uri = f"{api.base}/Messages.json?To=%2B14155550199&PageSize=2&Page="
        assert page == {
            "first_page_uri": uri + "0",
            "end": 1,
            "previous_page_uri": None,
            "uri": uri + "0",
            "page_size": 2,
            "start": 0,
            "next_page_uri": f"{uri}1&PageToken=PA{messages[1]['sid']}",
            "page": 0,
        }


async def test_an_empty_list_is_one_empty_page(serving: Serving) -> None:
    async with serving() as api:
        page = (await api.get("Calls.json")).json
        assert (page["calls"], page["start"], page["end"], page["page_size"]) == ([], 0, 0, 50)
        assert page["next_page_uri"] is page["previous_page_uri"] is None


async def test_the_newest_come_first_and_pages_lead_forth_and_back(serving: Serving) -> None:
    async with serving() as api:
        await write(api, 7)
        seen, path = [], "Messages.json?PageSize=3"
        while path:
            page = (await api.get(path)).json
            seen.append(page)
            path = page["next_page_uri"]
        assert [bodies(page) for page in seen] == [[6, 5, 4], [3, 2, 1], [0]]
        assert [(page["page"], page["start"], page["end"]) for page in seen] == [
            (0, 0, 2), (1, 3, 5), (2, 6, 6),
        ]  # fmt: skip
        back = (await api.get(seen[2]["previous_page_uri"])).json
        assert bodies(back) == [3, 2, 1]
        first = (await api.get(back["previous_page_uri"])).json
        assert bodies(first) == [6, 5, 4]
        assert first["previous_page_uri"] is None
        assert bodies((await api.get(first["next_page_uri"])).json) == [3, 2, 1]


async def test_a_full_last_page_is_the_last(serving: Serving) -> None:
    async with serving() as api:
        await write(api, 4)
        first = (await api.get("Messages.json", PageSize="2")).json
        assert (await api.get(first["next_page_uri"])).json["next_page_uri"] is None


async def test_what_arrives_meanwhile_shifts_nothing(serving: Serving) -> None:
    async with serving() as api:
        await write(api, 4)
        first = (await api.get("Messages.json", PageSize="2")).json
        await write(api, 5, first=4)
        assert bodies((await api.get(first["next_page_uri"])).json) == [1, 0]


async def test_deleting_while_paging_loses_nothing(serving: Serving) -> None:
    async with serving() as api:
        await write(api, 6)
        seen, path = [], "Messages.json?PageSize=2"
        while path:
            page = (await api.get(path)).json
            seen += bodies(page)
            for message in page["messages"]:
                assert (await api.delete(message["uri"])).status == 204
            path = page["next_page_uri"]
        assert seen == [5, 4, 3, 2, 1, 0]


async def test_the_older_after_sid_is_understood(serving: Serving) -> None:
    async with serving() as api:
        await write(api, 4)
        first = (await api.get("Messages.json", PageSize="2")).json
        query = {"Page": "1", "PageSize": "2", "AfterSid": first["messages"][-1]["sid"]}
        assert bodies((await api.get("Messages.json", **query)).json) == [1, 0]


async def test_a_page_by_number_alone(serving: Serving) -> None:
    async with serving() as api:
        await write(api, 5)
        page = (await api.get("Messages.json", PageSize="2", Page="1")).json
        assert bodies(page) == [2, 1]
        assert bodies((await api.get(page["previous_page_uri"])).json) == [4, 3]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"PageToken": "PASM"}, 21481),
        ({"PageToken": "PX" + "SM" + "0" * 32}, 21481),
        ({"PageToken": "PASM" + "0" * 32}, 21481),
        ({"AfterSid": "SM" + "0" * 32}, 21481),
        ({"PageSize": "0"}, 20007),
        ({"PageSize": "many"}, 20007),
        ({"Page": "-1"}, 20001),
    ],
)
async def test_a_page_that_cannot_be(serving: Serving, query: dict[str, str], code: int) -> None:
    async with serving() as api:
        assert (await api.get("Messages.json", **query)).code == (400, code)


async def test_a_page_size_that_is_too_large_is_a_thousand(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.get("Messages.json", PageSize="5000")).json["page_size"] == 1000


async def test_paging_in_xml_is_in_attributes(serving: Serving) -> None:
    async with serving() as api:
        await write(api, 3)
        [page] = (await api.get("Messages", PageSize="2")).xml
        assert page.tag == "Messages"
        assert page.attrib["page"] == "0"
        assert page.attrib["pagesize"] == "2"
        assert page.attrib["previouspageuri"] == ""
        assert page.attrib["uri"] == f"{api.base}/Messages?PageSize=2&Page=0"
        assert page.attrib["firstpageuri"] == page.attrib["uri"]
        following: ElementTree.Element
        [following] = (await api.get(page.attrib["nextpageuri"])).xml
        assert [each.findtext("Body") for each in following] == ["0"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"DateSent": "9999-12-31"}, []),
        ({"DateSent<": "9999-12-31"}, [0]),
        ({"DateSent<": "9999-12-31T23:59:59-05:00"}, 20001),
        ({"DateSent>": "0001-01-01"}, [0]),
        ({"DateSent>": "0001-01-01T00:00:00+05:00"}, 20001),
        ({"DateSent<": "20260301"}, [0]),
        ({"DateSent<": "2026-03-01T13:00:05+01:00"}, [0]),
        ({"DateSent<": "2026-03-01T12:00:04Z"}, []),
        ({"DateSent>": "2026-03-01T12:00:05Z"}, [0]),
        ({"DateSent>": "2026-03-01T12:00:06Z"}, []),
    ],
)
async def test_dates_are_compared_as_they_are_told_and_up_to_the_end_of_time(
    serving: Serving, query: dict[str, str], found: Any
) -> None:
    """It is told to the second, whatever the fraction, and times with an offset are times too."""
    async with serving() as api:
        at = MARCH.replace(hour=12, second=5, microsecond=400_000)
        stored = Message(
            sids.new("SM"), api.account.sid, THEIRS, OURS, "0", "outbound-api", at, at,
            status="sent", date_sent=at,
        )  # fmt: skip
        await api.exchange.store.write(records.messages.insert, stored)
        reply = await api.get("Messages.json", **query)
        assert (reply.json["code"] if reply.status == 400 else bodies(reply.json)) == found
