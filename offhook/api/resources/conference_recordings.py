"""The recordings of one conference.  reference: REST voice, Conferences."""

from __future__ import annotations

from offhook.api.filters import dates
from offhook.api.formats import Rendering
from offhook.api.paging import page
from offhook.api.rendering import account_uri
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.api.resources import call_recordings, conferences
from offhook.api.resources.recordings import STILL_THERE, remove
from offhook.model.recording import Recording
from offhook.store import records
from offhook.store.table import Where

conference_recordings = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Conferences/{{conference_sid}}/Recordings",
    element="Recording",
    key="recordings",
)


@conference_recordings.get(filters=dates("DateCreated", "date_created"))
async def list_of_conference(at: At) -> Listed:
    return await page(at, records.recordings, render, await _of_conference(at), STILL_THERE)


@conference_recordings.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await _found(at))


@conference_recordings.update(call_recordings.Update)
async def update(at: At, form: call_recordings.Update) -> Rendering:
    return render(await call_recordings.steered(at, await _found(at), form), form.status)


@conference_recordings.delete()
async def delete(at: At) -> None:
    await remove(at, (await _found(at)).sid)


async def _of_conference(at: At) -> Where:
    """Those of the conference in the path. Raises ApiError 20404."""
    key = at.names["conference_sid"]
    conference = await at.exchange.store.read(conferences.find, at.account.sid, key)
    return Where("conference_sid", "=", conference.sid)


async def _found(at: At) -> Recording:
    return await call_recordings.among(at, await _of_conference(at))


def render(found: Recording, status: str = "") -> Rendering:
    """As a call's, but for its track and its URI."""
    shown = dict(call_recordings.render(found, status))
    del shown["track"]
    room = f"{account_uri(found.account_sid)}/Conferences/{found.conference_sid}"
    return shown | {"uri": f"{room}/Recordings/{found.sid}"}
