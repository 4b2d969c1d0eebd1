"""Who is in a conference.  reference: REST voice, Participants."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from offhook import clock, sids
from offhook.api.addresses import called, caller_id, calling
from offhook.api.filters import flags
from offhook.api.formats import Rendering
from offhook.api.forms import (
    address,
    flag,
    given,
    http_method,
    link,
    text,
    whole,
    word,
    words,
)
from offhook.api.paging import page
from offhook.api.reach import fetched
from offhook.api.rendering import account_uri, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.api.resources import conferences
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.gatherings import HERE, Conference, Participant
from offhook.store import records
from offhook.store.gatherings import participants as table
from offhook.store.store import Connection
from offhook.store.table import Where

participants = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Conferences/{{conference_sid}}/Participants",
    element="Participant",
    key="participants",
)

BAD_LABEL, LABEL_TAKEN, COACHED_HOLDS, COACHED_ABSENT = 16024, 16026, 16027, 16028
FULL, OVER, NOT_ADDED = 16020, 16022, 16030
LONGEST_LABEL = 128


@frozen
class Create:
    from_: str = text(missing=21213)
    to: str = address(missing=21201, bad=21211)
    status_callback: str = link(bad=21205)
    status_callback_method: str = http_method(bad=21209)
    status_callback_event: tuple[str, ...] = words("completed")
    label: str = text(bad=BAD_LABEL, longest=LONGEST_LABEL)
    timeout: int = whole(60, 5, 600, bad=21208)
    record: bool = flag()
    muted: bool = flag()
    beep: str = word("true", "false", "onEnter", "onExit", default="true")
    start_conference_on_enter: bool = flag(True)
    end_conference_on_exit: bool = flag()
    wait_url: str = link(bad=21205)
    wait_method: str = http_method(bad=21209)
    early_media: bool = flag(True)
    max_participants: int = whole(250, 2, 250)
    conference_record: str = word(
        "true", "false", "record-from-start", "do-not-record", default="false"
    )
    conference_trim: str = word("trim-silence", "do-not-trim", default="trim-silence")
    conference_status_callback: str = link(bad=21205)
    conference_status_callback_method: str = http_method(bad=21209)
    conference_status_callback_event: tuple[str, ...] = words("start", "end")
    recording_channels: str = word("mono", "dual", default="mono")
    recording_status_callback: str = link(bad=21205)
    recording_status_callback_method: str = http_method(bad=21209)
    sip_auth_username: str = text()
    sip_auth_password: str = text()
    region: str = text()
    conference_recording_status_callback: str = link(bad=21205)
    conference_recording_status_callback_method: str = http_method(bad=21209)
    recording_status_callback_event: tuple[str, ...] = words("completed")
    conference_recording_status_callback_event: tuple[str, ...] = words("completed")
    coaching: bool | None = flag(None)
    call_sid_to_coach: str = text()
    jitter_buffer_size: str = word("off", "small", "medium", "large", default="large")
    byoc: str = text(pattern="", bad=21300)
    caller_id: str = text()
    call_reason: str = text()
    recording_track: str = word("inbound", "outbound", "both", default="both")
    time_limit: int = whole(14400, 1, 14400, cap=True)
    machine_detection: str = word("Enable", "DetectMessageEnd", bad=21234)
    machine_detection_timeout: int = whole(30, 3, 60, bad=21263)
    machine_detection_speech_threshold: int = whole(2400, 1000, 6000, bad=21263)
    machine_detection_speech_end_threshold: int = whole(1200, 500, 5000, bad=21263)
    machine_detection_silence_timeout: int = whole(5000, 2000, 10000, bad=21263)
    amd_status_callback: str = link(bad=21205)
    amd_status_callback_method: str = http_method(bad=21209)
    trim: str = word("trim-silence", "do-not-trim", default="trim-silence")
    call_token: str = text()
    client_notification_url: str = link(bad=13806)
    caller_display_name: str = text(longest=255)


@participants.create(Create)
async def create(at: At, form: Create) -> Rendering:
    """Raises ApiError: of the addresses as Calls does, 16020 to 16028, and 16030."""
    to = form.to.strip()
    if to.startswith("app:"):
        await _application(at, to.removeprefix("app:").partition("?")[0])
    else:
        to = called(at, to)
        await calling(at, form.from_, to)
    if form.caller_id:
        await caller_id(at, form.caller_id)
    await at.exchange.store.read(_admit, at.account.sid, at.names["conference_sid"], form)
    raise ApiError(NOT_ADDED, "This Offhook does not connect calls to conferences by REST yet")


async def _application(at: At, sid: str) -> None:
    try:
        await fetched(at, records.applications, sid)
    except ApiError:
        raise ApiError(21218) from None


def _admit(connection: Connection, account_sid: str, key: str, form: Create) -> None:
    """Whether the room takes this one; a name that no open room has would open one."""
    if sids.is_sid(form.label, "CA"):
        raise ApiError(BAD_LABEL, "Label must not look like a CallSid")
    room = _room(connection, account_sid, key)
    if room is None:
        _check_coach(connection, None, form.coaching, form.call_sid_to_coach)
        return
    here = [Where("conference_sid", "=", room.sid), Where("status", "in", HERE)]
    if table.count(connection, here) >= form.max_participants:
        raise ApiError(FULL)
    if form.label and table.one(connection, room.sid, form.label):
        raise ApiError(LABEL_TAKEN)
    _check_coach(connection, room, form.coaching, form.call_sid_to_coach)


def _room(connection: Connection, account_sid: str, key: str) -> Conference | None:
    """None when that name opens a room. Raises ApiError 20404 or 16022."""
    try:
        room = conferences.find(connection, account_sid, key)
    except ApiError:
        if sids.is_sid(key, "CF"):
            raise
        return None
    if room.status == "completed":
        raise ApiError(OVER)
    return room


def _check_coach(
    connection: Connection, room: Conference | None, coaching: bool | None, target: str
) -> None:
    """Whom one coaches must be there, and not on hold. Raises ApiError 16027 or 16028."""
    if coaching is False or (coaching is None and not target):
        return
    coached = table.one(connection, room.sid, target) if room and target else None
    if coached is None:
        raise ApiError(COACHED_ABSENT)
    if coached.hold:
        raise ApiError(COACHED_HOLDS)


@participants.get(filters=flags(Muted="muted", Hold="hold", Coaching="coaching"))
async def list_participants(at: At) -> Listed:
    """Those who are there."""
    room = await at.exchange.store.read(
        conferences.find, at.account.sid, at.names["conference_sid"]
    )
    of_room = Where("conference_sid", "=", room.sid)
    return await page(at, table, render, of_room, Where("status", "in", HERE))


@participants.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await at.exchange.store.read(_found, *_path(at)))


@frozen
class Update:
    muted: str | None = text(None)
    hold: bool | None = flag(None)
    hold_url: str = link(bad=21205)
    hold_method: str = http_method("GET", bad=21209)
    announce_url: str = link(bad=21205)
    announce_method: str = http_method(bad=21209)
    wait_url: str = link(bad=21205)
    wait_method: str = http_method(bad=21209)
    beep_on_exit: bool | None = flag(None)
    end_conference_on_exit: bool | None = flag(None)
    coaching: bool | None = flag(None)
    call_sid_to_coach: str | None = text(None)


@participants.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """Raises ApiError 16027 or 16028 when nobody can be coached so."""
    return render(await at.exchange.store.write(_change, *_path(at), form, clock.utc()))


def _change(
    connection: Connection, account_sid: str, room_key: str, key: str, form: Update, now: datetime
) -> Participant:
    found = _found(connection, account_sid, room_key, key)
    names = {"hold", "end_conference_on_exit", "coaching", "call_sid_to_coach"}
    changes: dict[str, Any] = {name: value for name, value in given(form).items() if name in names}
    if form.muted is not None:
        changes["muted"] = form.muted.lower() == "true"
    if form.call_sid_to_coach:
        changes.setdefault("coaching", True)
    if changes.get("coaching"):
        room = conferences.find(connection, account_sid, found.conference_sid)
        target = form.call_sid_to_coach or found.call_sid_to_coach
        _check_coach(connection, room, True, target)
    changed = replace(found, date_updated=now, **changes)
    table.save(connection, changed)
    return changed


@participants.delete()
async def delete(at: At) -> None:
    """Out of the room."""
    await at.exchange.store.write(_remove, *_path(at), clock.utc())


def _remove(
    connection: Connection, account_sid: str, room_key: str, key: str, now: datetime
) -> None:
    found = _found(connection, account_sid, room_key, key)
    table.save(connection, replace(found, status="complete", date_updated=now))


def _path(at: At) -> tuple[str, str, str]:
    return at.account.sid, at.names["conference_sid"], at.sid


def _found(connection: Connection, account_sid: str, room_key: str, key: str) -> Participant:
    """By CallSid or label. Raises ApiError 20404."""
    room = conferences.find(connection, account_sid, room_key)
    found = table.one(connection, room.sid, key)
    if found is None:
        raise ApiError(20404)
    return found


def render(one: Participant) -> Rendering:
    room = f"{account_uri(one.account_sid)}/Conferences/{one.conference_sid}"
    return {
        "account_sid": one.account_sid,
        "call_sid": one.call_sid,
        "label": or_none(one.label),
        "call_sid_to_coach": or_none(one.call_sid_to_coach),
        "coaching": one.coaching,
        "conference_sid": one.conference_sid,
        "date_created": date(one.date_created),
        "date_updated": date(one.date_updated),
        "end_conference_on_exit": one.end_conference_on_exit,
        "muted": one.muted,
        "hold": one.hold,
        "start_conference_on_enter": one.start_conference_on_enter,
        "status": one.status,
        "queue_time": None if one.queue_time is None else str(one.queue_time),
        "uri": f"{room}/Participants/{one.call_sid}",
    }
