"""Records by their SID, of the account in the path and of no other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from offhook import clock
from offhook.api.rendering import account_uri
from offhook.api.resource import At
from offhook.errors import ApiError
from offhook.store.store import Connection
from offhook.store.table import Records


class _Owned(Protocol):
    @property
    def account_sid(self) -> str: ...


T = TypeVar("T", bound=_Owned)


async def fetched(at: At, table: Records[T], sid: str) -> T:
    """Raises ApiError 20404 when the account has no such record."""
    return await at.exchange.store.read(owned, table, at.account.sid, sid)


def owned(connection: Connection, table: Records[T], account_sid: str, sid: str) -> T:
    """Raises ApiError 20404 when the account has no such record."""
    record = table.get(connection, sid)
    if record is None or record.account_sid != account_sid:
        raise ApiError(20404)
    return record


async def changed(at: At, table: Records[T], changes: Mapping[str, Any]) -> T:
    """The record in the path with these changes, stored. Raises ApiError 20404."""
    return await at.exchange.store.write(
        _changed, table, at.account.sid, at.sid, changes, clock.utc()
    )


def _changed(
    connection: Connection,
    table: Records[T],
    account_sid: str,
    sid: str,
    changes: Mapping[str, Any],
    now: datetime,
) -> T:
    record: Any = owned(connection, table, account_sid, sid)
    new: T = replace(record, **changes, date_updated=now)
    table.save(connection, new)
    return new


async def deleted(at: At, table: Records[T]) -> None:
    """Deletes the record in the path. Raises ApiError 20404."""
    await at.exchange.store.write(_delete, table, at.account.sid, at.sid)


def _delete(connection: Connection, table: Records[T], account_sid: str, sid: str) -> None:
    owned(connection, table, account_sid, sid)
    table.delete(connection, sid)


def own_uri(at: At) -> str:
    return account_uri(at.account.sid)
