"""What belongs to a call: streams, SIPREC, transcriptions, payments, user-defined messages;
and recordings in writing.

reference: REST voice, call subresources and Recordings.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from api_client import OURS, THEIRS, Api, Serving

from offhook import sids
from offhook.model.call import Call
from offhook.model.gatherings import Fork, ForkKind, Payment, Transcription
from offhook.model.recording import Recording
from offhook.store import records
from offhook.store.gatherings import forks, payments, transcriptions, user_messages

MARCH = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOOK = "http://a.test/hook"


async def call(api: Api, status: Any = "in-progress") -> str:
    """The path of a call."""
    made = Call(sids.new("CA"), api.account.sid, THEIRS, OURS, "outbound-api", MARCH, MARCH)
    await api.exchange.store.write(records.calls.insert, replace(made, status=status))
    return f"Calls/{made.sid}"


STREAM = {"Url": "wss://a.test/"}
PAYMENT = {"IdempotencyKey": "k1", "StatusCallback": HOOK}


@pytest.mark.parametrize(
    ("path", "form", "code"),
    [
        ("Streams", {}, 21205),
        ("Streams", {"Url": "http://a.test/"}, 21205),
        ("Streams", STREAM | {"Track": "all"}, 31941),
        ("Streams", STREAM | {"StatusCallback": "no"}, 21205),
        ("Streams", STREAM | {"StatusCallbackMethod": "PUT"}, 21209),
        ("Streams", STREAM | {"Parameter1.Value": "nameless"}, 20001),
        ("Streams", STREAM | {"Parameter1.Name": "n", "Parameter1.Value": "x" * 500}, 20001),
        ("Streams", STREAM, 31900),
        ("Siprec", {"Track": "all"}, 31941),
        ("Siprec", {"ConnectorName": "nowhere"}, 31940),
        ("Transcriptions", {"Track": "all"}, 32650),
        ("Transcriptions", {"TranscriptionEngine": "ear"}, 32650),
        ("Transcriptions", {"PartialResults": "perhaps"}, 20001),
        ("Transcriptions", {}, 32651),
        ("Payments", {"StatusCallback": HOOK}, 20001),
        ("Payments", {"IdempotencyKey": "k1"}, 20001),
        ("Payments", PAYMENT | {"ChargeAmount": "-1"}, 64003),
        ("Payments", PAYMENT | {"ChargeAmount": "1000000"}, 64003),
        ("Payments", PAYMENT | {"Currency": "dollars"}, 64004),
        ("Payments", PAYMENT | {"PaymentMethod": "cash"}, 64013),
        ("Payments", PAYMENT | {"Parameter": '{"a": {"b": 1}}'}, 64014),
        ("Payments", PAYMENT | {"Parameter": "[" * 9000}, 64014),
        ("Payments", PAYMENT | {"PaymentMethod": "ach-debit"}, 64017),
        ("Payments", PAYMENT | {"Timeout": "601"}, 64020),
        ("Payments", PAYMENT | {"ValidCardTypes": "visa library"}, 64020),
        ("Payments", PAYMENT | {"RequireMatchingInputs": "name"}, 64020),
        ("Payments", PAYMENT, 64011),
        ("UserDefinedMessages", {}, 20001),
        ("UserDefinedMessages", {"Content": "{"}, 32702),
        ("UserDefinedMessages", {"Content": "[" * 9000}, 32702),
        ("UserDefinedMessages", {"Content": f'"{"x" * 10000}"'}, 32703),
        ("UserDefinedMessageSubscriptions", {}, 20001),
        ("UserDefinedMessageSubscriptions", {"Callback": "no"}, 21205),
        ("UserDefinedMessageSubscriptions", {"Callback": HOOK, "Method": "PUT"}, 21209),
    ],
)
async def test_what_cannot_be_asked_of_a_call_is_refused(
    serving: Serving, path: str, form: dict[str, str], code: int
) -> None:
    """31900, 32651, 31940 and 64011 are what a fine request gets: nothing is there to do it yet."""
    async with serving() as api:
        assert (await api.post(f"{await call(api)}/{path}.json", **form)).code == (400, code)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("Streams", STREAM),
        ("Siprec", {}),
        ("Transcriptions", {}),
        ("Payments", PAYMENT),
        ("UserDefinedMessages", {"Content": "{}"}),
        ("UserDefinedMessageSubscriptions", {"Callback": HOOK}),
    ],
)
async def test_a_call_must_be_in_progress(
    serving: Serving, path: str, form: dict[str, str]
) -> None:
    async with serving() as api:
        ringing = await api.post(f"{await call(api, 'ringing')}/{path}.json", **form)
        assert ringing.code == (400, 21220)
        nothing = await api.post(f"Calls/{sids.new('CA')}/{path}.json", **form)
        assert nothing.code == (404, 20404)


@pytest.mark.parametrize(
    ("kind", "path", "prefix"),
    [
        ("stream", "Streams", "MZ"),
        ("siprec", "Siprec", "SR"),
        ("transcription", "Transcriptions", "GT"),
    ],
)
@pytest.mark.parametrize("by_name", [False, True])
async def test_a_fork_is_stopped_by_sid_or_by_name(
    serving: Serving, kind: ForkKind, path: str, prefix: str, by_name: bool
) -> None:
    async with serving() as api:
        base = await call(api)
        sid = sids.new(prefix)
        fork = Fork(sid, api.account.sid, base.removeprefix("Calls/"), kind, MARCH, MARCH, "mine")
        await api.exchange.store.write(forks.insert, fork)
        one = f"{base}/{path}/{'mine' if by_name else sid}.json"
        assert (await api.post(one)).code == (400, 20001)
        assert (await api.post(one, Status="paused")).code == (400, 20001)
        stopped = await api.post(one, Status="stopped")
        assert stopped.status == 200
        assert list(stopped.json) == [
            "sid", "account_sid", "call_sid", "name", "status", "date_updated", "uri",
        ]  # fmt: skip
        assert (stopped.json["sid"], stopped.json["status"]) == (sid, "stopped")
        assert stopped.json["uri"] == f"{api.base}/{base}/{path}/{sid}.json"
        assert (await api.post(one, Status="stopped")).json == stopped.json
        elsewhere = one.replace(base, await call(api))
        assert (await api.post(elsewhere, Status="stopped")).code == (404, 20404)


async def test_a_payment_goes_field_by_field(serving: Serving) -> None:
    async with serving() as api:
        base = await call(api)
        call_sid = base.removeprefix("Calls/")
        payment = Payment(sids.new("PK"), api.account.sid, call_sid, "k1", MARCH, MARCH)
        await api.exchange.store.write(payments.insert, payment)
        one = f"{base}/Payments/{payment.sid}.json"
        assert (await api.post(one, **PAYMENT)).code == (400, 64019)
        both = PAYMENT | {"Capture": "postal-code", "Status": "complete"}
        assert (await api.post(one, **both)).code == (400, 64018)
        assert (await api.post(one, **(PAYMENT | {"Capture": "name"}))).code == (400, 64021)
        asked = await api.post(one, **(PAYMENT | {"Capture": "payment-card-number-matcher"}))
        assert asked.status == 202
        assert list(asked.json) == [
            "account_sid", "call_sid", "sid", "date_created", "date_updated", "uri",
        ]  # fmt: skip
        assert (await api.post(one, **(PAYMENT | {"Status": "cancel"}))).status == 202
        kept = await api.exchange.store.read(payments.get, payment.sid)
        assert kept is not None
        assert kept.status == "cancel"
        assert (await api.post(one, **(PAYMENT | {"Status": "complete"}))).code == (400, 64021)


async def test_a_message_to_a_phone_is_kept_once_for_a_key(serving: Serving) -> None:
    async with serving() as api:
        path = f"{await call(api)}/UserDefinedMessages.json"
        form = {"Content": '{"a": 1}', "IdempotencyKey": "k1"}
        first, again = await api.post(path, **form), await api.post(path, **form)
        assert first.status == 201
        assert list(first.json) == ["account_sid", "call_sid", "sid", "date_created"]
        assert again.json == first.json
        other = await api.post(path, Content="[]")
        assert other.json["sid"] != first.json["sid"]
        kept = await api.exchange.store.read(user_messages.get, first.json["sid"])
        assert kept is not None
        assert kept.content == '{"a": 1}'
        await api.told()
        noted = (await api.get("Notifications.json")).json["notifications"]
        assert [each["error_code"] for each in noted] == ["32710", "32710"]


async def test_a_subscription_is_made_and_ended(serving: Serving) -> None:
    async with serving() as api:
        base = await call(api)
        path = f"{base}/UserDefinedMessageSubscriptions"
        form = {"Callback": HOOK, "IdempotencyKey": "k1"}
        made = await api.post(f"{path}.json", **form)
        assert made.status == 201
        assert list(made.json) == ["account_sid", "call_sid", "sid", "date_created", "uri"]
        assert (await api.post(f"{path}.json", **form)).json == made.json
        elsewhere = made.json["uri"].replace(base, await call(api))
        assert (await api.delete(elsewhere)).code == (404, 20404)
        assert (await api.delete(made.json["uri"])).status == 204
        assert (await api.delete(made.json["uri"])).code == (404, 20404)


async def written(api: Api, **more: Any) -> Transcription:
    recording = Recording(
        sids.new("RE"), api.account.sid, sids.new("CA"), "RecordVerb", MARCH, MARCH, MARCH,
        status="completed",
    )  # fmt: skip
    await api.exchange.store.write(records.recordings.insert, recording)
    text = Transcription(sids.new("TR"), api.account.sid, recording.sid, MARCH, MARCH)
    text = replace(text, **({"status": "completed", "transcription_text": "hello"} | more))
    await api.exchange.store.write(transcriptions.insert, text)
    return text


async def test_a_transcription_is_found_in_both_places(serving: Serving) -> None:
    async with serving() as api:
        one, other = await written(api, duration=7), await written(api)
        found = (await api.get(f"Transcriptions/{one.sid}.json")).json
        assert list(found) == [
            "account_sid", "api_version", "date_created", "date_updated", "duration", "price",
            "price_unit", "recording_sid", "sid", "status", "transcription_text", "type", "uri",
        ]  # fmt: skip
        assert (found["duration"], found["transcription_text"]) == ("7", "hello")
        base = f"Recordings/{one.recording_sid}/Transcriptions"
        assert (await api.get(f"{base}/{one.sid}.json")).json == found
        assert (await api.get(f"{base}.json")).json["transcriptions"] == [found]
        assert (await api.get(f"{base}/{other.sid}.json")).code == (404, 20404)
        listed = (await api.get("Transcriptions.json")).json["transcriptions"]
        assert {each["sid"] for each in listed} == {one.sid, other.sid}


async def test_a_transcription_is_read_as_text(serving: Serving) -> None:
    async with serving() as api:
        read = await api.get(f"Transcriptions/{(await written(api)).sid}.txt")
        assert read.status == 200
        assert read.headers["content-type"].startswith("text/plain")
        assert read.body == b"hello"


async def test_a_transcription_goes_once_it_is_done(serving: Serving) -> None:
    async with serving() as api:
        making = await written(api, status="in-progress")
        assert (await api.delete(f"Transcriptions/{making.sid}.json")).code == (409, 20009)
        done = await written(api)
        path = f"Recordings/{done.recording_sid}/Transcriptions/{done.sid}.json"
        assert (await api.delete(path)).status == 204
        assert (await api.get(f"Transcriptions/{done.sid}.json")).code == (404, 20404)


async def test_a_recording_has_no_add_on_results(serving: Serving) -> None:
    async with serving() as api:
        base = f"Recordings/{(await written(api)).recording_sid}/AddOnResults"
        listed = (await api.get(f"{base}.json")).json
        assert (listed["add_on_results"], listed["next_page_uri"]) == ([], None)
        one = f"{base}/{sids.new('XR')}.json"
        assert (await api.get(one)).code == (404, 20404)
        assert (await api.delete(one)).code == (404, 20404)
        nothing = f"Recordings/{sids.new('RE')}/AddOnResults.json"
        assert (await api.get(nothing)).code == (404, 20404)
