"""What is left in the account.  reference: Balance."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from offhook import clock
from offhook.api.formats import Rendering
from offhook.api.resource import VERSION, At, Resource
from offhook.errors import ApiError
from offhook.model.usage import MILLION, TOTAL, Period, Sums, shown
from offhook.store.store import Connection
from offhook.store.usage import family, sums

balance = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Balance", element="Balance", key="balances"
)


@balance.get()
async def fetch(at: At) -> Rendering:
    """What it began with, less all that was used.

    Raises ApiError 20404: a subaccount has no balance of its own.
    """
    if at.account.is_subaccount:
        raise ApiError(20404)
    prices, ever = at.exchange.rules.prices, Period(date.min, clock.utc().date())
    used = await at.exchange.store.read(_used, at.account.sid, ever)
    left = shown(prices.opening_balance - Decimal(used) / MILLION)
    return {
        "account_sid": at.account.sid,
        "balance": left if "." in left else f"{left}.0",
        "currency": prices.currency,
    }


def _used(connection: Connection, account_sid: str, ever: Period) -> int:
    """By the account and its subaccounts, in millionths."""
    found = sums(connection, family(connection, account_sid), ever, category=TOTAL)
    return found.get(("", TOTAL), Sums()).price
