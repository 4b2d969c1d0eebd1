"""Stored answers to GETs, on disk.  RFC 9111, reference: webhooks section 7.

What may be stored, reused or must be checked is decided by hishel, which reads the wall clock for
it. A stored answer is one file: a line of JSON, then the body. The index is in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import UUID

import structlog
from hishel import (
    AnyState,
    CacheMiss,
    CacheOptions,
    CouldNotBeStored,
    Entry,
    FromCache,
    IdleClient,
    InvalidateEntries,
    NeedRevalidation,
    NeedToBeUpdated,
    Request,
    Response,
    StoreAndUse,
)
from hishel import Headers as Fields

from offhook import clock
from offhook.frozen import frozen
from offhook.model.dates import from_rfc2822
from offhook.webhooks.transport import Headers, Incoming

log = structlog.get_logger("offhook.webhooks")

P = ParamSpec("P")
T = TypeVar("T")

Deliver = Callable[[Headers], Awaitable[Incoming]]

MOST = 10_000  # answers; of each some 3 kB are in memory
_STORED_STATUS = {200, 203, 301, 308}
_VALIDATORS = {"etag", "last-modified", "expires"}


@frozen
class _Stored:
    key: str
    entry: Entry
    size: int


class Cache:
    """At `most` so many answers, kept in `directory`, `max_bytes` altogether; the least recently
    used go first.

    Everything runs on one loop; files are read and written in threads.
    """

    def __init__(
        self, directory: Path, max_bytes: int = 256 * 1024 * 1024, most: int = MOST
    ) -> None:
        self._directory, self._max_bytes, self._most = directory, max_bytes, most
        self._stored: OrderedDict[UUID, _Stored] = OrderedDict()
        self._by_key: dict[str, set[UUID]] = {}
        self._bytes, self._parts = 0, count()
        directory.mkdir(parents=True, exist_ok=True)
        for found in _scan(directory, most):
            self._index(found)

    async def fetch(
        self, url: str, headers: Headers, deliver: Deliver, *, owner: str
    ) -> tuple[Incoming, bool]:
        """The answer to a GET, and whether it is a stored one; `deliver` asks the application.

        `owner` is empty for what everybody may see; else only the same owner gets it back.
        """
        key = _key(url, owner)
        options = CacheOptions(shared=not owner, supported_methods=["GET"], allow_stale=False)
        request = Request("GET", url, _fields(headers))
        incoming = Incoming(0, (), b"")
        state: AnyState = IdleClient(options).next(request, self._entries(key))
        while True:
            match state:
                case CacheMiss() | NeedRevalidation():
                    extra = _extra(state.request.headers, request.headers)
                    incoming = _dated(await deliver((*headers, *extra)), clock.utc())
                    state = state.next(Response(incoming.status, _fields(incoming.headers)))
                case InvalidateEntries():
                    await self._drop(state.entry_ids)
                    state = state.next()
                case NeedToBeUpdated():
                    for entry in state.updating_entries:
                        await self._refresh(key, entry)
                    state = state.next()
                case FromCache():
                    body = await self._load(state.entry.id)
                    if body is not None:
                        return _incoming(state.entry.response, body), True
                    state = CacheMiss(options=options, request=request)
                case StoreAndUse():
                    await self._store(key, request, incoming, state.response)
                    return incoming, False
                case CouldNotBeStored():
                    return incoming, False
                case _:
                    raise AssertionError(state)

    async def invalidate(self, url: str, *, owner: str) -> None:
        """Forget a URL, after a successful POST to it (RFC 9111 section 4.4)."""
        await self._drop(list(self._by_key.get(_key(url, owner), ())))

    def _entries(self, key: str) -> list[Entry]:
        return [self._stored[each].entry for each in self._by_key.get(key, ())]

    async def _store(
        self, key: str, request: Request, incoming: Incoming, response: Response
    ) -> None:
        if not _worth_storing(incoming):
            return
        new = Entry(_identity(key, request, response), request, response)
        same = [each.id for each in self._entries(key) if _same_variant(each, request, response)]
        await self._drop([each for each in same if each != new.id])
        await self._write(key, new, incoming.body)

    async def _refresh(self, key: str, entry: Entry) -> None:
        body = await self._load(entry.id)
        if body is not None:
            await self._write(key, entry, body)

    async def _write(self, key: str, entry: Entry, body: bytes) -> None:
        content = _head(key, entry) + body
        if len(content) > self._max_bytes:
            await self._drop([entry.id])
            return
        part = self._directory / f"{next(self._parts)}.part"
        if not await _in_thread(_write_whole, part, self._path(entry.id), content):
            return
        self._unindex(entry.id)
        self._index(_Stored(key, entry, len(content)))
        while self._bytes > self._max_bytes or len(self._stored) > self._most:
            await self._drop([next(iter(self._stored))])

    async def _load(self, entry_id: UUID) -> bytes | None:
        if entry_id not in self._stored:
            return None
        self._stored.move_to_end(entry_id)
        body = await _in_thread(_read_body, self._path(entry_id))
        if body is None:
            self._unindex(entry_id)
        return body

    async def _drop(self, entry_ids: list[UUID]) -> None:
        for each in entry_ids:
            self._unindex(each)
            await _in_thread(_remove, self._path(each))

    def _index(self, stored: _Stored) -> None:
        self._stored[stored.entry.id] = stored
        self._by_key.setdefault(stored.key, set()).add(stored.entry.id)
        self._bytes += stored.size

    def _unindex(self, entry_id: UUID) -> None:
        stored = self._stored.pop(entry_id, None)
        if stored is None:
            return
        self._bytes -= stored.size
        self._by_key[stored.key].discard(entry_id)
        if not self._by_key[stored.key]:
            del self._by_key[stored.key]

    def _path(self, entry_id: UUID) -> Path:
        return self._directory / f"{entry_id.hex}.stored"


def _worth_storing(incoming: Incoming) -> bool:
    """Not without a lifetime or a validator, and no cookie that is another call's session."""
    names = {name.lower() for name, _ in incoming.headers}
    lasting = bool(names & _VALIDATORS) or "max" in incoming.header("Cache-Control").lower()
    return incoming.status in _STORED_STATUS and lasting and "set-cookie" not in names


def _same_variant(entry: Entry, request: Request, response: Response) -> bool:
    return _selectors(entry.request, response) == _selectors(request, response)


def _identity(key: str, request: Request, response: Response) -> UUID:
    """One to a variant of a URL, so that a newer answer takes the place of the older."""
    digest = hashlib.sha256(f"{key}\n{_selectors(request, response)}".encode())
    return UUID(bytes=digest.digest()[:16])


def _selectors(request: Request, response: Response) -> list[str | None]:
    """The request's values of what the answer varies by."""
    names = sorted(name.strip().lower() for name in response.headers.get("vary", "").split(","))
    return [request.headers.get(name) for name in names if name]


def _dated(incoming: Incoming, now: datetime) -> Incoming:
    """The answer with its Age taken into Date, where hishel looks (RFC 9111 section 4.2.3)."""
    try:
        date = from_rfc2822(incoming.header("Date"))
    except ValueError:
        date = now
    age = incoming.header("Age")
    if age.isdecimal():
        date = min(date, now - timedelta(seconds=min(int(age), 10**9)))
    kept = tuple(each for each in incoming.headers if each[0].lower() not in {"date", "age"})
    dated = ("Date", format_datetime(date, usegmt=True))
    return Incoming(incoming.status, (*kept, dated), incoming.body)


def _key(url: str, owner: str) -> str:
    return hashlib.sha256(f"{owner}\n{url}".encode()).hexdigest()


def _fields(headers: Headers) -> Fields:
    lists: dict[str, str | list[str]] = {}
    for name, value in headers:
        lists[name.lower()] = [*lists.get(name.lower(), []), value]
    return Fields(lists)


def _pairs(fields: Fields) -> Headers:
    return tuple((name, value) for name in fields for value in fields.get_list(name) or [])


def _extra(asked: Fields, given: Fields) -> Headers:
    """The conditions that hishel adds to a request."""
    return tuple((name.title(), value) for name, value in _pairs(asked) if name not in given)


def _incoming(response: Response, body: bytes) -> Incoming:
    return Incoming(response.status_code, _pairs(response.headers), body)


def _head(key: str, entry: Entry) -> bytes:
    head = {
        "key": key,
        "url": entry.request.url,
        "asked": _pairs(entry.request.headers),
        "status": entry.response.status_code,
        "headers": _pairs(entry.response.headers),
    }
    return json.dumps(head).encode() + b"\n"


def _scan(directory: Path, most: int) -> Iterator[_Stored]:
    """What an earlier run stored, the least recently used first."""
    paths = sorted(directory.glob("*.stored"), key=lambda path: path.stat().st_mtime)
    for path in (*directory.glob("*.part"), *paths[:-most]):
        _remove(path)
    for path in paths[-most:]:
        try:
            with path.open("rb") as file:
                head = json.loads(file.readline())
            response = Response(head["status"], _fields(tuple(map(tuple, head["headers"]))))
            request = Request("GET", head["url"], _fields(tuple(map(tuple, head["asked"]))))
            entry = Entry(UUID(path.stem), request, response)
            yield _Stored(head["key"], entry, path.stat().st_size)
        except (OSError, ValueError, KeyError, TypeError):
            _remove(path)


def _write_whole(part: Path, path: Path, content: bytes) -> bool:
    """Whether it could be. `part` is nobody else's: several may write to `path` at a time."""
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        log.warning("an answer could not be stored", error=str(error))
        with suppress(OSError):
            part.unlink(missing_ok=True)
        return False
    return True


def _read_body(path: Path) -> bytes | None:
    """The body, None when the file is gone; the file is now the most recently used."""
    with suppress(OSError):
        os.utime(path)
        with path.open("rb") as file:
            file.readline()
            return file.read()
    return None


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with clock.outside("the cache's files"):
        return await asyncio.to_thread(work, *args, **kwargs)
