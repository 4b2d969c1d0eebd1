"""Whether an account may make one more call, and whom it may call or text.

reference: error codes 10004, 13227, 21215, 21408.
"""

from __future__ import annotations

from offhook.errors import ApiError
from offhook.exchange.exchange import Exchange
from offhook.store import owned

TOO_MANY, NOT_THERE, NO_CALL_THERE, NO_TEXT_THERE = 10004, 13227, 21215, 21408


async def call_by_api(exchange: Exchange, account_sid: str, to: str) -> None:
    """Raises ApiError 21215 or 10004."""
    if not await _reaches(exchange, account_sid, to):
        raise ApiError(NO_CALL_THERE, f"Account not authorized to call {to}.")
    if has_too_many(exchange, account_sid, more=1):
        refused(exchange, "calls at a time")
        raise ApiError(TOO_MANY)


async def text(exchange: Exchange, account_sid: str, to: str) -> None:
    """Raises ApiError 21408."""
    if not await _reaches(exchange, account_sid, to):
        raise ApiError(
            NO_TEXT_THERE, f"Permission to send texts to the region of {to} is not enabled."
        )


async def problem(exchange: Exchange, account_sid: str, to: str) -> tuple[int, str] | None:
    """Why `<Dial>` may not call somebody: a code and a sentence."""
    if not await _reaches(exchange, account_sid, to):
        return NOT_THERE, f"Calls of this account to {to} are not permitted"
    if has_too_many(exchange, account_sid, more=1):
        refused(exchange, "calls at a time")
        return TOO_MANY, ""
    return None


def has_too_many(exchange: Exchange, account_sid: str, *, more: int = 0) -> bool:
    """Whether the account's calls, and `more` of them, are more than it may have at a time."""
    most = exchange.rules.allowances.of(account_sid).calls
    if not most:
        return False
    calls = [each.record for each in exchange.attempts.values()]
    calls += [each.record for each in exchange.live.values()]
    return sum(call.account_sid == account_sid for call in calls) + more > most


def refused(exchange: Exchange, why: str) -> None:
    """Counts what an account asked for in vain."""
    exchange.counts["refused", why] += 1


async def _reaches(exchange: Exchange, account_sid: str, to: str) -> bool:
    """Numbers of ours can always be reached: nobody is charged for those."""
    if exchange.rules.allowances.of(account_sid).reaches(to):
        return True
    ours = await exchange.store.read(owned.texted, to)
    if not ours:
        refused(exchange, "destination")
    return bool(ours)
