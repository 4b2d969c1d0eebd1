"""Triggers: told when usage reaches a value.  reference: accounts, Usage triggers."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from offhook import clock, sids
from offhook.api.filters import exactly
from offhook.api.formats import Rendering
from offhook.api.forms import given, http_method, link, text, word
from offhook.api.paging import page
from offhook.api.reach import changed, deleted, fetched
from offhook.api.rendering import account_uri, date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.exchange import usage
from offhook.frozen import frozen
from offhook.model.usage import CATEGORIES, MOST_TRIGGERS, OTHERS, UsageTrigger, shown
from offhook.store.store import Connection
from offhook.store.table import Where
from offhook.store.usage import triggers as table

triggers = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Usage/Triggers",
    element="UsageTrigger",
    key="usage_triggers",
)

_VALUE = re.compile(r"[+ ]?\d{1,12}(\.\d{1,6})?")


@frozen
class Create:
    callback_url: str = link(missing=20001, bad=21456)
    trigger_value: str = text(missing=20001, pattern=_VALUE.pattern)
    usage_category: str = word(*CATEGORIES, *sorted(OTHERS), missing=20001)
    callback_method: str = http_method(bad=21403)
    friendly_name: str = text(bad=20002, longest=64)
    recurring: str = word("daily", "monthly", "yearly", "alltime")
    trigger_by: str = word("count", "usage", "price", default="usage")


@triggers.create(Create)
async def create(at: At, form: Create) -> Rendering:
    """A value that begins with `+` is that much more than now."""
    now = clock.utc()
    made = UsageTrigger(
        sids.new("UT"), at.account.sid, form.usage_category, form.trigger_value,
        form.callback_url, now, now, form.callback_method, form.friendly_name,
        form.recurring, form.trigger_by,  # type: ignore[arg-type]
        api_version=at.version,
    )  # fmt: skip
    return _render(at, *await at.exchange.store.write(_insert, made, now))


def _insert(
    connection: Connection, made: UsageTrigger, now: datetime
) -> tuple[UsageTrigger, Decimal]:
    if table.count(connection, [Where("account_sid", "=", made.account_sid)]) >= MOST_TRIGGERS:
        raise ApiError(20403, f"An account has {MOST_TRIGGERS} usage triggers at most", 400)
    current = usage.value(connection, made, now)
    asked = Decimal(made.trigger_value.strip(" +"))
    is_offset = made.trigger_value[0] in " +"  # a + that a client did not encode is a blank
    if not asked and not is_offset:
        raise ApiError(20001, "TriggerValue must be more than 0")
    made = replace(made, trigger_value=str(asked + current if is_offset else asked))
    table.insert(connection, made)
    return made, current


@triggers.get(
    filters=exactly(Recurring="recurring", TriggerBy="trigger_by", UsageCategory="usage_category")
)
async def list_triggers(at: At) -> Listed:
    listed = await page(at, table, lambda each: {"trigger": each})
    found = [each["trigger"] for each in listed.items]
    values = await at.exchange.store.read(_values, found, clock.utc())
    rendered = [_render(at, each, value) for each, value in zip(found, values, strict=True)]
    return Listed(rendered, listed.paging)


def _values(connection: Connection, found: list[UsageTrigger], now: datetime) -> list[Decimal]:
    return [usage.value(connection, each, now) for each in found]


@triggers.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return await _rendered(at, await fetched(at, table, at.sid))


@frozen
class Update:
    callback_method: str | None = http_method(None, bad=21403)
    callback_url: str | None = link(None, bad=21456)
    friendly_name: str | None = text(None, bad=20002, longest=64)


@triggers.update(Update)
async def update(at: At, form: Update) -> Rendering:
    return await _rendered(at, await changed(at, table, given(form)))


@triggers.delete()
async def delete(at: At) -> None:
    await deleted(at, table)


async def _rendered(at: At, trigger: UsageTrigger) -> Rendering:
    [value] = await at.exchange.store.read(_values, [trigger], clock.utc())
    return _render(at, trigger, value)


def _render(at: At, trigger: UsageTrigger, current: Decimal) -> Rendering:
    path, _, query = usage.record_uri(trigger).partition("?")
    suffix = ".json" if at.format == "json" else ""
    return {
        "account_sid": trigger.account_sid,
        "api_version": trigger.api_version,
        "callback_method": trigger.callback_method,
        "callback_url": trigger.callback_url,
        "current_value": shown(current),
        "date_created": date(trigger.date_created),
        "date_fired": date(trigger.date_fired),
        "date_updated": date(trigger.date_updated),
        "friendly_name": trigger.friendly_name,
        "recurring": trigger.recurring or None,
        "sid": trigger.sid,
        "trigger_by": trigger.trigger_by,
        "trigger_value": usage.threshold(trigger),
        "uri": f"{account_uri(trigger.account_sid)}/Usage/Triggers/{trigger.sid}",
        "usage_category": trigger.usage_category,
        "usage_record_uri": f"{path}{suffix}?{query}",
    }
