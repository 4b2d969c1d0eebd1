"""Which caller id a `<Dial>` may show.  reference: Dial, callerId.

A phone is shown a number of the account, one that it verified, or one of the two ends of an
inbound call; the ends of a call that came from a browser or by SIP are nobody's phone, so they are
not shown to one.
"""

from __future__ import annotations

from offhook.exchange.exchange import Exchange
from offhook.line.orders import DialOrder
from offhook.model.call import Call
from offhook.model.numbers import is_possible, is_short_code, normalise
from offhook.store import owned

NOT_ALLOWED, NOT_VALID, TOO_LONG = 13214, 13247, 13248
LONGEST = 255


async def problem(exchange: Exchange, parent: Call, order: DialOrder) -> tuple[int, str] | None:
    """Why the order's caller id cannot be shown: a code and a sentence."""
    wanted = order.caller_id
    if len(wanted) > LONGEST:
        return TOO_LONG, f"A callerId has up to {LONGEST} characters"
    if not any(target.kind == "number" for target in order.targets):
        return None
    if not wanted:
        if parent.from_.startswith("client:"):
            return NOT_ALLOWED, "A call from a client needs a callerId to dial a phone number"
        return None
    number = normalise(wanted, exchange.rules.region)
    if number in _ends(parent):
        return None
    if not is_possible(number) and not is_short_code(number):
        return NOT_VALID, f"{wanted[:100]!r} is no phone number"
    if not await exchange.store.read(owned.shown_by, parent.account_sid, number):
        return NOT_ALLOWED, f"{number} is no number of this account, nor a verified one"
    return None


def _ends(parent: Call) -> set[str]:
    if any(end.startswith(("sip:", "sips:", "client:")) for end in (parent.from_, parent.to)):
        return set()
    return {parent.from_, parent.to}


def shown(exchange: Exchange, parent: Call, order: DialOrder, kind: str) -> str:
    """What a target is shown: the order's caller id, else the caller's own."""
    wanted = order.caller_id or parent.from_
    if kind == "number" and not wanted.startswith(("sip:", "sips:", "client:")):
        return normalise(wanted, exchange.rules.region)
    return wanted
