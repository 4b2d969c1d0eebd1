"""Accounts: one's own and its subaccounts.  reference: accounts and subaccounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from offhook import clock
from offhook.api.formats import Rendering
from offhook.api.forms import given, text
from offhook.api.paging import exactly, page
from offhook.api.rendering import account_uri, below, date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.model.account import Account
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.table import Where

accounts = Resource(f"/{VERSION}/Accounts", element="Account", key="accounts")


@accounts.get()
async def list_own(at: At) -> Listed:
    """The account that asks, and its subaccounts."""
    where = exactly(at.sent, FriendlyName="friendly_name", Status="status")
    return await page(at, records.accounts, [Where("sid", "in", await _own(at)), *where], render)


async def _own(at: At) -> Sequence[str]:
    def read(connection: Connection) -> list[str]:
        of_this = Where("owner_account_sid", "=", at.account.sid)
        return [each.sid for each in records.accounts.all(connection, of_this)]

    return [at.account.sid, *await at.exchange.store.read(read)]


@accounts.get("/{account_sid}", dormant=True)
async def fetch(at: At) -> Rendering:
    return render(at.account)


@dataclass(frozen=True, slots=True)
class Update:
    friendly_name: str | None = text(None, bad=20002, longest=64)


@accounts.update(Update, "/{account_sid}", dormant=True)
async def update(at: At, form: Update) -> Rendering:
    changed = await at.exchange.store.write(_changed, at.account.sid, form, clock.utc())
    at.exchange.accounts[changed.sid] = changed
    return render(changed)


def _changed(connection: Connection, sid: str, form: Update, now: datetime) -> Account:
    account = records.accounts.get(connection, sid)
    if account is None:
        raise ApiError(20404)
    changed = replace(account, **given(form), date_updated=now)
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
