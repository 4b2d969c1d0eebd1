"""A call's sound on its way elsewhere: streams, SIPREC and transcriptions as one speaks.

reference: REST voice, call subresources; streams sections 1, 3 and 4.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from offhook import clock
from offhook.api.formats import Rendering
from offhook.api.forms import flag, http_method, link, text, word
from offhook.api.reach import fetched
from offhook.api.rendering import account_uri, date, or_none
from offhook.api.resource import VERSION, At, Resource
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.call import Call
from offhook.model.gatherings import Fork, ForkKind
from offhook.store import records
from offhook.store.gatherings import forks as table
from offhook.store.store import Connection

_CALL = f"/{VERSION}/Accounts/{{account_sid}}/Calls/{{call_sid}}"
streams = Resource(f"{_CALL}/Streams", element="Stream", key="streams")
siprec = Resource(f"{_CALL}/Siprec", element="Siprec", key="siprec")
call_transcriptions = Resource(
    f"{_CALL}/Transcriptions", element="Transcription", key="transcriptions"
)

NOT_IN_PROGRESS = 21220
STREAM_FAILED, BAD_CONNECTOR, BAD_TRACK, REFUSED, BAD_SETTINGS = 31900, 31940, 31941, 32651, 32650
LONGEST_PARAMETER = 500
PATHS: dict[ForkKind, str] = {
    "stream": "Streams",
    "siprec": "Siprec",
    "transcription": "Transcriptions",
}
TRACKS = ("inbound_track", "outbound_track", "both_tracks")
_NUMBERED = re.compile(r"Parameter([1-9]\d?)\.(Name|Value)")


@frozen
class CreateStream:
    url: str = text(missing=21205)
    name: str = text()
    track: str = word(*TRACKS, default="inbound_track", bad=BAD_TRACK)
    status_callback: str = link(bad=21205)
    status_callback_method: str = http_method(bad=21209)


@streams.create(CreateStream, status=200)
async def create_stream(at: At, form: CreateStream) -> Rendering:
    """Raises ApiError 21205, 21220, or 31900: no stream can be opened yet."""
    parameters(at)
    url = urlsplit(form.url)
    if url.scheme not in ("wss", "ws") or not url.hostname:
        raise ApiError(21205, f"{form.url[:200]} is not a WebSocket URL")
    await in_progress(at)
    raise ApiError(STREAM_FAILED, "This Offhook does not open streams by REST yet")


@frozen
class CreateSiprec:
    name: str = text()
    connector_name: str = text()
    track: str = word(*TRACKS, default="both_tracks", bad=BAD_TRACK)
    status_callback: str = link(bad=21205)
    status_callback_method: str = http_method(bad=21209)


@siprec.create(CreateSiprec, status=200)
async def create_siprec(at: At, form: CreateSiprec) -> Rendering:
    """Raises ApiError 21220, or 31940: there is no recorder of that name."""
    parameters(at)
    await in_progress(at)
    raise ApiError(BAD_CONNECTOR, f"There is no connector {form.connector_name[:100]!r}")


@frozen
class CreateTranscription:
    name: str = text()
    track: str = word(*TRACKS, default="both_tracks", bad=BAD_SETTINGS)
    status_callback_url: str = link(bad=21205)
    status_callback_method: str = http_method(bad=21209)
    inbound_track_label: str = text()
    outbound_track_label: str = text()
    partial_results: bool = flag()
    language_code: str = text("en-US")
    transcription_engine: str = word("google", "deepgram", default="google", bad=BAD_SETTINGS)
    profanity_filter: bool = flag(True)
    speech_model: str = text("telephony")
    hints: str = text()
    enable_automatic_punctuation: bool = flag(True)
    intelligence_service: str = text()
    conversation_configuration: str = text()
    conversation_id: str = text()
    configuration_id: str = text()
    enable_provider_data: bool = flag()


@call_transcriptions.create(CreateTranscription, status=200)
async def create_transcription(at: At, form: CreateTranscription) -> Rendering:
    """Raises ApiError 32650, 21220, or 32651: nothing can be transcribed yet."""
    await in_progress(at)
    raise ApiError(REFUSED, "This Offhook does not transcribe calls by REST yet")


@frozen
class Update:
    status: str = word("stopped", missing=20001)


@streams.update(Update)
async def stop_stream(at: At, form: Update) -> Rendering:
    return await _stop(at, "stream")


@siprec.update(Update)
async def stop_siprec(at: At, form: Update) -> Rendering:
    return await _stop(at, "siprec")


@call_transcriptions.update(Update)
async def stop_transcription(at: At, form: Update) -> Rendering:
    return await _stop(at, "transcription")


async def _stop(at: At, kind: ForkKind) -> Rendering:
    """By SID or name; one that has stopped stays so."""
    call = await fetched(at, records.calls, at.names["call_sid"])
    stopped = await at.exchange.store.write(_stopped, call.sid, kind, at.sid, clock.utc())
    return render(stopped)


def _stopped(
    connection: Connection, call_sid: str, kind: ForkKind, key: str, now: datetime
) -> Fork:
    found = table.one(connection, call_sid, kind, key)
    if found is None:
        raise ApiError(20404)
    if found.status != "stopped":
        found = replace(found, status="stopped", date_updated=now)
        table.save(connection, found)
    return found


async def in_progress(at: At) -> Call:
    """The call in the path. Raises ApiError 20404, or 21220 when it is not in progress."""
    call = await fetched(at, records.calls, at.names["call_sid"])
    if call.status != "in-progress":
        raise ApiError(NOT_IN_PROGRESS, "Call is not in-progress.")
    return call


def parameters(at: At) -> dict[str, str]:
    """`Parameter1.Name` and `Parameter1.Value` to 99 as pairs. Raises ApiError 20001."""
    told: dict[str, dict[str, str]] = {}
    for name, values in at.sent.items():
        if numbered := _NUMBERED.fullmatch(name):
            told.setdefault(numbered[1], {})[numbered[2]] = values[-1]
    pairs = {each.get("Name", ""): each.get("Value", "") for each in told.values()}
    for name, value in pairs.items():
        if not name or len(name) + len(value) > LONGEST_PARAMETER:
            raise ApiError(
                20001, f"A parameter needs a name, and {LONGEST_PARAMETER} characters at most"
            )
    return pairs


def render(fork: Fork) -> Rendering:
    call = f"{account_uri(fork.account_sid)}/Calls/{fork.call_sid}"
    shown: dict[str, Any] = {
        "sid": fork.sid,
        "account_sid": fork.account_sid,
        "call_sid": fork.call_sid,
        "name": or_none(fork.name),
        "status": fork.status,
        "date_updated": date(fork.date_updated),
        "uri": f"{call}/{PATHS[fork.kind]}/{fork.sid}",
    }
    return shown
