"""One call from its first document to its end, whoever ends it, whatever breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from offhook.aio import until
from offhook.exchange import debugger, dialing, documents, lines, recordings, texting
from offhook.exchange.exchange import Exchange
from offhook.line.leg import HungUp
from offhook.line.live_call import LiveCall, Services
from offhook.media.clip import Clip
from offhook.model.call import Status
from offhook.model.fetch import Fetch

log = structlog.get_logger("offhook.exchange")


def services(exchange: Exchange) -> Services:
    """What the exchange does for every call."""

    async def speak(live: LiveCall, text: str, ssml: str, voice: str, language: str) -> Clip:
        rules = exchange.rules
        spoken = language or ("" if voice else rules.language)
        saying = exchange.speech.say(text, ssml, voice or rules.voice, spoken, live.note)
        return await live.on_line(saying)

    def go_on(live: LiveCall, wanted: Fetch) -> None:
        limit = exchange.rules.call_limit
        exchange.spawn(supervise(exchange, live, lambda: wanted, limit), live.record.sid)

    return Services(
        answer=partial(lines.answer, exchange),
        speak=speak,
        load=partial(documents.load, exchange),
        record=partial(recordings.record_verb, exchange),
        dial=partial(dialing.dial, exchange),
        send_text=partial(texting.from_call, exchange),
        tell=partial(documents.tell, exchange),
        recording_url=partial(recordings.url_of, exchange),
        note=partial(debugger.note_call, exchange),
        journal=lambda live, kind, data: exchange.journal.add(
            live.record.sid, live.record.account_sid, kind, data
        ),
        go_on=go_on,
    )


async def supervise(
    exchange: Exchange,
    live: LiveCall,
    start: Callable[[], Fetch],
    limit: float,
    first: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Does what comes `first`, runs the call's documents, lets REST updates replace them, and ends
    the call.

    A crash ends this call alone. `limit` is the call's longest duration in seconds, from now.
    """
    unanswered: Status = "no-answer"
    try:
        await _cut(live, limit, _script(exchange, live, start, first))
    except HungUp:
        pass
    except Exception:
        unanswered = "failed"
        log.exception("call crashed", call_sid=live.record.sid)
        live.note(12400)
    finally:
        await lines.finish(exchange, live, live.rejected or unanswered)


async def _script(
    exchange: Exchange,
    live: LiveCall,
    start: Callable[[], Fetch],
    first: Callable[[], Awaitable[None]] | None,
) -> None:
    if first:
        await first()
    following: Fetch | None = start()
    while following:
        following = live.redirects.take() or following
        async with until(live.redirects.there):
            await lines.play_out(exchange, live, following)
        following = live.redirects.take()
    live.closing = True
    await _end_of_script(live)


async def _cut(live: LiveCall, limit: float, script: Coroutine[Any, Any, None]) -> None:
    try:
        async with asyncio.timeout(limit) as deadline:
            live.limit = deadline
            await script
    except TimeoutError:
        if not deadline.expired():
            raise
        live.note(32015)
    finally:
        live.limit = None


async def _end_of_script(live: LiveCall) -> None:
    """A caller nobody answered is told the last `<Dial>`'s result, else answered and let go."""
    if live.rejected and not live.answered:
        await live.reject(live.rejected == "busy")
    if not live.gone:
        await live.answer()
