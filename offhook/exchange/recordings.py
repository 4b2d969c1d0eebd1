"""Recordings: of a caller by `<Record>`, of a bridge by `<Dial>`, of a whole call by REST."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from offhook import clock, sids
from offhook.aio import race, within
from offhook.errors import DocumentError
from offhook.exchange import billing, params
from offhook.exchange.exchange import Exchange, Taking
from offhook.exchange.status import pending
from offhook.frozen import frozen
from offhook.line.leg import HungUp
from offhook.line.live_call import LiveCall
from offhook.line.orders import RecordOutcome, RecordVerb
from offhook.line.ringtones import BEEP, BEEP_SECONDS
from offhook.media.plane import Recorded, RecordOrder, Source
from offhook.model.call import Call
from offhook.model.fetch import Callback
from offhook.model.journal import PendingCallback
from offhook.model.recording import Recording, Status
from offhook.model.recording import Source as MadeBy
from offhook.store import records
from offhook.store.store import Connection

BAD_CALLBACK = 13256

Channels = tuple[tuple[Source, ...], ...]


@frozen
class RecordSetting:
    """How a whole call is recorded: `track` is inbound, outbound or both."""

    channels: int = 1
    track: str = "both"
    trim: bool = True
    callback: Callback = Callback()


def url_of(exchange: Exchange, recording: Recording) -> str:
    """Where the recording is to be had, without an extension."""
    base = exchange.rules.public_url.rstrip("/")
    return f"{base}/2010-04-01/Accounts/{recording.account_sid}/Recordings/{recording.sid}"


async def begin(
    exchange: Exchange,
    call: Call,
    made_by: MadeBy,
    channels: Channels,
    *,
    callback: Callback = Callback(),
    track: str = "both",
    whole_call: bool = False,
    **how: Any,
) -> Taking:
    """Starts one; `how` is RecordOrder's max_seconds, silence_seconds and trim."""
    at, sid = clock.utc(), sids.new("RE")
    folder = exchange.rules.data / "recordings" / call.account_sid
    folder.mkdir(parents=True, exist_ok=True)
    recording = Recording(
        sid, call.account_sid, call.sid, made_by, at, at, at, path=str(folder / f"{sid}.wav"),
        channels=len(channels), track=track, callback=callback, api_version=call.api_version,
    )  # fmt: skip
    recorder = await exchange.media.record(RecordOrder(recording.path, channels, **how))
    taking = Taking(recording, recorder, whole_call)
    exchange.takings[sid] = taking
    try:
        await exchange.surely(_store(exchange, recording, "in-progress", new=True))
    except BaseException:  # nobody knows of it who would end it
        exchange.spawn(end(exchange, taking), sid)
        raise
    return taking


async def end(exchange: Exchange, taking: Taking, recorded: Recorded | None = None) -> Recording:
    """Stops it and tells its callback; without a single frame it is `absent`."""
    if taking.ending is None:
        exchange.takings.pop(taking.recording.sid, None)
        taking.ending = exchange.spawn(_end(exchange, taking, recorded), taking.recording.sid)
    return await asyncio.shield(taking.ending)


async def _end(exchange: Exchange, taking: Taking, recorded: Recorded | None) -> Recording:
    recorded = recorded or await taking.recorder.stop()
    at, sounded = clock.utc(), bool(recorded.frames)
    final = ended(taking.recording, recorded.seconds, sounded, at)
    taking.recording = final = billing.priced_recording(exchange.rules.prices, final)
    await _store(exchange, final, final.status)
    return final


def ended(recording: Recording, seconds: float, something: bool, at: datetime) -> Recording:
    """Completed, or absent when not a single frame was received."""
    return replace(
        recording, status="completed" if something else "absent",
        error_code=0 if something else 16101, date_updated=at,
        duration=max(1, round(seconds)) if something else 0,
    )  # fmt: skip


async def mark(exchange: Exchange, taking: Taking, status: Status) -> Recording:
    """Paused, or going on."""
    taking.recording = replace(taking.recording, status=status, date_updated=clock.utc())
    await exchange.surely(exchange.store.write(records.recordings.save, taking.recording))
    return taking.recording


async def _store(exchange: Exchange, recording: Recording, event: str, new: bool = False) -> None:
    owes = owed(recording, event, url_of(exchange, recording))

    def write(connection: Connection) -> None:
        (records.recordings.insert if new else records.recordings.save)(connection, recording)
        billing.count_recording(connection, recording)
        if owes:
            records.callbacks.insert(connection, owes)

    await (exchange.store.write if new else exchange.store.write_at_last)(write)
    if owes:
        exchange.notifier.wake()
    told = {"sid": recording.sid, "status": recording.status, "seconds": recording.duration}
    exchange.journal.add(recording.call_sid, recording.account_sid, "recording", told)


def owed(recording: Recording, event: str, url: str) -> PendingCallback | None:
    """The callback that `event` owes: in-progress, completed or absent."""
    wanted = recording.callback
    if not wanted.url or event not in wanted.events:
        return None
    sent = params.recording_status(recording, url, event)
    return pending(
        recording.call_sid, recording.account_sid, wanted.url, wanted.method, sent,
        recording.date_updated, "recording",
    )  # fmt: skip


def absolute(live: LiveCall, callback: Callback, code: int = 0) -> Callback:
    """The callback with its URL resolved against the current document's.

    Where it stays relative nobody is told, and the debugger knows (`code`, or the document's).
    """
    if not callback.url:
        return callback
    try:
        return replace(callback, url=live.resolve(callback.url))
    except DocumentError as error:
        live.note(code or error.code, error.message)
        return replace(callback, url="")


async def record_verb(exchange: Exchange, live: LiveCall, order: RecordVerb) -> RecordOutcome:
    """`<Record>`: the caller's sound until silence, a key, the limit or the hook."""
    if order.play_beep:
        try:
            await live.on_line(within(BEEP_SECONDS, live.leg.media.play_tone(BEEP)))
        except HungUp:
            return RecordOutcome(None, "hangup")
    live.forget_keys()
    taking = await begin(
        exchange, live.record, "RecordVerb", (((live.leg.media, "in"),),),
        callback=absolute(live, order.callback, BAD_CALLBACK), track="inbound",
        max_seconds=order.max_length, silence_seconds=order.timeout, trim=order.trim,
    )  # fmt: skip
    ended: list[Recorded] = []

    async def over() -> str:
        ended.append(await taking.recorder.done())
        return ""

    try:
        digits = await race(over(), _pressed(live, order.finish_on_key))
    finally:
        recording = await end(exchange, taking, ended[0] if ended else None)
    if ended and ended[0].reason == "ended":
        digits = "hangup"
    return RecordOutcome(recording if recording.status == "completed" else None, digits)


async def _pressed(live: LiveCall, keys: str) -> str:
    """The first key that ends the recording."""
    while True:
        key: str = await live.leg.media.keys.get()
        if key in keys:
            return key


def channels_of(near: Source, far: Source, track: str, dual: bool) -> Channels:
    """`inbound` is what `near` brings, `outbound` what `far` does; one of them alone is mono."""
    if track == "inbound":
        return ((near,),)
    if track == "outbound":
        return ((far,),)
    return ((near,), (far,)) if dual else ((near, far),)


async def record_call(
    exchange: Exchange, live: LiveCall, setting: RecordSetting, made_by: MadeBy
) -> Recording:
    """The whole call from now on, until it ends or REST stops it."""
    leg, dual = live.leg.media, setting.channels == 2
    taking = await begin(
        exchange, live.record, made_by,
        channels_of((leg, "in"), (leg, "out"), setting.track, dual),
        callback=setting.callback, track=setting.track, whole_call=made_by == "OutboundAPI",
        max_seconds=exchange.rules.call_limit, trim=setting.trim,
    )  # fmt: skip
    return taking.recording


async def end_with_call(exchange: Exchange, call: Call) -> Mapping[str, str]:
    """Ends the call's recordings. Gives what the last status callback says of a Record=true one."""
    said: dict[str, str] = {}
    for taking in [
        each for each in exchange.takings.values() if each.recording.call_sid == call.sid
    ]:
        recording = await end(exchange, taking)
        if taking.whole_call and recording.status == "completed":
            said = params.recorded(recording, url_of(exchange, recording))
    return said
