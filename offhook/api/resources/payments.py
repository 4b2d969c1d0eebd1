"""Payments that a caller keys in.  reference: REST voice, call subresources; <Pay>."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from offhook import clock
from offhook.api.formats import Rendering
from offhook.api.forms import flag, link, text, whole, word
from offhook.api.reach import fetched, owned
from offhook.api.rendering import account_uri, date
from offhook.api.resource import VERSION, At, Resource
from offhook.api.resources.call_forks import in_progress
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.gatherings import Payment
from offhook.store import records
from offhook.store.gatherings import payments as table
from offhook.store.store import Connection

payments = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Calls/{{call_sid}}/Payments",
    element="Payment",
    key="payments",
)

NO_CONNECTOR, BAD_AMOUNT, BAD_CURRENCY, BAD_METHOD = 64011, 64003, 64004, 64013
BAD_PARAMETER, BAD_ACCOUNT, AMBIGUOUS, MISSING, BAD_ATTRIBUTE = 64014, 64017, 64018, 64019, 64020
BAD_OPERATION = 64021
FIELDS = (
    "payment-card-number", "expiration-date", "security-code", "postal-code",
    "bank-routing-number", "bank-account-number",
)  # fmt: skip
CAPTURED = FIELDS + tuple(
    f"{field}-matcher" for field in FIELDS[:4]
)  # those that a caller may have to key in twice
CARDS = {
    "visa", "mastercard", "amex", "maestro", "discover", "optima", "jcb", "diners-club", "enroute",
}  # fmt: skip
_AMOUNT = re.compile(r"\d{1,6}(\.\d+)?")


@frozen
class Create:
    idempotency_key: str = text(missing=20001)
    status_callback: str = link(missing=20001, bad=21205)
    bank_account_type: str = word(
        "consumer-checking", "consumer-savings", "commercial-checking", bad=BAD_ACCOUNT
    )
    charge_amount: str = text(bad=BAD_AMOUNT, pattern=_AMOUNT.pattern)
    currency: str = text("usd", bad=BAD_CURRENCY, pattern="[A-Za-z]{3}")
    description: str = text()
    input: str = word("dtmf", default="dtmf", bad=BAD_ATTRIBUTE)
    min_postal_code_length: int = whole(0, 0, 20, bad=BAD_ATTRIBUTE)
    parameter: str = text()
    payment_connector: str = text("Default")
    payment_method: str = word("credit-card", "ach-debit", default="credit-card", bad=BAD_METHOD)
    postal_code: bool = flag(True)
    security_code: bool = flag(True)
    timeout: int = whole(5, 1, 600, bad=BAD_ATTRIBUTE)
    token_type: str = word(
        "one-time", "reusable", "payment-method", default="reusable", bad=BAD_ATTRIBUTE
    )
    valid_card_types: str = text("visa mastercard amex")
    require_matching_inputs: str = text()
    confirmation: bool = flag()


@payments.create(Create)
async def create(at: At, form: Create) -> Rendering:
    """Raises ApiError 640xx for what cannot be, 21220, or 64011: there is no connector yet."""
    _check(form)
    await in_progress(at)
    raise ApiError(NO_CONNECTOR, f"There is no connector {form.payment_connector[:100]!r}")


def _check(form: Create) -> None:
    unknown = set(form.valid_card_types.split()) - CARDS
    if unknown:
        raise ApiError(BAD_ATTRIBUTE, f"ValidCardTypes does not know {min(unknown)[:100]}")
    twice = {each.strip() for each in form.require_matching_inputs.split(",") if each.strip()}
    if twice - set(FIELDS):
        raise ApiError(BAD_ATTRIBUTE, "RequireMatchingInputs names what cannot be keyed in")
    if form.parameter and not is_flat(form.parameter):
        raise ApiError(BAD_PARAMETER, "Parameter is not a JSON object of single values")
    if form.payment_method == "ach-debit" and not form.bank_account_type:
        raise ApiError(BAD_ACCOUNT, "BankAccountType is required with ach-debit")


def is_flat(parameter: str) -> bool:
    """Whether it is a JSON object of one level."""
    try:
        value: Any = json.loads(parameter)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and not any(
        isinstance(each, dict | list) for each in value.values()
    )


@frozen
class Update:
    idempotency_key: str = text(missing=20001)
    status_callback: str = link(missing=20001, bad=21205)
    capture: str = word(*CAPTURED, bad=BAD_OPERATION)
    status: str = word("complete", "cancel", bad=BAD_OPERATION)


@payments.update(Update, status=202)
async def update(at: At, form: Update) -> Rendering:
    """Asks for the next field, or ends the session. Raises ApiError 64018, 64019 or 64021."""
    if form.capture and form.status:
        raise ApiError(AMBIGUOUS)
    if not form.capture and not form.status:
        raise ApiError(MISSING, "Capture or Status is required")
    call = await fetched(at, records.calls, at.names["call_sid"])
    changed = await at.exchange.store.write(
        _change, at.account.sid, call.sid, at.sid, form, clock.utc()
    )
    return render(changed)


def _change(
    connection: Connection, account_sid: str, call_sid: str, sid: str, form: Update, now: datetime
) -> Payment:
    found = owned(connection, table, account_sid, sid)
    if found.call_sid != call_sid:
        raise ApiError(20404)
    if found.status != "in-progress":
        raise ApiError(BAD_OPERATION, f"The session is over: {found.status}")
    changed = replace(found, capture=form.capture, date_updated=now)
    if form.status:
        changed = replace(changed, status=form.status)  # type: ignore[arg-type]
    table.save(connection, changed)
    return changed


def render(payment: Payment) -> Rendering:
    call = f"{account_uri(payment.account_sid)}/Calls/{payment.call_sid}"
    return {
        "account_sid": payment.account_sid,
        "call_sid": payment.call_sid,
        "sid": payment.sid,
        "date_created": date(payment.date_created),
        "date_updated": date(payment.date_updated),
        "uri": f"{call}/Payments/{payment.sid}",
    }
