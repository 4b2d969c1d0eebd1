"""Calls.  reference: REST voice, Calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_client import OURS, THEIRS, Api, Reply, Serving, furnish

from offhook import sids
from offhook.model.account import Application
from offhook.model.call import Call
from offhook.model.journal import Event
from offhook.store import records

URL = "http://application.test/voice"


async def place(api: Api, **more: Any) -> Reply:
    return await api.post("Calls.json", **{"To": THEIRS, "From": OURS, "Url": URL} | more)


async def stored(api: Api, **more: Any) -> Call:
    """A finished call that was not placed here."""
    at = more.pop("at", datetime(2026, 3, 1, 12, tzinfo=UTC))
    call = Call(sids.new("CA"), api.account.sid, THEIRS, OURS, "outbound-api", at, at)
    call = replace(call, **{"status": "completed", "start_time": at, "end_time": at} | more)
    await api.exchange.store.write(records.calls.insert, call)
    return call


# Create


async def test_a_call_is_created_queued(serving: Serving) -> None:
    """M05: started by a REST request that carries the initial URL."""
    async with serving() as api:
        reply = await place(api)
        assert reply.status == 201
        call = reply.json
        assert list(call) == [
            "sid", "date_created", "date_updated", "parent_call_sid", "account_sid", "to",
            "to_formatted", "from", "from_formatted", "phone_number_sid", "status", "start_time",
            "end_time", "duration", "price", "price_unit", "direction", "answered_by",
            "api_version", "forwarded_from", "group_sid", "caller_name", "queue_time", "trunk_sid",
            "uri", "subresource_uris",
        ]  # fmt: skip
        assert (call["status"], call["direction"]) == ("queued", "outbound-api")
        assert (call["to"], call["to_formatted"]) == (THEIRS, "(415) 555-0199")
        assert (call["from"], call["phone_number_sid"]) == (OURS, api.number.sid)
        assert call["start_time"] is call["end_time"] is call["duration"] is call["price"] is None
        assert (call["price_unit"], call["queue_time"]) == ("USD", "0")
        assert call["uri"] == f"{api.base}/Calls/{call['sid']}.json"
        assert call["subresource_uris"]["user_defined_messages"] == (
            f"{api.base}/Calls/{call['sid']}/UserDefinedMessages.json"
        )
        assert (await api.get(f"Calls/{call['sid']}.json")).json["sid"] == call["sid"]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"To": ""}, 21201),
        ({"From": ""}, 21213),
        ({"Url": ""}, 21205),
        ({"Url": "ftp://application.test/"}, 21205),
        ({"Url": "/voice"}, 21205),
        ({"Url": "http://under_score.test/"}, 21205),
        ({"Url": "", "ApplicationSid": "AP" + "0" * 32}, 21218),
        ({"Url": "", "Twiml": "x" * 4001}, 32018),
        ({"To": "+1415"}, 21211),
        ({"To": "sip:"}, 21211),
        ({"To": "sip:a@b.test?" + "x" * 1025}, 21227),
        ({"To": "sip:a@b.test?bad name=1"}, 21211),
        ({"To": "sip:a@b.test?bad_name=1"}, 21228),
        ({"To": "sip:a@b.test?name"}, 21229),
        ({"To": "client:"}, 21211),
        ({"To": "911"}, 21216),
        ({"From": "+1"}, 21212),
        ({"From": "+14155550177"}, 21210),
        ({"Method": "DELETE"}, 21209),
        ({"FallbackUrl": "nowhere"}, 21205),
        ({"FallbackMethod": "PUT"}, 21209),
        ({"StatusCallback": "http://under_score.test/"}, 21205),
        ({"StatusCallbackMethod": "PUT"}, 21209),
        ({"SendDigits": "12x"}, 21206),
        ({"SendDigits": "1" * 33}, 21206),
        ({"IfMachine": "Maybe"}, 21207),
        ({"Timeout": "601"}, 21208),
        ({"Timeout": "soon"}, 21208),
        ({"Record": "maybe"}, 20001),
        ({"RecordingChannels": "three"}, 20001),
        ({"RecordingTrack": "none"}, 20001),
        ({"Trim": "yes"}, 20001),
        ({"SipAuthUsername": "x" * 256, "SipAuthPassword": "x"}, 21221),
        ({"SipAuthUsername": "x", "SipAuthPassword": "x" * 256}, 21222),
        ({"SipAuthUsername": 'a"b', "SipAuthPassword": "x"}, 21223),
        ({"SipAuthUsername": "x", "SipAuthPassword": "\x00"}, 21224),
        ({"SipAuthUsername": "x"}, 21225),
        ({"MachineDetection": "Perhaps"}, 21234),
        ({"MachineDetectionTimeout": "2"}, 21263),
        ({"MachineDetectionSpeechThreshold": "6001"}, 21263),
        ({"MachineDetectionSpeechEndThreshold": "499"}, 21263),
        ({"MachineDetectionSilenceTimeout": "10001"}, 21263),
        ({"Byoc": "BY" + "0" * 32}, 21300),
        ({"CallerId": "+14155550177"}, 21210),
        ({"TimeLimit": "0"}, 20001),
    ],
)
async def test_a_parameter_that_is_wrong_has_its_code(
    serving: Serving, parameters: dict[str, str], code: int
) -> None:
    async with serving() as api:
        reply = await place(api, **parameters)
        assert reply.code == (400, code)
        assert (await api.get("Calls.json")).json["calls"] == []


async def test_what_is_missing_goes_before_what_is_wrong(serving: Serving) -> None:
    async with serving() as api:
        nothing = await api.post("Calls.json", Timeout="soon")
        assert nothing.code == (400, 21201)
        assert (await place(api, To="+1415", Method="PUT")).code == (400, 21211)
        assert (await place(api, Method="PUT", Timeout="soon")).code == (400, 21209)


@pytest.mark.parametrize(
    ("to", "normal"),
    [
        ("(415) 555-0199", THEIRS),
        ("415.555.0199", THEIRS),
        ("+442079460000", "+442079460000"),
        ("sip:desk@phones.test:5070;transport=tcp", "sip:desk@phones.test:5070;transport=tcp"),
        ("client:tommy", "client:tommy"),
    ],
)
async def test_whom_to_call_is_normalised(serving: Serving, to: str, normal: str) -> None:
    """M18: E.164 where it can be."""
    async with serving() as api:
        assert (await place(api, To=to)).json["to"] == normal


async def test_any_token_may_call_sip_and_clients(serving: Serving) -> None:
    async with serving() as api:
        assert (await place(api, To="sip:a@b.test", From="front-desk")).status == 201
        assert (await place(api, To="client:tommy", From="client:jenny")).status == 201
        assert (await place(api, To="Client:tommy", From="jenny")).status == 201
        refused = await place(api, To="sip:a@b.test", From="front desk")
        assert refused.code == (400, 21212)


async def test_a_number_of_another_account_is_not_ours_to_call_from(serving: Serving) -> None:
    async with serving() as api:
        await furnish(api.exchange.store, number="+14155550177")
        assert (await place(api, From="+14155550177")).code == (400, 21210)


async def test_an_application_takes_the_place_of_every_url(serving: Serving) -> None:
    """M13."""
    async with serving() as api:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        application = Application(
            sids.new("AP"), api.account.sid, at, at,
            voice_url=URL, status_callback="http://application.test/status",
        )  # fmt: skip
        await api.exchange.store.write(records.applications.insert, application)
        reply = await place(api, Url="", ApplicationSid=application.sid, StatusCallback=URL)
        call = await api.exchange.store.read(records.calls.get, reply.json["sid"])
        assert call is not None
        assert call.application_sid == application.sid
        assert call.callback.url == "http://application.test/status"


async def test_status_callback_events_are_repeated_or_separated_by_spaces(
    serving: Serving,
) -> None:
    async with serving() as api:
        for sent in (["initiated", "answered"], "initiated answered"):
            reply = await place(api, StatusCallback=URL, StatusCallbackEvent=sent)
            call = await api.exchange.store.read(records.calls.get, reply.json["sid"])
            assert call is not None
            assert call.callback.events == ("initiated", "answered")
        reply = await place(api, StatusCallback=URL, StatusCallbackMethod="GET")
        call = await api.exchange.store.read(records.calls.get, reply.json["sid"])
        assert call is not None
        assert (call.callback.method, call.callback.events) == ("GET", ("completed",))


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Twiml": "<Response/>"}, "32019"),
        ({"StatusCallbackEvent": "answered eaten"}, "21626"),
        ({"MachineDetection": "Enable"}, "21263"),
    ],
)
async def test_what_cannot_be_had_is_told_to_the_debugger(
    serving: Serving, parameters: dict[str, str], code: str
) -> None:
    async with serving() as api:
        sid = (await place(api, **parameters)).json["sid"]
        await api.told()
        notes = (await api.get(f"Calls/{sid}/Notifications.json")).json["notifications"]
        assert [(each["error_code"], each["call_sid"]) for each in notes] == [(code, sid)]


# List


async def test_calls_are_filtered(serving: Serving) -> None:
    async with serving() as api:
        wanted = await stored(api, to="+14155550150", status="busy")
        child = await stored(api, parent_call_sid=wanted.sid, from_="+14155550160")
        filters: list[tuple[dict[str, str], Call]] = [
            ({"To": "+14155550150"}, wanted),
            ({"Status": "busy"}, wanted),
            ({"From": "+14155550160"}, child),
            ({"ParentCallSid": wanted.sid}, child),
        ]
        for query, call in filters:
            reply = await api.get("Calls.json", **query)
            assert [each["sid"] for each in reply.json["calls"]] == [call.sid]


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({"StartTime": "2026-03-02"}, [2]),
        ({"StartTime<": "2026-03-02"}, [1]),
        ({"StartTime>": "2026-03-02"}, [3, 2]),
        ({"StartTime": "2026-03-02T00:00:00Z"}, [2]),
        ({"StartTime<": "2026-03-02T12:00:00Z"}, [1]),
        ({"StartTime>": "2026-03-02T12:00:01Z"}, [3]),
        ({"EndTime<": "2026-03-03"}, [2, 1]),
        ({"EndTime>": "2026-03-03"}, [3]),
        ({"EndTime": "2026-03-01"}, [1]),
        ({"StartTime>": "2026-03-02", "StartTime<": "2026-03-03"}, [2]),
    ],
)
async def test_before_is_before_and_after_is_on_or_after(
    serving: Serving, query: dict[str, str], days: list[int]
) -> None:
    async with serving() as api:
        for day in (1, 2, 3):
            await stored(api, at=datetime(2026, 3, day, 12, tzinfo=UTC))
        calls = (await api.request("GET", "Calls.json", query)).json["calls"]
        assert [int(each["start_time"][5:7]) for each in calls] == days


async def test_an_inequality_may_come_unescaped(serving: Serving) -> None:
    async with serving() as api:
        await stored(api, at=datetime(2026, 3, 1, tzinfo=UTC))
        later = await api.get("Calls.json?StartTime>=2026-03-02")
        assert later.json["calls"] == []


async def test_a_date_that_is_none_is_refused(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.get("Calls.json", StartTime="yesterday")).code == (400, 20001)


# Update and delete


async def test_a_queued_call_is_canceled(serving: Serving) -> None:
    """M28."""
    async with serving() as api:
        sid = (await place(api)).json["sid"]
        reply = await api.post(f"Calls/{sid}.json", Status="canceled")
        assert (reply.status, reply.json["status"]) == (200, "canceled")


async def test_a_call_that_is_over_cannot_be_steered(serving: Serving) -> None:
    async with serving() as api:
        over = await stored(api)
        for form in ({"Status": "completed"}, {"Url": URL}, {"Twiml": "<Response/>"}):
            reply = await api.post(f"Calls/{over.sid}.json", **form)
            assert reply.code == (400, 21220)
            assert reply.json["message"] == "Call is not in-progress. Cannot redirect."


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"Status": "busy"}, 20001),
        ({"Url": "nowhere"}, 21205),
        ({"Url": URL, "Method": "PUT"}, 21209),
        ({"Twiml": "x" * 4001}, 32018),
        ({"StatusCallback": "nowhere"}, 21205),
        ({"TimeLimit": "-1"}, 20001),
    ],
)
async def test_an_update_that_is_wrong_has_its_code(
    serving: Serving, form: dict[str, str], code: int
) -> None:
    async with serving() as api:
        sid = (await place(api)).json["sid"]
        assert (await api.post(f"Calls/{sid}.json", **form)).code == (400, code)


async def test_a_ringing_call_takes_its_new_callback_and_document(serving: Serving) -> None:
    async with serving() as api:
        sid = (await place(api)).json["sid"]
        form = {"Url": URL + "/2", "StatusCallback": URL, "StatusCallbackMethod": "GET"}
        assert (await api.post(f"Calls/{sid}.json", **form)).status == 200
        call = await api.exchange.store.read(records.calls.get, sid)
        assert call is not None
        assert (call.callback.url, call.callback.method) == (URL, "GET")
        script = api.exchange.attempts[sid].script
        assert script is not None
        assert script.url == URL + "/2"


async def test_a_call_is_forgotten_only_when_it_is_over(serving: Serving) -> None:
    async with serving() as api:
        ringing, over = (await place(api)).json["sid"], await stored(api)
        assert (await api.delete(f"Calls/{ringing}.json")).code == (409, 20009)
        api.exchange.journal.add(over.sid, api.account.sid, "key", {"key": "1"})
        gone = await api.delete(f"Calls/{over.sid}.json")
        assert (gone.status, gone.body) == (204, b"")
        assert await api.exchange.store.read(records.events.of, over.sid) == []
        assert (await api.get(f"Calls/{over.sid}.json")).code == (404, 20404)
        assert (await api.delete(f"Calls/{over.sid}.json")).code == (404, 20404)


async def test_a_call_of_another_account_is_missing(serving: Serving) -> None:
    async with serving() as api:
        other, _ = await furnish(api.exchange.store, number="+14155550177")
        theirs = await stored(api, account_sid=other.sid)
        for method in ("GET", "DELETE"):
            reply = await api.request(method, f"Calls/{theirs.sid}.json")
            assert reply.code == (404, 20404)


# Events


async def test_the_events_of_a_call_are_its_webhooks(serving: Serving) -> None:
    async with serving() as api:
        call = await stored(api)
        asked = {
            "method": "POST", "url": URL, "params": {"CallSid": call.sid}, "status": 200,
            "type": "text/xml", "seconds": 0.25, "body": "<Response/>",
        }  # fmt: skip
        at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        for number in range(3):
            story = Event(
                call.sid, api.account.sid, at, "webhook", asked | {"status": 200 + number}
            )
            await api.exchange.store.write(records.events.insert, story)
            other = Event(call.sid, api.account.sid, at + timedelta(seconds=1), "key", {})
            await api.exchange.store.write(records.events.insert, other)
        first = (await api.get(f"Calls/{call.sid}/Events.json", PageSize="2")).json
        assert first["events"][0] == {
            "request": {"method": "POST", "url": URL, "parameters": {"CallSid": call.sid}},
            "response": {
                "response_code": 200, "request_duration": 250, "content_type": "text/xml",
                "response_body": "<Response/>", "date_created": "Sun, 01 Mar 2026 12:00:00 +0000",
            },
        }  # fmt: skip
        second = (await api.get(first["next_page_uri"])).json
        assert [each["response"]["response_code"] for each in second["events"]] == [202]
        assert second["next_page_uri"] is None


async def test_parameters_that_a_stranger_named_are_well_formed_in_xml(serving: Serving) -> None:
    """Names of SIP headers reach the application as parameters, and may hold almost anything."""
    async with serving() as api:
        call = await stored(api)
        named = {"SipHeader_X-a'b!": "1", "9><x": "2", "": "3", "Digits": "4"}
        at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        asked = Event(call.sid, api.account.sid, at, "webhook", {"params": named})
        await api.exchange.store.write(records.events.insert, asked)
        [[event]] = (await api.get(f"Calls/{call.sid}/Events")).xml
        parameters = {each.tag: each.text for each in event.iterfind("Request/Parameters/*")}
        assert parameters == {"SipHeaderX-a_b_": "1", "_9__x": "2", "_": "3", "Digits": "4"}
