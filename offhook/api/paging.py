"""Lists: one page at a time, newest first, by token.

A token names the record beside which the page begins, so that what is created meanwhile does not
shift it.  reference: REST conventions sections 3.2, 4 and 5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from offhook.api import forms
from offhook.api.formats import Rendering
from offhook.api.forms import text
from offhook.api.resource import At, Listed
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.store.store import Connection
from offhook.store.table import Records, UnknownPlace, Where

T = TypeVar("T")

_PAGING = {"Page", "PageSize", "PageToken", "AfterSid", "_method"}


@frozen
class Position:
    """Where in the list. Without a token `page` alone counts; with one it is only a label."""

    page_size: int = forms.whole(50, 1, 1000, bad=20007, cap=True)
    page: int = forms.whole(0, 0, 10**9)
    page_token: str = text(bad=21481, pattern="P[AB][A-Z]{2}[0-9a-fA-F]{32}")
    after_sid: str = text(bad=21481, pattern="[A-Z]{2}[0-9a-fA-F]{32}")

    @property
    def after(self) -> str:
        return self.page_token[2:] if self.page_token.startswith("PA") else self.after_sid

    @property
    def before(self) -> str:
        return self.page_token[2:] if self.page_token.startswith("PB") else ""


async def page(
    at: At, table: Records[T], render: Callable[[T], Rendering], *where: Where
) -> Listed:
    """The page that the query asks for of what the account has, each record rendered."""
    return await paged(at, table, render, Where("account_sid", "=", at.account.sid), *where)


async def paged(
    at: At, table: Records[T], render: Callable[[T], Rendering], *where: Where
) -> Listed:
    """The page that the query asks for, filters and all, of these records, whoever has them."""
    position = forms.read(Position, at.sent)
    found = await at.exchange.store.read(_found, table, [*where, *at.where], position)
    size = position.page_size
    more_behind = len(found) > size
    if position.before:
        # One record more than asked for says whether there is a page still further up.
        kept, is_first, is_last = found[-size:], not more_behind, False
    else:
        kept, is_first, is_last = found[:size], position.page == 0, not more_behind
    previous = following = None
    if kept and not is_first:
        previous = _uri(at, size, max(position.page - 1, 0), "PB" + _key(kept[0]))
    if kept and not is_last:
        following = _uri(at, size, position.page + 1, "PA" + _key(kept[-1]))
    return Listed(
        [render(record) for record in kept],
        _envelope(at, position, len(kept), previous, following),
    )


def whole(at: At, records: Sequence[T], render: Callable[[T], Rendering]) -> Listed:
    """The page that the query asks for of a short list, which is there as a whole."""
    position = forms.read(Position, at.sent)
    start = position.page * position.page_size
    kept = records[start : start + position.page_size]
    is_last = start + len(kept) >= len(records)
    return Listed(
        [render(record) for record in kept], numbered(at, position, len(kept), is_last=is_last)
    )


def numbered(at: At, position: Position, count: int, is_last: bool) -> Rendering:
    """The paging properties of a list that only grows at its end: pages go by number alone."""
    size, number = position.page_size, position.page
    previous = _uri(at, size, number - 1) if number else None
    following = None if is_last else _uri(at, size, number + 1)
    return _envelope(at, position, count, previous, following)


def _envelope(
    at: At, position: Position, count: int, previous: str | None, following: str | None
) -> Rendering:
    size, start = position.page_size, position.page * position.page_size
    return {
        "first_page_uri": _uri(at, size, 0),
        "end": start + max(count - 1, 0),
        "previous_page_uri": previous,
        "uri": _uri(at, size, position.page, position.page_token),
        "page_size": size,
        "start": start,
        "next_page_uri": following,
        "page": position.page,
    }


def _key(record: Any) -> str:
    key: str = record.sid
    return key


def _found(
    connection: Connection, table: Records[T], where: Sequence[Where], position: Position
) -> list[T]:
    """One record more than the page holds, where there is one. Raises ApiError 21481."""
    after, before = position.after or None, position.before or None
    offset = 0 if after or before else position.page * position.page_size
    try:
        return table.page(connection, where, position.page_size + 1, after, before, offset)
    except UnknownPlace:
        raise ApiError(21481) from None


def _uri(at: At, size: int, number: int, token: str = "") -> str:
    """A page's URI: the filters of this request, and where the page is."""
    filters = [(name, value) for name, values in at.sent.items() for value in values]
    query = [(name, value) for name, value in filters if name not in _PAGING]
    query += [("PageSize", str(size)), ("Page", str(number))]
    if token:
        query.append(("PageToken", token))
    suffix = ".json" if at.format == "json" else ""
    return f"{at.path}{suffix}?{urlencode(query)}"
