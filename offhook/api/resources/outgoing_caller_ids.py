"""Numbers of one's own phones, verified by a call.  reference: OutgoingCallerIds."""

from __future__ import annotations

from offhook import sids
from offhook.api.filters import exactly
from offhook.api.formats import Rendering
from offhook.api.forms import http_method, link, text, whole
from offhook.api.paging import page
from offhook.api.reach import changed, deleted, fetched
from offhook.api.rendering import account_uri, date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.exchange.validating import DIGITS, Validation, validate
from offhook.frozen import frozen
from offhook.model.fetch import Callback
from offhook.model.numbers import formatted, is_emergency, is_possible, normalise
from offhook.model.owned import OutgoingCallerId
from offhook.store import records
from offhook.store.owned import caller_ids
from offhook.store.store import Connection

outgoing_caller_ids = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/OutgoingCallerIds",
    element="OutgoingCallerId",
    key="outgoing_caller_ids",
)
requests = Resource(
    outgoing_caller_ids.path, element="ValidationRequest", key="validation_requests"
)

NO_NUMBER, OWN_NUMBER, VERIFIED, ELSEWHERE, BAD_DELAY = 21401, 21449, 21450, 21453, 21454


@frozen
class Create:
    phone_number: str = text(missing=NO_NUMBER, bad=NO_NUMBER)
    friendly_name: str = text(bad=20002, longest=64)
    call_delay: int = whole(0, 0, 60, bad=BAD_DELAY)
    extension: str = text(pattern="[0-9*#wW]{0,32}")
    status_callback: str = link(bad=21402)
    status_callback_method: str = http_method(bad=21403)


@frozen
class Update:
    friendly_name: str | None = text(None, bad=20002, longest=64)


@requests.create(Create, status=200)
async def create(at: At, form: Create) -> Rendering:
    """The call that asks for the code is queued when this answers with the code."""
    region = at.exchange.rules.region
    number = normalise(form.phone_number, region)
    if not is_possible(number) or is_emergency(number, region):
        raise ApiError(NO_NUMBER, f"{form.phone_number[:100]} is not a valid phone number")
    await at.exchange.store.read(_check, at.account.sid, number)
    name = form.friendly_name or formatted(number)
    code = f"{int(sids.random_hex(), 16) % 10**DIGITS:0{DIGITS}d}"
    call = await validate(
        at.exchange,
        Validation(
            at.account.sid, number, name, code, form.call_delay, form.extension,
            Callback(form.status_callback, form.status_callback_method),
        ),
    )  # fmt: skip
    return {
        "account_sid": at.account.sid,
        "call_sid": call.sid,
        "friendly_name": name,
        "phone_number": number,
        "validation_code": code,
    }


def _check(connection: Connection, account_sid: str, number: str) -> None:
    """Raises ApiError 21449, 21450 or 21453."""
    own = records.numbers.by_number(connection, number)
    if own and own.account_sid == account_sid:
        raise ApiError(OWN_NUMBER)
    verified = caller_ids.by_number(connection, number)
    if verified:
        raise ApiError(VERIFIED if verified.account_sid == account_sid else ELSEWHERE)


@outgoing_caller_ids.get(filters=exactly(PhoneNumber="phone_number", FriendlyName="friendly_name"))
async def list_caller_ids(at: At) -> Listed:
    return await page(at, caller_ids, render)


@outgoing_caller_ids.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await fetched(at, caller_ids, at.sid))


@outgoing_caller_ids.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """Without a name, the number itself is the name."""
    name = form.friendly_name
    if name == "":
        name = formatted((await fetched(at, caller_ids, at.sid)).phone_number)
    changes = {} if name is None else {"friendly_name": name}
    return render(await changed(at, caller_ids, changes))


@outgoing_caller_ids.delete()
async def delete(at: At) -> None:
    """The number cannot be shown from the next call on."""
    await deleted(at, caller_ids)


def render(verified: OutgoingCallerId) -> Rendering:
    return {
        "sid": verified.sid,
        "date_created": date(verified.date_created),
        "date_updated": date(verified.date_updated),
        "friendly_name": verified.friendly_name,
        "account_sid": verified.account_sid,
        "phone_number": verified.phone_number,
        "uri": f"{account_uri(verified.account_sid)}/OutgoingCallerIds/{verified.sid}",
    }
