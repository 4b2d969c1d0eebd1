"""An outgoing call from its record to its answer: by REST and by `<Dial>` alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from offhook import clock
from offhook.errors import CarrierError
from offhook.exchange import debugger, routing, status
from offhook.exchange.exchange import Attempt, Exchange
from offhook.line.leg import Leg, Target
from offhook.model.call import FINAL, STATUS_OF, Call
from offhook.store import records

log = structlog.get_logger("offhook.exchange")

Ringing = Callable[[Leg, bool], Awaitable[None]]
REQUEST_TERMINATED, SERVER_ERROR = 487, 500


def attempt(exchange: Exchange, call: Call) -> Attempt:
    """The call counts, and can be given up, from now on. It has to be placed, or dropped."""
    exchange.attempts[call.sid] = made = Attempt(call)
    exchange.counts["begun", call.direction] += 1
    return made


async def queued(exchange: Exchange, call: Call) -> Attempt:
    """As `attempt`, with the record stored; without that there is no call."""
    made = attempt(exchange, call)
    try:
        await exchange.store.write(records.calls.insert, call)
    except BaseException:
        _over(exchange, made)
        raise
    return made


async def place(
    exchange: Exchange,
    attempt: Attempt,
    target: Target,
    timeout: float,
    ringing: Ringing | None = None,
) -> Leg | None:
    """Dials for at most `timeout` seconds; without an answer the record is final, the leg None.

    Cancelling it gives the call up as `canceled`. A call that is given up is final at once; its
    CANCEL, which may take its time, goes on behind it.
    """
    if attempt.given_up:
        await drop(exchange, attempt)
        return None
    dialing = asyncio.ensure_future(_dial(exchange, target, attempt))
    debugger.listen(exchange, target.trace, target.call_sid, attempt.record.account_sid)
    leg, attempt.initiated = None, True
    why: tuple[object, ...] = ()
    try:
        await status.announce(exchange, attempt, "initiated")
        leg = await _follow(exchange, attempt, clock.now() + timeout, ringing)
        if leg:
            _over(exchange, attempt)
    except asyncio.CancelledError as given_up:
        why = given_up.args
        raise
    finally:
        if leg is None:
            exchange.spawn(_abandon(dialing, *why), "giving a call up")
            await drop(exchange, attempt)
    return leg


async def drop(exchange: Exchange, attempt: Attempt) -> None:
    """It leads nowhere. One that was never dialled owes no callback (reference: cancel, queued)."""
    try:
        if attempt.record.status not in FINAL:
            code, silent = REQUEST_TERMINATED, not attempt.initiated
            word = attempt.given_up or "canceled"
            await status.advance(exchange, attempt, word, silent=silent, sip_response_code=code)
    finally:
        _over(exchange, attempt)


def _over(exchange: Exchange, attempt: Attempt) -> None:
    exchange.attempts.pop(attempt.record.sid, None)
    attempt.over.set()


async def _follow(
    exchange: Exchange, attempt: Attempt, until: float, ringing: Ringing | None
) -> Leg | None:
    while True:
        try:
            async with asyncio.timeout(max(0, until - clock.now())):
                what, value = await attempt.signals.get()
        except TimeoutError:
            attempt.given_up = attempt.given_up or "no-answer"
        if attempt.given_up:
            return None
        if what == "answered":
            answered: Leg = value
            return answered
        if what == "refused":
            await _refused(exchange, attempt, value)
            return None
        if attempt.record.status == "queued":
            await status.advance(exchange, attempt, "ringing")
        if ringing:
            await ringing(*value)


async def _dial(exchange: Exchange, target: Target, attempt: Attempt) -> Leg | None:
    def rang(leg: Leg, early: bool) -> None:
        attempt.signals.put_nowait(("ringing", (leg, early)))

    try:
        carrier = await routing.carrier_for(exchange, target.to)
        leg = await carrier.dial(target, rang)
    except CarrierError as refused:
        attempt.signals.put_nowait(("refused", refused))
        return None
    except Exception as error:
        log.exception("dialling crashed", call_sid=target.call_sid)
        attempt.signals.put_nowait(("refused", CarrierError(SERVER_ERROR, str(error))))
        return None
    attempt.signals.put_nowait(("answered", leg))
    return leg


async def _abandon(dialing: asyncio.Future[Leg | None], *why: object) -> None:
    """CANCEL; a leg that was answered meanwhile is hung up."""
    dialing.cancel(*why)
    [leg] = await asyncio.gather(dialing, return_exceptions=True)
    if leg is not None and not isinstance(leg, BaseException):
        await leg.hang_up()


async def _refused(exchange: Exchange, attempt: Attempt, refused: CarrierError) -> None:
    call, final = attempt.record, STATUS_OF.get(refused.code, "failed")
    details = dict(call.details)
    if final == "failed":
        code = 13224 if call.direction == "outbound-dial" else 21214
        debugger.note(exchange, call.account_sid, code, f"{call.to}: {refused}", subject=call.sid)
        details["ErrorCode"], details["ErrorMessage"] = str(code), str(refused)
    if call.to.startswith(("sip:", "sips:")):
        details |= dict(refused.params)
    await status.advance(exchange, attempt, final, sip_response_code=refused.code, details=details)
