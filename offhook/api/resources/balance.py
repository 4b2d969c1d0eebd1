"""What is left in the account.  reference: Balance."""

from __future__ import annotations

from offhook.api.formats import Rendering
from offhook.api.resource import VERSION, At, Resource
from offhook.errors import ApiError

balance = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Balance", element="Balance", key="balances"
)


@balance.get()
async def fetch(at: At) -> Rendering:
    """Nobody pays here. Raises ApiError 20404: a subaccount has no balance of its own."""
    if at.account.owner_account_sid not in ("", at.account.sid):
        raise ApiError(20404)
    return {"account_sid": at.account.sid, "balance": "0.0", "currency": "USD"}
