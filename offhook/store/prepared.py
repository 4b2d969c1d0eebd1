"""Statements compiled once.

SQLAlchemy makes the text and knows the types; its `execute` would cost two to three times what
running a statement by its text does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, Select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine

Convert = Callable[[Any], Any] | None  # None for what needs no conversion
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """What a driver is given, and how values go in and come out; names in the order of the text.

    `own` are values that the statement brings itself, a LIMIT's say.
    """

    sql: str
    taken: tuple[tuple[str, Convert], ...]
    given: tuple[Convert, ...]
    positional: bool
    own: Mapping[str, Any]

    def parameters(self, values: Mapping[str, Any]) -> tuple[Any, ...] | dict[str, Any]:
        if self.own:
            values = {**self.own, **values}
        if self.positional:
            return tuple(
                [
                    values[name] if convert is None else convert(values[name])
                    for name, convert in self.taken
                ]
            )
        return {
            name: values[name] if convert is None else convert(values[name])
            for name, convert in self.taken
        }

    def row(self, raw: Sequence[Any]) -> Row:
        pairs = zip(self.given, raw, strict=True)
        return tuple(value if convert is None else convert(value) for convert, value in pairs)


class Prepared:
    """`columns` are those that an INSERT or UPDATE sets."""

    def __init__(
        self, statement: Select[Any] | UpdateBase, columns: Iterable[str] | None = None
    ) -> None:
        self._statement, self._columns = statement, columns and list(columns)
        self._texts: dict[str, Text] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Its result, as the driver has it."""
        text = self._text(connection.dialect)
        return connection.exec_driver_sql(text.sql, text.parameters(values))

    def run_many(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        text = self._text(connection.dialect)
        connection.exec_driver_sql(text.sql, [text.parameters(values) for values in rows])

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Row | None:
        """The first row that a SELECT finds."""
        return next(iter(self.all(connection, values)), None)

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[Row]:
        """What a SELECT finds, asked of the driver itself, in a transaction that has begun: a
        result of SQLAlchemy's costs six times the question, and its statements are cycles that
        wait for the garbage collector."""
        text = self._text(connection.dialect)
        cursor = connection.connection.cursor()
        try:
            cursor.execute(text.sql, text.parameters(values))
            return [text.row(raw) for raw in cursor.fetchall()]
        finally:
            cursor.close()

    def _text(self, dialect: Dialect) -> Text:
        known = self._texts.get(dialect.name)
        if known is None:
            known = self._texts[dialect.name] = self._compiled(dialect)
        return known

    def _compiled(self, dialect: Dialect) -> Text:
        compiled = self._statement.compile(dialect=dialect, column_keys=self._columns)
        assert isinstance(compiled, SQLCompiler)
        names = compiled.positiontup or list(compiled.binds)
        taken = tuple((name, _bind(compiled.binds[name].type, dialect)) for name in names)
        given: tuple[Convert, ...] = ()
        if isinstance(self._statement, Select):
            given = tuple(_result(each.type, dialect) for each in self._statement.selected_columns)
        own = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        return Text(str(compiled), taken, given, compiled.positional, own)


def _bind(kind: TypeEngine[Any], dialect: Dialect) -> Convert:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _result(kind: TypeEngine[Any], dialect: Dialect) -> Convert:
    return kind.dialect_impl(dialect).result_processor(dialect, None)
