"""The debugger's entries, of the account and of one call.  reference: Notifications."""

from __future__ import annotations

from offhook.api.filters import Filter, dates
from offhook.api.formats import Rendering
from offhook.api.paging import page
from offhook.api.reach import deleted, fetched
from offhook.api.rendering import account_uri, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.model.account import Notification
from offhook.store import records
from offhook.store.table import Where

_ACCOUNT = f"/{VERSION}/Accounts/{{account_sid}}"
notifications = Resource(f"{_ACCOUNT}/Notifications", element="Notification", key="notifications")
call_notifications = Resource(
    f"{_ACCOUNT}/Calls/{{call_sid}}/Notifications", element="Notification", key="notifications"
)


def _logged(value: str) -> list[Where]:
    if value not in {"0", "1"}:
        raise ApiError(20001, "Log is 0 for errors or 1 for warnings", 400)
    return [Where("log", "=", int(value))]


_FILTERS = (
    Filter("Log", _logged, {"type": "integer", "minimum": 0, "maximum": 1}),
    *dates("MessageDate", "message_date"),
)


@notifications.get(filters=_FILTERS)
async def list_notifications(at: At) -> Listed:
    return await _page(at)


@call_notifications.get(filters=_FILTERS)
async def list_of_call(at: At) -> Listed:
    call = await fetched(at, records.calls, at.names["call_sid"])
    return await _page(at, Where("call_sid", "=", call.sid))


async def _page(at: At, *more: Where) -> Listed:
    return await page(at, records.notifications, lambda each: render(each, _base(at)), *more)


@notifications.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render_whole(await fetched(at, records.notifications, at.sid), _base(at))


@call_notifications.get("/{sid}")
async def fetch_of_call(at: At) -> Rendering:
    found = await fetched(at, records.notifications, at.sid)
    if found.call_sid != at.names["call_sid"]:
        raise ApiError(20404)
    return render_whole(found, _base(at))


@notifications.delete()
async def delete(at: At) -> None:
    await deleted(at, records.notifications)


def _base(at: At) -> str:
    call_sid = at.names.get("call_sid")
    uri = account_uri(at.account.sid)
    return f"{uri}/Calls/{call_sid}/Notifications" if call_sid else f"{uri}/Notifications"


def render(found: Notification, base: str) -> Rendering:
    return {
        "account_sid": found.account_sid,
        "api_version": found.api_version,
        "call_sid": found.call_sid if found.call_sid.startswith("CA") else None,
        "date_created": date(found.date_created),
        "date_updated": date(found.date_updated),
        "error_code": str(found.error_code),
        "log": str(found.log),
        "message_date": date(found.message_date),
        "message_text": found.message_text,
        "more_info": f"https://www.twilio.com/docs/errors/{found.error_code}",
        "request_method": or_none(found.request_method),
        "request_url": or_none(found.request_url),
        "sid": found.sid,
        "uri": f"{base}/{found.sid}",
    }


def render_whole(found: Notification, base: str) -> Rendering:
    """The one looked at also tells what was sent and what came back."""
    whole = {
        "request_variables": found.request_variables,
        "response_body": found.response_body,
        "response_headers": found.response_headers,
    }
    listed = dict(render(found, base))
    last = {name: listed.pop(name) for name in ("sid", "uri")}
    return listed | whole | last
