"""What the query of a list asks for: parameters that each stand for a condition on its records.

reference: REST conventions section 5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

from offhook.api.forms import Schema, Sent
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.store.table import Where

_END = datetime.max.replace(tzinfo=UTC)
_DATE: Schema = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
}


@frozen
class Filter:
    """`meant` gives the conditions that a value stands for, or raises ApiError. `schema` describes
    the parameter (OpenAPI)."""

    name: str
    meant: Callable[[str], list[Where]]
    schema: Schema = field(default_factory=lambda: {"type": "string"})


Filters = tuple[Filter, ...]


def wanted(filters: Iterable[Filter], sent: Sent) -> list[Where]:
    """The conditions of what was sent; the last of several values counts, an empty one does not."""
    values = ((each, sent.get(each.name, [""])[-1]) for each in filters)
    return [where for each, value in values if value for where in each.meant(value)]


def exactly(**names: str) -> Filters:
    """A field is the parameter's value."""
    return tuple(Filter(name, partial(_equal, field)) for name, field in names.items())


def flags(**names: str) -> Filters:
    """A field is true when the parameter is, in any case, and else false."""
    return tuple(
        Filter(name, partial(_flag, field), {"type": "boolean"}) for name, field in names.items()
    )


def dates(name: str, field: str, *, until: Literal["<", "<="] = "<=") -> Filters:
    """`Name`, `Name<` and `Name>`, of a GMT day or a moment.

    `Name>` is on or after. `Name<` is on or before, or strictly before where `until` is "<".
    """
    return tuple(
        Filter(name + sign, partial(_dated, name + sign, field, sign, until), _DATE)
        for sign in ("", "<", ">")
    )


def _equal(field: str, value: str) -> list[Where]:
    return [Where(field, "=", value)]


def _flag(field: str, value: str) -> list[Where]:
    return [Where(field, "=", value.lower() == "true")]


def _dated(name: str, field: str, sign: str, until: str, value: str) -> list[Where]:
    """What is told in whole seconds is compared in whole seconds."""
    moment, is_day = _moment(name, value)
    if sign == ">":
        return [Where(field, ">=", moment)]
    if sign == "<":
        return [Where(field, "<", _behind(moment, is_day) if until == "<=" else moment)]
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return [Where(field, ">=", day), Where(field, "<", _behind(day, is_day=True))]


def _behind(moment: datetime, is_day: bool) -> datetime:
    """The end of that day or second; the last day there is ends with time itself."""
    step = timedelta(days=1) if is_day else timedelta(seconds=1)
    return min(moment.replace(microsecond=0), _END - step) + step


def _moment(name: str, value: str) -> tuple[datetime, bool]:
    """The date and time that is meant, in UTC, and whether only the day was given."""
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ApiError(20001, f"{name} is not a date: {value[:60]}", 400) from None
    return moment, len(value) <= len("2016-08-31")
