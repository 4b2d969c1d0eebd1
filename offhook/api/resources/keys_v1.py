"""API keys as IAM v1 has them: standard ones, and restricted ones with a policy.

These paths have no account in them, and are JSON alone.  reference: Keys, v1.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from offhook import clock, sids
from offhook.api import forms
from offhook.api.auth import may_act_for
from offhook.api.formats import Rendering
from offhook.api.forms import sid, text, word
from offhook.api.paging import page
from offhook.api.resource import At, Resource
from offhook.api.resources.keys import render as common
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.account import Account
from offhook.model.owned import ApiKey
from offhook.store import records
from offhook.store.owned import api_keys
from offhook.store.store import Connection

keys = Resource("/v1/Keys", element="Key", key="keys")

MOST = 100  # permissions of one key
_PERMISSION = re.compile(r"/twilio/[a-z-]+/[a-z0-9.-]+/(create|read|list|update|delete|\*)")
_FLAGS = {
    "standard": ["rest_api", "signing"],
    "restricted": ["restricted", "rest_api"],
    "main": ["rest_api", "signing", "manage_accounts", "manage_keys"],
}


@frozen
class Create:
    account_sid: str = sid("AC", bad=20001)
    friendly_name: str = text(bad=20002, longest=64)
    key_type: str = word("standard", "restricted", default="standard")
    policy: str = text()


@keys.create(Create, manages=True)
async def create(at: At, form: Create) -> Rendering:
    """The only answer that tells the secret. Raises ApiError 20001: the policy."""
    owner, now = await _account(at, form.account_sid), clock.utc()
    restricted = form.key_type == "restricted"
    allow = _allowed(form.policy) if restricted else ()
    key = ApiKey(
        sids.new("SK"), owner.sid, sids.random_hex(), now, now, form.friendly_name,
        "restricted" if restricted else "standard", allow,
    )  # fmt: skip
    await at.exchange.store.write(api_keys.insert, key)
    return {**common(key), "secret": key.secret, "policy": _policy(key)}


@frozen
class Whose:
    account_sid: str = sid("AC", bad=20001)


@keys.get(manages=True, form=Whose)
async def list_keys(at: At, form: Whose) -> Rendering:
    """The newest first; pages are told in `meta`, as everywhere in v1."""
    owner = await _account(at, form.account_sid)
    listed = await page(replace(at, format="xml", account=owner), api_keys, _listed)
    paging, root = listed.paging, _root(at)
    urls = {
        name.replace("uri", "url"): uri and root + uri
        for name, uri in paging.items()
        if name.endswith("uri")
    }
    numbers = {name: paging[name] for name in ("page", "page_size")}
    return {"keys": listed.items, "meta": numbers | urls | {"key": "keys"}}


@keys.get("/{sid}", manages=True)
async def fetch(at: At) -> Rendering:
    return _render(await at.exchange.store.read(_found, at.account, at.sid))


@frozen
class Update:
    friendly_name: str | None = text(None, bad=20002, longest=64)
    policy: str | None = text(None)


@keys.update(Update, manages=True)
async def update(at: At, form: Update) -> Rendering:
    """A policy takes the place of the one before as a whole. Raises ApiError 20001."""
    changes = forms.given(form)
    if form.policy is not None:
        changes["allow"] = _allowed(changes.pop("policy"))
    changed = await at.exchange.store.write(_change, at.account, at.sid, changes, clock.utc())
    return _render(changed)


def _change(
    connection: Connection, caller: Account, sid: str, changes: dict[str, Any], now: datetime
) -> ApiKey:
    key = _found(connection, caller, sid)
    if "allow" in changes and key.role != "restricted":
        raise ApiError(20001, "Only a restricted key has a policy", 400)
    changed = replace(key, **changes, date_updated=now)
    api_keys.save(connection, changed)
    return changed


@keys.delete(manages=True)
async def delete(at: At) -> None:
    """Its secret is nobody's from the next request on."""
    await at.exchange.store.write(_delete, at.account, at.sid)


def _delete(connection: Connection, caller: Account, sid: str) -> None:
    api_keys.delete(connection, _found(connection, caller, sid).sid)


def _found(connection: Connection, caller: Account, sid: str) -> ApiKey:
    """A key of the account that asks or of its subaccounts. Raises ApiError 20404."""
    key = api_keys.get(connection, sid)
    owner = records.accounts.get(connection, key.account_sid) if key else None
    if key is None or owner is None or not may_act_for(caller, owner):
        raise ApiError(20404)
    return key


async def _account(at: At, sid: str) -> Account:
    """Whose keys are meant. Raises ApiError 20001, or 20003: nobody that the caller acts for."""
    if not sid:
        raise ApiError(20001, "AccountSid is required", 400)
    account = await at.exchange.account(sid)
    if account is None or not may_act_for(at.account, account):
        raise ApiError(20003, "Authenticate", 401)
    return account


def _allowed(policy: str) -> tuple[str, ...]:
    """The permissions of a policy `{"allow": [...]}`. Raises ApiError 20001."""
    try:
        read = json.loads(policy)
        allow = [str(each) for each in read["allow"]] if isinstance(read["allow"], list) else []
    except (ValueError, KeyError, TypeError, RecursionError):
        allow = []
    if not allow or len(allow) > MOST or not all(map(_PERMISSION.fullmatch, allow)):
        told = f'Policy is an object whose "allow" is a list of 1 to {MOST} permissions'
        raise ApiError(20001, told, 400)
    return tuple(allow)


def _root(at: At) -> str:
    """How the client calls us: an unchanged library goes on to the next page by its URL."""
    host = at.request.headers.get("host", "")
    return f"https://{host}" if host.endswith(".twilio.com") else at.exchange.rules.public_url


def _policy(key: ApiKey) -> Rendering | None:
    return {"allow": list(key.allow)} if key.role == "restricted" else None


def _render(key: ApiKey) -> Rendering:
    return {**common(key), "policy": _policy(key)}


def _listed(key: ApiKey) -> Rendering:
    return {**common(key), "flags": _FLAGS[key.role]}
