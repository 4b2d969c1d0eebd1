"""A live call's two ends: joined to its leg, and taken down."""

from __future__ import annotations

import asyncio

from offhook import clock
from offhook.exchange import debugger, documents, recordings, status
from offhook.exchange.exchange import Exchange
from offhook.line.leg import Leg
from offhook.line.live_call import LiveCall
from offhook.model.call import FINAL, Call, Status
from offhook.model.fetch import Fetch, Script
from offhook.model.journal import LiveDialog
from offhook.twiml.document import Document, Verb
from offhook.twiml.interpreter import interpret


def join(exchange: Exchange, call: Call, leg: Leg, script: Script) -> LiveCall:
    """The leg and the record as one live call, the leg's signalling kept with it."""
    live = LiveCall(call, leg, script, exchange.services)
    debugger.listen(exchange, leg.trace, call.sid, call.account_sid)

    def ended(_: object) -> None:
        live.ended_at = clock.utc()

    leg.ended.add_done_callback(ended)
    exchange.live[call.sid] = live
    return live


async def answer(exchange: Exchange, live: LiveCall) -> None:
    """Picks up; leg and record never disagree, whoever is cancelled meanwhile. Raises HungUp."""
    await exchange.surely(_answer(exchange, live))


async def _answer(exchange: Exchange, live: LiveCall) -> None:
    await live.leg.answer()
    await answered(exchange, live)


async def answered(exchange: Exchange, live: LiveCall) -> None:
    """The record is in progress, with what the answer brought along; what a BYE needs is stored
    with it."""
    if live.answered:
        return
    live.answered = True
    about, call = live.leg.about, live.record
    carrier = str(about.dialog.get("carrier", ""))
    dialog = LiveDialog(call.sid, carrier, about.dialog) if about.dialog else None
    details = call.details | dict(about.params)
    await status.advance(exchange, live, "in-progress", dialog=dialog, details=details)


async def play_out(exchange: Exchange, live: LiveCall, start: Fetch) -> None:
    """Documents from `start` to the end of the last one."""

    async def fetch(wanted: Fetch) -> Document[Verb]:
        return await documents.fetch(exchange, live, wanted)

    await interpret(live, start, fetch)


async def finish(exchange: Exchange, live: LiveCall, unanswered: Status = "no-answer") -> None:
    """Hangs up and makes the record final; `unanswered` is the status of a call nobody answered."""
    take_down(exchange, live, unanswered)
    await live.over.wait()


def take_down(exchange: Exchange, live: LiveCall, unanswered: Status = "no-answer") -> None:
    """As `finish`, for those who need not wait. However often, it is done once."""
    live.closing = True
    if not live.finishing:
        live.finishing = True
        exchange.begin(_finish(exchange, live, unanswered), live.record.sid)


async def _finish(exchange: Exchange, live: LiveCall, unanswered: Status) -> None:
    try:
        await live.leg.hang_up()
        ended = await asyncio.shield(live.leg.ended)
        more = await recordings.end_with_call(exchange, live.record)
        if live.record.status not in FINAL:
            final: Status = "completed" if live.record.status == "in-progress" else unanswered
            code = live.record.sip_response_code or (200 if final == "completed" else ended.code)
            at = max(
                live.ended_at or clock.utc(), live.record.start_time or live.record.date_created
            )
            await status.advance(exchange, live, final, at=at, more=more, sip_response_code=code)
    finally:
        exchange.live.pop(live.record.sid, None)
        live.over.set()
