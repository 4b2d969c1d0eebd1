"""Phone numbers of the account: taken, configured and released.

Every possible number can be had that nobody on this installation has yet, unless the operator
closed the inventory.  reference: IncomingPhoneNumbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from offhook import clock, sids
from offhook.api.filters import Filter, exactly, flags
from offhook.api.formats import Rendering
from offhook.api.forms import flag, given, http_method, link, sid, text, word
from offhook.api.paging import page
from offhook.api.reach import fetched, owned
from offhook.api.rendering import account_uri, below, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.exchange import inventory, standing
from offhook.exchange.inventory import Stock, Wanted
from offhook.frozen import frozen
from offhook.model import plan
from offhook.model.account import Account, IncomingPhoneNumber
from offhook.model.numbers import formatted, is_possible, normalise, region_of
from offhook.store import owned as belongings
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.table import Where

numbers = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/IncomingPhoneNumbers",
    element="IncomingPhoneNumber",
    key="incoming_phone_numbers",
)

CAPABILITIES = ("voice", "sms", "mms", "fax")
KINDS = {"Local": "local", "Mobile": "mobile", "TollFree": "toll-free"}
AREAS_OF = ("US", "CA")  # countries whose numbers are had by area code
TRIAL_NUMBERS = 1
NEEDS_ACCOUNT = 21471


@frozen
class Settings:
    """What is not sent stays as it is; what is sent empty is cleared."""

    api_version: str | None = word("2010-04-01", "2008-08-01", default=None, empty="2010-04-01")
    friendly_name: str | None = text(None, bad=20002, longest=64, filled=True)
    sms_application_sid: str | None = sid("AP", None, bad=21420)
    sms_fallback_method: str | None = http_method(None, bad=21403)
    sms_fallback_url: str | None = link(None, bad=21402)
    sms_method: str | None = http_method(None, bad=21403)
    sms_url: str | None = link(None, bad=21402)
    status_callback: str | None = link(None, bad=21402)
    status_callback_method: str | None = http_method(None, bad=21403)
    voice_application_sid: str | None = sid("AP", None, bad=21420)
    voice_caller_id_lookup: bool | None = flag(None)
    voice_fallback_method: str | None = http_method(None, bad=21403)
    voice_fallback_url: str | None = link(None, bad=21402)
    voice_method: str | None = http_method(None, bad=21403)
    voice_url: str | None = link(None, bad=21402)
    emergency_status: str | None = word("Active", "Inactive", default=None, empty="Inactive")
    emergency_address_sid: str | None = sid("AD", None, bad=20001)
    trunk_sid: str | None = sid("TK", None, bad=20001)
    voice_receive_mode: str | None = word("voice", "fax", default=None, empty="voice")
    identity_sid: str | None = sid("RI", None, bad=20001)
    address_sid: str | None = sid("AD", None, bad=20001)
    bundle_sid: str | None = sid("BU", None, bad=20001)


@frozen
class Create(Settings):
    phone_number: str | None = text(None, missing=21421, unless=("AreaCode",), bad=21421)
    area_code: str | None = text(None, bad=21451, pattern="[2-9][0-9]{2}")


@frozen
class CreateOfKind(Settings):
    phone_number: str | None = text(None, missing=21421, bad=21421)


@frozen
class Update(Settings):
    account_sid: str | None = sid("AC", None, bad=21470)


@numbers.create(Create)
async def create(at: At, form: Create) -> Rendering:
    changes = given(form)
    area = changes.pop("area_code", "")
    if not changes.get("phone_number"):
        stock = at.exchange.rules.stock
        changes["phone_number"] = await at.exchange.store.read(_free_in, stock, area)
    return await _take(at, changes, "")


def _like(wanted: str) -> list[Where]:
    """Part of a number, `*` standing for any digit; decoration does not count."""
    pattern = re.sub(r"[^0-9*+]", "", wanted).replace("*", "_")
    return [Where("phone_number", "like", f"%{pattern}%")]


_FILTERS = (
    *exactly(FriendlyName="friendly_name", Origin="origin"),
    *flags(Beta="beta"),
    Filter("PhoneNumber", _like),
)


@numbers.get(filters=_FILTERS)
async def list_numbers(at: At) -> Listed:
    return await page(at, records.numbers, render)


def _creates(kind: str) -> Callable[[At, CreateOfKind], Any]:
    async def create_of_kind(at: At, form: CreateOfKind) -> Rendering:
        return await _take(at, given(form), kind)

    return create_of_kind


def _lists(kind: str) -> Callable[[At], Any]:
    async def list_kind(at: At) -> Listed:
        return await page(at, records.numbers, render, Where("type", "=", kind))

    return list_kind


for _path, _kind in KINDS.items():
    numbers.create(CreateOfKind, f"/{_path}")(_creates(_kind))
    numbers.get(f"/{_path}", filters=_FILTERS)(_lists(_kind))


async def _take(at: At, changes: dict[str, Any], kind: str) -> Rendering:
    """Raises ApiError 21421, 21422 or 21458, and those of the settings."""
    raw = changes.pop("phone_number")
    number = normalise(raw, at.exchange.rules.region)
    if not is_possible(number):
        raise ApiError(21421, f"{raw[:100]} is not a valid number")
    if not inventory.sells(at.exchange.rules.stock, number):
        raise ApiError(21422, f"{number} is not available")
    kinds, now = plan.kinds_of(number), clock.utc()
    if kind and kind not in kinds:
        raise ApiError(21458, f"{number} is not a {kind} number")
    kind = kind or kinds[0]
    taken = IncomingPhoneNumber(
        sids.new("PN"), at.account.sid, number, now, now, friendly_name=formatted(number),
        type=kind, capabilities=plan.capabilities(region_of(number), kind),
    )  # fmt: skip
    return render(await at.exchange.store.write(_insert, at.account, taken, changes))


def _free_in(connection: Connection, stock: Stock, area: str) -> str:
    """A number of that area code that nobody has. Raises ApiError 21452 or 21457."""
    region = plan.region_of_area(area)
    if region and region not in AREAS_OF:
        raise ApiError(21457, f"Numbers cannot be bought by area code {area}")
    wanted = Wanted(region or "US", "local", area_code=area)
    found = inventory.search(connection, stock, wanted, 1)
    if not found:
        raise ApiError(21452)
    return found[0].number


def _insert(
    connection: Connection, account: Account, number: IncomingPhoneNumber, changes: dict[str, Any]
) -> IncomingPhoneNumber:
    """Raises ApiError 21404 or 21422, and those of the settings."""
    mine = [Where("account_sid", "=", account.sid)]
    if account.type == "Trial" and records.numbers.count(connection, mine) >= TRIAL_NUMBERS:
        raise ApiError(21404)
    if records.numbers.by_number(connection, number.phone_number):
        raise ApiError(21422, f"{number.phone_number} is not available")
    changed = _with(connection, number, changes)
    records.numbers.insert(connection, changed)
    return changed


def _with(
    connection: Connection, number: IncomingPhoneNumber, changes: dict[str, Any]
) -> IncomingPhoneNumber:
    """The number with these settings. Raises ApiError 20001, 21405 to 21407 or 21420."""
    _check_addresses(connection, number.account_sid, changes)
    if "sms" not in number.capabilities and (
        changes.get("sms_url") or changes.get("sms_application_sid")
    ):
        raise ApiError(21407)
    for field in ("voice_application_sid", "sms_application_sid"):
        application = records.applications.get(connection, changes.get(field) or "")
        owner = application.account_sid if application else ""
        if changes.get(field) and owner != number.account_sid:
            raise ApiError(21420)
    if changes.get("trunk_sid"):
        changes = changes | {"voice_application_sid": ""}
    elif changes.get("voice_application_sid"):
        changes = changes | {"trunk_sid": ""}
    if "emergency_address_sid" in changes:
        known = "registered" if changes["emergency_address_sid"] else "unregistered"
        changes = changes | {"emergency_address_status": known}
    changed = replace(number, **changes)
    if changes.get("voice_fallback_url") and not changed.voice_url:
        raise ApiError(21405)
    if changes.get("sms_fallback_url") and not changed.sms_url:
        raise ApiError(21406)
    return changed


def _check_addresses(connection: Connection, account_sid: str, changes: dict[str, Any]) -> None:
    """Raises ApiError 20001: an address is not the account's."""
    for field in ("address_sid", "emergency_address_sid"):
        if sid := changes.get(field):
            address = belongings.addresses.get(connection, sid)
            if address is None or address.account_sid != account_sid:
                raise ApiError(20001, f"{sid} is no address of this account", 400)


@numbers.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await fetched(at, records.numbers, at.sid))


@numbers.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """What is changed here counts from the next call or text on."""
    changes = given(form)
    to = changes.pop("account_sid", at.account.sid)
    if to != at.account.sid:
        await _check_transfer(at, to)
    changed = await at.exchange.store.write(
        _change, at.account.sid, at.sid, changes, to, clock.utc()
    )
    return render(changed)


async def _check_transfer(at: At, to: str) -> None:
    """Only the parent moves numbers, and within its family. Raises ApiError 21470 to 21474."""
    if not to:
        raise ApiError(NEEDS_ACCOUNT)
    target = await at.exchange.account(to)
    if target is None:
        raise ApiError(21470)
    if target.status != "active":
        raise ApiError(21472)
    caller = at.caller or at.account
    if caller.is_subaccount:
        raise ApiError(21474)
    if caller.sid not in (target.sid, target.owner_account_sid):
        raise ApiError(21473)


def _change(
    connection: Connection,
    account_sid: str,
    sid: str,
    changes: dict[str, Any],
    to: str,
    now: datetime,
) -> IncomingPhoneNumber:
    """A number that moves to another account leaves behind what is not that account's."""
    number = owned(connection, records.numbers, account_sid, sid)
    if to != account_sid:
        number = replace(
            number, account_sid=to, voice_application_sid="", sms_application_sid="",
            trunk_sid="", address_sid="", emergency_address_sid="",
            emergency_address_status="unregistered", identity_sid="", bundle_sid="",
        )  # fmt: skip
    changed = replace(_with(connection, number, changes), date_updated=now)
    records.numbers.save(connection, changed)
    return changed


@numbers.delete()
async def release(at: At) -> None:
    """Calls to it and from it end; the next ones find nobody."""
    number = await at.exchange.store.write(_release, at.account.sid, at.sid)
    standing.end_calls(at.exchange, lambda call: call.phone_number_sid == number.sid)


def _release(connection: Connection, account_sid: str, sid: str) -> IncomingPhoneNumber:
    number = owned(connection, records.numbers, account_sid, sid)
    records.numbers.delete(connection, sid)
    return number


def render(number: IncomingPhoneNumber) -> Rendering:
    uri = f"{account_uri(number.account_sid)}/IncomingPhoneNumbers/{number.sid}"
    return {
        "account_sid": number.account_sid,
        "address_sid": or_none(number.address_sid),
        "address_requirements": number.address_requirements,
        "api_version": number.api_version,
        "beta": number.beta,
        "capabilities": {each: each in number.capabilities for each in CAPABILITIES},
        "date_created": date(number.date_created),
        "date_updated": date(number.date_updated),
        "friendly_name": number.friendly_name,
        "identity_sid": or_none(number.identity_sid),
        "phone_number": number.phone_number,
        "origin": number.origin,
        "sid": number.sid,
        "sms_application_sid": or_none(number.sms_application_sid),
        "sms_fallback_method": number.sms_fallback_method,
        "sms_fallback_url": or_none(number.sms_fallback_url),
        "sms_method": number.sms_method,
        "sms_url": or_none(number.sms_url),
        "status_callback": or_none(number.status_callback),
        "status_callback_method": number.status_callback_method,
        "trunk_sid": or_none(number.trunk_sid),
        "uri": uri,
        "voice_receive_mode": number.voice_receive_mode,
        "voice_application_sid": or_none(number.voice_application_sid),
        "voice_caller_id_lookup": number.voice_caller_id_lookup,
        "voice_fallback_method": number.voice_fallback_method,
        "voice_fallback_url": or_none(number.voice_fallback_url),
        "voice_method": number.voice_method,
        "voice_url": or_none(number.voice_url),
        "emergency_status": number.emergency_status,
        "emergency_address_sid": or_none(number.emergency_address_sid),
        "emergency_address_status": number.emergency_address_status,
        "bundle_sid": or_none(number.bundle_sid),
        "status": number.status,
        "type": number.type,
        "subresource_uris": below(uri, "assigned_add_ons"),
    }
