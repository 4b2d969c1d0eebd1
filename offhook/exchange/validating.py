"""A call that asks whoever answers for a code: then the number is theirs to show.

reference: numbers and accounts section 4, OutgoingCallerIds.
"""

from __future__ import annotations

from dataclasses import field

from offhook import clock, sids
from offhook.aio import within
from offhook.exchange import lines, params, permission, placing
from offhook.exchange.exchange import Attempt, Exchange
from offhook.exchange.status import pending
from offhook.exchange.supervise import supervise
from offhook.frozen import frozen
from offhook.line.leg import Target
from offhook.line.live_call import LiveCall
from offhook.model.call import Call
from offhook.model.fetch import Callback, Fetch, Script
from offhook.model.numbers import WITHHELD
from offhook.model.owned import OutgoingCallerId
from offhook.store import owned, records
from offhook.store.store import Connection

DIGITS, TRIES = 6, 3
RINGS, LASTS, QUIET = 60, 180, 5.0  # seconds
GOOD_BYE = Fetch(twiml="<Response><Hangup/></Response>")


@frozen
class Validation:
    """What is asked for: `delay` seconds before the call, `extension` keys once it is answered."""

    account_sid: str
    phone_number: str
    friendly_name: str
    code: str
    delay: int = 0
    extension: str = ""
    callback: Callback = field(default_factory=Callback)


async def validate(exchange: Exchange, wanted: Validation) -> Call:
    """The call that asks, queued, stored and on its way. Raises ApiError 21215 or 10004."""
    await permission.call_by_api(exchange, wanted.account_sid, wanted.phone_number)
    at = clock.utc()
    from_ = await exchange.store.read(_own_number, wanted.account_sid)
    call = Call(
        sids.new("CA"), wanted.account_sid, wanted.phone_number, from_, "outbound-api", at, at,
        node=exchange.rules.node,
    )  # fmt: skip
    attempt = await placing.queued(exchange, call)
    exchange.spawn(_carry_out(exchange, attempt, wanted), call.sid)
    return call


def _own_number(connection: Connection, account_sid: str) -> str:
    """The number that such a call comes from: the account's first, or none."""
    mine = records.numbers.alike(connection, account_sid=account_sid)
    return mine[0].phone_number if mine else WITHHELD["anonymous"]


async def _carry_out(exchange: Exchange, attempt: Attempt, wanted: Validation) -> None:
    """Ring, ask, and tell how it ended."""
    call = attempt.record
    if wanted.delay:  # unless it is given up, which is all that is signalled before
        await within(wanted.delay, attempt.signals.get())
    target = Target(call.to, call.from_, call.sid, call.account_sid)
    leg = await placing.place(exchange, attempt, target, RINGS)
    if leg is None:
        return await _tell(exchange, attempt.record, wanted, "")
    live = lines.join(exchange, attempt.record, leg, Script())
    verified: list[str] = []

    async def ask() -> None:
        await lines.answered(exchange, live)
        if wanted.extension:
            await live.press(wanted.extension)
        if await _knows(live, wanted.code) and (sid := await _keep(exchange, wanted)):
            verified.append(sid)
            await _say(live, "Thank you. Your phone number is verified. Goodbye.")
        else:
            await _say(live, "Your phone number could not be verified. Goodbye.")

    await supervise(exchange, live, lambda: GOOD_BYE, LASTS, ask)
    await _tell(exchange, live.record, wanted, "".join(verified))


async def _knows(live: LiveCall, code: str) -> bool:
    """Whether whoever answered keys in the code, within three tries. Raises HungUp."""
    question = f"Please enter the {DIGITS} digits of your verification code."
    for _ in range(TRIES):
        if await _gathered(live, question) == code:
            return True
        question = f"That is not the code. Please enter its {DIGITS} digits."
    return False


async def _gathered(live: LiveCall, question: str) -> str:
    """The keys up to `#`, up to the last digit, or up to a while of quiet."""
    live.forget_keys()
    keys = ""
    key = await live.key(within=QUIET, over=_say(live, question))
    while key and key != "#":
        keys += key
        if len(keys) == DIGITS:
            break
        key = await live.key(within=QUIET)
    return keys


async def _say(live: LiveCall, text: str) -> None:
    await live.say(text, "", "", "")


async def _keep(exchange: Exchange, wanted: Validation) -> str:
    """The SID of the new caller id, "" when somebody has verified the number meanwhile."""
    now = clock.utc()
    verified = OutgoingCallerId(
        sids.new("PN"), wanted.account_sid, wanted.phone_number, now, now, wanted.friendly_name
    )
    return await exchange.store.write(_insert, verified)


def _insert(connection: Connection, verified: OutgoingCallerId) -> str:
    if owned.caller_ids.by_number(connection, verified.phone_number):
        return ""
    owned.caller_ids.insert(connection, verified)
    return verified.sid


async def _tell(exchange: Exchange, call: Call, wanted: Validation, sid: str) -> None:
    """The status callback: the call's own parameters, and what came of it."""
    if not wanted.callback.url:
        return
    now = clock.utc()
    told = params.progress(call, "completed", now, 0)
    told["VerificationStatus"] = "success" if sid else "failed"
    if sid:
        told["OutgoingCallerIdSid"] = sid
    url, method = wanted.callback.url, wanted.callback.method
    owes = pending(call.sid, call.account_sid, url, method, told, now)
    await exchange.store.write(records.callbacks.insert, owes)
    exchange.notifier.wake()
