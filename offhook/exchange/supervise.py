"""One call from its first document to its end, whoever ends it, whatever breaks."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from offhook.aio import race
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
        exchange.spawn(
            supervise(exchange, live, wanted, exchange.rules.call_limit), live.record.sid
        )

    return Services(
        answered=partial(lines.answered, exchange),
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


async def supervise(exchange: Exchange, live: LiveCall, start: Fetch, limit: float) -> None:
    """Runs the call's documents, lets REST updates replace them, and ends the call.

    A crash ends this call alone. `limit` is the call's longest duration in seconds, from now.
    """
    unanswered: Status = "no-answer"
    try:
        await race(_script(exchange, live, start), _cut(live, limit))
        await _end_of_script(live)
    except HungUp:
        pass
    except Exception:
        unanswered = "failed"
        log.exception("call crashed", call_sid=live.record.sid)
        live.note(12400)
    finally:
        await lines.finish(exchange, live, live.rejected or unanswered)


async def _script(exchange: Exchange, live: LiveCall, start: Fetch) -> None:
    following: Fetch | None = start
    while following is not None:
        following = await race(_play_out(exchange, live, following), live.redirects.get())


async def _play_out(exchange: Exchange, live: LiveCall, start: Fetch) -> Fetch | None:
    await lines.play_out(exchange, live, start)
    return None


async def _cut(live: LiveCall, limit: float) -> None:
    await asyncio.sleep(limit)
    live.note(32015)


async def _end_of_script(live: LiveCall) -> None:
    """A caller nobody answered is told the last `<Dial>`'s result, else answered and let go."""
    if live.rejected and not live.answered:
        await live.reject(live.rejected == "busy")
    if not live.gone:
        await live.answer()
