"""Conferences: rooms that open when somebody joins.  reference: REST voice, Conferences."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from offhook import clock
from offhook.api.filters import dates, exactly
from offhook.api.formats import Rendering
from offhook.api.forms import http_method, link, word
from offhook.api.paging import page
from offhook.api.rendering import account_uri, below, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.gatherings import HERE, Conference
from offhook.store.gatherings import conferences as table
from offhook.store.gatherings import participants
from offhook.store.store import Connection
from offhook.store.table import Where

conferences = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Conferences", element="Conference", key="conferences"
)

OVER = 16022


@conferences.get(
    filters=(
        *exactly(FriendlyName="friendly_name", Status="status"),
        *dates("DateCreated", "date_created"),
        *dates("DateUpdated", "date_updated"),
    )
)
async def list_conferences(at: At) -> Listed:
    return await page(at, table, render)


@conferences.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await at.exchange.store.read(find, at.account.sid, at.sid))


@frozen
class Update:
    status: str = word("completed")
    announce_url: str = link(bad=21205)
    announce_method: str = http_method(bad=21209)


@conferences.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """`Status=completed` lets everybody go. Raises ApiError 16022 when it is over."""
    found = await at.exchange.store.read(find, at.account.sid, at.sid)
    if found.status == "completed":
        raise ApiError(OVER)
    if form.status:
        found = await at.exchange.store.write(_end, found, clock.utc())
    return render(found)


def _end(connection: Connection, conference: Conference, now: datetime) -> Conference:
    over = replace(
        conference, status="completed", claim=conference.sid, date_updated=now,
        reason_conference_ended="conference-ended-via-api",
    )  # fmt: skip
    table.save(connection, over)
    here = Where("status", "in", HERE)
    for each in participants.all(connection, Where("conference_sid", "=", over.sid), here):
        participants.save(connection, replace(each, status="complete", date_updated=now))
    return over


def find(connection: Connection, account_sid: str, key: str) -> Conference:
    """By SID, or the open one of that name. Raises ApiError 20404."""
    found = table.get(connection, key) or table.named(connection, account_sid, key)
    if found is None or found.account_sid != account_sid:
        raise ApiError(20404)
    return found


def render(conference: Conference) -> Rendering:
    uri = f"{account_uri(conference.account_sid)}/Conferences/{conference.sid}"
    return {
        "account_sid": conference.account_sid,
        "date_created": date(conference.date_created),
        "date_updated": date(conference.date_updated),
        "api_version": conference.api_version,
        "friendly_name": conference.friendly_name,
        "region": conference.region,
        "sid": conference.sid,
        "status": conference.status,
        "uri": uri,
        "subresource_uris": below(uri, "participants", "recordings"),
        "reason_conference_ended": or_none(conference.reason_conference_ended),
        "call_sid_ending_conference": or_none(conference.call_sid_ending_conference),
    }
