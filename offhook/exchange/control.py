"""A REST request steers a call that is under way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from offhook import clock
from offhook.aio import within
from offhook.errors import ApiError
from offhook.exchange import recordings, status
from offhook.exchange.exchange import Attempt, Exchange
from offhook.exchange.recordings import RecordSetting
from offhook.line.live_call import LiveCall
from offhook.model.call import FINAL, Call
from offhook.model.fetch import Callback, Script
from offhook.model.recording import Recording
from offhook.store import records

NOT_IN_PROGRESS = 21220
WRONG_RECORDING_STATE = 16114
PATIENCE = 5.0  # seconds that a REST request waits for a call to end


async def current(exchange: Exchange, sid: str) -> Call:
    held = _held(exchange, sid)
    found = held.record if held else await exchange.store.read(records.calls.get, sid)
    if found is None:
        raise ApiError(20404)
    return found


def _held(exchange: Exchange, sid: str) -> LiveCall | Attempt | None:
    return exchange.live.get(sid) or exchange.attempts.get(sid)


def _under_way(exchange: Exchange, sid: str) -> LiveCall | Attempt:
    """The call, live or being placed. Raises ApiError 21220 when it is over."""
    held = _held(exchange, sid)
    if held is None or held.record.status in FINAL:
        raise ApiError(NOT_IN_PROGRESS, "Call is not in-progress. Cannot redirect.")
    return held


async def redirect(exchange: Exchange, call: Call, script: Script) -> Call:
    """Another document at once; for a call that still rings, on its answer."""
    held = _under_way(exchange, call.sid)
    if isinstance(held, LiveCall) and (held.closing or held.gone):
        raise ApiError(NOT_IN_PROGRESS, "Call is not in-progress. Cannot redirect.")
    before = held.script
    if before and not script.fallback_url:
        url, method = before.fallback_url, before.fallback_method
        script = replace(script, fallback_url=url, fallback_method=method)
    held.script = script
    if isinstance(held, LiveCall):
        held.document_url = ""
        held.redirects.put(script.start)
    return held.record


async def hang_up(exchange: Exchange, call: Call) -> Call:
    """`Status=completed`: ends it in whatever state it is."""
    return await _end(exchange, _under_way(exchange, call.sid))


async def cancel(exchange: Exchange, call: Call) -> Call:
    """`Status=canceled`: only before the answer; has no effect on a call in progress."""
    held = _under_way(exchange, call.sid)
    if isinstance(held, LiveCall) and held.answered:
        return held.record
    return await _end(exchange, held)


async def _end(exchange: Exchange, held: LiveCall | Attempt) -> Call:
    """Gives the record once it is final; a phone that takes its time over a BYE is not waited
    for."""
    if isinstance(held, Attempt):
        held.give_up("canceled")
    else:
        held.rejected = held.rejected or "canceled"
        exchange.spawn(held.leg.hang_up(), "hung up by REST")
    await within(PATIENCE, held.over.wait())
    return held.record


async def amend(
    exchange: Exchange,
    call: Call,
    callback: Callback | None = None,
    fallback: tuple[str, str] | None = None,
    time_limit: int | None = None,
) -> Call:
    """Replaces the status callback, the fallback (URL, method) or the time limit, which counts from
    now, of a call that rings from its answer."""
    held = _under_way(exchange, call.sid)
    if fallback and held.script:
        url, method = fallback
        held.script = replace(held.script, fallback_url=url, fallback_method=method)
    if time_limit is not None:
        limit(exchange, held, time_limit)
    if callback:
        await status.amend(exchange, held, callback=callback)
    return held.record


def limit(exchange: Exchange, held: LiveCall | Attempt, seconds: float) -> None:
    """In place of the limit so far; a phone that was dialled runs no documents and had none."""
    if isinstance(held, Attempt):
        held.time_limit = seconds
    elif held.limit and not held.limit.expired():
        held.limit.reschedule(clock.now() + seconds)
    else:
        exchange.spawn(_cut(held, seconds), "time limit")


async def _cut(live: LiveCall, seconds: float) -> None:
    """A crossing end of the call ends the waiting too."""
    try:
        async with asyncio.timeout(seconds) as live.limit:
            await live.over.wait()
    except TimeoutError:
        live.note(32015)
        await live.leg.hang_up()


async def start_recording(exchange: Exchange, call: Call, setting: RecordSetting) -> Recording:
    """Records a live call from now on."""
    live = exchange.live.get(call.sid)
    if not live or not live.answered or live.gone:
        raise ApiError(NOT_IN_PROGRESS, "Call is not in-progress. Cannot record.")
    return await recordings.record_call(exchange, live, setting, "StartCallRecordingAPI")


async def steer_recording(
    exchange: Exchange, recording: Recording, to: str, pause_behavior: str = "silence"
) -> Recording:
    """`paused`, `in-progress` again, or `stopped`."""
    taking = exchange.takings.get(recording.sid)
    if taking is None:
        raise ApiError(WRONG_RECORDING_STATE)
    if to == "stopped":
        return replace(await recordings.end(exchange, taking), status="stopped")
    if to == "paused":
        taking.recorder.pause(pause_behavior == "skip")
        return await recordings.mark(exchange, taking, "paused")
    taking.recorder.resume()
    return await recordings.mark(exchange, taking, "in-progress")
