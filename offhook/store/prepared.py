"""Statements compiled once, and given to the driver itself.

SQLAlchemy makes the text and knows the types. Its `execute` would cost two to three times what
running a statement by its text does, and its results are cycles that wait for the garbage
collector. The transaction must have begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Select
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.types import TypeEngine

from offhook.frozen import frozen

Row = Sequence[Any]
Convert = Callable[[Any], Any]
Converts = tuple[tuple[int, Convert], ...]  # by place; what is not named needs no conversion


@frozen
class Text:
    """What a driver is given, and how values go in and come out; names in the order of the text.

    `pick` gives the values in that order.
    """

    sql: str
    names: tuple[str, ...]
    pick: Callable[[Any], Iterable[Any]]
    taken: Converts
    given: Converts
    positional: bool

    def parameters(self, values: Any) -> Any:
        picked = list(self.pick(values))
        _convert(picked, self.taken)
        return picked if self.positional else dict(zip(self.names, picked, strict=True))

    def row(self, raw: Row) -> Row:
        values = list(raw)
        _convert(values, self.given)
        return values


def _convert(values: list[Any], converts: Converts) -> None:
    for place, convert in converts:
        values[place] = convert(values[place])


class Prepared:
    """`columns` are those that an INSERT or UPDATE sets.

    Values are given by their names. With `paths` they are those of an object, and `paths` tells
    by name which of its attributes each is.
    """

    def __init__(
        self,
        statement: Select[Any] | UpdateBase,
        columns: Iterable[str] | None = None,
        paths: Mapping[str, str] | None = None,
    ) -> None:
        self._statement, self._columns = statement, columns and list(columns)
        self._paths = paths
        self._texts: dict[str, Text] = {}

    def run(self, connection: Connection, values: Any) -> int:
        """How many rows it changed."""
        text = self._text(connection.dialect)
        cursor = connection.connection.cursor()
        try:
            cursor.execute(text.sql, text.parameters(values))
            return cursor.rowcount
        finally:
            cursor.close()

    def run_many(self, connection: Connection, rows: Iterable[Any]) -> None:
        text = self._text(connection.dialect)
        cursor = connection.connection.cursor()
        try:
            cursor.executemany(text.sql, [text.parameters(values) for values in rows])
        finally:
            cursor.close()

    def first(self, connection: Connection, values: Any) -> Row | None:
        """The first row that is found."""
        return next(iter(self.all(connection, values)), None)

    def all(self, connection: Connection, values: Any) -> list[Row]:
        """What a SELECT finds, or RETURNING gives."""
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
        names = tuple(compiled.positiontup or compiled.binds)
        return Text(
            sql=str(compiled),
            names=names,
            pick=self._picking(compiled, names),
            taken=_converts(_bind(compiled.binds[name].type, dialect) for name in names),
            given=_converts(
                _result(column.type, dialect) for column in self._statement.exported_columns
            ),
            positional=compiled.positional,
        )

    def _picking(
        self, compiled: SQLCompiler, names: Sequence[str]
    ) -> Callable[[Any], Iterable[Any]]:
        if self._paths is not None:
            return attrgetter(*(self._paths[name] for name in names))
        own = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}

        def by_name(values: Mapping[str, Any]) -> list[Any]:
            known = {**own, **values} if own else values  # own: a LIMIT's, say
            return [known[name] for name in names]

        return by_name


def _converts(each: Iterable[Convert | None]) -> Converts:
    return tuple((place, convert) for place, convert in enumerate(each) if convert)


def _bind(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _result(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)
