"""The networks of an IP access control list.  reference: REST voice, SIP."""

from __future__ import annotations

from offhook import clock, sids
from offhook.api.formats import Rendering
from offhook.api.forms import given, text, whole
from offhook.api.paging import page
from offhook.api.reach import changed
from offhook.api.rendering import account_uri, date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.api.resources import sip_lists
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.sip_domains import MOST_ADDRESSES, SipAddress, is_ipv4
from offhook.store.sip_domains import addresses as table
from offhook.store.store import Connection
from offhook.store.table import Where

ip_addresses = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/SIP/IpAccessControlLists/{{list_sid}}/IpAddresses",
    element="IpAddress",
    key="ip_addresses",
)

NOT_VALID, FULL = 21238, 21237


@frozen
class Create:
    friendly_name: str = text(missing=NOT_VALID, bad=NOT_VALID, longest=255)
    ip_address: str = text(missing=NOT_VALID)
    cidr_prefix_length: int = whole(32, 1, 32, bad=NOT_VALID)


@ip_addresses.create(Create)
async def create(at: At, form: Create) -> Rendering:
    """Raises ApiError 21238 when it is no IPv4 address, 21237 when the list is full."""
    _check(form.ip_address)
    now = clock.utc()
    made = SipAddress(
        sids.new("IP"), at.account.sid, at.names["list_sid"], form.friendly_name,
        form.ip_address, now, now, form.cidr_prefix_length,
    )  # fmt: skip
    await at.exchange.store.write(_insert, made)
    return render(made)


def _check(address: str) -> None:
    if not is_ipv4(address):
        raise ApiError(NOT_VALID, f"{address[:100]} is not an IPv4 address")


def _insert(connection: Connection, made: SipAddress) -> None:
    one = sip_lists.found(connection, made.account_sid, made.list_sid, "addresses")
    if table.count(connection, [Where("list_sid", "=", one.sid)]) >= MOST_ADDRESSES:
        raise ApiError(FULL)
    table.insert(connection, made)


@ip_addresses.get()
async def list_addresses(at: At) -> Listed:
    return await page(at, table, render, await sip_lists.members(at, "addresses"))


@ip_addresses.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await sip_lists.fetch_member(at, table))


@frozen
class Update:
    ip_address: str | None = text(None)
    friendly_name: str | None = text(None, bad=NOT_VALID, longest=255, filled=True)
    cidr_prefix_length: int | None = whole(None, 1, 32, bad=NOT_VALID)


@ip_addresses.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """Raises ApiError 21238 when it is no IPv4 address."""
    if form.ip_address is not None:
        _check(form.ip_address)
    await sip_lists.fetch_member(at, table)
    return render(await changed(at, table, given(form)))


@ip_addresses.delete()
async def delete(at: At) -> None:
    """One that went with its list is gone as asked."""
    await sip_lists.delete_member(at, table)


def render(found: SipAddress) -> Rendering:
    lists = f"{account_uri(found.account_sid)}/SIP/IpAccessControlLists"
    return {
        "sid": found.sid,
        "account_sid": found.account_sid,
        "friendly_name": found.friendly_name,
        "ip_address": found.ip_address,
        "cidr_prefix_length": found.cidr_prefix_length,
        "ip_access_control_list_sid": found.list_sid,
        "date_created": date(found.date_created),
        "date_updated": date(found.date_updated),
        "uri": f"{lists}/{found.list_sid}/IpAddresses/{found.sid}",
    }
