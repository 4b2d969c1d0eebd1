"""The tables, and the questions that are asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Index,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    select,
)

from offhook.model import call, message
from offhook.model.account import Account, Application, IncomingPhoneNumber, Notification
from offhook.model.call import Call
from offhook.model.journal import Event, LiveDialog, PendingCallback
from offhook.model.message import Media, Message
from offhook.model.recording import Recording
from offhook.store.columns import RowId, Shape, UtcDateTime, metadata
from offhook.store.prepared import Prepared
from offhook.store.table import Records, Where

_UNFINISHED_CALLS = tuple(status for status in call.NEXT if status not in call.FINAL)
_UNSENT = ("accepted", "queued", "sending")
assert set(_UNSENT) < set(message.NEXT)


class Accounts(Records[Account]):
    def first(self, connection: Connection) -> Account | None:
        """The account that was there first: the one whose credentials `up` prints."""
        row = connection.execute(self._select.order_by(self._row).limit(1)).first()
        return self._shape.load(row) if row else None

    def standing(self, connection: Connection, sid: str) -> Account | None:
        """The account as it stands now: while its parent is not active, neither is it.

        For reading alone: what is saved is what `get` gives.
        """
        account = self.get(connection, sid)
        if account is None or account.status != "active" or not account.is_subaccount:
            return account
        parent = self.get(connection, account.owner_account_sid)
        return replace(account, status=parent.status) if parent else account


class Calls(Records[Call]):
    def live(self, connection: Connection) -> list[Call]:
        """Calls without a final status, oldest first: after a crash, what it interrupted."""
        return self.all(connection, Where("status", "in", _UNFINISHED_CALLS))

    def page(
        self, connection: Connection, where: Sequence[Where] = (), *args: Any, **kwargs: Any
    ) -> list[Call]:
        """Of those that started in a time and ended in another, the index of starts is searched no
        later than the ends: what ended before a moment had started by then."""
        if any(each.field == "start_time" for each in where):
            ends = [each for each in where if each.field == "end_time" and each.op in ("<", "<=")]
            where = [*where, *(replace(each, field="start_time", op="<=") for each in ends)]
        return super().page(connection, where, *args, **kwargs)


class Messages(Records[Message]):
    def unsent(self, connection: Connection) -> list[Message]:
        """Messages that were accepted and are not sent yet, oldest first."""
        return self.all(connection, Where("status", "in", _UNSENT))


class MediaRecords(Records[Media]):
    def of(self, connection: Connection, message_sid: str) -> list[Media]:
        """A message's attachments, in its order."""
        return self.alike(connection, parent_sid=message_sid)

    def delete_of(self, connection: Connection, message_sid: str) -> list[Media]:
        """Deletes a message's attachments and returns them, for their files."""
        gone = self.of(connection, message_sid)
        connection.execute(self.table.delete().where(self.table.c.parent_sid == message_sid))
        return gone


class Recordings(Records[Recording]):
    def of(self, connection: Connection, call_sid: str) -> list[Recording]:
        """A call's recordings, oldest first."""
        return self.alike(connection, call_sid=call_sid)


class Numbers(Records[IncomingPhoneNumber]):
    def by_number(self, connection: Connection, number: str) -> IncomingPhoneNumber | None:
        """The number as E.164, whoever owns it."""
        return self.only(connection, phone_number=number)

    def type_of(self, connection: Connection, sid: str) -> str:
        """Its kind, "" where there is no such number (any more)."""
        row = self._types.first(connection, {"this": sid})
        return row[0] if row else ""

    @cached_property
    def _types(self) -> Prepared:
        return Prepared(select(self.table.c.type).where(self._key == bindparam("this")))


class Notifications(Records[Notification]):
    def redact(self, connection: Connection, subject: str) -> None:
        """Those about a call or message tell no more what was sent and what came back."""
        about_it = self.table.update().where(self.table.c.call_sid == subject)
        blank = {"request_variables": "", "response_headers": "", "response_body": ""}
        connection.execute(about_it.values(blank))


accounts = Accounts(Account, "accounts", ("owner_account_sid", "date_created", "row"))
applications = Records(Application, "applications", ("account_sid", "date_created", "row"))
numbers = Numbers(
    IncomingPhoneNumber,
    "numbers",
    ("account_sid", "date_created", "row"),
    ("friendly_name", "account_sid", "date_created", "row"),
    unique=("phone_number",),
)
calls = Calls(
    Call,
    "calls",
    ("account_sid", "date_created", "row"),
    ("account_sid", "start_time", "row"),
    ("account_sid", "end_time", "row"),
    ("status", "account_sid", "date_created", "row"),
    ("to", "account_sid", "date_created", "row"),
    ("from_", "account_sid", "date_created", "row"),
    ("to", "account_sid", "start_time", "row"),
    ("from_", "account_sid", "start_time", "row"),
    ("parent_call_sid", "account_sid", "date_created", "row"),
    dates=("date_created", "start_time", "end_time"),
    fixed=(
        *("account_sid", "date_created", "to", "from_", "direction", "parent_call_sid"),
        *("phone_number_sid", "application_sid", "api_version", "forwarded_from", "caller_name"),
        "node",
    ),
)
messages = Messages(
    Message,
    "messages",
    ("account_sid", "date_created", "row"),
    ("account_sid", "date_sent", "row"),
    ("status", "account_sid", "date_created", "row"),
    ("to", "account_sid", "date_created", "row"),
    ("from_", "account_sid", "date_created", "row"),
    ("to", "account_sid", "date_sent", "row"),
    ("from_", "account_sid", "date_sent", "row"),
    dates=("date_created", "date_sent"),
    fixed=("account_sid", "date_created", "to", "from_"),
)
media = MediaRecords(Media, "media", ("parent_sid", "account_sid", "date_created", "row"))
recordings = Recordings(
    Recording,
    "recordings",
    ("account_sid", "date_created", "row"),
    ("call_sid", "account_sid", "date_created", "row"),
    ("conference_sid", "account_sid", "date_created", "row"),
    ("date_created",),
)
notifications = Notifications(
    Notification,
    "notifications",
    ("account_sid", "date_created", "row"),
    ("account_sid", "message_date", "row"),
    ("call_sid", "account_sid", "date_created", "row"),
    ("log", "account_sid", "date_created", "row"),
    ("date_created",),
    dates=("date_created", "message_date"),
)


class _Placed(NamedTuple):
    place: int
    event: Event


class Events:
    """What happened, in order, per subject. `place` counts a subject's events from 1."""

    def __init__(self) -> None:
        self._shape = Shape(Event)
        columns = self._shape.columns()
        self.table = Table(
            "events",
            metadata,
            Column("row", RowId, primary_key=True),
            Column("place", RowId, nullable=False),
            *columns,
            Index("ix_events_subject_place", "subject", "place"),
            Index("ix_events_at", "at"),
            sqlite_autoincrement=True,
        )
        self._select = select(*columns)
        paths = {"place": "place"} | {
            name: f"event.{path}" for name, path in self._shape.paths.items()
        }
        self._insert = Prepared(self.table.insert(), paths, paths)
        of_this = self.table.c.subject == bindparam("this")
        self._latest = Prepared(select(func.max(self.table.c.place)).where(of_this))

    def insert(self, connection: Connection, event: Event, limit: int = 1000) -> None:
        self.insert_many(connection, [event], limit)

    def insert_many(
        self, connection: Connection, events: Sequence[Event], limit: int = 1000
    ) -> None:
        """Appends them; of each subject only the latest `limit` are kept."""
        if not events:
            return
        c = self.table.c
        subjects = {event.subject for event in events}
        places = {subject: self._last(connection, subject) for subject in subjects}
        placed = []
        for event in events:
            places[event.subject] += 1
            placed.append(_Placed(places[event.subject], event))
        self._insert.run_many(connection, placed)
        for subject, place in places.items():
            if place > limit:
                old = (c.subject == subject) & (c.place <= place - limit)
                connection.execute(self.table.delete().where(old))

    def _last(self, connection: Connection, subject: str) -> int:
        [found] = self._latest.all(connection, {"this": subject})
        return found[0] or 0

    def of(self, connection: Connection, subject: str, size: int = 1000) -> list[Event]:
        """The story of a call or message: its first `size` events, in order."""
        c = self.table.c
        query = self._select.where(c.subject == subject).order_by(c.place).limit(size)
        return [self._shape.load(row) for row in connection.execute(query)]

    def delete(self, connection: Connection, subject: str) -> int:
        """Forgets a subject's story; returns how many events it had."""
        gone = self.table.delete().where(self.table.c.subject == subject)
        return connection.execute(gone).rowcount

    def forget(self, connection: Connection, before: datetime, size: int = 2000) -> int:
        """Deletes up to `size` events older than that; returns how many. Call until it is 0."""
        c = self.table.c
        old = select(c.row).where(c.at < before).order_by(c.at).limit(size)
        return connection.execute(self.table.delete().where(c.row.in_(old))).rowcount


class Callbacks:
    """Requests that are owed. A subject's are sent in order of their ids, which only grow."""

    def __init__(self) -> None:
        self._shape = Shape(PendingCallback, without=("id",))
        columns = self._shape.columns()
        self.table = Table(
            "callbacks",
            metadata,
            Column("row", RowId, primary_key=True),
            *columns,
            sqlite_autoincrement=True,
        )
        self._select = select(*columns, self.table.c.row)
        self._insert = Prepared(self.table.insert(), self._shape.paths, self._shape.paths)
        row = self.table.c.row
        self._delete = Prepared(self.table.delete().where(row == bindparam("this")))
        due = self._select.where(row > bindparam("after")).order_by(row).limit(bindparam("size"))
        self._due = Prepared(due)

    def insert(self, connection: Connection, callback: PendingCallback) -> None:
        """Gives it an id."""
        self._insert.run(connection, callback)

    def due(
        self, connection: Connection, after: int = 0, size: int = 1000
    ) -> list[PendingCallback]:
        """What is owed with ids above `after`, in order, of all subjects."""
        rows = self._due.all(connection, {"after": after, "size": size})
        return [replace(self._shape.load(row[:-1]), id=row[-1]) for row in rows]

    def count(self, connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(self.table)).scalar_one()

    def delete(self, connection: Connection, id_: int) -> bool:
        return self._delete.run(connection, {"this": id_}) > 0


class Dialogs:
    """What a BYE needs, for each answered call that lasts."""

    def __init__(self) -> None:
        self._shape = Shape(LiveDialog)
        columns = self._shape.columns()
        self.table = Table(
            "dialogs",
            metadata,
            Column("row", RowId, primary_key=True),
            *columns,
            UniqueConstraint("call_sid"),
            sqlite_autoincrement=True,
        )
        self._select = select(*columns)
        self._insert = Prepared(self.table.insert(), self._shape.paths, self._shape.paths)
        this = self.table.c.call_sid == bindparam("this")
        self._delete = Prepared(self.table.delete().where(this))

    def insert(self, connection: Connection, dialog: LiveDialog) -> None:
        """Keeps it, in the place of an earlier one of the same call."""
        self.delete(connection, dialog.call_sid)
        self._insert.run(connection, dialog)

    def all(self, connection: Connection) -> list[LiveDialog]:
        query = self._select.order_by(self.table.c.row)
        return [self._shape.load(row) for row in connection.execute(query)]

    def delete(self, connection: Connection, call_sid: str) -> bool:
        return self._delete.run(connection, {"this": call_sid}) > 0


class Keyed:
    """JSON by key, with a date past which it may be forgotten (None: never)."""

    def __init__(self, name: str, key: str) -> None:
        self.table = Table(
            name,
            metadata,
            Column(key, Text, primary_key=True),
            Column("data", JSON, nullable=False),
            Column("expires", UtcDateTime, nullable=True),
            Index(f"ix_{name}_expires", "expires"),
        )
        self._key = self.table.c[key]

    def get(self, connection: Connection, key: str, now: datetime | None = None) -> Any:
        """The data, or None; with `now` also None once it expired."""
        query = select(self.table.c.data).where(self._key == key)
        if now:
            expires = self.table.c.expires
            query = query.where(expires.is_(None) | (expires > now))
        return connection.execute(query).scalar_one_or_none()

    def starting(self, connection: Connection, prefix: str) -> dict[str, Any]:
        """Data by key, for the keys that begin like this."""
        query = select(self._key, self.table.c.data).where(
            self._key >= prefix, self._key < prefix + "\U0010ffff"
        )
        return {row[0]: row[1] for row in connection.execute(query)}

    def put(
        self, connection: Connection, key: str, data: Any, expires: datetime | None = None
    ) -> None:
        self.delete(connection, key)
        values = {self._key.name: key, "data": data, "expires": expires}
        connection.execute(self.table.insert(), values)

    def delete(self, connection: Connection, key: str) -> bool:
        return connection.execute(self.table.delete().where(self._key == key)).rowcount > 0

    def forget(self, connection: Connection, before: datetime) -> int:
        """Deletes what expired before that; returns how many."""
        old = self.table.delete().where(self.table.c.expires < before)
        return connection.execute(old).rowcount


events = Events()
callbacks = Callbacks()
dialogs = Dialogs()
facts = Keyed("facts", "name")  # what an installation remembers of itself
