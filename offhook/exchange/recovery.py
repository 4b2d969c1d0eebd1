"""After a crash: what it interrupted gets its end, what was owed goes on.

reference: choices of ours. Answered calls are `completed` with the duration to their last record,
unanswered ones `failed`; a BYE goes out for every dialog that was up.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from offhook.errors import OffhookError
from offhook.exchange import texting
from offhook.exchange.exchange import Exchange
from offhook.exchange.status import owed
from offhook.model.call import Call
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.table import Where

log = structlog.get_logger("offhook.recovery")


async def recover(exchange: Exchange) -> None:
    """Run once, before anything new is taken."""
    dialogs = await exchange.store.read(records.dialogs.all)
    ended = await exchange.store.write(_end_calls)
    await exchange.store.write(_end_recordings)
    if ended:
        log.warning("ended the calls that a crash interrupted", calls=len(ended))
    for dialog in dialogs:
        for route in exchange.routes:
            if route.carrier.name == dialog.carrier:
                await _bye(exchange, route.carrier, dialog.data)
                break
    await exchange.store.write(_forget_dialogs)
    exchange.notifier.wake()
    for message in await exchange.store.read(records.messages.unsent):
        exchange.spawn(texting.deliver(exchange, message), message.sid)


async def _bye(exchange: Exchange, carrier: object, data: dict[str, object]) -> None:
    bye = getattr(carrier, "bye", None)
    if bye is None:
        return
    try:
        await bye(data)
    except OffhookError as error:
        log.warning("no BYE could be sent", error=str(error))


def _end_calls(connection: Connection) -> list[Call]:
    ended = []
    for call in records.calls.live(connection):
        latest = max((event.at for event in records.events.of(connection, call.sid)), default=None)
        at = max(filter(None, (latest, call.date_updated)))
        final = call.advanced("completed" if call.status == "in-progress" else "failed", at)
        pending, final = owed(final, "completed", at, {})
        records.calls.save(connection, final)
        if pending:
            records.callbacks.insert(connection, pending)
        ended.append(final)
    return ended


def _end_recordings(connection: Connection) -> None:
    """A recording that was being made keeps what is on disk."""
    being_made = Where("status", "in", ("in-progress", "paused", "processing"))
    for recording in records.recordings.all(connection, being_made):
        records.recordings.save(connection, replace(recording, status="completed"))


def _forget_dialogs(connection: Connection) -> None:
    for dialog in records.dialogs.all(connection):
        records.dialogs.delete(connection, dialog.call_sid)
