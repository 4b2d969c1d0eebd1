"""Columns from frozen dataclasses, and rows back into them.

A field becomes a column of its own name: words and SIDs are text, dates are aware UTC, tuples and
dictionaries are JSON, and a nested Callback is three columns (`callback_url`, `callback_method`,
`callback_events`). Only what may be None is nullable.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, Literal, TypeVar, Union

from pydantic_core import PydanticSerializationError, to_json
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
        return None if value is None else _utc(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)  # type: ignore[no-any-return]

    def bind_processor(self, dialect: Dialect) -> Any:
        # SQLAlchemy's own for SQLite makes and reads the same text at three times the cost.
        return _to_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        if dialect.name == "sqlite":
            return _from_text
        return super().result_processor(dialect, coltype)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"a datetime without a time zone: {value}")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


_TWO = [f"{number:02}" for number in range(60)]


def _to_text(value: datetime | None) -> str | None:
    """`2026-01-31 12:00:00.000000`."""
    if value is None:
        return None
    at = _utc(value)
    minute = _minute(at.year, at.month, at.day, at.hour, at.minute)
    return f"{minute}:{_TWO[at.second]}.{str(at.microsecond).zfill(6)}"


@lru_cache(maxsize=16)
def _minute(year: int, month: int, day: int, hour: int, minute: int) -> str:
    """Most of what is stored has happened in the same one."""
    return f"{year}-{month:02}-{day:02} {hour:02}:{minute:02}"


def _from_text(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


class Json(TypeDecorator[Any]):
    """Most of it is SIP messages, which the standard library takes four times as long to write."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        return _to_json if dialect.name == "sqlite" else super().bind_processor(dialect)


def _to_json(value: Any) -> str:
    try:
        return to_json(value).decode()
    except PydanticSerializationError:  # bytes that are not UTF-8, as surrogates, need escapes
        return json.dumps(value)


_PLAIN: dict[Any, Callable[[], TypeEngine[Any]]] = {
    str: Text,
    int: Integer,
    bool: Boolean,
    datetime: UtcDateTime,
    dict: Json,
    tuple: Json,
}
_CALLBACK: tuple[tuple[str, Callable[[], TypeEngine[Any]]], ...] = (
    ("url", Text),
    ("method", Text),
    ("events", Json),
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
    """How one record type lies in a table; fields named in `without`, its last, are not its
    business. `paths` tells by column which attribute of a record is kept there."""

    def __init__(self, record: type[T], without: Sequence[str] = ()) -> None:
        hints = typing.get_type_hints(record)
        names = [field.name for field in fields(record)]  # type: ignore[arg-type]
        kept = names[: len(names) - len(without)]
        assert not set(kept) & set(without)
        bare = [(name, *_bare(hints[name])) for name in kept]
        self._record = record
        self._fields = [(name, _kind(hint), nullable) for name, hint, nullable in bare]
        self.paths = dict(self._paths())
        places = {name: place for place, name in enumerate(self.paths)}
        self._callbacks = [
            places[f"{name}_url"] for name, kind, _ in self._fields if kind is Callback
        ]
        self._tuples = [places[name] for name, kind, _ in self._fields if kind is tuple]

    def _paths(self) -> Iterator[tuple[str, str]]:
        for name, kind, _ in self._fields:
            if kind is Callback:
                yield from ((f"{name}_{part}", f"{name}.{part}") for part, _ in _CALLBACK)
            else:
                yield name, name

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

    def load(self, row: Sequence[Any]) -> T:
        """The record of a row that has exactly `columns()`, in their order."""
        values = list(row)
        for place in self._tuples:
            values[place] = _frozen(values[place])
        for place in reversed(self._callbacks):  # from the back: places behind it move
            url, method, events = values[place : place + 3]
            values[place : place + 3] = [Callback(url, method, _frozen(events))]
        return self._record(*values)
