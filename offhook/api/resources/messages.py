"""Messages, and the older SMS/Messages (M06).  reference: messaging sections 2 and 3."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from offhook import clock
from offhook.api.addresses import sender, sends_media, written_to
from offhook.api.files import forget
from offhook.api.filters import dates, exactly
from offhook.api.formats import Rendering
from offhook.api.forms import flag, link, links, text, whole, word, words
from offhook.api.paging import page
from offhook.api.reach import fetched, owned
from offhook.api.rendering import account_uri, below, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.exchange.texting import MessageOrder, send
from offhook.frozen import frozen
from offhook.model.message import Message
from offhook.model.segments import MAX_UNITS, smart_encoded, utf16_units
from offhook.store import records
from offhook.store.store import Connection

_ACCOUNT = f"/{VERSION}/Accounts/{{account_sid}}"
messages = Resource(f"{_ACCOUNT}/Messages", element="Message", key="messages")
sms_messages = Resource(f"{_ACCOUNT}/SMS/Messages", element="SMSMessage", key="sms_messages")

MOST_MEDIA = 10
LONGEST_SMS = 160
UNDER_WAY = {"scheduled", "accepted", "queued", "sending", "receiving"}
_OLD_STATUS = {
    "delivered": "sent", "read": "sent", "partially_delivered": "sent", "undelivered": "failed",
    "canceled": "failed", "accepted": "queued", "scheduled": "queued", "receiving": "received",
}  # fmt: skip


@frozen
class Create:
    to: str = text(missing=21604)
    status_callback: str = link(bad=21609)
    application_sid: str = text()
    max_price: str = text()
    provide_feedback: bool = flag()
    attempt: int = whole(1, 0, 10**6)
    validity_period: int = whole(36000, 1, 36000, bad=21624)
    force_delivery: bool = flag()
    content_retention: str = word("retain", "discard", default="retain")
    address_retention: str = word("retain", "obfuscate", default="retain")
    smart_encoded: bool = flag()
    traffic_type: str = word("free")
    shorten_urls: bool = flag()
    schedule_type: str = word("fixed")
    send_at: str = text()
    send_as_mms: bool = flag()
    content_variables: str = text()
    persistent_action: tuple[str, ...] = words()
    risk_check: str = word("enable", "disable", default="enable")
    from_: str = text(missing=21603, unless=("MessagingServiceSid",))
    fallback_from: str = text()
    messaging_service_sid: str = text()
    body: str = text(missing=21602, unless=("MediaUrl", "ContentSid"))
    media_url: tuple[str, ...] = links(bad=21620)
    content_sid: str = text()


@messages.create(Create)
async def create(at: At, form: Create) -> Rendering:
    """The message is queued and on its way when this answers."""
    body = checked_body(form)
    from_, to = await _parties(at, form.from_, form.to)
    if form.media_url and not await sends_media(at, from_):
        raise ApiError(21621)
    order = MessageOrder(
        at.account.sid, to, from_, body, form.media_url,
        await _callback(at, form.status_callback, form.application_sid, "message_status_callback"),
        api_version=at.version, validity_seconds=form.validity_period,
    )  # fmt: skip
    return render(await send(at.exchange, order))


def checked_body(form: Create) -> str:
    """What is to be said, as it is sent. Raises ApiError for what is wrong with it, and because
    there are no messaging services or content templates here, and scheduling needs one."""
    body = smart_encoded(form.body) if form.smart_encoded else form.body
    if utf16_units(body) > MAX_UNITS:
        raise ApiError(21617)
    if len(form.media_url) > MOST_MEDIA:
        raise ApiError(21623)
    if form.schedule_type and not form.messaging_service_sid:
        raise ApiError(35118)
    if form.schedule_type and not form.send_at:
        raise ApiError(35111)
    if form.messaging_service_sid:
        raise ApiError(21701)
    if form.content_sid:
        raise ApiError(21654)
    return body


async def _parties(at: At, from_: str, to: str) -> tuple[str, str]:
    """The numbers of sender and receiver. The receiver is checked first."""
    receiver = written_to(at, to, from_)
    own = await sender(at, from_)
    if receiver == own:
        raise ApiError(21211, "'To' and 'From' are the same number.")
    return own, receiver


async def _callback(at: At, sent: str, application_sid: str, field: str) -> str:
    """Who hears of the message: StatusCallback, else the application's. Raises ApiError 21218."""
    if sent or not application_sid:
        return sent
    try:
        application = await fetched(at, records.applications, application_sid)
    except ApiError:
        raise ApiError(21218) from None
    chosen: str = getattr(application, field)
    return chosen


@frozen
class CreateSms:
    to: str = text(missing=21604)
    from_: str = text(missing=21603)
    body: str = text(missing=21602)
    status_callback: str = link(bad=21609)
    application_sid: str = text()


@sms_messages.create(CreateSms)
async def create_sms(at: At, form: CreateSms) -> Rendering:
    if utf16_units(form.body) > LONGEST_SMS:
        raise ApiError(21605)
    from_, to = await _parties(at, form.from_, form.to)
    callback = await _callback(
        at, form.status_callback, form.application_sid, "sms_status_callback"
    )
    order = MessageOrder(
        at.account.sid, to, from_, form.body, status_callback=callback, api_version=at.version
    )
    return render_sms(await send(at.exchange, order))


_FILTERS = (*exactly(To="to", From="from_"), *dates("DateSent", "date_sent"))


@messages.get(filters=_FILTERS)
async def list_messages(at: At) -> Listed:
    return await page(at, records.messages, render)


@sms_messages.get(filters=_FILTERS)
async def list_sms(at: At) -> Listed:
    return await page(at, records.messages, render_sms)


@messages.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await fetched(at, records.messages, at.sid))


@sms_messages.get("/{sid}")
async def fetch_sms(at: At) -> Rendering:
    return render_sms(await fetched(at, records.messages, at.sid))


@frozen
class Update:
    body: str | None = text(None)
    status: str | None = word("canceled", default=None)


@messages.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """An empty Body redacts a message that is over, and forgets its story, which tells the text;
    `Status=canceled` is for scheduled ones."""
    if form.body:
        raise ApiError(20001, "Body can only be set to nothing, which redacts the message", 400)
    await at.exchange.journal.flush()
    return render(await at.exchange.store.write(_change, at.account.sid, at.sid, form, clock.utc()))


def _change(
    connection: Connection, account_sid: str, sid: str, form: Update, now: datetime
) -> Message:
    message = owned(connection, records.messages, account_sid, sid)
    if form.status == "canceled":
        if message.status != "scheduled":
            raise ApiError(30409)
        message = message.advanced("canceled", now)
    if form.body is not None:
        if message.status in UNDER_WAY:
            raise ApiError(20009, status=409)
        message = replace(message, body="", date_updated=now)
        _forget_story(connection, sid)
    records.messages.save(connection, message)
    return message


@messages.delete()
@sms_messages.delete()
async def delete(at: At) -> None:
    """The message, its media and its story. Raises ApiError 20009 while it is on its way."""
    await at.exchange.journal.flush()
    paths = await at.exchange.store.write(_delete, at.account.sid, at.sid)
    await forget(*paths)


def _delete(connection: Connection, account_sid: str, sid: str) -> list[str]:
    """Gives the files that are no longer needed."""
    message = owned(connection, records.messages, account_sid, sid)
    if message.status in UNDER_WAY:
        raise ApiError(20009, status=409)
    paths = [each.path for each in records.media.delete_of(connection, sid)]
    _forget_story(connection, sid)
    records.messages.delete(connection, sid)
    return paths


def _forget_story(connection: Connection, sid: str) -> None:
    """Both what happened and what the debugger kept of it tell the text."""
    records.events.delete(connection, sid)
    records.notifications.redact(connection, sid)


def render(message: Message) -> Rendering:
    uri = f"{account_uri(message.account_sid)}/Messages/{message.sid}"
    return {
        "body": message.body,
        "num_segments": str(message.num_segments),
        "direction": message.direction,
        "from": message.from_,
        "to": message.to,
        "date_updated": date(message.date_updated),
        "price": message.price,
        "error_message": or_none(message.error_message),
        "uri": uri,
        "account_sid": message.account_sid,
        "num_media": str(message.num_media),
        "status": message.status,
        "messaging_service_sid": or_none(message.messaging_service_sid),
        "sid": message.sid,
        "date_sent": date(message.date_sent),
        "date_created": date(message.date_created),
        "error_code": message.error_code or None,
        "price_unit": message.price_unit,
        "api_version": message.api_version,
        "subresource_uris": below(uri, "media"),
    }


def render_sms(message: Message) -> Rendering:
    """The older shape, with the older words for statuses."""
    return {
        "sid": message.sid,
        "date_created": date(message.date_created),
        "date_updated": date(message.date_updated),
        "date_sent": date(message.date_sent),
        "account_sid": message.account_sid,
        "to": message.to,
        "from": message.from_,
        "body": message.body,
        "status": _OLD_STATUS.get(message.status, message.status),
        "direction": message.direction,
        "price": message.price,
        "api_version": message.api_version,
        "uri": f"{account_uri(message.account_sid)}/SMS/Messages/{message.sid}",
    }
