"""A call's status: the record, its callbacks and its story move together, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from offhook import clock, sids
from offhook.exchange import billing, params
from offhook.exchange.exchange import Exchange
from offhook.frozen import changed
from offhook.model.call import FINAL, Call, Status
from offhook.model.journal import LiveDialog, PendingCallback
from offhook.store import records
from offhook.store.store import Connection

EVENT_OF: dict[Status, str] = {"ringing": "ringing", "in-progress": "answered"}
EVENT_OF |= dict.fromkeys(FINAL, "completed")


class Held(Protocol):
    """Who has a call's record while it lasts. It changes there at once, and is stored in order."""

    record: Call


async def advance(
    exchange: Exchange,
    held: Held,
    to: Status,
    *,
    at: datetime | None = None,
    dialog: LiveDialog | None = None,
    more: Mapping[str, str] | None = None,
    silent: bool = False,
    **changes: Any,
) -> Call:
    """The call in its next status, stored, with the callback it owes (with `more` parameters)."""
    at = at or clock.utc()
    advanced = held.record.advanced(to, at, **changes)
    held.record = billing.priced(exchange.rules.prices, advanced)
    if to in FINAL:
        exchange.counts["call", advanced.direction, to] += 1
    event = "" if silent else EVENT_OF[to]
    owes, held.record = owed(held.record, event, clock.utc(), more or {})
    return await exchange.surely(_store(exchange, held.record, event, owes, dialog))


async def announce(exchange: Exchange, held: Held, event: str) -> Call:
    """An event that changes no status: `initiated`."""
    owes, held.record = owed(held.record, event, clock.utc(), {})
    return await exchange.surely(_store(exchange, held.record, event, owes, None))


async def amend(exchange: Exchange, held: Held, **changes: Any) -> Call:
    """The record with other changes, stored."""
    held.record = changed(held.record, **changes)
    return await exchange.surely(_store(exchange, held.record, "", None, None))


async def _store(
    exchange: Exchange,
    call: Call,
    event: str,
    owes: PendingCallback | None,
    dialog: LiveDialog | None,
) -> Call:
    def write(connection: Connection) -> None:
        records.calls.save(connection, call)
        if owes:
            records.callbacks.insert(connection, owes)
        if dialog:
            records.dialogs.insert(connection, dialog)
        if call.status in FINAL:
            records.dialogs.delete(connection, call.sid)
        if event == "completed":
            billing.count_call(connection, call)

    store = exchange.store
    await (store.write_at_last if call.status in FINAL else store.write)(write)
    if owes:
        exchange.notifier.wake()
    told = {"status": call.status, "event": event}
    if call.sip_response_code:
        told["sip_response_code"] = str(call.sip_response_code)
    exchange.journal.add(call.sid, call.account_sid, "status", told)
    return call


def owed(
    call: Call, event: str, at: datetime, more: Mapping[str, str]
) -> tuple[PendingCallback | None, Call]:
    """The callback that `event` owes, and the call with it counted."""
    if not call.callback.url or event not in call.callback.events:
        return None, call
    sent = params.progress(call, event, at, call.callbacks_sent) | dict(more)
    counted = changed(call, callbacks_sent=call.callbacks_sent + 1)
    return pending(
        call.sid, call.account_sid, call.callback.url, call.callback.method, sent, at
    ), counted


def pending(
    subject: str,
    account_sid: str,
    url: str,
    method: str,
    sent: Mapping[str, str],
    at: datetime,
    kind: str = "status",
) -> PendingCallback:
    """An asynchronous request to be made, with a token of its own."""
    return PendingCallback(
        subject, account_sid, url, method, tuple(sent.items()), sids.uuid(), at, kind
    )
