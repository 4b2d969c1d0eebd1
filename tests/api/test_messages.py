"""Messages, SMS/Messages and Media.  reference: messaging sections 2 and 3."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from api_client import OURS, THEIRS, Api, Reply, Serving

from offhook import sids
from offhook.exchange import debugger
from offhook.model.account import Application
from offhook.model.message import Media, Message
from offhook.store import Where, records

URL = "http://application.test/status"
MARCH = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def send(api: Api, **more: Any) -> Reply:
    return await api.post("Messages.json", **{"To": THEIRS, "From": OURS, "Body": "Hi"} | more)


async def stored(api: Api, at: datetime = MARCH, **more: Any) -> Message:
    message = Message(
        sids.new("SM"), api.account.sid, THEIRS, OURS, "Hello", "outbound-api", at, at,
        status="delivered", date_sent=at,
    )  # fmt: skip
    message = replace(message, **more)
    await api.exchange.store.write(records.messages.insert, message)
    return message


# 2.1 and 2.2: create


async def test_a_message_is_created_queued(serving: Serving) -> None:
    async with serving() as api:
        reply = await send(api)
        assert reply.status == 201
        message = reply.json
        assert list(message) == [
            "body", "num_segments", "direction", "from", "to", "date_updated", "price",
            "error_message", "uri", "account_sid", "num_media", "status", "messaging_service_sid",
            "sid", "date_sent", "date_created", "error_code", "price_unit", "api_version",
            "subresource_uris",
        ]  # fmt: skip
        assert (message["status"], message["direction"]) == ("queued", "outbound-api")
        assert (message["num_segments"], message["num_media"]) == ("1", "0")
        assert message["date_sent"] is message["price"] is message["error_code"] is None
        assert message["sid"].startswith("SM")
        uri = f"{api.base}/Messages/{message['sid']}"
        assert message["subresource_uris"] == {"media": f"{uri}/Media.json"}
        assert (await api.get(uri + ".json")).json["body"] == "Hi"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"To": ""}, 21604),
        ({"From": ""}, 21603),
        ({"Body": ""}, 21602),
        ({"To": "+1415"}, 21211),
        ({"To": "Anna"}, 21211),
        ({"To": OURS}, 21211),
        ({"From": "+1"}, 21212),
        ({"From": "+14155550177"}, 21606),
        ({"From": "12345"}, 21606),
        ({"Body": "x" * 1601}, 21617),
        ({"Body": "😀" * 801}, 21617),
        ({"StatusCallback": "nowhere"}, 21609),
        ({"StatusCallback": "http://a.test/" + "x" * 4000}, 21609),
        ({"ApplicationSid": "AP" + "0" * 32}, 21218),
        ({"MediaUrl": "nowhere"}, 21620),
        ({"MediaUrl": ["http://a.test/1"] * 11}, 21623),
        ({"ValidityPeriod": "0"}, 21624),
        ({"ValidityPeriod": "36001"}, 21624),
        ({"ScheduleType": "fixed"}, 35118),
    ],
)
async def test_a_parameter_that_is_wrong_has_its_code(
    serving: Serving, parameters: dict[str, Any], code: int
) -> None:
    async with serving() as api:
        assert (await send(api, **parameters)).code == (400, code)
        assert (await api.get("Messages.json")).json["messages"] == []


async def test_there_are_no_messaging_services(serving: Serving) -> None:
    async with serving() as api:
        assert (await send(api, MessagingServiceSid="MG" + "0" * 32)).code == (404, 21701)


async def test_media_need_a_sender_that_can(serving: Serving) -> None:
    async with serving() as api:
        british = replace(
            api.number, sid=sids.new("PN"), phone_number="+442079460000",
            capabilities=("voice", "sms"),
        )  # fmt: skip
        await api.exchange.store.write(records.numbers.insert, british)
        for sender in ("+442079460000", "Offhook"):
            refused = await send(api, From_=sender, MediaUrl="http://application.test/1.png")
            assert refused.code == (400, 21621)
            assert (await send(api, From_=sender)).status == 201


async def test_a_scheduled_message_has_a_time(serving: Serving) -> None:
    async with serving() as api:
        service = {"MessagingServiceSid": "MG" + "0" * 32, "ScheduleType": "fixed"}
        assert (await send(api, **service)).code == (400, 35111)
        at = "2030-01-01T00:00:00Z"
        assert (await send(api, **service, SendAt=at)).code == (404, 21701)


@pytest.mark.parametrize("path", ["Messages.json", "SMS/Messages.json"])
async def test_what_is_missing_is_named_in_order(serving: Serving, path: str) -> None:
    async with serving() as api:
        assert (await api.post(path)).code == (400, 21604)
        assert (await api.post(path, To="x")).code == (400, 21603)
        assert (await api.post(path, To="x", From_="y")).code == (400, 21602)
        assert (await api.post(path, To="x", From_="y", Body="z")).code == (400, 21211)


async def test_a_body_is_any_language_and_counted_in_segments(serving: Serving) -> None:
    """M06."""
    async with serving() as api:
        for body, segments in (("x" * 161, "2"), ("ж" * 71, "2"), ("😀", "1"), ("x" * 1600, "11")):
            message = (await send(api, Body=body)).json
            assert (message["body"], message["num_segments"]) == (body, segments)


async def test_smart_encoding_keeps_a_text_short(serving: Serving) -> None:
    async with serving() as api:
        reply = await send(api, Body="“Hi”", SmartEncoded="true")
        assert reply.json["body"] == '"Hi"'


async def test_a_national_number_is_of_the_senders_country(serving: Serving) -> None:
    async with serving() as api:
        london = await api.post("IncomingPhoneNumbers.json", PhoneNumber="+442079460100")
        assert london.status == 201
        reply = await send(api, From="+442079460100", To="020 7946 0000")
        assert reply.json["to"] == "+442079460000"
        assert (await send(api, To="(415) 555-0199")).json["to"] == THEIRS


async def test_a_name_may_write(serving: Serving) -> None:
    async with serving() as api:
        assert (await send(api, From="Bakery")).json["from"] == "Bakery"


async def test_media_make_it_an_mms_and_are_kept(serving: Serving) -> None:
    async with serving() as api:
        urls = ["http://application.test/1.png", "http://application.test/2.png"]
        message = (await send(api, Body="", MediaUrl=urls)).json
        assert message["sid"].startswith("MM")
        assert message["num_media"] == "2"
        await api.exchange.settle()
        assert [request.url for request in api.asked] == urls
        listed = await api.get(message["subresource_uris"]["media"])
        assert [each["content_type"] for each in listed.json["media_list"]] == ["image/png"] * 2


async def test_a_status_callback_goes_before_an_applications(serving: Serving) -> None:
    async with serving() as api:
        application = Application(
            sids.new("AP"), api.account.sid, MARCH, MARCH, message_status_callback=URL + "/app",
            sms_status_callback=URL + "/old",
        )  # fmt: skip
        await api.exchange.store.write(records.applications.insert, application)

        async def callback(path: str, **form: str) -> str:
            both = {"To": THEIRS, "From": OURS, "Body": "x", "ApplicationSid": application.sid}
            sid = (await api.post(path, **both | form)).json["sid"]
            message = await api.exchange.store.read(records.messages.get, sid)
            assert message is not None
            return message.status_callback

        assert await callback("Messages.json") == URL + "/app"
        assert await callback("SMS/Messages.json") == URL + "/old"
        assert await callback("Messages.json", StatusCallback=URL) == URL


# 2.4: list, redact, cancel, delete


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({"DateSent": "2026-03-02"}, [2]),
        ({"DateSent<": "2026-03-02"}, [2, 1]),
        ({"DateSent>": "2026-03-02"}, [3, 2]),
        ({"DateSent<": "2026-03-02T11:59:59Z"}, [1]),
        ({"DateSent<": "2026-03-02T12:00:00Z"}, [2, 1]),
        ({"To": "+14155550150"}, [3]),
        ({"From": OURS}, [3, 2, 1]),
        ({"From": "+14155550150"}, []),
    ],
)
async def test_messages_are_filtered(
    serving: Serving, query: dict[str, str], days: list[int]
) -> None:
    """On or before and on or after: both bounds belong to the range."""
    async with serving() as api:
        for day in (1, 2, 3):
            to = "+14155550150" if day == 3 else THEIRS
            await stored(api, datetime(2026, 3, day, 12, tzinfo=UTC), to=to)
        messages = (await api.request("GET", "Messages.json", query)).json["messages"]
        assert [int(each["date_sent"][5:7]) for each in messages] == days


async def test_an_empty_body_redacts(serving: Serving) -> None:
    async with serving() as api:
        message = await stored(api)
        path = f"Messages/{message.sid}.json"
        assert (await api.post(path, Body="other")).code == (400, 20001)
        redacted = await api.post(path, Body="")
        assert (redacted.status, redacted.json["body"]) == (200, "")
        fetched = (await api.get(path)).json
        assert (fetched["body"], fetched["to"]) == ("", THEIRS)


@pytest.mark.parametrize("parameters", [None, {"Body": ""}], ids=["deleted", "redacted"])
async def test_a_text_that_is_to_be_gone_is_not_told_by_its_story_either(
    serving: Serving, parameters: dict[str, str] | None
) -> None:
    """Also what happened a moment ago, which is not stored yet."""
    async with serving() as api:
        message, other = await stored(api), await stored(api)
        for each in (message, other):
            asked = {"params": {"Body": message.body}}
            api.exchange.journal.add(each.sid, api.account.sid, "webhook", asked)
        path = f"Messages/{message.sid}.json"
        done = await (api.post(path, **parameters) if parameters else api.delete(path))
        assert done.status in (200, 204)
        await api.exchange.journal.flush()
        assert await api.exchange.store.read(records.events.of, message.sid) == []
        assert len(await api.exchange.store.read(records.events.of, other.sid)) == 1


@pytest.mark.parametrize("parameters", [None, {"Body": ""}], ids=["deleted", "redacted"])
async def test_a_text_that_is_to_be_gone_is_not_told_by_the_debugger_either(
    serving: Serving, parameters: dict[str, str] | None
) -> None:
    async with serving() as api:
        message, other = await stored(api), await stored(api)
        said: dict[str, Any] = {
            "variables": "Body=Hello",
            "body": b"You wrote Hello",
            "headers": (("X", "Hello"),),
        }
        for each in (message, other):
            debugger.note(api.exchange, api.account.sid, 11200, "No", subject=each.sid, **said)
        await api.told()
        path = f"Messages/{message.sid}.json"
        await (api.post(path, **parameters) if parameters else api.delete(path))
        kept = await noted(api, message)
        assert kept["error_code"] == "11200"
        assert "Hello" not in json.dumps(kept)
        assert (await noted(api, other))["request_variables"] == "Body=Hello"


async def noted(api: Api, about: Message) -> Any:
    """The debugger's one entry about a message."""
    of_it = Where("call_sid", "=", about.sid)
    [entry] = await api.exchange.store.read(records.notifications.all, of_it)
    return (await api.get(f"Notifications/{entry.sid}.json")).json


async def test_what_is_on_its_way_is_neither_redacted_nor_deleted(serving: Serving) -> None:
    async with serving() as api:
        message = await stored(api, status="queued")
        path = f"Messages/{message.sid}.json"
        assert (await api.post(path, Body="")).code == (409, 20009)
        assert (await api.delete(path)).code == (409, 20009)


async def test_only_a_scheduled_message_is_canceled(serving: Serving) -> None:
    async with serving() as api:
        waiting, sent = await stored(api, status="scheduled"), await stored(api)
        canceled = await api.post(f"Messages/{waiting.sid}.json", Status="canceled")
        assert (canceled.status, canceled.json["status"]) == (200, "canceled")
        refused = await api.post(f"Messages/{sent.sid}.json", Status="canceled")
        assert refused.code == (409, 30409)


async def test_a_deleted_message_is_gone_with_its_media(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        message, media = await with_media(api, tmp_path)
        assert (await api.delete(f"Messages/{message.sid}.json")).status == 204
        assert (await api.get(f"Messages/{message.sid}.json")).code == (404, 20404)
        assert not Path(media.path).exists()


# Media


async def with_media(api: Api, folder: Path) -> tuple[Message, Media]:
    message = await stored(api, num_media=1)
    path = folder / "picture"
    path.write_bytes(b"PNG picture")
    media = Media(
        sids.new("ME"), api.account.sid, message.sid, "image/png", str(path), MARCH, MARCH
    )
    await api.exchange.store.write(records.media.insert, media)
    return message, media


async def test_media_are_listed_fetched_and_deleted(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        message, media = await with_media(api, tmp_path)
        base = f"Messages/{message.sid}/Media"
        [listed] = (await api.get(f"{base}.json")).json["media_list"]
        assert listed == {
            "account_sid": api.account.sid,
            "content_type": "image/png",
            "date_created": "Sun, 01 Mar 2026 12:00:00 +0000",
            "date_updated": "Sun, 01 Mar 2026 12:00:00 +0000",
            "parent_sid": message.sid,
            "sid": media.sid,
            "uri": f"{api.base}/{base}/{media.sid}.json",
        }
        assert (await api.get(listed["uri"])).json == listed
        none = await api.request("GET", f"{base}.json", {"DateCreated<": "2026-02-28"})
        assert none.json["media_list"] == []
        assert (await api.delete(listed["uri"])).status == 204
        assert (await api.get(listed["uri"])).code == (404, 20404)
        assert not Path(media.path).exists()


async def test_the_bytes_are_had_without_credentials(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        message, media = await with_media(api, tmp_path)
        nobody = {"authorization": ""}
        path = f"Messages/{message.sid}/Media/{media.sid}"
        got = await api.request("GET", path, headers=nobody)
        assert (got.status, got.body) == (200, b"PNG picture")
        assert got.headers["content-type"] == "image/png"
        part = await api.request("GET", path, headers=nobody | {"range": "bytes=4-"})
        assert (part.status, part.body) == (206, b"picture")
        elsewhere = await api.request("GET", f"Messages/{'SM' + '0' * 32}/Media/{media.sid}")
        assert elsewhere.status == 404


# 3: the older SMS/Messages


async def test_the_older_create_works_as_curl_sends_it(serving: Serving) -> None:
    """M06: POST SMS/Messages with To, From and Body and basic auth; XML comes back."""
    async with serving() as api:
        reply = await api.post("SMS/Messages", From_=OURS, To=THEIRS, Body="Hi there")
        assert (reply.status, reply.headers["content-type"]) == (201, "application/xml")
        [message] = reply.xml
        assert message.tag == "SMSMessage"
        assert [each.tag for each in message] == [
            "Sid", "DateCreated", "DateUpdated", "DateSent", "AccountSid", "To", "From", "Body",
            "Status", "Direction", "Price", "ApiVersion", "Uri",
        ]  # fmt: skip
        sid = message.findtext("Sid")
        assert message.findtext("Uri") == f"{api.base}/SMS/Messages/{sid}"
        assert (await api.get(f"SMS/Messages/{sid}.json")).json["body"] == "Hi there"


async def test_the_older_resource_has_the_older_words(serving: Serving) -> None:
    async with serving() as api:
        for status in ("delivered", "undelivered", "sent", "received"):
            await stored(api, status=status)
        listed = (await api.get("SMS/Messages.json")).json["sms_messages"]
        assert [each["status"] for each in listed] == ["received", "sent", "failed", "sent"]
        [page] = (await api.get("SMS/Messages")).xml
        assert page.tag == "SMSMessages"
        assert [each.tag for each in page] == ["SMSMessage"] * 4


async def test_the_older_body_is_at_most_160_characters(serving: Serving) -> None:
    async with serving() as api:
        both = {"From": OURS, "To": THEIRS}
        assert (await api.post("SMS/Messages.json", **both, Body="x" * 160)).status == 201
        assert (await api.post("SMS/Messages.json", **both, Body="x" * 161)).code == (400, 21605)
        assert (await api.post("SMS/Messages.json", **both)).code == (400, 21602)
