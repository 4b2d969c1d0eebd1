"""One record of each kind, with no field at its default, and calls by the dozen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from offhook.model.account import Account, Application, IncomingPhoneNumber, Notification
from offhook.model.call import Call
from offhook.model.fetch import Callback
from offhook.model.message import Media, Message
from offhook.model.recording import Recording

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 15, 30, tzinfo=timezone(timedelta(hours=2)))
OWNER = "AC" + "a" * 32
OTHER = "AC" + "b" * 32
HOOK = Callback("https://a.example/cb?x=1", "GET", ("initiated", "completed"))
URLS: dict[str, Any] = {
    "voice_url": "https://a.example/v",
    "voice_method": "GET",
    "voice_fallback_url": "https://a.example/vf",
    "voice_fallback_method": "GET",
    "voice_caller_id_lookup": True,
    "status_callback": "https://a.example/s",
    "status_callback_method": "GET",
    "sms_url": "https://a.example/m",
    "sms_method": "GET",
    "sms_fallback_url": "https://a.example/mf",
    "sms_fallback_method": "GET",
}


def sid(prefix: str, number: int) -> str:
    return f"{prefix}{number:032x}"


def call(number: int, **fields: Any) -> Call:
    """Call `number` was made that many seconds after noon."""
    made = NOON + timedelta(seconds=number)
    values: dict[str, Any] = {
        "account_sid": OWNER,
        "to": "+15550001111",
        "from_": "+15550002222",
        "direction": "inbound",
        "date_created": made,
        "date_updated": made,
    }
    return Call(sid("CA", number), **(values | fields))


def message(number: int, **fields: Any) -> Message:
    made = NOON + timedelta(seconds=number)
    values: dict[str, Any] = {
        "account_sid": OWNER,
        "to": "+15550001111",
        "from_": "+15550002222",
        "body": "",
        "direction": "inbound",
        "date_created": made,
        "date_updated": made,
    }
    return Message(sid("SM", number), **(values | fields))


FULL_CALL = call(
    1, status="completed", parent_call_sid=sid("CA", 2), phone_number_sid=sid("PN", 3),
    application_sid=sid("AP", 4), api_version="2008-08-01", start_time=NOON, end_time=LATER,
    duration=61, price="-0.01", price_unit="EUR", answered_by="human",
    forwarded_from="+15550003333", caller_name="Ann \u00e9\U0001f4de", queue_time=7,
    sip_response_code=200, callback=HOOK, callbacks_sent=2, node="two",
    details={"SipHeader_X-A": "1", "nested": [1, None, {"a": "\u2603"}]},
)  # fmt: skip
FULL_MESSAGE = message(
    1, api_version="2008-08-01", body="line one\nline two \U0001f600",
    direction="outbound-reply", status="undelivered",
    num_segments=3, num_media=1, date_sent=LATER, messaging_service_sid=sid("MG", 1),
    error_code=30003, error_message="unreachable", price="-0.02", price_unit="EUR",
    status_callback="https://a.example/s", call_sid=sid("CA", 1), validity_seconds=60,
    callbacks_sent=3, media_urls=("https://a.example/1.png", "https://a.example/2.png"),
)  # fmt: skip
FULL_ACCOUNT = Account(OWNER, "secret", NOON, LATER, "Ann's", "suspended", "Trial", OTHER)
FULL_APPLICATION = Application(
    sid("AP", 1), OWNER, NOON, LATER, "menu", "2008-08-01", **URLS,
    sms_status_callback="https://a.example/ss", message_status_callback="https://a.example/ms",
    public_application_connect_enabled=True,
)  # fmt: skip
FULL_NUMBER = IncomingPhoneNumber(
    sid("PN", 1), OWNER, "+15550001111", NOON, LATER, "front desk", "2008-08-01", **URLS,
    voice_application_sid=sid("AP", 1), voice_receive_mode="fax", trunk_sid=sid("TK", 1),
    sms_application_sid=sid("AP", 2), capabilities=("voice",), beta=True, origin="hosted",
    address_requirements="any", address_sid=sid("AD", 1), identity_sid=sid("RI", 1),
    bundle_sid=sid("BU", 1), emergency_status="Active", emergency_address_sid=sid("AD", 2),
    emergency_address_status="registered", status="released", type="mobile",
)  # fmt: skip
FULL_RECORDING = Recording(
    sid("RE", 1), OWNER, sid("CA", 1), "RecordVerb", NOON, LATER, NOON, "/data/a.wav", "completed",
    2, "inbound", 12, sid("CF", 1), "2008-08-01", "-0.01", "EUR", 16101, HOOK,
)  # fmt: skip
FULL_MEDIA = Media(sid("ME", 1), OWNER, sid("MM", 1), "image/png", "/data/a.png", NOON, LATER)
FULL_NOTIFICATION = Notification(
    sid("NO", 1), OWNER, 1, 12200, "Msg=a%20b", NOON, LATER, NOON, sid("CA", 1), "POST",
    "https://a.example/v", "A=1", "X=2", "<Response", "2008-08-01",
)  # fmt: skip
