"""A call's documents: asked for, read, and replaced by the fallback when they fail."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from offhook import sids
from offhook.errors import DocumentError, SpeechError, WebhookError
from offhook.exchange import debugger, params
from offhook.exchange.exchange import Exchange
from offhook.line.live_call import LiveCall
from offhook.media.clip import Clip
from offhook.model.fetch import Fetch
from offhook.twiml.document import Document, Placed, Verb, parse
from offhook.twiml.verbs.play import Play
from offhook.twiml.verbs.say import Say
from offhook.webhooks.ask import Answer, Request, error_params

TWIML_TYPES = {"text/xml", "application/xml", "text/html"}
EMPTY: Document[Verb] = Document(())
APOLOGY = parse(
    "<Response><Say>We are sorry, an application error has occurred. Goodbye.</Say>"
    "<Hangup/></Response>"
)


async def fetch(exchange: Exchange, call: LiveCall, wanted: Fetch) -> Document[Verb]:
    """The next document. One that cannot be had is a whisper of nothing, or an apology."""
    found = await obtain(exchange, call, wanted)
    return found or (EMPTY if call.whisper else APOLOGY)


async def obtain(exchange: Exchange, call: LiveCall, wanted: Fetch) -> Document[Verb] | None:
    """The document, or the fallback's in its place; None when neither can be had. A failure is
    noted."""
    if wanted.document:
        return wanted.document
    try:
        return await _get(exchange, call, wanted)
    except (WebhookError, DocumentError) as error:
        told = dict(error_params(error.code, error.url))
    script = call.script
    if call.whisper or not script.fallback_url:
        return None
    try:
        return await _get(exchange, call, Fetch(script.fallback_url, script.fallback_method, told))
    except (WebhookError, DocumentError):
        return None


def _failed(
    exchange: Exchange, call: LiveCall, wanted: Fetch, error: WebhookError | DocumentError,
    answer: Answer | None = None,
) -> None:  # fmt: skip
    if isinstance(error, DocumentError):
        error.url = answer.url if answer else call.document_url or wanted.url
    debugger.note_failure(
        exchange, call.record.account_sid, call.record.sid, error, error.url,
        urlencode(_params(call, wanted)), answer,
    )  # fmt: skip


async def _get(exchange: Exchange, call: LiveCall, wanted: Fetch) -> Document[Verb]:
    """Raises WebhookError and DocumentError, which the debugger has by then."""
    answer = None
    try:
        if wanted.twiml:
            return parse(wanted.twiml)
        answer = await _ask(exchange, call, call.resolve(wanted.url), wanted)
        return replace(await _read(exchange, call, answer), url=answer.url)
    except (WebhookError, DocumentError) as error:
        _failed(exchange, call, wanted, error, answer)
        raise


async def _ask(exchange: Exchange, call: LiveCall, url: str, wanted: Fetch) -> Answer:
    sent = _params(call, wanted)
    request = Request(
        url, wanted.method, tuple(sent.items()), await exchange.key(call.record.account_sid),
        jar=call.record.sid, token=sids.uuid(),
    )  # fmt: skip
    asked = {"method": wanted.method, "url": url, "params": sent}
    try:
        answer = await exchange.webhooks.ask(request)
    except WebhookError as error:
        failed = {"status": error.status, "error": error.code, "message": error.message}
        body = error.body[:4096].decode("utf-8", "replace")
        call.services.journal(call, "webhook", asked | failed | {"body": body})
        raise
    for each in answer.notes:
        call.note(each.code, each.message)
    got = {"status": answer.status, "type": answer.media_type, "seconds": answer.seconds}
    text = answer.body[:65_536].decode("utf-8", "replace")
    body = text if not answer.media_type.startswith("audio/") else f"{len(answer.body)} bytes"
    call.services.journal(
        call, "webhook", asked | got | {"body": body, "cached": answer.from_cache}
    )
    return answer


def _params(call: LiveCall, wanted: Fetch) -> params.Params:
    status = "completed" if call.gone and call.record.status == "in-progress" else ""
    return params.of_version(
        call.record.api_version, params.voice(call.record, status) | dict(wanted.params)
    )


async def _read(exchange: Exchange, call: LiveCall, answer: Answer) -> Document[Verb]:
    """The answer as a document, by its content type.  reference: interpreting the response."""
    if answer.status == 204:
        return EMPTY
    if not answer.body.strip():
        return parse(b"")
    if not answer.media_type:
        raise WebhookError(
            11200, answer.url, "The answer has no Content-Type", status=answer.status
        )
    if answer.media_type in TWIML_TYPES:
        return parse(answer.body, answer.charset)
    if answer.media_type == "text/plain":
        return _plain(answer)
    if answer.media_type.startswith("audio/"):
        call.sounds[answer.url] = await _sound(exchange, answer)
        return _only(Play(url=answer.url), "Play")
    raise WebhookError(
        12300, answer.url, f"Content-Type {answer.media_type} is neither TwiML nor sound",
        status=answer.status, headers=answer.headers, body=answer.body,
    )  # fmt: skip


async def _sound(exchange: Exchange, answer: Answer) -> Clip:
    try:
        return await exchange.speech.decode(answer.body, answer.media_type)
    except SpeechError as error:
        raise WebhookError(12300, answer.url, error.message, status=answer.status) from None


def _plain(answer: Answer) -> Document[Verb]:
    """TwiML that calls itself plain text is run; other text is spoken."""
    try:
        return parse(answer.body, answer.charset)
    except DocumentError:
        return _only(Say(text=" ".join(text_of(answer).split())), "Say")


def _only(verb: Verb, name: str) -> Document[Verb]:
    return Document((Placed(verb, name, 1, 1),))


def text_of(answer: Answer) -> str:
    """The body as text; a charset that nobody knows is read as UTF-8."""
    try:
        return answer.body.decode(answer.charset or "utf-8", "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")


async def tell(exchange: Exchange, call: LiveCall, wanted: Fetch) -> None:
    """Requests a URL for its side effects; a failure is noted, the answer is not run."""
    try:
        await _ask(exchange, call, call.resolve(wanted.url), wanted)
    except (WebhookError, DocumentError) as error:
        _failed(exchange, call, wanted, error)


async def load(exchange: Exchange, call: LiveCall, url: str) -> Clip:
    """The sound behind a URL. Raises WebhookError, SpeechError (13420)."""
    request = Request(
        url, "GET", (), await exchange.key(call.record.account_sid), jar=call.record.sid,
        kind="media", token=sids.uuid(), max_bytes=exchange.rules.media_bytes,
    )  # fmt: skip
    answer = await exchange.webhooks.ask(request)
    for each in answer.notes:
        call.note(each.code, each.message)
    got = {"method": "GET", "url": url, "status": answer.status, "type": answer.media_type}
    call.services.journal(
        call, "webhook", got | {"bytes": len(answer.body), "cached": answer.from_cache}
    )
    return await exchange.speech.decode(answer.body, answer.media_type)
