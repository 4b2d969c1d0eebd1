"""Who waits in a queue, and is let out of it.  reference: REST voice, Queues."""

from __future__ import annotations

from datetime import datetime

from offhook import clock
from offhook.api.formats import Rendering
from offhook.api.forms import http_method, link
from offhook.api.paging import whole
from offhook.api.reach import fetched, owned
from offhook.api.rendering import account_uri, date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.exchange import control
from offhook.frozen import frozen
from offhook.model.fetch import Script
from offhook.model.gatherings import Member
from offhook.store import records
from offhook.store.gatherings import members as table
from offhook.store.gatherings import queues
from offhook.store.store import Connection

members = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Queues/{{queue_sid}}/Members",
    element="QueueMember",
    key="queue_members",
)

FRONT = "Front"


@members.get()
async def list_members(at: At) -> Listed:
    """In the order of their places."""
    queue = await fetched(at, queues, at.names["queue_sid"])
    waiting = await at.exchange.store.read(table.of, queue.sid)
    now = clock.utc()
    placed = list(enumerate(waiting, 1))
    return whole(at, placed, lambda each: render(each[1], each[0], now))


@members.get("/{sid}")
async def fetch(at: At) -> Rendering:
    """By CallSid, or `Front`."""
    member, position = await at.exchange.store.read(
        _found, at.account.sid, at.names["queue_sid"], at.sid
    )
    return render(member, position, clock.utc())


@frozen
class Update:
    url: str = link(missing=21205, bad=21205)
    method: str = http_method(bad=21209)


@members.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """Out of the queue, and on with the document at `Url`. Raises ApiError 21220."""
    member, _ = await at.exchange.store.read(_found, at.account.sid, at.names["queue_sid"], at.sid)
    call = await fetched(at, records.calls, member.call_sid)
    await control.redirect(at.exchange, call, Script(form.url, form.method))
    await at.exchange.store.write(table.delete, member.call_sid)
    return render(member, 0, clock.utc())


def _found(
    connection: Connection, account_sid: str, queue_sid: str, key: str
) -> tuple[Member, int]:
    """A member of the queue, and its place. Raises ApiError 20404."""
    queue = owned(connection, queues, account_sid, queue_sid)
    if key == FRONT:
        waiting = table.of(connection, queue.sid)
        member = waiting[0] if waiting else None
    else:
        member = table.get(connection, key)
    if member is None or member.queue_sid != queue.sid:
        raise ApiError(20404)
    return member, table.place(connection, member)


def render(member: Member, position: int, now: datetime) -> Rendering:
    queue_uri = f"{account_uri(member.account_sid)}/Queues/{member.queue_sid}"
    return {
        "call_sid": member.call_sid,
        "date_enqueued": date(member.date_enqueued),
        "position": position,
        "uri": f"{queue_uri}/Members/{member.call_sid}",
        "wait_time": max(0, int((now - member.date_enqueued).total_seconds())),
        "queue_sid": member.queue_sid,
    }
