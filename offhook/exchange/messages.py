"""A text comes in, and its replies go out.  Flow 3 of docs/flows.md."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import structlog

from offhook import clock, sids
from offhook.errors import ApiError, DocumentError, WebhookError
from offhook.exchange import billing, debugger, optout, params
from offhook.exchange.documents import TWIML_TYPES, text_of
from offhook.exchange.exchange import Exchange
from offhook.exchange.texting import MessageOrder, keep_media, send
from offhook.model.account import Account, Application, IncomingPhoneNumber
from offhook.model.fetch import Fetch, Script
from offhook.model.message import Media as Kept
from offhook.model.message import Message
from offhook.model.numbers import (
    is_alphanumeric_sender,
    is_possible,
    is_short_code,
    normalise,
    region_of,
)
from offhook.model.segments import segment
from offhook.store import owned, records
from offhook.store.marks import Marks
from offhook.store.store import Connection, beside
from offhook.twiml.document import Document, Placed, parse, problem
from offhook.twiml.messaging import Reply, body_fault, converse
from offhook.webhooks.ask import Answer, Request, error_params
from offhook.webhooks.target import resolve

log = structlog.get_logger("offhook.exchange")

Program = Document[Reply | Fetch]
UNDER_WAY = "conversation under way: "
NOTHING: Program = Document(())
Media = tuple[tuple[str, bytes], ...]  # (content type, bytes)


async def on_text(
    exchange: Exchange, to: str, from_: str, body: str, media: Media = ()
) -> Message | None:
    """Stored, then answered by what is behind the number; None when the number is not ours."""
    region = exchange.rules.region
    number = await exchange.store.read(owned.texted, normalise(to, region))
    account = number and await exchange.account(number.account_sid)
    if not number or not account or account.status != "active" or not exchange.open:
        return None
    at = clock.utc()
    message = Message(
        sids.new("MM" if media else "SM"), account.sid, number.phone_number,
        normalise(from_, region), body, "inbound", at, at, status="received", date_sent=at,
        num_segments=segment(body).count, num_media=len(media), api_version=number.api_version,
    )  # fmt: skip
    message = billing.priced_message(exchange.rules.prices, message)
    script, token = await exchange.store.read(_script, number), sids.uuid()
    await exchange.store.write(_keep, message, token if script.url else "")
    kept = [await keep_media(exchange, message, kind, content) for kind, content in media]
    exchange.counts["message", "inbound", "received"] += 1
    exchange.journal.add(message.sid, account.sid, "status", {"status": "received"})
    await optout.heed(exchange, message)
    if script.url:
        session = Session(exchange, account, number, message, script, kept, token)
        exchange.spawn(session.run(), message.sid)
    return message


def _keep(connection: Connection, message: Message, token: str) -> None:
    """With a `token` its conversation is noted as under way."""
    records.messages.insert(connection, message)
    billing.count_message(connection, message)
    if token:
        records.facts.put(connection, UNDER_WAY + message.sid, {"made": [], "token": token})


async def resume(exchange: Exchange) -> None:
    """Takes up the conversations that a crash interrupted: asked again with the same tokens."""
    interrupted = await exchange.store.read(records.facts.starting, UNDER_WAY)
    for name, fact in interrupted.items():
        if session := await _interrupted(exchange, name.removeprefix(UNDER_WAY), fact):
            exchange.spawn(session.run(), session.message.sid)
        else:
            await exchange.store.write(records.facts.delete, name)


async def _interrupted(exchange: Exchange, sid: str, fact: dict[str, Any]) -> Session | None:
    """None when its number, its URL or its account has gone meanwhile."""
    message = await exchange.store.read(records.messages.get, sid)
    if message is None:
        return None
    number = await exchange.store.read(owned.texted, message.to)
    account = await exchange.account(message.account_sid)
    if not number or not account or account.status != "active":
        return None
    script = await exchange.store.read(_script, number)
    kept = await exchange.store.read(records.media.of, sid)
    if not script.url or number.account_sid != account.sid:
        return None
    return Session(exchange, account, number, message, script, kept, fact["token"], fact["made"])


def _script(connection: Connection, number: IncomingPhoneNumber) -> Script:
    application: Application | None = None
    if number.sms_application_sid:
        application = records.applications.get(connection, number.sms_application_sid)
    return application.sms if application else number.sms


class Session:
    """One inbound text's documents, from the number's URL to the last reply.

    `token` is the first request's; those that follow have theirs from it, so that a conversation
    that is taken up again asks with the same ones. `sent` are the replies of before a crash.
    """

    def __init__(
        self, exchange: Exchange, account: Account, number: IncomingPhoneNumber, message: Message,
        script: Script, media: Sequence[Kept], token: str, sent: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.exchange, self.account, self.number = exchange, account, number
        self.message, self.script = message, script
        base = f"{exchange.rules.public_url.rstrip('/')}/2010-04-01/Accounts/{account.sid}/Messages"
        links = tuple((f"{base}/{message.sid}/Media/{m.sid}", m.content_type) for m in media)
        self.common = params.inbound_text(message, links)
        self.tokens, self.sent = sids.uuids(token), deque(sent)
        self.url = ""

    async def run(self) -> None:
        """A crash is the end of this conversation alone."""
        name = UNDER_WAY + self.message.sid
        beside.set(Marks(name, self.message.date_created))
        await self._converse()
        await self.exchange.store.write(records.facts.delete, name)

    async def _converse(self) -> None:
        start = self.script.start
        if self.message.api_version == "2008-08-01":
            start = replace(start, method="POST")
        try:
            await converse(start, self.fetch, self.send, self.note)
        except Exception:
            log.exception("answering a text crashed", sid=self.message.sid)
            self.note(12400)

    async def fetch(self, wanted: Fetch) -> Program:
        """The next document, or its fallback's; an empty one when both fail."""
        try:
            return await self._get(wanted)
        except (WebhookError, DocumentError) as error:
            told = dict(error_params(error.code, self._url(wanted, error)))
        if not self.script.fallback_url:
            return NOTHING
        try:
            return await self._get(
                Fetch(self.script.fallback_url, self.script.fallback_method, told)
            )
        except (WebhookError, DocumentError):
            return NOTHING

    def _url(self, wanted: Fetch, error: WebhookError | DocumentError) -> str:
        return error.url if isinstance(error, WebhookError) else self.url or wanted.url

    async def send(self, reply: Reply) -> tuple[str, str]:
        """(MessageSid, `sent` or `invalid`): what `action` is told."""
        region = self.exchange.rules.region
        from_ = normalise(reply.from_ or self.number.phone_number, region)
        to = normalise(reply.to or self.message.from_, region_of(from_) or region)
        problem = await self._problem(to, from_)
        if problem:
            self.note(problem)
            return "", "invalid"
        if self.sent:
            return self.sent.popleft(), "sent"
        callback = reply.status_callback or reply.action
        order = MessageOrder(
            self.account.sid, to, from_, reply.body,
            tuple(resolve(self.url, media) for media in reply.media),
            resolve(self.url, callback) if callback else "", "outbound-reply",
            self.message.api_version,
        )  # fmt: skip
        try:
            return (await send(self.exchange, order)).sid, "sent"
        except ApiError as refused:
            self.note(refused.code)
            return "", "invalid"

    async def _problem(self, to: str, from_: str) -> int:
        if not (is_possible(to) or is_short_code(to)) or to == from_:
            return 14101
        if not is_alphanumeric_sender(from_):
            owner = await self.exchange.store.read(owned.texted, from_)
            if owner is None or owner.account_sid != self.account.sid:
                return 14102
            if "sms" not in owner.capabilities:
                return 14108
        at_ease = self.exchange.replies.admits(f"{from_}|{to}", clock.now())
        return 0 if at_ease else 14107

    async def _get(self, wanted: Fetch) -> Program:
        """Raises WebhookError and DocumentError, which the debugger has by then."""
        answer = None
        try:
            answer = await self._ask(wanted)
            self.url = answer.url
            return _read(answer)
        except (WebhookError, DocumentError) as error:
            debugger.note_failure(
                self.exchange, self.account.sid, self.message.sid, error,
                self._url(wanted, error), urlencode(self.common | dict(wanted.params)), answer,
            )  # fmt: skip
            raise

    async def _ask(self, wanted: Fetch) -> Answer:
        url = resolve(self.url, wanted.url)
        sent = self.common | dict(wanted.params)
        request = Request(
            url, wanted.method, tuple(sent.items()), self.account.auth_token,
            jar=f"{self.number.phone_number}|{self.message.from_}", token=next(self.tokens),
        )  # fmt: skip
        asked = {"method": wanted.method, "url": url, "params": sent}
        try:
            answer = await self.exchange.webhooks.ask(request)
        except WebhookError as error:
            self._journal(asked | {"status": error.status, "error": error.code})
            raise
        body = answer.body.decode("utf-8", "replace")
        self._journal(asked | {"status": answer.status, "body": body, "type": answer.media_type})
        for each in answer.notes:
            self.note(each.code, each.message)
        return answer

    def _journal(self, told: dict[str, object]) -> None:
        self.exchange.journal.add(self.message.sid, self.account.sid, "webhook", told)

    def note(self, code: int, message: str = "") -> None:
        debugger.note(
            self.exchange, self.account.sid, code, message, subject=self.message.sid, url=self.url
        )


def _read(answer: Answer) -> Program:
    """The answer by its content type; plain text is the reply.  reference: document rules."""
    if answer.status == 204 or not answer.body.strip():
        return NOTHING
    if not answer.media_type:
        raise WebhookError(11200, answer.url, "The answer has no Content-Type")
    if answer.media_type in TWIML_TYPES:
        return parse(answer.body, answer.charset, "messaging")
    if answer.media_type == "text/plain":
        return _reply(text_of(answer).strip())
    raise WebhookError(
        12300, answer.url, f"Content-Type {answer.media_type} is neither TwiML nor text",
        status=answer.status, headers=answer.headers, body=answer.body,
    )  # fmt: skip


def _reply(text: str) -> Program:
    if fault := body_fault(text):
        return Document((), (problem(14103, fault, 1, 1),))
    return Document((Placed(Reply(body=text), "Message", 1, 1),))
