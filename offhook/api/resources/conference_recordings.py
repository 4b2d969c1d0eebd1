"""The recordings of one conference.  reference: REST voice, Conferences."""

from __future__ import annotations

from offhook.api.filters import dates
from offhook.api.formats import Rendering
from offhook.api.paging import page
from offhook.api.reach import fetched
from offhook.api.rendering import account_uri
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.api.resources import call_recordings, conferences
from offhook.api.resources.recordings import STILL_THERE, remove
from offhook.errors import ApiError
from offhook.model.recording import Recording
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.table import Where

conference_recordings = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Conferences/{{conference_sid}}/Recordings",
    element="Recording",
    key="recordings",
)


@conference_recordings.get(filters=dates("DateCreated", "date_created"))
async def list_of_conference(at: At) -> Listed:
    of_conference = Where("conference_sid", "=", await _conference_sid(at))
    return await page(at, records.recordings, render, of_conference, STILL_THERE)


@conference_recordings.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await _found(at))


@conference_recordings.update(call_recordings.Update)
async def update(at: At, form: call_recordings.Update) -> Rendering:
    return render(await call_recordings.steered(at, await _found(at), form), form.status)


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
    of_conference = Where("conference_sid", "=", conference_sid)
    return call_recordings.only(records.recordings.all(connection, of_conference))


def render(found: Recording, status: str = "") -> Rendering:
    """As a call's, but for its track and its URI."""
    shown = dict(call_recordings.render(found, status))
    del shown["track"]
    room = f"{account_uri(found.account_sid)}/Conferences/{found.conference_sid}"
    return shown | {"uri": f"{room}/Recordings/{found.sid}"}
