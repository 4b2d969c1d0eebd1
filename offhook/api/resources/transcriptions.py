"""Recordings in writing, of the account and of one recording.  reference: Recordings."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import PlainTextResponse

from offhook.api.formats import Rendering
from offhook.api.paging import page
from offhook.api.reach import fetched, owned
from offhook.api.rendering import account_uri, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.model.gatherings import Transcription
from offhook.store import records
from offhook.store.gatherings import transcriptions as table
from offhook.store.store import Connection
from offhook.store.table import Where

_ACCOUNT = f"/{VERSION}/Accounts/{{account_sid}}"
transcriptions = Resource(
    f"{_ACCOUNT}/Transcriptions", element="Transcription", key="transcriptions"
)
recording_transcriptions = Resource(
    f"{_ACCOUNT}/Recordings/{{recording_sid}}/Transcriptions",
    element="Transcription",
    key="transcriptions",
)


@transcriptions.get()
async def list_transcriptions(at: At) -> Listed:
    return await page(at, table, render)


@recording_transcriptions.get()
async def list_of_recording(at: At) -> Listed:
    recording = await fetched(at, records.recordings, at.names["recording_sid"])
    return await page(at, table, render, Where("recording_sid", "=", recording.sid))


@transcriptions.get("/{sid}")
@recording_transcriptions.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await at.exchange.store.read(_found, at.names, at.account.sid))


@transcriptions.get("/{sid}", suffixes=("txt",))
async def read(at: At) -> PlainTextResponse:
    found = await at.exchange.store.read(_found, at.names, at.account.sid)
    return PlainTextResponse(found.transcription_text)


@transcriptions.delete()
@recording_transcriptions.delete()
async def delete(at: At) -> None:
    """Raises ApiError 20009 while it is made."""
    await at.exchange.store.write(_delete, at.names, at.account.sid)


def _delete(connection: Connection, names: Mapping[str, str], account_sid: str) -> None:
    found = _found(connection, names, account_sid)
    if found.status == "in-progress":
        raise ApiError(20009)
    table.delete(connection, found.sid)


def _found(connection: Connection, names: Mapping[str, str], account_sid: str) -> Transcription:
    found = owned(connection, table, account_sid, names["sid"])
    if names.get("recording_sid", found.recording_sid) != found.recording_sid:
        raise ApiError(20404)
    return found


def render(found: Transcription) -> Rendering:
    return {
        "account_sid": found.account_sid,
        "api_version": found.api_version,
        "date_created": date(found.date_created),
        "date_updated": date(found.date_updated),
        "duration": str(found.duration),
        "price": found.price,
        "price_unit": found.price_unit,
        "recording_sid": found.recording_sid,
        "sid": found.sid,
        "status": found.status,
        "transcription_text": or_none(found.transcription_text),
        "type": found.type,
        "uri": f"{account_uri(found.account_sid)}/Transcriptions/{found.sid}",
    }
