"""Once a minute: numbers pay their month, and triggers that have come true fire.

reference: accounts, Usage triggers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import structlog

from offhook import clock, sids
from offhook.exchange.exchange import Exchange
from offhook.exchange.status import pending
from offhook.model.dates import rfc2822
from offhook.model.journal import PendingCallback
from offhook.model.usage import (
    Prices,
    Sums,
    UsageTrigger,
    current_value,
    month_after,
    of_number,
    period_of,
    shown,
)
from offhook.store import records
from offhook.store import usage as store
from offhook.store.store import Connection

log = structlog.get_logger("offhook.usage")

MINUTE = 60.0


async def keep(exchange: Exchange) -> None:
    """Runs for ever."""
    while True:
        try:
            await settle(exchange)
        except Exception:  # the next minute may go better, and calls need none of this
            log.exception("usage not settled")
        await asyncio.sleep(MINUTE)


async def settle(exchange: Exchange) -> None:
    """What is due now: rents, then triggers with their callbacks.

    It is looked for among the readers, so that calls need not wait for a thousand triggers.
    """
    now = clock.utc()
    if await exchange.store.read(store.unpaid, now):
        await exchange.store.write(_pay_rents, exchange.rules.prices, now)
    if due := await exchange.store.read(_due, now):
        await exchange.store.write(_fire, due, now)
        exchange.notifier.wake()


def _pay_rents(connection: Connection, prices: Prices, now: datetime) -> None:
    """Each month counts on its first day, also those that passed while nobody looked."""
    store.forget_released(connection)
    for rent in store.unpaid(connection, now):
        begins = rent.paid_until or rent.since
        while begins <= now:
            used = of_number(rent.type, prices.number(rent.type))
            store.add(connection, rent.account_sid, begins, used)
            begins = month_after(begins, rent.since.day)
        store.paid(connection, rent.sid, begins)


def _due(connection: Connection, now: datetime) -> list[str]:
    """The SIDs of the triggers that have come true."""
    return [
        trigger.sid
        for trigger in store.triggers.all(connection)
        if trigger.is_due(value(connection, trigger, now), now.date())
    ]


def _fire(connection: Connection, due: Sequence[str], now: datetime) -> None:
    """Those that were due a moment ago, unless they have changed meanwhile."""
    for trigger in filter(None, (store.triggers.get(connection, sid) for sid in due)):
        current = value(connection, trigger, now)
        if trigger.is_due(current, now.date()):
            store.triggers.save(connection, replace(trigger, date_fired=now))
            records.callbacks.insert(connection, _callback(trigger, current, now))


def value(connection: Connection, trigger: UsageTrigger, now: datetime) -> Decimal:
    """What the trigger watches, of its account and the subaccounts, in its period."""
    accounts = store.family(connection, trigger.account_sid)
    period = period_of(trigger.recurring, now.date())
    found = store.sums(connection, accounts, period, category=trigger.usage_category)
    return current_value(trigger, found.get(("", trigger.usage_category), Sums()))


def record_uri(trigger: UsageTrigger) -> str:
    """Where the usage is that the trigger watches, without a suffix."""
    base = f"/2010-04-01/Accounts/{trigger.account_sid}/Usage/Records"
    paths = {"daily": "/Today", "monthly": "/ThisMonth", "yearly": "/Yearly", "alltime": "/AllTime"}
    return f"{base}{paths.get(trigger.recurring, '')}?Category={trigger.usage_category}"


def _callback(trigger: UsageTrigger, current: Decimal, now: datetime) -> PendingCallback:
    uri, _, query = record_uri(trigger).partition("?")
    sent = {
        "AccountSid": trigger.account_sid,
        "UsageTriggerSid": trigger.sid,
        "DateFired": rfc2822(now),
        "Recurring": trigger.recurring,
        "UsageCategory": trigger.usage_category,
        "TriggerBy": trigger.trigger_by,
        "TriggerValue": threshold(trigger),
        "CurrentValue": shown(current),
        "UsageRecordUri": f"{uri}.json?{query}",
        "IdempotencyToken": sids.uuid(),
    }
    return pending(
        trigger.sid, trigger.account_sid, trigger.callback_url, trigger.callback_method, sent,
        now, "usage",
    )  # fmt: skip


def threshold(trigger: UsageTrigger) -> str:
    """The value at which it fires, with six decimals."""
    return f"{Decimal(trigger.trigger_value):.6f}"
