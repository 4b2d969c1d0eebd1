"""What was used, summed up by day and category as it happens, and the triggers that watch it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from offhook.frozen import frozen
from offhook.model.usage import Period, Sums, UsageTrigger, Used
from offhook.store import records
from offhook.store.columns import RowId, UtcDateTime, metadata
from offhook.store.prepared import Prepared
from offhook.store.table import Records

DAY, MONTH, YEAR = 10, 7, 4  # how much of a date names the period: YYYY-MM-DD

_days = Table(
    "usage_days",
    metadata,
    Column("row", RowId, primary_key=True),
    Column("slot", Text, nullable=False),
    Column("account_sid", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("usage", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    Column("price", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
    UniqueConstraint("slot"),
    Index("ix_usage_days_account_sid_day", "account_sid", "day"),
    sqlite_autoincrement=True,
)
_rents = Table(
    "number_rents",
    metadata,
    Column("sid", Text, primary_key=True),
    Column("paid_until", UtcDateTime, nullable=False),
)

triggers = Records(UsageTrigger, "usage_triggers", ("account_sid", "date_created", "row"))


def add(connection: Connection, account_sid: str, at: datetime, used: Sequence[Used]) -> None:
    """Counts it on the day of `at`."""
    day = at.date().isoformat()
    rows = [
        {
            "slot": f"{account_sid}/{day}/{each.category}", "account_sid": account_sid, "day": day,
            "category": each.category, "count": each.count, "usage": each.usage,
            "price": each.price,
        }
        for each in used
    ]  # fmt: skip
    if rows:
        _counting(connection.dialect.name).run_many(connection, rows)


@cache
def _counting(dialect: str) -> Prepared:
    """Adds to what is there."""
    dialects: Any = sqlite if dialect == "sqlite" else postgresql
    insert = dialects.insert(_days)
    sums = {name: _days.c[name] + insert.excluded[name] for name in ("count", "usage", "price")}
    names = [column.name for column in _days.c if column is not _days.c.row]
    return Prepared(insert.on_conflict_do_update(index_elements=["slot"], set_=sums), names)


def sums(
    connection: Connection,
    account_sids: Sequence[str],
    period: Period,
    by: int = 0,
    category: str = "",
) -> dict[tuple[str, str], Sums]:
    """What these accounts used, by (part of the date, category); the part is "" when `by` is 0."""
    c = _days.c
    part = func.substr(c.day, 1, by)
    query = (
        select(part, c.category, func.sum(c.count), func.sum(c.usage), func.sum(c.price))
        .where(
            c.account_sid.in_(account_sids),
            c.day >= period.first.isoformat(),
            c.day <= period.last.isoformat(),
        )
        .group_by(part, c.category)
    )
    if category:
        query = query.where(c.category == category)
    return {
        (row[0], row[1]): Sums(*(int(number) for number in row[2:]))
        for row in connection.execute(query)
    }


def family(connection: Connection, account_sid: str) -> list[str]:
    """The account and its subaccounts."""
    below = records.accounts.alike(connection, owner_account_sid=account_sid)
    return [account_sid, *(each.sid for each in below if each.sid != account_sid)]


@frozen
class Rent:
    """A number whose month is over, or which is new: then `paid_until` is None."""

    sid: str
    account_sid: str
    type: str
    since: datetime
    paid_until: datetime | None


def unpaid(connection: Connection, now: datetime) -> list[Rent]:
    numbers = records.numbers.table
    query = select(
        numbers.c.sid,
        numbers.c.account_sid,
        numbers.c.type,
        numbers.c.date_created,
        _rents.c.paid_until,
    ).select_from(numbers.outerjoin(_rents, _rents.c.sid == numbers.c.sid))
    due = _rents.c.paid_until.is_(None) | (_rents.c.paid_until <= now)
    return [Rent(*row) for row in connection.execute(query.where(due))]


def paid(connection: Connection, sid: str, until: datetime) -> None:
    connection.execute(_rents.delete().where(_rents.c.sid == sid))
    connection.execute(_rents.insert(), {"sid": sid, "paid_until": until})


def forget_released(connection: Connection) -> None:
    """Rents of numbers that are gone."""
    numbers = select(records.numbers.table.c.sid)
    connection.execute(_rents.delete().where(_rents.c.sid.not_in(numbers)))
