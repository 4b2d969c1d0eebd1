"""Queues where callers wait.  reference: REST voice, Queues."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from offhook import clock, sids
from offhook.api.formats import Rendering
from offhook.api.forms import given, text, whole
from offhook.api.paging import page
from offhook.api.reach import fetched, owned
from offhook.api.rendering import account_uri, below, date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.gatherings import MOST_IN_QUEUE, Queue, claim
from offhook.store.gatherings import members
from offhook.store.gatherings import queues as table
from offhook.store.store import Connection
from offhook.store.table import Taken

queues = Resource(f"/{VERSION}/Accounts/{{account_sid}}/Queues", element="Queue", key="queues")

NAME_TAKEN = 22003
NOT_EMPTY = 20409


@frozen
class Create:
    friendly_name: str = text(missing=20001, bad=20002, longest=64)
    max_size: int = whole(1000, 1, MOST_IN_QUEUE)


@queues.create(Create)
async def create(at: At, form: Create) -> Rendering:
    """Raises ApiError 22003 when there is one of that name."""
    now, own = clock.utc(), at.account.sid
    name = form.friendly_name
    made = Queue(sids.new("QU"), own, name, claim(own, name), now, now, form.max_size)
    try:
        await at.exchange.store.write(table.insert, made)
    except Taken:
        raise ApiError(NAME_TAKEN) from None
    return render(made)


@queues.get()
async def list_queues(at: At) -> Listed:
    waiting = await at.exchange.store.read(members.waiting, at.account.sid, clock.utc())
    return await page(at, table, lambda each: render(each, *waiting.get(each.sid, (0, 0))))


@queues.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return await _rendered(at, await fetched(at, table, at.sid))


@frozen
class Update:
    friendly_name: str | None = text(None, bad=20002, longest=64, filled=True)
    max_size: int | None = whole(None, 1, MOST_IN_QUEUE)


@queues.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """Raises ApiError 22003 when there is another of that name."""
    try:
        changed = await at.exchange.store.write(_update, at.account.sid, at.sid, form, clock.utc())
    except Taken:
        raise ApiError(NAME_TAKEN) from None
    return await _rendered(at, changed)


def _update(
    connection: Connection, account_sid: str, sid: str, form: Update, now: datetime
) -> Queue:
    changed = replace(owned(connection, table, account_sid, sid), date_updated=now, **given(form))
    changed = replace(changed, claim=claim(account_sid, changed.friendly_name))
    table.save(connection, changed)
    return changed


@queues.delete()
async def delete(at: At) -> None:
    """Raises ApiError 20409 while somebody waits."""
    await at.exchange.store.write(_delete, at.account.sid, at.sid)


def _delete(connection: Connection, account_sid: str, sid: str) -> None:
    owned(connection, table, account_sid, sid)
    if members.of(connection, sid):
        raise ApiError(NOT_EMPTY, "A queue in which somebody waits cannot be deleted")
    table.delete(connection, sid)


async def _rendered(at: At, queue: Queue) -> Rendering:
    waiting = await at.exchange.store.read(members.waiting, at.account.sid, clock.utc())
    return render(queue, *waiting.get(queue.sid, (0, 0)))


def render(queue: Queue, size: int = 0, average_wait: int = 0) -> Rendering:
    uri = f"{account_uri(queue.account_sid)}/Queues/{queue.sid}"
    return {
        "date_updated": date(queue.date_updated),
        "current_size": size,
        "friendly_name": queue.friendly_name,
        "uri": uri,
        "account_sid": queue.account_sid,
        "average_wait_time": average_wait,
        "sid": queue.sid,
        "date_created": date(queue.date_created),
        "max_size": queue.max_size,
        "subresource_uris": below(uri, "members"),
    }
