"""Who asks: HTTP Basic, an account's SID and auth token, or an API key's SID and secret.

reference: REST conventions section 2; numbers and accounts sections 8 and 15.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass

from offhook import clock, sids
from offhook.errors import ApiError
from offhook.exchange.exchange import Exchange
from offhook.frozen import frozen
from offhook.model.account import Account
from offhook.model.owned import ApiKey
from offhook.store import owned

_NOBODY = "0" * 32
_LONGEST = 34  # characters of a SID; what follows in a name tells nobody apart
_Guesser = tuple[str, str]  # user and address


@dataclass(slots=True)
class _Failures:
    since: float
    count: int = 0


@frozen
class Visitor:
    """Whose credentials they are, and the key that they are of; None is the account's own token."""

    account: Account
    key: ApiKey | None = None

    @property
    def manages(self) -> bool:
        """Whether these credentials may manage accounts and keys: a standard key's may not."""
        return self.key is None or self.key.role == "main"


class Doorkeeper:
    """Lets an account in.

    After `tries` wrong tokens for one user from one address within `seconds`, that pair is refused
    unheard (429) until the time is over; others are not affected.
    """

    def __init__(self, exchange: Exchange, *, tries: int = 30, seconds: float = 60.0) -> None:
        self._exchange, self._tries, self._seconds = exchange, tries, seconds
        self._failures: dict[_Guesser, _Failures] = {}

    async def caller(self, authorization: str, address: str) -> Account:
        """The account that these credentials are of. Raises ApiError 20003 or 20429."""
        return (await self.visitor(authorization, address)).account

    async def visitor(self, authorization: str, address: str) -> Visitor:
        """Who comes with these credentials. Raises ApiError 20003 or 20429."""
        user, token = _basic(authorization)
        guesser = user[:_LONGEST], address
        if self._is_shut_out(guesser):
            raise ApiError(20429, status=429)
        visitor = await (self._by_key if user.startswith("SK") else self._by_token)(user, token)
        if visitor is None:
            if user:
                self._failed(guesser)
            raise ApiError(20003, "Authenticate", 401)
        return visitor

    async def _by_token(self, user: str, token: str) -> Visitor | None:
        """The first auth token or the second, while there is one."""
        account = await self._exchange.account(user) if sids.is_sid(user, "AC") else None
        if _equal(token, account.auth_token if account else ""):
            return Visitor(account) if account else None
        if account is None:
            return None
        second = await self._exchange.store.read(owned.secondary_tokens.get, user)
        return Visitor(account) if second and _equal(token, second.auth_token) else None

    async def _by_key(self, user: str, secret: str) -> Visitor | None:
        """Keys are looked up each time, so that a deleted one is refused at once."""
        known = sids.is_sid(user, "SK")
        key = await self._exchange.store.read(owned.api_keys.get, user) if known else None
        equal = _equal(secret, key.secret if key else "")
        account = await self._exchange.account(key.account_sid) if key and equal else None
        return Visitor(account, key) if account else None

    def _is_shut_out(self, guesser: _Guesser) -> bool:
        failures = self._failures.get(guesser)
        if failures and clock.now() - failures.since >= self._seconds:
            del self._failures[guesser]
            return False
        return failures is not None and failures.count >= self._tries

    def _failed(self, guesser: _Guesser) -> None:
        if len(self._failures) >= 10_000:
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(guesser, _Failures(clock.now())).count += 1


def _equal(given: str, expected: str) -> bool:
    """In the same time whatever differs; an empty secret is nobody's."""
    same = hmac.compare_digest(given.encode(), (expected or _NOBODY).encode())
    return same and bool(expected)


def may_act_for(caller: Account, account: Account) -> bool:
    """An account acts for itself and for its subaccounts, never the other way round.

    A test account is its own alone.
    """
    parent = account.owner_account_sid if account.type != "Test" else ""
    return caller.sid in (account.sid, parent)


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
