"""What is kept for a while is forgotten in time: traces, and recordings with their files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from offhook import clock
from offhook.exchange.exchange import Exchange
from offhook.model.recording import Recording
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.table import Where

log = structlog.get_logger("offhook.exchange")

HOUR = 3600.0


async def keep(exchange: Exchange, trace_days: float, recording_days: float) -> None:
    """Runs for ever, once an hour. 0 days keeps for ever."""
    while True:
        try:
            await _forget(exchange, trace_days, recording_days)
        except Exception:  # the next hour may go better
            log.exception("what is old was not forgotten")
        await asyncio.sleep(HOUR)


async def _forget(exchange: Exchange, trace_days: float, recording_days: float) -> None:
    """Recordings first: on a full disk there is room for the rest then."""
    now = clock.utc()
    if recording_days:
        await _forget_recordings(exchange, now - timedelta(days=recording_days))
    await exchange.store.write(records.facts.forget, now)
    if trace_days:
        await _forget_traces(exchange, now - timedelta(days=trace_days))


async def _forget_traces(exchange: Exchange, before: datetime) -> None:
    """What happened on calls, and what the debugger was told."""
    while await exchange.store.write(records.events.forget, before):
        await asyncio.sleep(0)
    while await exchange.store.write(records.notifications.forget, before):
        await asyncio.sleep(0)


async def _forget_recordings(exchange: Exchange, before: datetime) -> None:
    """The record stays, `deleted`, as after a DELETE; the sound goes, before a crash can leave it
    behind without a record."""
    old = [Where("date_created", "<", before), Where("status", "=", "completed")]
    while found := await exchange.store.read(records.recordings.page, old, 200):
        with clock.outside("recordings, to be removed"):
            await asyncio.to_thread(_remove, [each.path for each in found])
        await exchange.store.write(_deleted, found, clock.utc())


def _deleted(connection: Connection, found: Sequence[Recording], at: datetime) -> None:
    for each in found:
        gone = replace(each, status="deleted", path="", date_updated=at)
        records.recordings.save(connection, gone)


def _remove(paths: list[str]) -> None:
    for path in paths:
        Path(path).unlink(missing_ok=True)
