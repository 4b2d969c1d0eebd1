"""What the application was asked about a call, and answered.  reference: Calls, Events."""

from __future__ import annotations

from typing import Any

from offhook.api.formats import Rendering
from offhook.api.paging import whole
from offhook.api.reach import fetched
from offhook.api.rendering import date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.model.journal import Event
from offhook.store import records

events = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Calls/{{call_sid}}/Events", element="Event", key="events"
)


@events.get()
async def list_events(at: At) -> Listed:
    """In the order in which they happened, which does not change: pages go by their number."""
    call = await fetched(at, records.calls, at.names["call_sid"])
    await at.exchange.journal.flush()
    story = await at.exchange.store.read(records.events.of, call.sid)
    return whole(at, [each for each in story if each.kind == "webhook"], render)


def render(event: Event) -> Rendering:
    told: dict[str, Any] = event.data
    return {
        "request": {
            "method": told.get("method"),
            "url": told.get("url"),
            "parameters": told.get("params", {}),
        },
        "response": {
            "response_code": told.get("status"),
            "request_duration": round(float(told.get("seconds") or 0) * 1000),
            "content_type": told.get("type"),
            "response_body": told.get("body"),
            "date_created": date(event.at),
        },
    }
