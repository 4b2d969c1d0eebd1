"""Lists that guard SIP domains: of credentials, and of addresses.  reference: REST voice, SIP."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from offhook import clock, sids
from offhook.api.formats import Rendering
from offhook.api.forms import text
from offhook.api.paging import page
from offhook.api.reach import owned
from offhook.api.rendering import account_uri, date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.sip_domains import MOST_LISTS, SipList
from offhook.store.sip_domains import addresses, credentials, mappings, went
from offhook.store.sip_domains import lists as table
from offhook.store.store import Connection
from offhook.store.table import Records, Where

_SIP = f"/{VERSION}/Accounts/{{account_sid}}/SIP"
credential_lists = Resource(
    f"{_SIP}/CredentialLists", element="CredentialList", key="credential_lists"
)
ip_access_control_lists = Resource(
    f"{_SIP}/IpAccessControlLists", element="IpAccessControlList", key="ip_access_control_lists"
)

Kind = Literal["credentials", "addresses"]
_ADDRESSES = ("ip_addresses", "IpAddresses")


@frozen
class CredentialListName:
    friendly_name: str = text(missing=21240, bad=21240, longest=64)


@frozen
class AddressListName:
    friendly_name: str = text(missing=21235, bad=21235, longest=255)


@credential_lists.create(CredentialListName)
async def create_credential_list(at: At, form: CredentialListName) -> Rendering:
    """Raises ApiError 21239 when there are as many as there may be."""
    return await _create(at, "credentials", "CL", form.friendly_name, 21239)


@ip_access_control_lists.create(AddressListName)
async def create_address_list(at: At, form: AddressListName) -> Rendering:
    """Raises ApiError 21255 when there are as many as there may be."""
    return await _create(at, "addresses", "AL", form.friendly_name, 21255)


async def _create(at: At, kind: Kind, prefix: str, name: str, too_many: int) -> Rendering:
    now = clock.utc()
    made = SipList(sids.new(prefix), at.account.sid, name, now, now, kind)
    await at.exchange.store.write(_insert, made, too_many)
    return render(made)


def _insert(connection: Connection, made: SipList, too_many: int) -> None:
    own = [Where("account_sid", "=", made.account_sid), Where("kind", "=", made.kind)]
    if table.count(connection, own) >= MOST_LISTS:
        raise ApiError(too_many)
    table.insert(connection, made)


@credential_lists.get()
async def list_credential_lists(at: At) -> Listed:
    return await page(at, table, render, Where("kind", "=", "credentials"))


@ip_access_control_lists.get()
async def list_address_lists(at: At) -> Listed:
    return await page(at, table, render, Where("kind", "=", "addresses"))


@credential_lists.get("/{sid}")
async def fetch_credential_list(at: At) -> Rendering:
    return render(await at.exchange.store.read(found, at.account.sid, at.sid, "credentials"))


@ip_access_control_lists.get("/{sid}")
async def fetch_address_list(at: At) -> Rendering:
    return render(await at.exchange.store.read(found, at.account.sid, at.sid, "addresses"))


def found(connection: Connection, account_sid: str, sid: str, kind: Kind) -> SipList:
    """The list of that kind. Raises ApiError 20404."""
    one = owned(connection, table, account_sid, sid)
    if one.kind != kind:
        raise ApiError(20404)
    return one


class _Member(Protocol):
    @property
    def account_sid(self) -> str: ...

    @property
    def list_sid(self) -> str: ...


M = TypeVar("M", bound=_Member)


async def members(at: At, kind: Kind) -> Where:
    """Those of the list in the path. Raises ApiError 20404."""
    list_sid = at.names["list_sid"]
    await at.exchange.store.read(found, at.account.sid, list_sid, kind)
    return Where("list_sid", "=", list_sid)


def _member(
    connection: Connection, table: Records[M], account_sid: str, list_sid: str, sid: str
) -> M:
    """Raises ApiError 20404 when it is not in the list."""
    one = owned(connection, table, account_sid, sid)
    if one.list_sid != list_sid:
        raise ApiError(20404)
    return one


async def fetch_member(at: At, table: Records[M]) -> M:
    """Raises ApiError 20404."""
    list_sid = at.names["list_sid"]
    return await at.exchange.store.read(_member, table, at.account.sid, list_sid, at.sid)


async def delete_member(at: At, table: Records[M]) -> None:
    """One that went with its list is gone as asked. Raises ApiError 20404."""
    list_sid = at.names["list_sid"]
    await at.exchange.store.write(_delete_member, table, at.account.sid, list_sid, at.sid)


def _delete_member(
    connection: Connection, table: Records[M], account_sid: str, list_sid: str, sid: str
) -> None:
    if not went(connection, list_sid, sid):
        _member(connection, table, account_sid, list_sid, sid)
        table.delete(connection, sid)


@credential_lists.update(CredentialListName)
async def update_credential_list(at: At, form: CredentialListName) -> Rendering:
    return await _rename(at, "credentials", form.friendly_name)


@ip_access_control_lists.update(AddressListName)
async def update_address_list(at: At, form: AddressListName) -> Rendering:
    return await _rename(at, "addresses", form.friendly_name)


async def _rename(at: At, kind: Kind, name: str) -> Rendering:
    return render(
        await at.exchange.store.write(_save, at.account.sid, at.sid, kind, name, clock.utc())
    )


def _save(
    connection: Connection, account_sid: str, sid: str, kind: Kind, name: str, now: datetime
) -> SipList:
    changed = replace(
        found(connection, account_sid, sid, kind), friendly_name=name, date_updated=now
    )
    table.save(connection, changed)
    return changed


@credential_lists.delete()
async def delete_credential_list(at: At) -> None:
    """And its credentials. Raises ApiError 21241 while it counts at a domain."""
    await at.exchange.store.write(_delete, at.account.sid, at.sid, "credentials", 21241)


@ip_access_control_lists.delete()
async def delete_address_list(at: At) -> None:
    """And its addresses. Raises ApiError 21236 while it counts at a domain."""
    await at.exchange.store.write(_delete, at.account.sid, at.sid, "addresses", 21236)


def _delete(connection: Connection, account_sid: str, sid: str, kind: Kind, in_use: int) -> None:
    found(connection, account_sid, sid, kind)
    if mappings.with_list(connection, sid):
        raise ApiError(in_use)
    for credential in credentials.of(connection, sid):
        credentials.delete(connection, credential.sid)
    for address in addresses.of(connection, sid):
        addresses.delete(connection, address.sid)
    table.delete(connection, sid)


def render(one: SipList) -> Rendering:
    name = "CredentialLists" if one.kind == "credentials" else "IpAccessControlLists"
    uri = f"{account_uri(one.account_sid)}/SIP/{name}/{one.sid}"
    key, path = ("credentials", "Credentials") if one.kind == "credentials" else _ADDRESSES
    shown: Rendering = {
        "account_sid": one.account_sid,
        "date_created": date(one.date_created),
        "date_updated": date(one.date_updated),
        "friendly_name": one.friendly_name,
        "sid": one.sid,
        "subresource_uris": {key: f"{uri}/{path}"},
        "uri": uri,
    }
    first = () if one.kind == "credentials" else ("sid", "account_sid", "friendly_name")
    return {name: shown[name] for name in dict.fromkeys((*first, *shown))}
