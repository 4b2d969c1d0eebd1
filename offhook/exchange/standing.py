"""Who may make traffic: accounts that are suspended, closed, or let be again, and their calls.

reference: numbers and accounts section 7.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from offhook.errors import ApiError
from offhook.exchange import control
from offhook.exchange.exchange import Exchange
from offhook.model.account import Account, Status
from offhook.model.call import Call
from offhook.store import records
from offhook.store.store import Connection

PARENT_SUSPENDED, IS_PARENT, BY_OPERATOR, IS_CLOSED = 21476, 21477, 21478, 21479


async def change(exchange: Exchange, account: Account) -> None:
    """To be called once a changed account is stored: everybody sees it from here on.

    An account that is not active any more loses its calls, and so do its subaccounts.
    """
    exchange.accounts = {}
    for told in exchange.witnesses:
        told(account)
    if account.status == "active":
        return
    below = await exchange.store.read(subaccounts, account.sid)
    silenced = {account.sid, *(each.sid for each in below)}
    end_calls(exchange, lambda call: call.account_sid in silenced)


def end_calls(exchange: Exchange, meant: Callable[[Call], bool]) -> None:
    """Hangs up those that are meant, and gives up those that ring."""
    calls = [attempt.record for attempt in exchange.attempts.values()]
    calls += [live.record for live in exchange.live.values()]
    for call in filter(meant, calls):
        exchange.spawn(_end(exchange, call), f"end of {call.sid}")


async def _end(exchange: Exchange, call: Call) -> None:
    with suppress(ApiError):  # it may have ended by itself
        await control.hang_up(exchange, call)


def subaccounts(connection: Connection, sid: str) -> list[Account]:
    """Those of that account, oldest first, whatever their status; its test account is none."""
    below = records.accounts.alike(connection, owner_account_sid=sid)
    return [each for each in below if each.sid != sid and each.type != "Test"]


def in_status(connection: Connection, account: Account, status: Status, now: datetime) -> Account:
    """The account in that status, saved; with an account that closes its numbers go.

    Raises ApiError 21476 to 21479.
    """
    parent = records.accounts.get(connection, account.owner_account_sid)
    if account.status == "closed":
        raise ApiError(IS_CLOSED)
    if parent is None or parent.sid == account.sid:
        raise ApiError(IS_PARENT)
    if parent.status != "active":
        raise ApiError(PARENT_SUSPENDED)
    if records.facts.get(connection, _hold(account.sid)):
        raise ApiError(BY_OPERATOR)
    return _set(connection, account, status, now)


def _set(connection: Connection, account: Account, status: Status, now: datetime) -> Account:
    changed = replace(account, status=status, date_updated=now)
    records.accounts.save(connection, changed)
    if status == "closed":
        for number in records.numbers.alike(connection, account_sid=account.sid):
            records.numbers.delete(connection, number.sid)
    return changed


def _hold(sid: str) -> str:
    return f"held by the operator: {sid}"


async def hold(exchange: Exchange, sid: str, now: datetime) -> Account | None:
    """The operator suspends an account: nobody else activates it again. None: there is none."""
    return await _by_operator(exchange, sid, "suspended", now)


async def let_go(exchange: Exchange, sid: str, now: datetime) -> Account | None:
    """The operator activates it again."""
    return await _by_operator(exchange, sid, "active", now)


async def _by_operator(
    exchange: Exchange, sid: str, status: Status, now: datetime
) -> Account | None:
    def write(connection: Connection) -> Account | None:
        account = records.accounts.get(connection, sid)
        if account is None or account.status == "closed":
            return account
        if status == "active":
            records.facts.delete(connection, _hold(sid))
        else:
            records.facts.put(connection, _hold(sid), True)
        return _set(connection, account, status, now)

    account = await exchange.store.write(write)
    if account:
        await change(exchange, account)
    return account
