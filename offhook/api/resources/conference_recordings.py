"""The recordings of one conference.  reference: REST voice, Conferences."""

from __future__ import annotations

from dataclasses import dataclass

from offhook.api.formats import Rendering
from offhook.api.forms import word
from offhook.api.paging import dates, page
from offhook.api.reach import fetched
from offhook.api.rendering import account_uri
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.api.resources import call_recordings, conferences
from offhook.api.resources.recordings import LIVE, STILL_THERE, remove
from offhook.errors import ApiError
from offhook.exchange import control
from offhook.model.recording import Recording
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.table import Where

conference_recordings = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Conferences/{{conference_sid}}/Recordings",
    element="Recording",
    key="recordings",
)


@conference_recordings.get()
async def list_of_conference(at: At) -> Listed:
    where = [
        Where("conference_sid", "=", await _conference_sid(at)),
        Where("account_sid", "=", at.account.sid),
        STILL_THERE,
        *dates(at.sent, "DateCreated", "date_created"),
    ]
    return await page(at, records.recordings, where, render)


@conference_recordings.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await _found(at))


@dataclass(frozen=True, slots=True)
class Update:
    status: str = word("in-progress", "paused", "stopped", missing=20001)
    pause_behavior: str = word("skip", "silence", default="silence")


@conference_recordings.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """Pauses, resumes or ends it. Raises ApiError 16114 when it is not under way."""
    found = await _found(at)
    steered = await control.steer_recording(at.exchange, found, form.status, form.pause_behavior)
    return render(steered, form.status)


@conference_recordings.delete()
async def delete(at: At) -> None:
    await remove(at, (await _found(at)).sid)


async def _conference_sid(at: At) -> str:
    key = at.names["conference_sid"]
    return (await at.exchange.store.read(conferences.find, at.account.sid, key)).sid


async def _found(at: At) -> Recording:
    """The one named, or the only one under way as `Twilio.CURRENT`."""
    conference_sid = await _conference_sid(at)
    if at.sid == call_recordings.CURRENT:
        return await at.exchange.store.read(_only, conference_sid)
    found = await fetched(at, records.recordings, at.sid)
    if found.conference_sid != conference_sid or found.status == "deleted":
        raise ApiError(20404)
    return found


def _only(connection: Connection, conference_sid: str) -> Recording:
    under_way = records.recordings.all(
        connection, Where("conference_sid", "=", conference_sid), Where("status", "in", LIVE)
    )
    if len(under_way) != 1:
        raise ApiError(20404)
    return under_way[0]


def render(found: Recording, status: str = "") -> Rendering:
    """As a call's, but for its track and its URI."""
    shown = dict(call_recordings.render(found, status))
    del shown["track"]
    room = f"{account_uri(found.account_sid)}/Conferences/{found.conference_sid}"
    return shown | {"uri": f"{room}/Recordings/{found.sid}"}
