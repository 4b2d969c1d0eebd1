"""JSON to the application on a call's phone, and from it.  reference: call subresources."""

from __future__ import annotations

import json

from offhook import clock, sids
from offhook.api.formats import Rendering
from offhook.api.forms import http_method, link, text
from offhook.api.reach import fetched, owned
from offhook.api.rendering import account_uri, date
from offhook.api.resource import VERSION, At, Resource
from offhook.api.resources.call_forks import in_progress
from offhook.errors import ApiError
from offhook.exchange import debugger
from offhook.frozen import frozen
from offhook.model.fetch import Callback
from offhook.model.gatherings import UserMessage, UserSubscription
from offhook.store import records
from offhook.store.gatherings import user_messages, user_subscriptions
from offhook.store.store import Connection
from offhook.store.table import Where

_CALL = f"/{VERSION}/Accounts/{{account_sid}}/Calls/{{call_sid}}"
messages = Resource(
    f"{_CALL}/UserDefinedMessages", element="UserDefinedMessage", key="user_defined_messages"
)
subscriptions = Resource(
    f"{_CALL}/UserDefinedMessageSubscriptions",
    element="UserDefinedMessageSubscription",
    key="user_defined_message_subscriptions",
)

NOT_JSON, TOO_LONG, UNDELIVERABLE = 32702, 32703, 32710
LONGEST = 10_000


@frozen
class CreateMessage:
    content: str = text(missing=20001, bad=TOO_LONG, longest=LONGEST)
    idempotency_key: str = text()


@messages.create(CreateMessage)
async def create_message(at: At, form: CreateMessage) -> Rendering:
    """Kept; a phone that takes none is told to the debugger. Raises ApiError 32702, 32703, 21220.

    With an IdempotencyKey that was there already, it is the same message.
    """
    try:
        json.loads(form.content)
    except (ValueError, RecursionError):
        raise ApiError(NOT_JSON) from None
    call = await in_progress(at)
    made = UserMessage(
        sids.new("KX"), at.account.sid, call.sid, form.content, clock.utc(), form.idempotency_key
    )
    kept = await at.exchange.store.write(_keep_message, made)
    if kept is made:
        debugger.note(
            at.exchange, at.account.sid, UNDELIVERABLE, "The phone takes no messages",
            subject=call.sid,
        )  # fmt: skip
    return {
        "account_sid": kept.account_sid,
        "call_sid": kept.call_sid,
        "sid": kept.sid,
        "date_created": date(kept.date_created),
    }


def _keep_message(connection: Connection, made: UserMessage) -> UserMessage:
    before = user_messages.all(connection, *_same(made)) if made.idempotency_key else []
    if not before:
        user_messages.insert(connection, made)
    return before[0] if before else made


def _same(made: UserMessage | UserSubscription) -> list[Where]:
    return [
        Where("call_sid", "=", made.call_sid),
        Where("idempotency_key", "=", made.idempotency_key),
    ]


@frozen
class CreateSubscription:
    callback: str = link(missing=20001, bad=21205)
    idempotency_key: str = text()
    method: str = http_method(bad=21209)


@subscriptions.create(CreateSubscription)
async def create_subscription(at: At, form: CreateSubscription) -> Rendering:
    """With an IdempotencyKey that was there already, it is the same subscription."""
    call = await in_progress(at)
    callback = Callback(form.callback, form.method, ())
    made = UserSubscription(
        sids.new("ZY"), at.account.sid, call.sid, clock.utc(), callback, form.idempotency_key
    )
    return _render(await at.exchange.store.write(_keep_subscription, made))


def _keep_subscription(connection: Connection, made: UserSubscription) -> UserSubscription:
    before = user_subscriptions.all(connection, *_same(made)) if made.idempotency_key else []
    if not before:
        user_subscriptions.insert(connection, made)
    return before[0] if before else made


@subscriptions.delete()
async def delete(at: At) -> None:
    call = await fetched(at, records.calls, at.names["call_sid"])
    await at.exchange.store.write(_delete, at.account.sid, call.sid, at.sid)


def _delete(connection: Connection, account_sid: str, call_sid: str, sid: str) -> None:
    found = owned(connection, user_subscriptions, account_sid, sid)
    if found.call_sid != call_sid:
        raise ApiError(20404)
    user_subscriptions.delete(connection, sid)


def _render(one: UserSubscription) -> Rendering:
    call = f"{account_uri(one.account_sid)}/Calls/{one.call_sid}"
    return {
        "account_sid": one.account_sid,
        "call_sid": one.call_sid,
        "sid": one.sid,
        "date_created": date(one.date_created),
        "uri": f"{call}/UserDefinedMessageSubscriptions/{one.sid}",
    }
