"""What was used, by category and period.  reference: accounts, Usage records."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlencode

from offhook import clock
from offhook.api import forms
from offhook.api.formats import Rendering
from offhook.api.forms import flag, text
from offhook.api.paging import Position, numbered
from offhook.api.rendering import account_uri
from offhook.api.resource import VERSION, At, Listed, Resource, Run
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.usage import CATEGORIES, MILLION, TOTAL, Period, Sums, shown
from offhook.store.store import Connection
from offhook.store.usage import DAY, MONTH, YEAR, family, sums

_OFFSET = re.compile(r"([+-]?\d{1,5})days?")
MOST_DAYS = 36_600


@frozen
class Wanted:
    category: str = text()
    start_date: str = text()
    end_date: str = text()
    include_subaccounts: bool = flag(True)


class Granularity(NamedTuple):
    """`part` is how much of a date names a row's period; 0 makes one row of all days.

    `period` is fixed for the resources that are named after one.
    """

    name: str
    part: int = 0
    period: Callable[[date], Period] | None = None


def _this_month(today: date) -> Period:
    return Period(today.replace(day=1), today)


def _last_month(today: date) -> Period:
    last = today.replace(day=1) - timedelta(days=1)
    return Period(last.replace(day=1), last)


def _yesterday(today: date) -> Period:
    day = today - timedelta(days=1)
    return Period(day, day)


GRANULARITIES = (
    Granularity(""),
    Granularity("AllTime"),
    Granularity("Daily", DAY),
    Granularity("LastMonth", period=_last_month),
    Granularity("Monthly", MONTH),
    Granularity("ThisMonth", period=_this_month),
    Granularity("Today", period=lambda today: Period(today, today)),
    Granularity("Yearly", YEAR),
    Granularity("Yesterday", period=_yesterday),
)


def _list(granularity: Granularity) -> Run:
    async def list_records(at: At, wanted: Wanted) -> Listed:
        """A row for each category and period, the latest period first."""
        now = clock.utc()
        periods = _periods(granularity, _asked(at, granularity, wanted, now.date()))
        categories = [
            name for name in CATEGORIES if wanted.category in ("", name)
        ]  # a category that does not exist has no rows
        position = forms.read(Position, at.sent)
        size, start = position.page_size, position.page * position.page_size
        end = min(start + size, len(periods) * len(categories))
        rows = [
            (periods[index // len(categories)], categories[index % len(categories)])
            for index in range(start, end)
        ]
        found = await _found(at, granularity, wanted, rows)
        items = [_render(at, granularity, wanted, now, each, found) for each in rows]
        is_last = end >= len(periods) * len(categories)
        return Listed(items, numbered(at, position, len(items), is_last=is_last))

    return list_records


Row = tuple[Period, str]
Found = dict[tuple[str, str], Sums]


async def _found(at: At, granularity: Granularity, wanted: Wanted, rows: list[Row]) -> Found:
    if not rows:
        return {}
    whole = Period(min(row[0].first for row in rows), max(row[0].last for row in rows))

    def read(connection: Connection) -> Found:
        own = at.account.sid
        accounts = family(connection, own) if wanted.include_subaccounts else [own]
        return sums(connection, accounts, whole, granularity.part, wanted.category)

    return await at.exchange.store.read(read)


def _asked(at: At, granularity: Granularity, wanted: Wanted, today: date) -> Period:
    """The days that the query is about: from the account's first one to today, unless it says."""
    if granularity.period:
        return granularity.period(today)
    first = _day("StartDate", wanted.start_date, today, at.account.date_created.date())
    last = _day("EndDate", wanted.end_date, today, today)
    if (last - first).days > MOST_DAYS:
        raise ApiError(20001, "StartDate and EndDate are too far apart", 400)
    return Period(first, last)


def _day(name: str, value: str, today: date, otherwise: date) -> date:
    """`YYYY-MM-DD`, or an offset from today such as `-30days`. Raises ApiError 20001."""
    if not value:
        return otherwise
    try:
        if offset := _OFFSET.fullmatch(value):
            return today + timedelta(days=int(offset[1]))
        return datetime.strptime(value[:10], "%Y-%m-%d").date()
    except (ValueError, OverflowError):
        raise ApiError(20001, f"{name} is not a date: {value[:60]}", 400) from None


def _periods(granularity: Granularity, asked: Period) -> list[Period]:
    """Newest first; the first and the last one are cut to what was asked for."""
    if asked.first > asked.last:
        return []
    if not granularity.part:
        return [asked]
    periods, last = list[Period](), asked.last
    while last >= asked.first:
        first = max(_begin(granularity.part, last), asked.first)
        periods.append(Period(first, last))
        if first == date.min:
            break
        last = first - timedelta(days=1)
    return periods


def _begin(part: int, day: date) -> date:
    if part == DAY:
        return day
    return day.replace(day=1) if part == MONTH else day.replace(month=1, day=1)


def _render(
    at: At, granularity: Granularity, wanted: Wanted, now: datetime, row: Row, found: Found
) -> Rendering:
    period, name = row
    key = period.first.isoformat()[: granularity.part]
    used, category = found.get((key, name), Sums()), CATEGORIES[name]
    price = shown(Decimal(used.price) / MILLION)
    currency = at.exchange.rules.prices.currency.lower()
    base = f"{account_uri(at.account.sid)}/Usage/Records"
    days = {"StartDate": period.first.isoformat(), "EndDate": period.last.isoformat()}
    query = urlencode({"Category": name} | days)
    path = f"{base}/{granularity.name}" if granularity.name else base
    return {
        "account_sid": at.account.sid,
        "api_version": at.version,
        "as_of": now.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "category": name,
        "count": str(used.count),
        "count_unit": category.count_unit,
        "description": category.description,
        "end_date": period.last.isoformat(),
        "price": price,
        "price_unit": currency,
        "start_date": period.first.isoformat(),
        "subresource_uris": {
            key: f"{base}/{each}?Category={name}" for key, each in _SUBRESOURCES.items()
        },
        "uri": f"{path}?{query}",
        "usage": price if name == TOTAL else str(used.usage),
        "usage_unit": currency if name == TOTAL else category.usage_unit,
    }


_SUBRESOURCES = {
    re.sub(r"(?<!^)([A-Z])", r"_\1", each.name).lower(): each.name
    for each in GRANULARITIES
    if each.name
}


def _resource(granularity: Granularity) -> Resource:
    path = f"/{VERSION}/Accounts/{{account_sid}}/Usage/Records"
    path += f"/{granularity.name}" if granularity.name else ""
    made = Resource(path, element="UsageRecord", key="usage_records")
    made.get(form=Wanted)(_list(granularity))
    return made


(
    records, all_time, daily, last_month, monthly, this_month, today, yearly, yesterday,
) = map(_resource, GRANULARITIES)  # fmt: skip
