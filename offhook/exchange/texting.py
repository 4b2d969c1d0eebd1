"""A text on its way out: by REST, as a reply, and by `<Sms>` in a call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from offhook import clock, sids
from offhook.errors import ApiError, CarrierError, DocumentError, WebhookError
from offhook.exchange import billing, debugger, params, permission, routing
from offhook.exchange.exchange import Exchange
from offhook.exchange.status import pending
from offhook.frozen import changed, frozen
from offhook.line.leg import Text
from offhook.line.live_call import LiveCall
from offhook.model.message import NEXT, Direction, Media, Message, Status
from offhook.model.numbers import is_possible, normalise
from offhook.model.segments import segment
from offhook.store import owned, records
from offhook.store.store import Connection
from offhook.webhooks.ask import Request

log = structlog.get_logger("offhook.exchange")

SUSPENDED, UNDELIVERABLE, LOST, EXPIRED, OPTED_OUT = 30002, 30006, 30008, 30001, 21610
MEDIA_FAULTS = {11751, 12300}
MEDIA_BYTES = 5_000_000


@frozen
class MessageOrder:
    """A validated text; `media` are URLs that are fetched before it goes out."""

    account_sid: str
    to: str
    from_: str
    body: str
    media: tuple[str, ...] = ()
    status_callback: str = ""
    direction: Direction = "outbound-api"
    api_version: str = "2010-04-01"
    validity_seconds: int = 36000
    call_sid: str = ""


async def opted_out(exchange: Exchange, own: str, other: str) -> bool:
    """Whether `other` has asked for no more texts from `own`."""
    return bool(await exchange.store.read(records.facts.get, _pair(own, other)))


async def opt_out(exchange: Exchange, own: str, other: str) -> None:
    await exchange.store.write(records.facts.put, _pair(own, other), True)


async def opt_in(exchange: Exchange, own: str, other: str) -> None:
    await exchange.store.write(records.facts.delete, _pair(own, other))


def _pair(own: str, other: str) -> str:
    return f"opted out: {own}|{other}"


async def send(exchange: Exchange, order: MessageOrder) -> Message:
    """Queued, stored and on its way. Raises ApiError 21610: the receiver wants no more texts; or
    21408."""
    await permission.text(exchange, order.account_sid, order.to)
    if await opted_out(exchange, order.from_, order.to):
        raise ApiError(OPTED_OUT)
    return await queue(exchange, order)


async def queue(exchange: Exchange, order: MessageOrder) -> Message:
    """Stored, and on its way in the background."""
    at = clock.utc()
    message = Message(
        sids.new("MM" if order.media else "SM"), order.account_sid, order.to, order.from_,
        order.body, order.direction, at, at, num_segments=segment(order.body).count,
        num_media=len(order.media), status_callback=order.status_callback,
        call_sid=order.call_sid, api_version=order.api_version,
        validity_seconds=order.validity_seconds, media_urls=order.media,
    )  # fmt: skip
    await exchange.store.write(records.messages.insert, message)
    exchange.spawn(deliver(exchange, message), message.sid)
    return message


async def deliver(exchange: Exchange, message: Message) -> None:
    """Queued to sent, then the receipt when there is one. Taken up again after a restart.

    Texts from one number to another leave in the order they were queued.
    """
    async with exchange.turn(f"{message.from_}|{message.to}"):
        try:
            await _deliver(exchange, message)
        except WebhookError as error:
            debugger.note_failure(exchange, message.account_sid, message.sid, error)
            await fail(exchange, message, error.code if error.code in MEDIA_FAULTS else 11200)
        except CarrierError as refused:
            told = f"{message.to}: {refused}"
            debugger.note(exchange, message.account_sid, 21612, told, subject=message.sid)
            await fail(exchange, message, UNDELIVERABLE)
        except Exception:
            log.exception("sending a text crashed", sid=message.sid)
            debugger.note(exchange, message.account_sid, 12400, subject=message.sid)
            await fail(exchange, message, LOST)


async def _deliver(exchange: Exchange, message: Message) -> None:
    account = await exchange.account(message.account_sid)
    if account and account.status != "active":
        return await fail(exchange, message, SUSPENDED)
    if (clock.utc() - message.date_created).total_seconds() > message.validity_seconds:
        return await fail(exchange, message, EXPIRED)
    if message.status == "queued":
        message = await advance(exchange, message, "sending")
    await _store_media(exchange, message)
    return await _hand_over(exchange, message)


async def fail(exchange: Exchange, message: Message, error_code: int) -> None:
    """Unless it has been sent meanwhile, or is no more."""
    stored = await exchange.store.read(records.messages.get, message.sid)
    if stored and "failed" in NEXT[stored.status]:
        await advance(exchange, stored, "failed", error_code)


async def _hand_over(exchange: Exchange, message: Message) -> None:
    """To the carrier. A receipt that comes before `sent` is stored waits for it."""
    text = Text(
        message.sid, message.account_sid, message.to, message.from_, message.body,
        message.media_urls,
    )  # fmt: skip
    receipts: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    carrier = await routing.carrier_for(exchange, message.to)
    sent: list[Message] = []

    def report(word: str, code: int) -> None:
        receipts.put_nowait((word, code))
        if sent:
            exchange.spawn(receipted(exchange, sent[0], *receipts.get_nowait()), message.sid)

    await carrier.send(text, report)
    message = await advance(exchange, message, "sent")
    sent.append(message)
    if not receipts.empty():
        await receipted(exchange, message, *receipts.get_nowait())


async def receipted(exchange: Exchange, message: Message, word: str, code: int) -> None:
    to: Status = "delivered" if word == "delivered" else "undelivered"
    await advance(exchange, message, to, code)


async def _store_media(exchange: Exchange, message: Message) -> None:
    """Fetches what MediaUrl names, once. Raises WebhookError."""
    kept = await exchange.store.read(records.media.of, message.sid)
    for url in message.media_urls[len(kept) :]:
        request = Request(
            url, "GET", (), "", jar=message.sid, kind="media", token=sids.uuid(),
            max_bytes=MEDIA_BYTES,
        )  # fmt: skip
        answer = await exchange.webhooks.ask(request)
        for each in answer.notes:
            debugger.note(
                exchange, message.account_sid, each.code, each.message, subject=message.sid, url=url
            )
        await keep_media(exchange, message, answer.media_type, answer.body)


async def attached(exchange: Exchange, sid: str) -> tuple[tuple[str, bytes], ...]:
    """The content types and contents of a text's media."""

    def read(connection: Connection) -> tuple[tuple[str, bytes], ...]:
        kept = records.media.of(connection, sid)
        return tuple((each.content_type, Path(each.path).read_bytes()) for each in kept)

    return await exchange.store.read(read)


async def keep_media(exchange: Exchange, message: Message, content_type: str, body: bytes) -> Media:
    """One attachment, its bytes in a file."""
    at, sid = clock.utc(), sids.new("ME")
    path = exchange.rules.data / "media" / message.account_sid / sid
    media = Media(sid, message.account_sid, message.sid, content_type, str(path), at, at)

    def keep(connection: Connection) -> Media:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        records.media.insert(connection, media)
        return media

    return await exchange.store.write(keep)


async def advance(exchange: Exchange, message: Message, to: Status, error_code: int = 0) -> Message:
    """The message in its next status, stored with the callback it owes."""
    message = message.advanced(to, clock.utc(), error_code)
    message = billing.priced_message(exchange.rules.prices, message)
    owed = None
    if message.status_callback and params.told_of(message.api_version, to):
        sent = params.text_status(message)
        message = changed(message, callbacks_sent=message.callbacks_sent + 1)
        owed = pending(
            message.sid, message.account_sid, message.status_callback, "POST", sent,
            message.date_updated, "message",
        )  # fmt: skip

    def write(connection: Connection) -> None:
        records.messages.save(connection, message)
        billing.count_message(connection, message)
        if owed:
            records.callbacks.insert(connection, owed)

    exchange.counts["message", message.direction, message.status] += 1
    await exchange.store.write_at_last(write)
    if owed:
        exchange.notifier.wake()
    exchange.journal.add(message.sid, message.account_sid, "status", {"status": message.status})
    return message


async def from_call(
    exchange: Exchange, live: LiveCall, to: str, from_: str, body: str, callback: str
) -> tuple[str, str]:
    """`<Sms>` in a call: to the caller from the called number, unless it says otherwise."""
    call = live.record
    here, there = (call.to, call.from_) if call.direction == "inbound" else (call.from_, call.to)
    region = exchange.rules.region
    receiver, sender = normalise(to or there, region), normalise(from_ or here, region)
    if not is_possible(receiver):
        live.note(14101, f"{receiver!r} cannot be texted")
        return "", "invalid"
    owner = await exchange.store.read(owned.texted, sender)
    if owner is None or owner.account_sid != call.account_sid or "sms" not in owner.capabilities:
        live.note(14102 if owner is None else 14108, f"{sender!r} is no number of this account")
        return "", "invalid"
    try:
        told = live.resolve(callback) if callback else ""
    except DocumentError as error:
        live.note(14105, error.message)
        return "", "invalid"
    order = MessageOrder(
        call.account_sid, receiver, sender, body, status_callback=told,
        direction="outbound-call", call_sid=call.sid, api_version=call.api_version,
    )  # fmt: skip
    try:
        return (await send(exchange, order)).sid, "sent"
    except ApiError as refused:
        live.note(refused.code)
        return "", "invalid"
