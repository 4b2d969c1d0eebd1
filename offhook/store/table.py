"""A table of records: insert, get, save, delete, and pages that stay put.

Lists are newest first. A page goes on behind (or before) the record whose key it is given, so what
arrives meanwhile moves nothing, and deleting while paging loses nothing: the places of the latest
deleted records are remembered.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Index,
    Select,
    Table,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    func,
    literal,
    select,
    tuple_,
)

from offhook.errors import OffhookError
from offhook.frozen import frozen
from offhook.store.columns import RowId, Shape, metadata
from offhook.store.prepared import Prepared

T = TypeVar("T")

Op = Literal["=", "<", ">=", "<=", ">", "like", "in"]
PLACES_KEPT = 10_000
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Taken(OffhookError):
    """Something that may exist only once is there already."""


class UnknownPlace(OffhookError):
    """A page was asked for behind a record that does not exist."""


@frozen
class Where:
    """`field` compared with `value`; `like` takes SQL's % and _, escaped by a backslash."""

    field: str
    op: Op
    value: Any

    def on(self, table: Table) -> ColumnElement[bool]:
        column = table.c[self.field]
        if self.op == "like":
            return column.like(self.value, escape="\\")
        if self.op == "in":
            return column.in_(self.value)
        compared: ColumnElement[bool] = _COMPARE[self.op](column, self.value)
        return compared


_deleted = Table(
    "deleted_places",
    metadata,
    Column("row", RowId, primary_key=True),
    Column("key", Text, nullable=False),
    Column("place", JSON, nullable=False),
    UniqueConstraint("key"),
    sqlite_autoincrement=True,
)


def _index(table: Table, fields: tuple[str, ...]) -> Index:
    """Of a date that records get later, it holds those that have it: entries for the others would
    only be written to be taken out again."""
    columns = [table.c[field] for field in fields]
    known = [column.is_not(None) for column in columns if column.nullable]
    where = and_(*known) if known else None
    name = f"ix_{table.name}_{'_'.join(fields)}"
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


class Records(Generic[T]):
    """The table `name` of one record type.

    `key` names the unique field that finds a record. `dates` are the fields lists may be ordered
    by: the one that a list's filter bounds, otherwise the first. `indexes` name their fields.
    `fixed` are fields that never change: saving leaves them, and the indexes that have no others,
    as they are.
    """

    def __init__(
        self,
        record: type[T],
        name: str,
        *indexes: tuple[str, ...],
        key: str = "sid",
        dates: tuple[str, ...] = ("date_created",),
        unique: tuple[str, ...] = (),
        fixed: tuple[str, ...] = (),
    ) -> None:
        self._shape = Shape(record)
        columns = self._shape.columns()
        self.table = Table(
            name,
            metadata,
            Column("row", RowId, primary_key=True),
            *columns,
            *(UniqueConstraint(column) for column in (key, *unique)),
            sqlite_autoincrement=True,
        )
        for index in indexes:
            _index(self.table, index)
        self._dates, self.fixed = dates, fixed
        self._key = self.table.c[key]
        self._row = self.table.c.row
        self._select = select(*columns)
        this = self._key == bindparam("this")
        names = [column.name for column in columns]
        self._get = Prepared(self._select.where(this))
        paths = self._shape.paths
        self._insert = Prepared(self.table.insert(), names, paths)
        changing = [name for name in names if name not in (key, *fixed)]
        update = self.table.update().where(this)
        self._update = Prepared(update, changing, paths | {"this": key})
        self._alike: dict[tuple[str, ...], Prepared] = {}  # by the fields that are asked for

    def insert(self, connection: Connection, record: T) -> None:
        """Raises Taken; the transaction is then spoilt and must be left."""
        try:
            self._insert.run(connection, record)
        except connection.dialect.loaded_dbapi.IntegrityError as error:
            raise Taken(f"{self.table.name}: {error}") from error

    def get(self, connection: Connection, key: str) -> T | None:
        row = self._get.first(connection, {"this": key})
        return self._shape.load(row) if row else None

    def save(self, connection: Connection, record: T) -> bool:
        """Stores a record that exists; False when it does not (any more). Raises Taken."""
        try:
            return self._update.run(connection, record) > 0
        except connection.dialect.loaded_dbapi.IntegrityError as error:
            raise Taken(f"{self.table.name}: {error}") from error

    def delete(self, connection: Connection, key: str) -> bool:
        """Whether it was there. Pages go on behind it all the same."""
        place = self._place_of(connection, key)
        if place is None:
            return False
        connection.execute(self.table.delete().where(self._key == key))
        kept = connection.execute(_deleted.insert(), {"key": key, "place": place})
        newest = kept.inserted_primary_key
        if newest:
            connection.execute(_deleted.delete().where(_deleted.c.row <= newest[0] - PLACES_KEPT))
        return True

    def page(
        self,
        connection: Connection,
        where: Sequence[Where] = (),
        size: int = 50,
        after: str | None = None,
        before: str | None = None,
        offset: int = 0,
    ) -> list[T]:
        """Up to `size` records, newest first: those behind `after`, or the ones right before
        `before`. Raises UnknownPlace when no such record is or was there."""
        query, backwards = self._paged(connection, where, after, before)
        rows = connection.execute(query.limit(size).offset(offset)).all()
        found = [self._shape.load(row) for row in rows]
        return found[::-1] if backwards else found

    def count(self, connection: Connection, where: Sequence[Where] = ()) -> int:
        query = select(func.count()).select_from(self.table)
        conditions = [condition.on(self.table) for condition in where]
        return connection.execute(query.where(*conditions)).scalar_one()

    def forget(
        self,
        connection: Connection,
        before: datetime,
        where: Sequence[Where] = (),
        size: int = 500,
    ) -> list[T]:
        """Deletes up to `size` records created before that date and returns them, oldest first."""
        conditions = [Where("date_created", "<", before), *where]
        query = self._select.add_columns(self._row).where(*(c.on(self.table) for c in conditions))
        rows = connection.execute(query.order_by(self.table.c.date_created).limit(size)).all()
        gone = [row[-1] for row in rows]
        if gone:
            connection.execute(self.table.delete().where(self._row.in_(gone)))
        return [self._shape.load(row[:-1]) for row in rows]

    def all(self, connection: Connection, *where: Where) -> list[T]:
        """Every record there is, oldest first: for tables or filters that stay small."""
        conditions = [condition.on(self.table) for condition in where]
        query = self._select.where(*conditions).order_by(self._row)
        return [self._shape.load(row) for row in connection.execute(query)]

    def alike(self, connection: Connection, **values: Any) -> list[T]:
        """Every record whose fields have these values, oldest first: what calls are looked up by,
        over and over."""
        fields = tuple(values)
        if fields not in self._alike:
            equal = (self.table.c[field] == bindparam(field) for field in fields)
            self._alike[fields] = Prepared(self._select.where(*equal).order_by(self._row))
        return [self._shape.load(row) for row in self._alike[fields].all(connection, values)]

    def only(self, connection: Connection, **values: Any) -> T | None:
        """The one whose fields have these values, which no two have."""
        return next(iter(self.alike(connection, **values)), None)

    def _paged(
        self,
        connection: Connection,
        where: Sequence[Where],
        after: str | None,
        before: str | None,
    ) -> tuple[Select[Any], bool]:
        by = self.table.c[self._ordered_by(where)]
        query = self._select.where(*(condition.on(self.table) for condition in where))
        here = tuple_(by, self._row)
        if after is not None:
            query = query.where(here < self._position(connection, after, by))
        elif before is not None:
            query = query.where(here > self._position(connection, before, by))
            return query.order_by(by, self._row), True
        return query.order_by(by.desc(), self._row.desc()), False

    def _ordered_by(self, where: Sequence[Where]) -> str:
        bounded = (c.field for c in where if c.field in self._dates and c.op not in ("=", "in"))
        return next(bounded, self._dates[0])

    def _position(self, connection: Connection, key: str, by: Column[Any]) -> ColumnElement[Any]:
        place = self._place_of(connection, key)
        if place is None:
            found = connection.execute(select(_deleted.c.place).where(_deleted.c.key == key))
            place = found.scalar_one_or_none()
        if not place or not place.get(by.name):
            raise UnknownPlace(key)
        return tuple_(
            literal(datetime.fromisoformat(place[by.name]), by.type), literal(place["row"], RowId)
        )

    def _place_of(self, connection: Connection, key: str) -> dict[str, Any] | None:
        dates = [self.table.c[date] for date in self._dates]
        row = connection.execute(select(self._row, *dates).where(self._key == key)).first()
        if row is None:
            return None
        values = zip(self._dates, row[1:], strict=True)
        return {"row": row[0]} | {name: at.isoformat() if at else None for name, at in values}
