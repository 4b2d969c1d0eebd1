"""Formats beside JSON and XML, and conditional requests.  reference: REST conventions 3 and 5."""

from __future__ import annotations

import csv
import io

import pytest
from api_client import OURS, THEIRS, Serving

MESSAGE = {"To": THEIRS, "From": OURS, "Body": 'a, "b"\nc'}


async def test_a_list_in_csv_has_a_row_of_names(serving: Serving) -> None:
    async with serving() as api:
        for _ in range(2):
            sent = (await api.post("Messages.json", **MESSAGE)).json
        reply = await api.get("Messages.csv")
        rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
        assert reply.headers["content-type"].startswith("text/csv")
        assert [row["Body"] for row in rows] == [MESSAGE["Body"]] * 2
        assert rows[0]["Sid"] == sent["sid"]
        assert rows[0]["ErrorCode"] == ""


async def test_one_resource_in_csv_is_one_row_with_what_is_nested(serving: Serving) -> None:
    async with serving() as api:
        reply = await api.get(f"IncomingPhoneNumbers/{api.number.sid}.csv")
        [row] = csv.DictReader(io.StringIO(reply.body.decode()))
        assert row["PhoneNumber"] == OURS
        assert not [name for name in row if name.startswith("SubresourceUris")]
        assert (row["Capabilities.SMS"], row["Capabilities.Voice"]) == ("true", "true")


async def test_an_empty_list_in_csv_is_empty(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.get("Calls.csv")).body == b""


async def test_an_error_where_csv_was_asked_for_is_xml(serving: Serving) -> None:
    async with serving() as api:
        [error] = (await api.get(f"Calls/CA{'0' * 32}.csv")).xml
        assert (error.tag, error.findtext("Code")) == ("RestException", "20404")


@pytest.mark.parametrize("suffix", ["", ".xml", ".json", ".csv"])
async def test_who_has_it_already_is_told_so(serving: Serving, suffix: str) -> None:
    async with serving() as api:
        path = f"IncomingPhoneNumbers/{api.number.sid}{suffix}"
        tag = (await api.get(path)).headers["etag"]
        for known in (tag, f'"other", W/{tag}', "*"):
            again = await api.request("GET", path, headers={"if-none-match": known})
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["access-control-allow-origin"] == "*"
        stale = await api.request("GET", path, headers={"if-none-match": '"other"'})
        assert stale.status == 200


async def test_a_change_changes_the_tag(serving: Serving) -> None:
    async with serving() as api:
        path = f"IncomingPhoneNumbers/{api.number.sid}.json"
        before = (await api.get(path)).headers["etag"]
        await api.post(path, FriendlyName="Desk")
        changed = await api.request("GET", path, headers={"if-none-match": before})
        assert (changed.status, changed.json["friendly_name"]) == (200, "Desk")


async def test_a_refused_method_names_the_others(serving: Serving) -> None:
    """RFC 9110 section 15.5.6."""
    async with serving() as api:
        refused = await api.delete("Messages.json")
        assert refused.headers["allow"] == "GET, POST"
