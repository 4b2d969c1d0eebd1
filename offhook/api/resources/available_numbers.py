"""Numbers that can be had.  reference: AvailablePhoneNumbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from offhook.api import forms
from offhook.api.formats import Rendering
from offhook.api.forms import flag, text, whole
from offhook.api.paging import Position, numbered
from offhook.api.reach import own_uri
from offhook.api.rendering import or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.exchange import inventory
from offhook.exchange.inventory import BadPattern, Near, Offer, Wanted
from offhook.frozen import frozen
from offhook.model import plan, towns
from offhook.model.geography import country_name
from offhook.model.numbers import formatted, normalise, place
from offhook.store.store import Connection

_PATH = f"/{VERSION}/Accounts/{{account_sid}}/AvailablePhoneNumbers"
countries = Resource(_PATH, element="Country", key="countries")
available = Resource(
    f"{_PATH}/{{country}}", element="AvailablePhoneNumber", key="available_phone_numbers"
)

KINDS = {
    "Local": "local", "TollFree": "toll-free", "Mobile": "mobile", "National": "national",
    "Voip": "voip", "SharedCost": "shared-cost", "MachineToMachine": "machine-to-machine",
}  # fmt: skip
PAGE = 30
AREA_CODE, NOT_HERE = 21451, 21457
_BAD = 21421


@frozen
class Filters:
    """No number here needs an address, and none is beta: those filters leave everything."""

    area_code: str = text(bad=AREA_CODE, pattern="[2-9][0-9]{2}")
    contains: str = text(bad=_BAD)
    sms_enabled: bool | None = flag(None)
    mms_enabled: bool | None = flag(None)
    voice_enabled: bool | None = flag(None)
    fax_enabled: bool | None = flag(None)
    exclude_all_address_required: bool = flag()
    exclude_local_address_required: bool = flag()
    exclude_foreign_address_required: bool = flag()
    beta: bool = flag(True)
    near_number: str = text(bad=_BAD)
    near_lat_long: str = text(pattern=r"\s*-?\d{1,2}(\.\d+)?\s*,\s*-?\d{1,3}(\.\d+)?\s*")
    distance: int = whole(25, 0, 500, cap=True)
    in_postal_code: str = text()
    in_region: str = text()
    in_rate_center: str = text()
    in_lata: str = text()
    in_locality: str = text()
    page_size: int = whole(PAGE, 1, 1000, bad=20007, cap=True)


@countries.get()
async def list_countries(at: At) -> Listed:
    """Every country that there are numbers of, on one page unless a smaller one is asked for."""
    found = inventory.countries(at.exchange.rules.stock)
    position = forms.read(Position, at.sent)
    if "PageSize" not in at.sent:
        position = replace(position, page_size=1000)
    first = position.page * position.page_size
    regions = list(found)[first : first + position.page_size]
    is_last = first + position.page_size >= len(found)
    shown = [_country(at, region, found[region]) for region in regions]
    return Listed(shown, numbered(at, position, len(shown), is_last))


@countries.get("/{country}")
async def fetch_country(at: At) -> Rendering:
    """Raises ApiError 20404 when there are no numbers of that country."""
    found = inventory.countries(at.exchange.rules.stock)
    region = at.names["country"].upper()
    if region not in found:
        raise ApiError(20404)
    return _country(at, region, found[region])


def _country(at: At, region: str, kinds: tuple[str, ...]) -> Rendering:
    uri = f"{own_uri(at)}/AvailablePhoneNumbers/{region}"
    return {
        "country_code": region,
        "country": country_name(region),
        "uri": uri,
        "beta": False,
        "subresource_uris": {
            kind.replace("-", "_"): f"{uri}/{path}" for path, kind in KINDS.items() if kind in kinds
        },
    }


def _lists(kind: str) -> Callable[[At, Filters], Any]:
    async def list_kind(at: At, filters: Filters) -> Listed:
        return await _list(at, kind, filters)

    return list_kind


for _name, _kind in KINDS.items():
    available.get(f"/{_name}", form=Filters)(_lists(_kind))


async def _list(at: At, kind: str, filters: Filters) -> Listed:
    """One page; there is no other, as there is no end of numbers. Raises ApiError 20404 or 21457,
    and those of the filters."""
    region = at.names["country"].upper()
    if region not in plan.countries():
        raise ApiError(20404)
    if filters.area_code and not plan.is_nanp(region):
        raise ApiError(NOT_HERE, f"There are no area codes in {region}")
    found = await at.exchange.store.read(_found, at, region, kind, filters)
    position = Position(page_size=filters.page_size)
    return Listed([_render(each) for each in found], numbered(at, position, len(found), True))


def _found(connection: Connection, at: At, region: str, kind: str, filters: Filters) -> list[Offer]:
    """Reads the inventory off the loop, on the store's thread: making up numbers takes a while."""
    if not _able(filters, plan.capabilities(region, kind)) or filters.in_lata:
        return []  # nobody here knows of LATAs
    wanted = Wanted(
        region, kind, _plus(filters.contains), filters.area_code, filters.in_region,
        filters.in_locality or filters.in_rate_center, _towns(filters),
        _near(filters, at.exchange.rules.region),
    )  # fmt: skip
    try:
        return inventory.search(connection, at.exchange.rules.stock, wanted, filters.page_size)
    except BadPattern as bad:
        raise ApiError(_BAD, str(bad)) from None


def _plus(text: str) -> str:
    """A plus sign that was not encoded arrives as a blank."""
    return re.sub(r"^\s(?=\d)", "+", text)


def _able(filters: Filters, capabilities: tuple[str, ...]) -> bool:
    wishes = {
        "sms": filters.sms_enabled, "mms": filters.mms_enabled,
        "voice": filters.voice_enabled, "fax": filters.fax_enabled,
    }  # fmt: skip
    return all(wish is None or wish == (name in capabilities) for name, wish in wishes.items())


def _towns(filters: Filters) -> tuple[towns.Name, ...] | None:
    """The town of a ZIP code; None when none was asked for."""
    if not filters.in_postal_code:
        return None
    found = towns.of_zip(filters.in_postal_code.strip()[:5])
    return (found,) if found else ()


def _near(filters: Filters, default_region: str) -> Near | None:
    """Raises ApiError 21421 when the number is nowhere that we know."""
    if filters.near_lat_long:
        latitude, longitude = (float(each) for each in filters.near_lat_long.split(","))
        return Near(latitude, longitude, filters.distance)
    if not filters.near_number:
        return None
    where = place(normalise(_plus(filters.near_number), default_region))
    there = towns.town(where.city, where.state)
    if there is None:
        raise ApiError(_BAD, f"Nobody knows where {filters.near_number[:40]} is")
    return Near(there.latitude, there.longitude, filters.distance)


def _render(offer: Offer) -> Rendering:
    """Only local numbers are at a place in degrees."""
    seed = offer.seed
    town = towns.town(seed.city, seed.state) if offer.kind == "local" else None
    can = plan.capabilities(offer.region, offer.kind)
    return {
        "friendly_name": formatted(offer.number),
        "phone_number": offer.number,
        "lata": None,
        "locality": or_none(seed.city),
        "rate_center": or_none(seed.city.upper() if seed.state else ""),
        "latitude": f"{town.latitude:.6f}" if town else None,
        "longitude": f"{town.longitude:.6f}" if town else None,
        "region": or_none(seed.state),
        "postal_code": town.zip if town else None,
        "iso_country": offer.region,
        "address_requirements": "none",
        "beta": False,
        "capabilities": {
            "voice": "voice" in can, "SMS": "sms" in can, "MMS": "mms" in can, "fax": "fax" in can,
        },
    }  # fmt: skip
