"""A call is asked for by REST.  Flow 2 of docs/flows.md."""

from __future__ import annotations

import asyncio

from offhook import clock, sids
from offhook.aio import race
from offhook.errors import ApiError
from offhook.exchange import lines, params, permission, placing, recordings
from offhook.exchange.exchange import Attempt, Exchange
from offhook.exchange.recordings import RecordSetting
from offhook.exchange.supervise import supervise
from offhook.frozen import changed, frozen
from offhook.line.leg import Target
from offhook.model.call import Call
from offhook.model.fetch import Callback, Script


@frozen
class CallOrder:
    """A validated `POST Calls`; `timeout` and `time_limit` are seconds."""

    account_sid: str
    to: str
    from_: str
    script: Script
    callback: Callback = Callback()
    api_version: str = "2010-04-01"
    timeout: int = 60
    send_digits: str = ""
    record: RecordSetting | None = None
    sip_username: str = ""
    sip_password: str = ""
    time_limit: int = 14400
    caller_id: str = ""
    application_sid: str = ""
    phone_number_sid: str = ""


async def place_call(exchange: Exchange, order: CallOrder) -> Call:
    """Queued, stored and on its way in the background. Raises ApiError 20503, 21215 or 10004."""
    if not exchange.open:
        raise ApiError(20503, "Offhook is stopping and takes no new calls", 503)
    await permission.call_by_api(exchange, order.account_sid, order.to)
    at = clock.utc()
    call = Call(
        sids.new("CA"), order.account_sid, order.to, order.from_, "outbound-api", at, at,
        application_sid=order.application_sid, phone_number_sid=order.phone_number_sid,
        api_version=order.api_version, callback=order.callback, node=exchange.rules.node,
    )  # fmt: skip
    attempt = await placing.queued(exchange, call)
    attempt.script = order.script
    exchange.spawn(carry_out(exchange, attempt, order), call.sid)
    return call


async def _turn(exchange: Exchange, attempt: Attempt) -> None:
    """Waits, in the order of their queueing, until the account may place one more call.

    `queue_time` is in milliseconds.
    """
    account_sid, began = attempt.record.account_sid, clock.now()
    async with exchange.turn(f"calls of {account_sid}"):
        await asyncio.sleep(exchange.calls.wait(account_sid, clock.now()))
        now = clock.now()
        exchange.calls.took(account_sid, now)
    attempt.record = changed(attempt.record, queue_time=round((now - began) * 1000))


async def _given_up(attempt: Attempt) -> None:
    """Nothing else is signalled before a call is dialled."""
    await attempt.signals.get()


async def carry_out(exchange: Exchange, attempt: Attempt, order: CallOrder) -> None:
    """Ring, then keys, then the script: what answers is what an inbound call gets too."""
    sid = attempt.record.sid
    target = Target(
        order.to, order.caller_id or order.from_, sid, order.account_sid,
        order.sip_username, order.sip_password,
    )  # fmt: skip
    await race(_turn(exchange, attempt), _given_up(attempt))
    leg = await placing.place(exchange, attempt, target, order.timeout)
    if leg is None:
        return
    script = attempt.script or order.script
    live = lines.join(exchange, attempt.record, leg, script)

    async def prepare() -> None:
        await lines.answered(exchange, live)
        if order.record:
            await recordings.record_call(exchange, live, order.record, "OutboundAPI")
        if order.send_digits:
            await live.press(order.send_digits)

    limit = order.time_limit if attempt.time_limit is None else attempt.time_limit
    await supervise(exchange, live, lambda: params.first(live), limit, prepare)
