"""A call's recordings, begun and steered while it lasts.  reference: call subresources."""

from __future__ import annotations

from offhook.api.filters import dates
from offhook.api.formats import Rendering
from offhook.api.forms import http_method, link, word, words
from offhook.api.paging import page
from offhook.api.reach import fetched
from offhook.api.rendering import account_uri, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.api.resources.recordings import LIVE, STILL_THERE, duration, remove
from offhook.errors import ApiError
from offhook.exchange import control
from offhook.exchange.recordings import RecordSetting
from offhook.frozen import frozen
from offhook.model.fetch import Callback
from offhook.model.recording import Recording
from offhook.store import records
from offhook.store.table import Where

call_recordings = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Calls/{{call_sid}}/Recordings",
    element="Recording",
    key="recordings",
)

CURRENT = "Twilio.CURRENT"


@frozen
class Create:
    recording_status_callback_event: tuple[str, ...] = words("completed")
    recording_status_callback: str = link(bad=21205)
    recording_status_callback_method: str = http_method(bad=21209)
    trim: str = word("trim-silence", "do-not-trim", default="do-not-trim")
    recording_channels: str = word("mono", "dual", default="mono")
    recording_track: str = word("inbound", "outbound", "both", default="both")


@call_recordings.create(Create)
async def create(at: At, form: Create) -> Rendering:
    """Records the call from now on. Raises ApiError 21220 when it is not in progress."""
    call = await fetched(at, records.calls, at.names["call_sid"])
    callback = Callback(
        form.recording_status_callback,
        form.recording_status_callback_method,
        form.recording_status_callback_event,
    )
    channels = 2 if form.recording_channels == "dual" else 1
    setting = RecordSetting(channels, form.recording_track, form.trim == "trim-silence", callback)
    return render(await control.start_recording(at.exchange, call, setting))


@call_recordings.get(filters=dates("DateCreated", "date_created"))
async def list_of_call(at: At) -> Listed:
    call = await fetched(at, records.calls, at.names["call_sid"])
    return await page(at, records.recordings, render, Where("call_sid", "=", call.sid), STILL_THERE)


@call_recordings.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await _found(at))


@frozen
class Update:
    status: str = word("in-progress", "paused", "stopped", missing=20001)
    pause_behavior: str = word("skip", "silence", default="silence")


@call_recordings.update(Update)
async def update(at: At, form: Update) -> Rendering:
    return render(await steered(at, await _found(at), form), form.status)


async def steered(at: At, found: Recording, form: Update) -> Recording:
    """Pauses, resumes or ends it. Raises ApiError 16114 when it is not under way."""
    return await control.steer_recording(at.exchange, found, form.status, form.pause_behavior)


@call_recordings.delete()
async def delete(at: At) -> None:
    await remove(at, (await _found(at)).sid)


async def _found(at: At) -> Recording:
    return await among(at, Where("call_sid", "=", at.names["call_sid"]))


async def among(at: At, these: Where) -> Recording:
    """Of these recordings the one in the path, or the only one under way as `Twilio.CURRENT`.

    Raises ApiError 20404.
    """
    own = Where("account_sid", "=", at.account.sid)
    which = Where("status", "in", LIVE) if at.sid == CURRENT else Where("sid", "=", at.sid)
    found = await at.exchange.store.read(records.recordings.all, own, these, which, STILL_THERE)
    if len(found) != 1:
        raise ApiError(20404)
    return found[0]


def render(found: Recording, status: str = "") -> Rendering:
    """`status` is what an update asked for: its answer tells that, and no price yet."""
    uri = f"{account_uri(found.account_sid)}/Calls/{found.call_sid}/Recordings/{found.sid}"
    return {
        "account_sid": found.account_sid,
        "api_version": found.api_version,
        "call_sid": found.call_sid,
        "conference_sid": or_none(found.conference_sid),
        "date_created": date(found.date_created),
        "date_updated": date(found.date_updated),
        "start_time": date(found.start_time),
        "duration": duration(found),
        "sid": found.sid,
        "price": None if status else found.price,
        "uri": uri,
        "encryption_details": None,
        "price_unit": found.price_unit,
        "status": status or found.status,
        "channels": found.channels,
        "source": found.source,
        "error_code": found.error_code or None,
        "track": found.track,
    }
