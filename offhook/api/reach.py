"""Records by their SID, of the account in the path and of no other."""

from __future__ import annotations

from typing import Protocol, TypeVar

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


def own_uri(at: At) -> str:
    return account_uri(at.account.sid)
