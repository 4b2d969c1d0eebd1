"""Whom a request names: phone numbers, `sip:` and `client:` addresses, senders of texts.

reference: REST voice, Calls; messaging sections 2.1 and 2.3.
"""

from __future__ import annotations

import re

from offhook.api.resource import At
from offhook.errors import ApiError, CarrierError
from offhook.exchange import routing
from offhook.frozen import frozen
from offhook.model import numbers
from offhook.store import owned

_SIP = re.compile(r"sips?:([^@?;\s]+@)?[^@?;\s]+(;[^?\s]*)?(\?[^\s]*)?", re.IGNORECASE)
_CLIENT = re.compile(r"client:[\w.+%@-]{1,256}", re.IGNORECASE)
_SIP_USER = re.compile(r"[A-Za-z0-9+_.-]+")
MAGIC = "+15005550006"  # everybody's to call from and to text from, where magic numbers work
_HEADER = re.compile(r"[A-Za-z0-9-]+")


@frozen
class Caller:
    """Who calls; `phone_number_sid` when it is a number of the account, or a verified one."""

    number: str
    phone_number_sid: str = ""


def called(at: At, to: str) -> str:
    """Whom to call. Raises ApiError 21211, 21216 or 21227 to 21229."""
    to = to.strip()
    kind = to.partition(":")[0].lower()
    if kind in ("sip", "sips"):
        return _sip(to)
    if kind == "client":
        if not _CLIENT.fullmatch(to):
            raise ApiError(21211, f"{to[:100]} is not a valid client address")
        return to
    region = at.exchange.rules.region
    if numbers.is_emergency(to, region):
        return _emergency(at, to)
    number = numbers.normalise(to, region)
    if not numbers.is_possible(number):
        raise ApiError(21211, f"The 'To' number {to[:100]} is not a valid phone number.")
    return number


def _emergency(at: At, to: str) -> str:
    """Only a trunk that is set up for it may carry one."""
    try:
        routing.route_for(at.exchange, to)
    except CarrierError as refused:
        raise ApiError(21216, refused.reason, 400) from None
    return to


def _sip(uri: str) -> str:
    address, _, headers = uri.partition("?")
    if not _SIP.fullmatch(uri) or len(address) > 255:
        raise ApiError(21211, f"{uri[:100]} is not a valid SIP address")
    if len(headers) > 1024:
        raise ApiError(21227)
    for header in filter(None, headers.split("&")):
        name, equals, value = header.partition("=")
        if not _HEADER.fullmatch(name):
            raise ApiError(21228)
        if not equals or not value.isprintable():
            raise ApiError(21229)
    return uri


async def calling(at: At, from_: str, to: str) -> Caller:
    """Who calls: to a phone number, a number of this account or one that it verified.

    Raises ApiError 21210 or 21212.
    """
    from_ = from_.strip()
    number = numbers.normalise(from_, at.exchange.rules.region)
    sid = await at.exchange.store.read(owned.shown_by, at.account.sid, number)
    if sid:
        return Caller(number, sid)
    if number == MAGIC and at.exchange.rules.magic_numbers:
        return Caller(number)
    if to.lower().startswith("client:"):
        return Caller(number)
    if to.lower().startswith("sip"):
        if _CLIENT.fullmatch(from_) or _SIP_USER.fullmatch(number):
            return Caller(number)
        raise ApiError(21212, f"{from_[:100]} cannot stand in a SIP From header")
    if not numbers.is_possible(number):
        raise ApiError(21212, f"The 'From' number {from_[:100]} is not a valid phone number.")
    raise ApiError(
        21210,
        f"The 'From' number {number} is not a number of this account or a verified caller ID.",
    )


async def caller_id(at: At, presented: str) -> str:
    """The `CallerId` to show instead. Raises ApiError 21210 or 21212."""
    number = numbers.normalise(presented, at.exchange.rules.region)
    if not await at.exchange.store.read(owned.shown_by, at.account.sid, number):
        raise ApiError(21210 if numbers.is_possible(number) else 21212)
    return number


async def sender(at: At, from_: str) -> str:
    """Who writes: a number of this account that can, or a name. Raises ApiError 21212 or 21606."""
    number = numbers.normalise(from_, at.exchange.rules.region)
    own = await at.exchange.store.read(owned.texted, number)
    if own and own.account_sid == at.account.sid and "sms" in own.capabilities:
        return number
    if number == MAGIC and at.exchange.rules.magic_numbers:
        return number
    if not own and numbers.is_alphanumeric_sender(number):
        return number
    if numbers.is_possible(number) or numbers.is_short_code(number):
        raise ApiError(21606, f"The 'From' number {number} cannot send texts for this account.")
    raise ApiError(21212, f"The 'From' number {from_[:100]} is not a valid phone number.")


async def sends_media(at: At, own: str) -> bool:
    """Whether this sender may send media: a number that can, never a name."""
    number = await at.exchange.store.read(owned.texted, own)
    return "mms" in number.capabilities if number else own == MAGIC


def written_to(at: At, to: str, from_: str) -> str:
    """Who is written to; without a `+` it is a number of the sender's country.

    Raises ApiError 21211.
    """
    region = numbers.region_of(from_) or at.exchange.rules.region
    number = numbers.normalise(to, region)
    if not (numbers.is_possible(number) or numbers.is_short_code(number)):
        raise ApiError(21211, f"The 'To' number {to[:100]} is not a valid phone number.")
    return number
