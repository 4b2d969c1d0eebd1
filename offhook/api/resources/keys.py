"""API keys: credentials of their own, whose secret is shown once.  reference: Keys, SigningKeys.

A key made under one name is there under the other as well: it serves REST and signs access tokens.
"""

from __future__ import annotations

from offhook import clock, sids
from offhook.api.formats import Rendering
from offhook.api.forms import given, text
from offhook.api.paging import page
from offhook.api.reach import changed, deleted, fetched
from offhook.api.rendering import date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.frozen import frozen
from offhook.model.owned import ApiKey
from offhook.store.owned import api_keys

_ACCOUNT = f"/{VERSION}/Accounts/{{account_sid}}"
keys = Resource(f"{_ACCOUNT}/Keys", element="Key", key="keys")
signing_keys = Resource(f"{_ACCOUNT}/SigningKeys", element="SigningKey", key="signing_keys")


@frozen
class Name:
    friendly_name: str | None = text(None, bad=20002, longest=64)


@keys.create(Name, manages=True)
@signing_keys.create(Name, manages=True)
async def create(at: At, form: Name) -> Rendering:
    """The only answer that tells the secret."""
    now = clock.utc()
    key = ApiKey(
        sids.new("SK"), at.account.sid, sids.random_hex(), now, now, form.friendly_name or ""
    )
    await at.exchange.store.write(api_keys.insert, key)
    return {**render(key), "secret": key.secret}


@keys.get(manages=True)
@signing_keys.get(manages=True)
async def list_keys(at: At) -> Listed:
    return await page(at, api_keys, render)


@keys.get("/{sid}", manages=True)
@signing_keys.get("/{sid}", manages=True)
async def fetch(at: At) -> Rendering:
    return render(await fetched(at, api_keys, at.sid))


@keys.update(Name, manages=True)
@signing_keys.update(Name, manages=True)
async def update(at: At, form: Name) -> Rendering:
    return render(await changed(at, api_keys, given(form)))


@keys.delete(manages=True)
@signing_keys.delete(manages=True)
async def delete(at: At) -> None:
    """Its secret is nobody's from the next request on."""
    await deleted(at, api_keys)


def render(key: ApiKey) -> Rendering:
    return {
        "sid": key.sid,
        "friendly_name": key.friendly_name,
        "date_created": date(key.date_created),
        "date_updated": date(key.date_updated),
    }
