"""A REST request steers a call that is under way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from offhook import clock
from offhook.errors import ApiError
from offhook.exchange import recordings
from offhook.exchange.exchange import Exchange
from offhook.exchange.recordings import RecordSetting
from offhook.model.call import FINAL, Call
from offhook.model.fetch import Callback, Script
from offhook.model.recording import Recording
from offhook.store import records

NOT_IN_PROGRESS = 21220
WRONG_RECORDING_STATE = 16114


async def current(exchange: Exchange, sid: str) -> Call:
    live = exchange.live.get(sid)
    found = live.record if live else await exchange.store.read(records.calls.get, sid)
    if found is None:
        raise ApiError(20404)
    return found


def _under_way(call: Call) -> None:
    if call.status in FINAL:
        raise ApiError(NOT_IN_PROGRESS, "Call is not in-progress. Cannot redirect.")


async def redirect(exchange: Exchange, call: Call, script: Script) -> Call:
    """Another document at once; for a call that still rings, on its answer."""
    _under_way(call)
    live, attempt = exchange.live.get(call.sid), exchange.attempts.get(call.sid)
    if live:
        kept = script if script.fallback_url else replace(
            script, fallback_url=live.script.fallback_url,
            fallback_method=live.script.fallback_method,
        )  # fmt: skip
        live.script, live.document_url = kept, ""
        live.redirects.put_nowait(script.start)
    elif attempt:
        attempt.script = script
    else:
        raise ApiError(NOT_IN_PROGRESS, "Call is not in-progress. Cannot redirect.")
    return await current(exchange, call.sid)


async def hang_up(exchange: Exchange, call: Call) -> Call:
    """`Status=completed`: ends it in whatever state it is."""
    _under_way(call)
    live, attempt = exchange.live.get(call.sid), exchange.attempts.get(call.sid)
    if live:
        unanswered = "completed" if live.answered else "canceled"
        live.rejected = live.rejected or unanswered  # type: ignore[assignment]
        await live.leg.hang_up()
        return live.record
    if attempt:
        attempt.give_up("canceled")
    return await current(exchange, call.sid)


async def cancel(exchange: Exchange, call: Call) -> Call:
    """`Status=canceled`: only before the answer; has no effect on a call in progress."""
    _under_way(call)
    attempt = exchange.attempts.get(call.sid)
    if attempt:
        attempt.give_up("canceled")
        return replace(call, status="canceled", date_updated=clock.utc())
    live = exchange.live.get(call.sid)
    if live and not live.answered:
        return await hang_up(exchange, call)
    return await current(exchange, call.sid)


async def amend(
    exchange: Exchange,
    call: Call,
    callback: Callback | None = None,
    fallback: tuple[str, str] | None = None,
    time_limit: int | None = None,
) -> Call:
    """Replaces the status callback, the fallback (URL, method) or the time limit (from now)."""
    _under_way(call)
    live = exchange.live.get(call.sid)
    if callback:
        call = replace(await current(exchange, call.sid), callback=callback)
        await exchange.store.write(records.calls.save, call)
    if live:
        live.record = call if callback else live.record
        if fallback:
            live.script = replace(
                live.script, fallback_url=fallback[0], fallback_method=fallback[1]
            )
        if time_limit is not None:
            exchange.spawn(_cut(exchange, call.sid, time_limit), "time limit")
    return await current(exchange, call.sid)


async def _cut(exchange: Exchange, sid: str, seconds: float) -> None:
    await asyncio.sleep(seconds)
    live = exchange.live.get(sid)
    if live:
        live.note(32015)
        await live.leg.hang_up()


async def start_recording(exchange: Exchange, call: Call, setting: RecordSetting) -> Recording:
    """Records a live call from now on."""
    live = exchange.live.get(call.sid)
    if not live or not live.answered:
        raise ApiError(NOT_IN_PROGRESS, "Call is not in-progress. Cannot record.")
    return await recordings.record_call(exchange, live, setting, "StartCallRecordingAPI")


async def steer_recording(
    exchange: Exchange, recording: Recording, status: str, pause_behavior: str = "silence"
) -> Recording:
    """`paused`, `in-progress` again, or `stopped`."""
    taking = exchange.takings.get(recording.sid)
    if taking is None:
        raise ApiError(WRONG_RECORDING_STATE)
    if status == "stopped":
        return replace(await recordings.end(exchange, taking), status="stopped")
    if status == "in-progress":
        taking.recorder.resume()
    else:
        taking.recorder.pause(pause_behavior == "skip")
    taking.recording = replace(taking.recording, status=status, date_updated=clock.utc())  # type: ignore[arg-type]
    await exchange.store.write(records.recordings.save, taking.recording)
    return taking.recording
