"""Addresses of people and firms, and the numbers that stand on one.  reference: Addresses."""

from __future__ import annotations

from typing import Any

import phonenumbers

from offhook import clock, sids
from offhook.api.filters import exactly, flags
from offhook.api.formats import Rendering
from offhook.api.forms import flag, given, text
from offhook.api.paging import page
from offhook.api.reach import changed, fetched, owned
from offhook.api.rendering import account_uri, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.api.resources import numbers
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.account import IncomingPhoneNumber
from offhook.model.owned import Address
from offhook.store import records
from offhook.store.owned import addresses as table
from offhook.store.store import Connection
from offhook.store.table import Where

addresses = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Addresses", element="Address", key="addresses"
)
dependents = Resource(
    f"{addresses.path}/{{sid}}/DependentPhoneNumbers",
    element="DependentPhoneNumber",
    key="dependent_phone_numbers",
)

INVALID, IN_USE = 21238, 21628
_SHOWN = (
    "sid", "account_sid", "friendly_name", "phone_number", "voice_url", "voice_method",
    "voice_fallback_method", "voice_fallback_url", "voice_caller_id_lookup", "date_created",
    "date_updated", "sms_fallback_method", "sms_fallback_url", "sms_method", "sms_url",
    "address_requirements", "capabilities", "status_callback", "status_callback_method",
    "api_version", "sms_application_sid", "voice_application_sid", "trunk_sid",
    "emergency_status", "emergency_address_sid", "uri",
)  # fmt: skip


@frozen
class Create:
    customer_name: str = text(missing=INVALID, longest=256, bad=INVALID)
    street: str = text(missing=INVALID, longest=256, bad=INVALID)
    city: str = text(missing=INVALID, longest=128, bad=INVALID)
    region: str = text(missing=INVALID, longest=128, bad=INVALID)
    postal_code: str = text(missing=INVALID, longest=32, bad=INVALID)
    iso_country: str = text(missing=INVALID, pattern="[A-Za-z]{2}", bad=INVALID)
    friendly_name: str = text(bad=20002, longest=64)
    emergency_enabled: bool = flag()
    auto_correct_address: bool = flag(True)
    street_secondary: str = text(longest=256, bad=INVALID)


@frozen
class Update:
    """What is not sent stays as it is."""

    friendly_name: str | None = text(None, bad=20002, longest=64)
    customer_name: str | None = text(None, filled=True, longest=256, bad=INVALID)
    street: str | None = text(None, filled=True, longest=256, bad=INVALID)
    city: str | None = text(None, filled=True, longest=128, bad=INVALID)
    region: str | None = text(None, filled=True, longest=128, bad=INVALID)
    postal_code: str | None = text(None, filled=True, longest=32, bad=INVALID)
    emergency_enabled: bool | None = flag(None)
    auto_correct_address: bool | None = flag(None)
    street_secondary: str | None = text(None, longest=256, bad=INVALID)


@addresses.create(Create)
async def create(at: At, form: Create) -> Rendering:
    """Raises ApiError 21238: nobody lives there, as far as its country goes."""
    now, values = clock.utc(), given(form)
    values["iso_country"] = form.iso_country.upper()
    if values["iso_country"] not in phonenumbers.SUPPORTED_REGIONS:
        raise ApiError(INVALID, f"{form.iso_country} is not a country")
    address = Address(sids.new("AD"), at.account.sid, now, now, **_kept(values))
    await at.exchange.store.write(table.insert, address)
    return render(address)


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    """Nothing here corrects addresses, so that wish is not remembered."""
    return {name: value for name, value in values.items() if name != "auto_correct_address"}


@addresses.get(
    filters=(
        *exactly(
            CustomerName="customer_name", FriendlyName="friendly_name", IsoCountry="iso_country"
        ),
        *flags(EmergencyEnabled="emergency_enabled"),
    )
)
async def list_addresses(at: At) -> Listed:
    return await page(at, table, render)


@addresses.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await fetched(at, table, at.sid))


@addresses.update(Update)
async def update(at: At, form: Update) -> Rendering:
    return render(await changed(at, table, _kept(given(form))))


@addresses.delete()
async def delete(at: At) -> None:
    """Raises ApiError 21628 while a number stands on it."""
    await at.exchange.store.write(_delete, at.account.sid, at.sid)


def _delete(connection: Connection, account_sid: str, sid: str) -> None:
    owned(connection, table, account_sid, sid)
    for field in ("address_sid", "emergency_address_sid"):
        mine = [Where("account_sid", "=", account_sid), Where(field, "=", sid)]
        if records.numbers.count(connection, mine):
            raise ApiError(IN_USE, "A phone number needs this address")
    table.delete(connection, sid)


@dependents.get()
async def list_dependents(at: At) -> Listed:
    """The numbers that were given this address."""
    await fetched(at, table, at.sid)
    return await page(at, records.numbers, _dependent, Where("address_sid", "=", at.sid))


def _dependent(number: IncomingPhoneNumber) -> Rendering:
    whole = numbers.render(number)
    return {name: whole[name] for name in _SHOWN}


def render(address: Address) -> Rendering:
    return {
        "account_sid": address.account_sid,
        "city": address.city,
        "customer_name": address.customer_name,
        "date_created": date(address.date_created),
        "date_updated": date(address.date_updated),
        "friendly_name": address.friendly_name,
        "iso_country": address.iso_country,
        "postal_code": address.postal_code,
        "region": address.region,
        "sid": address.sid,
        "street": address.street,
        "uri": f"{account_uri(address.account_sid)}/Addresses/{address.sid}",
        "emergency_enabled": address.emergency_enabled,
        "validated": address.validated,
        "verified": address.verified,
        "street_secondary": or_none(address.street_secondary),
    }
