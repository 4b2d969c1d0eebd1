"""Test credentials: requests are checked and answered like real ones, and nothing happens (M25).

Each account has a test account beside it, whose SID and token are used like live ones. It may buy
numbers, send texts and place calls; what comes of that depends on magic numbers. Nothing is stored
or sent.  reference: test credentials.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from offhook import clock, sids
from offhook.api.addresses import MAGIC
from offhook.api.formats import Rendering
from offhook.api.forms import Sent, given
from offhook.api.resource import Action, At, Run
from offhook.api.resources import calls, messages, numbers
from offhook.errors import ApiError
from offhook.exchange.exchange import Exchange
from offhook.model.account import Account, IncomingPhoneNumber
from offhook.model.call import Call
from offhook.model.message import Message
from offhook.model.numbers import formatted, is_possible, normalise
from offhook.model.segments import segment, utf16_units
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.table import Where

TEST: Final = "Test"  # the type of a test account
VALID = MAGIC
_INVALID = "+15005550001"

_CALLED = {_INVALID: 21217, "+15005550002": 21214, "+15005550003": 21215, "+15005550004": 21216}
_CALLING = {_INVALID: 21212}
_WRITTEN_TO = {
    _INVALID: 21211, "+15005550002": 21612, "+15005550003": 21408, "+15005550004": 21610,
    "+15005550009": 21614,
}  # fmt: skip
_WRITING = {_INVALID: 21212, "+15005550007": 21606, "+15005550008": 21611}
_BOUGHT = {_INVALID: 21421}

_SAYS = {
    21210: "The 'From' number {} is not a number of this account or a verified caller ID.",
    21211: "The 'To' number {} is not a valid phone number.",
    21212: "The 'From' number {} is not a valid phone number.",
    21215: "Account not authorized to call {}.",
    21217: "{} is not a valid phone number.",
    21408: "Permission to send texts to the region of {} is not enabled.",
    21421: "{} is not a valid number",
    21422: "{} is not available",
    21606: "The 'From' number {} cannot send texts for this account.",
    21610: "{} wants no more texts from this number.",
    21612: "{} cannot be reached from this number.",
    21614: "To number: {}, is not a mobile number",
}


async def pair(exchange: Exchange, account: Account) -> Account:
    """The test account of a live one; made when it is asked for first."""
    made = Account(
        sids.new("AC"), sids.random_hex(), clock.utc(), clock.utc(), "Test",
        type=TEST, owner_account_sid=account.sid,
    )  # fmt: skip
    return await exchange.store.write(_pair, account.sid, made)


def _pair(connection: Connection, account_sid: str, made: Account) -> Account:
    of_account = [Where("owner_account_sid", "=", account_sid), Where("type", "=", TEST)]
    known = records.accounts.all(connection, *of_account)
    if not known:
        records.accounts.insert(connection, made)
    return known[0] if known else made


def rehearsed(action: Action) -> Run:
    """What a test account gets in the place of `action`. Raises ApiError 20008."""
    run = _REHEARSALS.get((action.method, action.path))
    if run is None:
        raise ApiError(20008, "Resource not accessible with Test Account Credentials", 403)
    return run


def check_magic(action: Action, sent: Sent) -> None:
    """The magic numbers' errors for live accounts, where the simulated network has them."""
    to, from_ = (normalise((sent.get(name) or [""])[-1].strip()) for name in ("To", "From"))
    callee, caller = _TABLES.get((action.method, action.path), ({}, {}))
    _refuse(callee.get(to), to)
    _refuse(caller.get(from_), from_)


def _refuse(code: int | None, number: str) -> None:
    if code:
        raise ApiError(code, _SAYS.get(code, "").format(number[:100]), 400)


async def _call(at: At, form: Any) -> Rendering:
    to = normalise(form.to.strip(), at.exchange.rules.region)
    if ":" not in to:
        _refuse(_CALLED.get(to) or (0 if is_possible(to) else 21217), to)
    from_ = normalise(form.from_.strip(), at.exchange.rules.region)
    _refuse(_CALLING.get(from_) or (0 if from_ == VALID else 21210), from_)
    now = clock.utc()
    call = Call(sids.new("CA"), at.account.sid, to, from_, "outbound-api", now, now)
    return {**calls.render(call), "direction": None, "api_version": None}


async def _text(at: At, form: Any) -> Rendering:
    body = messages.checked_body(form)
    return messages.render(_message(at, replace(form, body=body), len(form.media_url)))


async def _sms(at: At, form: Any) -> Rendering:
    if utf16_units(form.body) > messages.LONGEST_SMS:
        raise ApiError(21605)
    return messages.render_sms(_message(at, form, 0))


def _message(at: At, form: Any, media: int) -> Message:
    to, from_ = (
        normalise(each.strip(), at.exchange.rules.region) for each in (form.to, form.from_)
    )
    _refuse(_WRITTEN_TO.get(to) or (0 if is_possible(to) else 21211), to)
    _refuse(_WRITING.get(from_) or (0 if from_ == VALID else 21606), from_)
    now, kind = clock.utc(), "MM" if media else "SM"
    return Message(
        sids.new(kind), at.account.sid, to, from_, form.body, "outbound-api", now, now,
        num_segments=segment(form.body).count, num_media=media,
    )  # fmt: skip


async def _number(at: At, form: Any) -> Rendering:
    changes = given(form)
    area, raw = changes.pop("area_code", None), changes.pop("phone_number", None)
    wanted = normalise(raw, at.exchange.rules.region) if raw else _in_area(area or "")
    if not is_possible(wanted):
        _refuse(21421, raw or wanted)
    _refuse(_BOUGHT.get(wanted) or (0 if wanted == VALID else 21422), wanted)
    return numbers.render(_bought(at, changes, wanted, clock.utc()))


def _in_area(area: str) -> str:
    """Only area code 500 has numbers. Raises ApiError 21452."""
    if area != "500":
        raise ApiError(21452)
    return VALID


def _bought(at: At, changes: dict[str, Any], wanted: str, now: datetime) -> IncomingPhoneNumber:
    bought = IncomingPhoneNumber(
        sids.new("PN"), at.account.sid, wanted, now, now, formatted(wanted), capabilities=()
    )
    return replace(bought, **changes)


Rehearsal = Callable[[At, Any], Awaitable[Rendering]]
_CALLS, _MESSAGES, _SMS = calls.calls.path, messages.messages.path, messages.sms_messages.path
_NUMBERS = numbers.numbers.path
_REHEARSALS: dict[tuple[str, str], Rehearsal] = {
    ("POST", _CALLS): _call,
    ("POST", _MESSAGES): _text,
    ("POST", _SMS): _sms,
    **{("POST", f"{_NUMBERS}{kind}"): _number for kind in ("", "/Local", "/Mobile", "/TollFree")},
}
_TABLES: dict[tuple[str, str], tuple[dict[str, int], dict[str, int]]] = {
    ("POST", _CALLS): (_CALLED, _CALLING),
    ("POST", _MESSAGES): (_WRITTEN_TO, _WRITING),
    ("POST", _SMS): (_WRITTEN_TO, _WRITING),
}
