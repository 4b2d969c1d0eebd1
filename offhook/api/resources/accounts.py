"""Accounts: one's own and its subaccounts.  reference: accounts and subaccounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from offhook import clock, sids
from offhook.api.filters import exactly
from offhook.api.formats import Rendering
from offhook.api.forms import text, word
from offhook.api.paging import paged
from offhook.api.rendering import account_uri, below, date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.exchange import standing
from offhook.frozen import frozen
from offhook.model.account import Account, Status
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.table import Where

accounts = Resource(f"/{VERSION}/Accounts", element="Account", key="accounts")

MOST, MOST_OF_TRIAL = 1000, 1  # subaccounts that are not closed
STATUSES: dict[str, Status] = {"active": "active", "suspended": "suspended", "closed": "closed"}


@frozen
class Create:
    friendly_name: str = text(bad=20002, longest=64)


@accounts.create(Create, manages=True)
async def create(at: At, form: Create) -> Rendering:
    now, parent = clock.utc(), at.account
    hour = f"{now:%I:%M} {'am' if now.hour < 12 else 'pm'}"
    name = form.friendly_name or f"SubAccount Created at {now:%Y-%m-%d} {hour}"
    account = Account(
        sids.new("AC"), sids.random_hex(), now, now, name,
        type=parent.type, owner_account_sid=parent.sid,
    )  # fmt: skip
    await at.exchange.store.write(_insert, parent, account)
    return render(account)


def _insert(connection: Connection, parent: Account, account: Account) -> None:
    """Raises ApiError 21101 or 21480."""
    if parent.is_subaccount:
        raise ApiError(21101)
    others = standing.subaccounts(connection, parent.sid)
    most = MOST if parent.type == "Full" else MOST_OF_TRIAL
    if sum(each.status != "closed" for each in others) >= most:
        raise ApiError(21480)
    records.accounts.insert(connection, account)


@accounts.get(manages=True, filters=exactly(FriendlyName="friendly_name", Status="status"))
async def list_own(at: At) -> Listed:
    """The account that asks, and its subaccounts."""
    return await paged(at, records.accounts, render, Where("sid", "in", await _own(at)))


async def _own(at: At) -> Sequence[str]:
    found = await at.exchange.store.read(standing.subaccounts, at.account.sid)
    return [at.account.sid, *(each.sid for each in found)]


@accounts.get("/{account_sid}", dormant=True, manages=True)
async def fetch(at: At) -> Rendering:
    return render(at.account)


@frozen
class Update:
    friendly_name: str | None = text(None, bad=20002, longest=64, filled=True)
    status: str | None = word(*STATUSES, default=None, bad=21475)


@accounts.update(Update, "/{account_sid}", dormant=True, manages=True)
async def update(at: At, form: Update) -> Rendering:
    """A new status counts from the next request, call and message on, and for live calls.

    It is the parent's to give: raises ApiError 20003 when a subaccount wants one for itself.
    """
    by_itself = at.caller is not None and at.caller.sid == at.account.sid
    if form.status and by_itself and at.account.is_subaccount:
        raise ApiError(20003, "Authenticate", 401)
    changed = await at.exchange.store.write(_changed, at.account.sid, form, clock.utc())
    await standing.change(at.exchange, changed)
    return render(changed)


def _changed(connection: Connection, sid: str, form: Update, now: datetime) -> Account:
    account = records.accounts.get(connection, sid)
    if account is None:
        raise ApiError(20404)
    changed = replace(
        account, friendly_name=form.friendly_name or account.friendly_name, date_updated=now
    )
    if form.status:
        return standing.in_status(connection, changed, STATUSES[form.status], now)
    records.accounts.save(connection, changed)
    return changed


def render(account: Account) -> Rendering:
    uri = account_uri(account.sid)
    return {
        "auth_token": account.auth_token,
        "date_created": date(account.date_created),
        "date_updated": date(account.date_updated),
        "friendly_name": account.friendly_name,
        "owner_account_sid": account.owner_account_sid or account.sid,
        "sid": account.sid,
        "status": account.status,
        "subresource_uris": below(
            uri, "available_phone_numbers", "calls", "conferences", "incoming_phone_numbers",
            "notifications", "outgoing_caller_ids", "recordings", "transcriptions", "addresses",
            "signing_keys", "connect_apps", "authorized_connect_apps", "usage", "keys",
            "applications", "queues", "messages", "balance",
            sip="SIP", short_codes="SMS/ShortCodes", sms_messages="SMS/Messages",
        ),
        "type": account.type,
        "uri": uri,
    }  # fmt: skip
