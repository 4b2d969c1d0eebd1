"""The second auth token, and its promotion to be the only one.  reference: account security.

These paths are those of accounts v1: no account in them, JSON alone.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from offhook import clock, sids
from offhook.api.formats import Rendering
from offhook.api.resource import At, Resource
from offhook.errors import ApiError
from offhook.exchange import standing
from offhook.frozen import frozen
from offhook.model.account import Account
from offhook.model.owned import SecondaryToken
from offhook.store import records
from offhook.store.owned import secondary_tokens
from offhook.store.store import Connection

auth_tokens = Resource("/v1/AuthTokens", element="AuthToken", key="auth_tokens")


@frozen
class Nothing:
    """These requests have no parameters."""


@auth_tokens.create(Nothing, "/Secondary", manages=True)
async def create(at: At, form: Nothing) -> Rendering:
    now = clock.utc()
    token = SecondaryToken(at.account.sid, sids.random_hex(), now, now)
    await at.exchange.store.write(_insert, token)
    return {
        "account_sid": token.account_sid,
        "date_created": _iso(now),
        "date_updated": _iso(now),
        "secondary_auth_token": token.auth_token,
        "url": _url(at),
    }


def _insert(connection: Connection, token: SecondaryToken) -> None:
    """Raises ApiError 20409 while there is one already."""
    if secondary_tokens.get(connection, token.account_sid):
        raise ApiError(20409, "There is a secondary auth token already", 409)
    secondary_tokens.insert(connection, token)


@auth_tokens.delete("/Secondary", manages=True)
async def delete(at: At) -> None:
    if not await at.exchange.store.write(secondary_tokens.delete, at.account.sid):
        raise ApiError(20404)


@auth_tokens.create(Nothing, "/Promote", status=200, manages=True)
async def promote(at: At, form: Nothing) -> Rendering:
    """The second token takes the place of the first, which is refused from here on."""
    account = await at.exchange.store.write(_promoted, at.account.sid, clock.utc())
    await standing.change(at.exchange, account)
    return {
        "account_sid": account.sid,
        "auth_token": account.auth_token,
        "date_created": _iso(account.date_created),
        "date_updated": _iso(account.date_updated),
        "url": _url(at),
    }


def _promoted(connection: Connection, sid: str, now: datetime) -> Account:
    """Raises ApiError 20404 when there is no second token."""
    account, second = records.accounts.get(connection, sid), secondary_tokens.get(connection, sid)
    if account is None or second is None:
        raise ApiError(20404)
    changed = replace(account, auth_token=second.auth_token, date_updated=now)
    records.accounts.save(connection, changed)
    secondary_tokens.delete(connection, sid)
    return changed


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _url(at: At) -> str:
    return at.exchange.rules.public_url + at.path
