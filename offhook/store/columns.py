"""Columns from frozen dataclasses, and rows back into them.

A field becomes a column of its own name: words and SIDs are text, dates are aware UTC, tuples and
dictionaries are JSON, and a nested Callback is three columns (`callback_url`, `callback_method`,
`callback_events`). Only what may be None is nullable.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar, Union

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

from offhook.model.fetch import Callback

T = TypeVar("T")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)
RowId = BigInteger().with_variant(Integer(), "sqlite")  # only an INTEGER key counts up in SQLite


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime; kept in UTC, also where the database knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"a datetime without a time zone: {value}")
        return value if value is None or value.tzinfo is UTC else value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)  # type: ignore[no-any-return]


_PLAIN: dict[Any, Callable[[], TypeEngine[Any]]] = {
    str: Text,
    int: Integer,
    bool: Boolean,
    datetime: UtcDateTime,
    dict: JSON,
    tuple: JSON,
}
_CALLBACK: tuple[tuple[str, Callable[[], TypeEngine[Any]]], ...] = (
    ("url", Text),
    ("method", Text),
    ("events", JSON),
)


def _bare(hint: Any) -> tuple[Any, bool]:
    """The type a hint stands for, without its None, and whether None is allowed."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        (only,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
        return only, True
    return hint, False


def _kind(hint: Any) -> Any:
    origin = typing.get_origin(hint)
    return str if origin is Literal else origin or hint


def _frozen(value: Any) -> Any:
    """JSON gives lists; records hold tuples."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


class Shape(Generic[T]):
    """How one record type lies in a table; fields named in `without` are not its business."""

    def __init__(self, record: type[T], without: Sequence[str] = ()) -> None:
        hints = typing.get_type_hints(record)
        kept = [field.name for field in fields(record) if field.name not in without]  # type: ignore[arg-type]
        self._record = record
        bare = [(name, *_bare(hints[name])) for name in kept]
        self._fields = [(name, _kind(hint), nullable) for name, hint, nullable in bare]

    def columns(self) -> list[Column[Any]]:
        made: list[Column[Any]] = []
        for name, kind, nullable in self._fields:
            if kind is Callback:
                made += [
                    Column(f"{name}_{part}", made_of(), nullable=False)
                    for part, made_of in _CALLBACK
                ]
            else:
                made.append(Column(name, _PLAIN[kind](), nullable=nullable))
        return made

    def dump(self, record: T) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, kind, _ in self._fields:
            value = getattr(record, name)
            if kind is Callback:
                values |= {f"{name}_{part}": getattr(value, part) for part, _ in _CALLBACK}
            else:
                values[name] = value
        return values

    def load(self, row: Sequence[Any]) -> T:
        """The record of a row that has exactly `columns()`, in their order."""
        values: dict[str, Any] = {}
        rest = iter(row)
        for name, kind, _ in self._fields:
            value = next(rest)
            if kind is Callback:
                values[name] = Callback(value, next(rest), _frozen(next(rest)))
            else:
                values[name] = _frozen(value) if kind is tuple else value
        return self._record(**values)
