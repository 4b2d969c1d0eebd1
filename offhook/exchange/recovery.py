"""After a crash: what it interrupted gets its end, what was owed goes on.

reference: choices of ours. Answered calls are `completed` with the duration to their last record,
unanswered ones `failed`; a BYE goes out for every dialog that was up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from offhook import clock
from offhook.errors import OffhookError
from offhook.exchange import billing, messages, params, recordings, texting
from offhook.exchange.exchange import Exchange
from offhook.exchange.status import owed
from offhook.media import wav
from offhook.model.call import Call
from offhook.model.recording import Recording
from offhook.model.usage import Prices
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.table import Where

log = structlog.get_logger("offhook.recovery")

BEING_MADE = Where("status", "in", ("in-progress", "paused", "processing"))


async def recover(exchange: Exchange) -> None:
    """Run once, before anything new is taken."""
    dialogs = await exchange.store.read(records.dialogs.all)
    url_of = partial(recordings.url_of, exchange)
    ended = await exchange.store.write(_end_everything, url_of, exchange.rules.prices, clock.utc())
    if ended:
        log.warning("ended the calls that a crash interrupted", calls=len(ended))
    carriers = {route.carrier.name: route.carrier for route in exchange.routes}
    for dialog in dialogs:
        if dialog.carrier in carriers:
            exchange.spawn(_bye(carriers[dialog.carrier], dialog.data), "BYE after a crash")
    exchange.notifier.wake()
    for message in await exchange.store.read(records.messages.unsent):
        exchange.spawn(texting.deliver(exchange, message), message.sid)
    await messages.resume(exchange)


async def _bye(carrier: object, data: dict[str, object]) -> None:
    bye = getattr(carrier, "bye", None)
    if bye is None:
        return
    try:
        await bye(data)
    except OffhookError as error:
        log.warning("no BYE could be sent", error=str(error))


def _end_everything(
    connection: Connection, url_of: Callable[[Recording], str], prices: Prices, now: datetime
) -> list[Call]:
    """Recordings first: a call's last callback tells of its own."""
    for recording in records.recordings.all(connection, BEING_MADE):
        _end_recording(connection, recording, url_of, prices, now)
    live = records.calls.live(connection)
    ended = [_end_call(connection, call, url_of, prices) for call in live]
    for dialog in records.dialogs.all(connection):
        records.dialogs.delete(connection, dialog.call_sid)
    return ended


def _end_call(
    connection: Connection, call: Call, url_of: Callable[[Recording], str], prices: Prices
) -> Call:
    latest = max((event.at for event in records.events.of(connection, call.sid)), default=None)
    at = max(filter(None, (latest, call.date_updated)))
    final = call.advanced("completed" if call.status == "in-progress" else "failed", at)
    told: dict[str, str] = {}
    for recording in records.recordings.of(connection, call.sid):
        if recording.source == "OutboundAPI" and recording.status == "completed":
            told = params.recorded(recording, url_of(recording))
    owes, final = owed(final, "completed", at, told)
    final = billing.priced(prices, final)
    records.calls.save(connection, final)
    billing.count_call(connection, final)
    if owes:
        records.callbacks.insert(connection, owes)
    return final


def _end_recording(
    connection: Connection,
    recording: Recording,
    url_of: Callable[[Recording], str],
    prices: Prices,
    now: datetime,
) -> None:
    """One that was being made keeps what is on disk."""
    try:
        seconds = wav.seconds(recording.path)
    except OSError:
        seconds = 0
    final = recordings.ended(recording, seconds, bool(seconds), now)
    final = billing.priced_recording(prices, final)
    records.recordings.save(connection, final)
    billing.count_recording(connection, final)
    if owes := recordings.owed(final, final.status, url_of(final)):
        records.callbacks.insert(connection, owes)
