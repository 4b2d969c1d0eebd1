"""Who asks: HTTP Basic, the account's SID and its auth token.

reference: REST conventions section 2.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass

from offhook import clock, sids
from offhook.errors import ApiError
from offhook.exchange.exchange import Exchange
from offhook.model.account import Account

_NOBODY = "0" * 32


@dataclass(slots=True)
class _Failures:
    since: float
    count: int = 0


class Doorkeeper:
    """Lets an account in.

    After `tries` wrong tokens for one user from one address within `seconds`, that pair is refused
    unheard (429) until the time is over; others are not affected.
    """

    def __init__(self, exchange: Exchange, *, tries: int = 30, seconds: float = 60.0) -> None:
        self._exchange, self._tries, self._seconds = exchange, tries, seconds
        self._failures: dict[tuple[str, str], _Failures] = {}

    async def caller(self, authorization: str, address: str) -> Account:
        """The account that these credentials are of. Raises ApiError 20003 or 20429."""
        user, token = _basic(authorization)
        if self._shut(user, address):
            raise ApiError(20429, status=429)
        account = await self._exchange.account(user) if sids.is_sid(user, "AC") else None
        expected = account.auth_token if account else _NOBODY
        equal = hmac.compare_digest(token.encode(), expected.encode())
        if account is None or not equal:
            if user:
                self._failed(user, address)
            raise ApiError(20003, "Authenticate", 401)
        return account

    def _shut(self, user: str, address: str) -> bool:
        failures = self._failures.get((user, address))
        if failures and clock.now() - failures.since >= self._seconds:
            del self._failures[user, address]
            return False
        return failures is not None and failures.count >= self._tries

    def _failed(self, user: str, address: str) -> None:
        if len(self._failures) >= 10_000:
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault((user, address), _Failures(clock.now())).count += 1


def may_act_for(caller: Account, account: Account) -> bool:
    """An account acts for itself and for its subaccounts, never the other way round."""
    return caller.sid in (account.sid, account.owner_account_sid)


def _basic(authorization: str) -> tuple[str, str]:
    """User and password of the header; empty when it has none (RFC 7617 section 2)."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    user, _, password = decoded.partition(":")
    return user, password
