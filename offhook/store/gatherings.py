"""The tables of conferences, queues, forks, payments and what belongs to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from offhook.model.gatherings import (
    HERE,
    Conference,
    Feedback,
    Fork,
    Member,
    Participant,
    Payment,
    Queue,
    Transcription,
    UserMessage,
    UserSubscription,
    claim,
)
from offhook.store.table import Records, Where


class Conferences(Records[Conference]):
    def named(self, connection: Connection, account_sid: str, name: str) -> Conference | None:
        """The open room of that name."""
        return self.only(connection, claim=claim(account_sid, name))


class Participants(Records[Participant]):
    def one(self, connection: Connection, conference_sid: str, key: str) -> Participant | None:
        """Who is in that room, by CallSid or label."""
        field = "call_sid" if key.startswith("CA") and len(key) == 34 else "label"
        here = Where("status", "in", HERE)
        found = self.all(
            connection, Where("conference_sid", "=", conference_sid), Where(field, "=", key), here
        )
        return found[-1] if found else None


class Queues(Records[Queue]):
    def named(self, connection: Connection, account_sid: str, name: str) -> Queue | None:
        return self.only(connection, claim=claim(account_sid, name))


class Members(Records[Member]):
    def of(self, connection: Connection, queue_sid: str) -> list[Member]:
        """Who waits, in the order of their places."""
        return self.alike(connection, queue_sid=queue_sid)

    def waiting(
        self, connection: Connection, account_sid: str, now: datetime
    ) -> dict[str, tuple[int, int]]:
        """By queue, how many wait and the seconds that they have waited on average."""
        came: dict[str, list[float]] = {}
        for member in self.alike(connection, account_sid=account_sid):
            seconds = (now - member.date_enqueued).total_seconds()
            came.setdefault(member.queue_sid, []).append(seconds)
        return {
            queue_sid: (len(waits), round(sum(waits) / len(waits)))
            for queue_sid, waits in came.items()
        }

    def place(self, connection: Connection, member: Member) -> int:
        """A member's place, from 1 at the front."""
        own = select(self._row).where(self._key == member.call_sid).scalar_subquery()
        ahead = select(func.count()).where(
            self.table.c.queue_sid == member.queue_sid, self._row <= own
        )
        return connection.execute(ahead).scalar_one()


class Forks(Records[Fork]):
    def one(self, connection: Connection, call_sid: str, kind: str, key: str) -> Fork | None:
        """By SID or by name; of several with a name, the latest."""
        field = "sid" if key[2:].isalnum() and len(key) == 34 else "name"
        found = self.all(
            connection,
            Where("call_sid", "=", call_sid),
            Where("kind", "=", kind),
            Where(field, "=", key),
        )
        return found[-1] if found else None


conferences = Conferences(
    Conference,
    "conferences",
    ("account_sid", "date_created", "row"),
    ("account_sid", "date_updated", "row"),
    ("status", "account_sid", "date_created", "row"),
    ("friendly_name", "account_sid", "date_created", "row"),
    dates=("date_created", "date_updated"),
    unique=("claim",),
)
participants = Participants(
    Participant,
    "participants",
    ("conference_sid", "account_sid", "date_created", "row"),
    ("call_sid",),
)
queues = Queues(Queue, "queues", ("account_sid", "date_created", "row"), unique=("claim",))
members = Members(
    Member,
    "queue_members",
    ("queue_sid", "row"),
    ("account_sid",),
    key="call_sid",
    dates=("date_enqueued",),
)
forks = Forks(Fork, "forks", ("call_sid", "kind"))
payments = Records(Payment, "payments", ("call_sid",))
user_messages = Records(UserMessage, "user_messages", ("call_sid", "idempotency_key"))
user_subscriptions = Records(
    UserSubscription, "user_subscriptions", ("call_sid", "idempotency_key")
)
transcriptions = Records(
    Transcription,
    "transcriptions",
    ("account_sid", "date_created", "row"),
    ("recording_sid", "account_sid", "date_created", "row"),
)
feedback = Records(Feedback, "message_feedback", key="message_sid")
