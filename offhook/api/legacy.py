"""API version 2008-08-01, beside 2010-04-01: the same resources, in the shapes of then (M07).

A request is read as one of 2010-04-01 once its parameters have today's names; its answer is
rewritten on the way out.  reference: REST conventions section 8; request parameters of 2008-08-01.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

from offhook.api.formats import Rendering
from offhook.api.forms import Sent
from offhook.api.resource import VERSION
from offhook.errors import ApiError
from offhook.exchange.params import national
from offhook.model.dates import from_rfc2822

OLD = "2008-08-01"
_PACIFIC = ZoneInfo("America/Los_Angeles")

_CALL_STATUS = {
    "queued": 0, "ringing": 0, "in-progress": 1, "completed": 2, "busy": 3, "failed": 4,
    "no-answer": 5, "canceled": 5,
}  # fmt: skip
_WORD = {"0": "queued", "1": "in-progress", "2": "completed", "3": "busy", "4": "failed",
         "5": "no-answer"}  # fmt: skip
_ACCOUNT_STATUS = {
    "suspended": (0, "Suspended"),
    "closed": (1, "Inactive"),
    "active": (2, "Active"),
}
_IN, _REPLY, _REST = 1, 2, 4
_FLAGS = {
    "inbound": _IN, "outbound-dial": _REPLY, "outbound-call": _REPLY, "outbound-reply": _REPLY,
    "outbound-api": _REST,
}  # fmt: skip


def of_today(path: str) -> tuple[str, str]:
    """The version that a path names, and the path as 2010-04-01 has it."""
    if path == f"/{OLD}" or path.startswith(f"/{OLD}/"):
        return OLD, f"/{VERSION}{path.removeprefix(f'/{OLD}')}"
    return VERSION, path


def parameters(path: str, sent: Sent) -> Sent:
    """Under today's names. `Status` of calls is a number that stands for a word."""
    names = {"Caller": "From", "Called": "To"}
    read = {names.get(name, name): values for name, values in sent.items()}
    if path.endswith("/Calls") and "Status" in read:
        read["Status"] = [_WORD.get(value, value) for value in read["Status"]]
    return read


def rendered(element: str, rendering: Rendering) -> Rendering:
    """A resource in the shape of then."""
    shape = _SHAPES.get(element)
    old = {name: _value(name, value) for name, value in rendering.items()}
    return shape(old) if shape else old


def paged(paging: Rendering) -> Rendering:
    return {name: _value(name, value) for name, value in paging.items()}


def error(refused: ApiError) -> tuple[str, ...]:
    """The properties that an error has: what is missing has a status and a message only."""
    return ("message", "status") if refused.code == 20404 else ()


def _value(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {inner: _value(name, each) for inner, each in value.items()}
    if not isinstance(value, str):
        return value
    if name.endswith("uri") or name == "subresource_uris":
        return value.replace(f"/{VERSION}", f"/{OLD}", 1)
    if name.startswith("date_") or name in ("start_time", "end_time", "message_date"):
        return _pacific(value)
    return value


def _pacific(text: str) -> str:
    """`Tue, 01 Apr 2008 11:26:32 -0700`; what is no such date stays."""
    try:
        at: datetime = from_rfc2822(text)
    except ValueError:
        return text
    return format_datetime(at.astimezone(_PACIFIC))


def _call(call: Rendering) -> Rendering:
    kept = ("phone_number_sid", "status", "start_time", "end_time", "duration", "price")
    return {
        **_only(call, "sid", "date_created", "date_updated"),
        "call_segment_sid": call["parent_call_sid"],
        "account_sid": call["account_sid"],
        "called": national(call["to"]),
        "caller": national(call["from"]),
        **_only(call, *kept),
        "status": _CALL_STATUS.get(call["status"], 0),
        "flags": _FLAGS.get(call["direction"] or "outbound-api", 0),
        **_only(call, "uri", "subresource_uris"),
    }


def _message(message: Rendering) -> Rendering:
    """Its status is one of four words; whatever comes before `sent` is on its way."""
    words = {"accepted": "queued", "scheduled": "queued", "delivered": "sent", "read": "sent",
             "received": "sent", "undelivered": "failed", "canceled": "failed"}  # fmt: skip
    status = message["status"]
    return {
        **_only(message, "sid", "date_created", "date_updated", "date_sent", "account_sid"),
        "to": national(message["to"]),
        "from": national(message["from"]),
        "body": message["body"],
        "status": words.get(status, status),
        "flags": _FLAGS.get(message["direction"], 0),
        **_only(message, "price", "uri"),
    }


def _account(account: Rendering) -> Rendering:
    number, text = _ACCOUNT_STATUS.get(account["status"], (1, "Inactive"))
    return {
        **_only(account, "sid", "friendly_name"),
        "status": number,
        "status_text": text,
        **_only(account, "date_created", "date_updated", "auth_token", "uri", "subresource_uris"),
    }


def _number(number: Rendering) -> Rendering:
    return {**number, "phone_number": national(number["phone_number"])}


def _only(rendering: Rendering, *names: str) -> dict[str, Any]:
    return {name: rendering[name] for name in names if name in rendering}


_SHAPES: dict[str, Callable[[Rendering], Rendering]] = {
    "Account": _account,
    "Call": _call,
    "Message": _message,
    "SMSMessage": _message,
    "IncomingPhoneNumber": _number,
    "OutgoingCallerId": _number,
}
