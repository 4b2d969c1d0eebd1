"""Whether a message was received, as its sender knows it.  reference: messaging section 2.4."""

from __future__ import annotations

from dataclasses import replace

from offhook import clock
from offhook.api.formats import Rendering
from offhook.api.forms import word
from offhook.api.reach import owned
from offhook.api.rendering import account_uri, date
from offhook.api.resource import VERSION, At, Resource
from offhook.frozen import frozen
from offhook.model.gatherings import Feedback
from offhook.store import records
from offhook.store.gatherings import feedback as table
from offhook.store.store import Connection

message_feedback = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Messages/{{message_sid}}/Feedback",
    element="Feedback",
    key="feedback",
)


@frozen
class Create:
    outcome: str = word("confirmed", "unconfirmed", default="confirmed")


@message_feedback.create(Create, status=200)
async def create(at: At, form: Create) -> Rendering:
    """The latest word counts."""
    now = clock.utc()
    said = Feedback(at.names["message_sid"], at.account.sid, now, now, form.outcome)  # type: ignore[arg-type]
    return render(await at.exchange.store.write(_keep, said))


def _keep(connection: Connection, said: Feedback) -> Feedback:
    owned(connection, records.messages, said.account_sid, said.message_sid)
    before = table.get(connection, said.message_sid)
    if before is None:
        table.insert(connection, said)
        return said
    said = replace(said, date_created=before.date_created)
    table.save(connection, said)
    return said


def render(said: Feedback) -> Rendering:
    return {
        "account_sid": said.account_sid,
        "message_sid": said.message_sid,
        "outcome": said.outcome,
        "date_created": date(said.date_created),
        "date_updated": date(said.date_updated),
        "uri": f"{account_uri(said.account_sid)}/Messages/{said.message_sid}/Feedback",
    }
