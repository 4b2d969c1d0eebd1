"""An outgoing call from its record to its answer: by REST and by `<Dial>` alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from offhook import clock
from offhook.errors import CarrierError
from offhook.exchange import debugger, routing, status
from offhook.exchange.exchange import Attempt, Exchange
from offhook.line.leg import Leg, Target
from offhook.model.call import Call, Status
from offhook.store import records
from offhook.store.store import Connection

Ringing = Callable[[Leg, bool], None]
REQUEST_TERMINATED = 487

# SIP final response -> CallStatus.  reference: SIP final response
STATUS_OF: dict[int, Status] = {
    486: "busy", 600: "busy", 603: "busy", 408: "no-answer", 480: "no-answer", 487: "canceled",
}  # fmt: skip


async def place(
    exchange: Exchange,
    call: Call,
    target: Target,
    timeout: float,
    ringing: Ringing | None = None,
) -> tuple[Call, Leg | None]:
    """Dials for at most `timeout` seconds.

    Gives the record and the answered leg; without an answer the record is final and the leg None.
    Cancelling it gives the call up as `canceled`.
    """
    attempt = exchange.attempts.setdefault(call.sid, Attempt())
    dialing = asyncio.ensure_future(_dial(exchange, target, attempt))
    target.trace.listen(
        lambda kind, data: exchange.journal.add(call.sid, call.account_sid, kind, data)
    )
    try:
        call = await status.announce(exchange, call, "initiated")
        return await _follow(exchange, call, attempt, dialing, clock.now() + timeout, ringing)
    except asyncio.CancelledError:
        await _abandon(dialing)
        current = await exchange.store.read(stored, call.sid) or call
        await status.advance(exchange, current, "canceled", sip_response_code=REQUEST_TERMINATED)
        raise
    finally:
        exchange.attempts.pop(call.sid, None)


def stored(connection: Connection, sid: str) -> Call | None:
    """The call as the store has it."""
    return records.calls.get(connection, sid)


async def _follow(
    exchange: Exchange,
    call: Call,
    attempt: Attempt,
    dialing: asyncio.Future[Leg | None],
    until: float,
    ringing: Ringing | None,
) -> tuple[Call, Leg | None]:
    while True:
        try:
            what, value = await asyncio.wait_for(attempt.signals.get(), max(0, until - clock.now()))
        except TimeoutError:
            what, value = "given up", "no-answer"
        if what == "answered":
            return call, value
        if what == "refused":
            return await _refused(exchange, call, value), None
        if what == "given up":
            await _abandon(dialing)
            code = REQUEST_TERMINATED
            return await status.advance(exchange, call, value, sip_response_code=code), None
        if call.status == "queued":
            call = await status.advance(exchange, call, "ringing")
        if ringing:
            ringing(*value)


async def _dial(exchange: Exchange, target: Target, attempt: Attempt) -> Leg | None:
    def rang(leg: Leg, early: bool) -> None:
        attempt.signals.put_nowait(("ringing", (leg, early)))

    try:
        leg = await routing.carrier_for(exchange, target.to).dial(target, rang)
    except CarrierError as refused:
        attempt.signals.put_nowait(("refused", refused))
        return None
    attempt.signals.put_nowait(("answered", leg))
    return leg


async def _abandon(dialing: asyncio.Future[Leg | None]) -> None:
    """CANCEL; a leg that was answered meanwhile is hung up."""
    dialing.cancel()
    [leg] = await asyncio.gather(dialing, return_exceptions=True)
    if leg is not None and not isinstance(leg, BaseException):
        await leg.hang_up()


async def _refused(exchange: Exchange, call: Call, refused: CarrierError) -> Call:
    final = STATUS_OF.get(refused.code, "failed")
    details = dict(call.details)
    if final == "failed":
        code = 13224 if call.direction == "outbound-dial" else 21214
        debugger.note(exchange, call.account_sid, code, f"{call.to}: {refused}", subject=call.sid)
        details["ErrorCode"], details["ErrorMessage"] = str(code), str(refused)
    if call.to.startswith("sip:"):
        details |= {f"SipHeader_{name}": value for name, value in refused.headers}
    return await status.advance(
        exchange, call, final, sip_response_code=refused.code, details=details
    )
