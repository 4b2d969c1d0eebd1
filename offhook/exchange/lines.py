"""A live call's two ends: joined to its leg, and taken down."""

from __future__ import annotations

import asyncio

from offhook.exchange import documents, recordings, status
from offhook.exchange.exchange import Exchange
from offhook.line.leg import Leg
from offhook.line.live_call import LiveCall, Services
from offhook.model.call import FINAL, Call, Status
from offhook.model.fetch import Fetch, Script
from offhook.model.journal import LiveDialog
from offhook.twiml.document import Document, Verb
from offhook.twiml.interpreter import interpret


def join(exchange: Exchange, call: Call, leg: Leg, script: Script, services: Services) -> LiveCall:
    """The leg and the record as one live call, the leg's signalling kept with it."""
    live = LiveCall(call, leg, script, services)
    leg.trace.listen(
        lambda kind, data: exchange.journal.add(call.sid, call.account_sid, kind, data)
    )
    exchange.live[call.sid] = live
    return live


async def answered(exchange: Exchange, live: LiveCall) -> None:
    """The record is in progress, and what a BYE needs is stored with it."""
    live.answered = True
    about = live.leg.about.dialog
    dialog = LiveDialog(live.record.sid, str(about.get("carrier", "")), about) if about else None
    live.record = await status.advance(exchange, live.record, "in-progress", dialog=dialog)


async def play_out(exchange: Exchange, live: LiveCall, start: Fetch) -> None:
    """Documents from `start` to the end of the last one."""

    async def fetch(wanted: Fetch) -> Document[Verb]:
        return await documents.fetch(exchange, live, wanted)

    await interpret(live, start, fetch)


async def finish(exchange: Exchange, live: LiveCall, unanswered: Status = "no-answer") -> None:
    """Hangs up and makes the record final; `unanswered` is the status of a call nobody answered."""
    await live.leg.hang_up()
    ended = await asyncio.shield(live.leg.ended)
    exchange.live.pop(live.record.sid, None)
    if live.record.status in FINAL:
        return
    final: Status = "completed" if live.record.status == "in-progress" else unanswered
    more = await recordings.end_with_call(exchange, live.record)
    code = 200 if final == "completed" else ended.code
    live.record = await status.advance(
        exchange,
        live.record,
        final,
        more=more,
        sip_response_code=live.record.sip_response_code or code,
    )
