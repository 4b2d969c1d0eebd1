"""Recordings: their records, and their sound as WAV and MP3.  reference: Recordings."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from starlette.responses import Response

from offhook import clock
from offhook.api.files import File, forget, is_there, off_loop
from offhook.api.filters import dates, exactly
from offhook.api.formats import Rendering
from offhook.api.forms import flag, whole
from offhook.api.paging import page
from offhook.api.reach import fetched, owned
from offhook.api.rendering import account_uri, below, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.api.sound import Bytes, mono
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.recording import Recording
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.table import Where

recordings = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Recordings", element="Recording", key="recordings"
)

LIVE = ("in-progress", "paused", "stopped", "processing")
_PLAIN = {"in-progress": "processing", "paused": "processing", "stopped": "processing"}


@frozen
class Wanted:
    include_soft_deleted: bool = flag()


@frozen
class Heard:
    requested_channels: int = whole(0, 1, 2, bad=16113)


@recordings.get(
    form=Wanted,
    filters=(
        *exactly(CallSid="call_sid", ConferenceSid="conference_sid"),
        *dates("DateCreated", "date_created"),
    ),
)
async def list_recordings(at: At, form: Wanted) -> Listed:
    where = [] if form.include_soft_deleted else [STILL_THERE]
    return await page(at, records.recordings, lambda each: render(each, base_url(at)), *where)


STILL_THERE = Where("status", "in", (*LIVE, "completed", "absent", "failed"))


@recordings.get("/{sid}", form=Wanted, suffixes=("json", "xml"))
async def fetch(at: At, form: Wanted) -> Rendering:
    found = await fetched(at, records.recordings, at.sid)
    if found.status == "deleted" and not form.include_soft_deleted:
        raise ApiError(20404)
    return render(found, base_url(at))


@recordings.get("/{sid}", suffixes=("", "wav"), open=True, form=Heard)
async def wav(at: At, form: Heard) -> Response:
    """The sound; whoever knows the address may have it. Raises ApiError 16113 or 20404."""
    found, mixed = await _sound(at, form.requested_channels)
    if mixed:
        return Bytes(await off_loop("a mix", lambda: mono(found.path)), media_type="audio/x-wav")
    return File(found.path, media_type="audio/x-wav")


@recordings.get("/{sid}", suffixes=("mp3",), open=True, form=Heard)
async def mp3(at: At, form: Heard) -> Response:
    found, mixed = await _sound(at, form.requested_channels)
    encoded = await at.exchange.speech.mp3(found.path, "mix" if mixed else None)
    return Bytes(encoded, media_type="audio/mpeg")


async def _sound(at: At, wanted: int) -> tuple[Recording, bool]:
    """A recording that can be heard, and whether its two channels are wanted as one."""
    found = await fetched(at, records.recordings, at.sid)
    if found.status != "completed" or not await is_there(found.path):
        raise ApiError(20404)
    if wanted > found.channels:
        raise ApiError(16113, status=400)
    return found, 0 < wanted < found.channels


@recordings.delete()
async def delete(at: At) -> None:
    """Its sound goes, its record stays as `deleted`. Raises ApiError 20009 while it is made."""
    await remove(at, at.sid)


async def remove(at: At, sid: str) -> None:
    """The sound first: a crash must not leave it behind without a record."""
    found = await at.exchange.store.read(_deletable, at.account.sid, sid)
    await forget(found.path)
    await at.exchange.store.write(_delete, at.account.sid, sid, clock.utc())


def _delete(connection: Connection, account_sid: str, sid: str, now: datetime) -> None:
    found = _deletable(connection, account_sid, sid)
    gone = replace(found, status="deleted", path="", date_updated=now)
    records.recordings.save(connection, gone)


def _deletable(connection: Connection, account_sid: str, sid: str) -> Recording:
    found = owned(connection, records.recordings, account_sid, sid)
    if found.status == "deleted":
        raise ApiError(20404)
    if found.status in LIVE:
        raise ApiError(20009, status=409)
    return found


def base_url(at: At) -> str:
    """Where this installation is to be reached from outside."""
    return at.exchange.rules.public_url.rstrip("/") or str(at.request.base_url).rstrip("/")


def duration(found: Recording) -> str | None:
    return None if found.duration is None else str(found.duration)


def render(found: Recording, base: str) -> Rendering:
    uri = f"{account_uri(found.account_sid)}/Recordings/{found.sid}"
    return {
        "account_sid": found.account_sid,
        "api_version": found.api_version,
        "call_sid": or_none(found.call_sid),
        "conference_sid": or_none(found.conference_sid),
        "date_created": date(found.date_created),
        "date_updated": date(found.date_updated),
        "start_time": date(found.start_time),
        "duration": duration(found),
        "sid": found.sid,
        "price": found.price,
        "price_unit": found.price_unit,
        "status": _PLAIN.get(found.status, found.status),
        "channels": found.channels,
        "source": found.source,
        "error_code": found.error_code or None,
        "uri": uri,
        "encryption_details": None,
        "subresource_uris": below(uri, "add_on_results", "transcriptions"),
        "media_url": f"{base}{uri}",
    }
