"""SIP domains as the SIP side asks for them; the phones that are registered survive a restart."""

from __future__ import annotations

import re

from offhook.exchange import debugger
from offhook.exchange.exchange import Exchange
from offhook.model.sip_domains import REALM
from offhook.model.sip_registrations import Home, SipRegistration
from offhook.store import sip_domains, sip_registrations

_AFTER_HOST = re.compile("[:;?]")


async def home(exchange: Exchange, name: str, username: str) -> Home | None:
    return await exchange.store.read(sip_registrations.home, name, username, REALM)


def host(address: str) -> str:
    """Of a `sip:` address, in small letters."""
    return _AFTER_HOST.split(address.rpartition("@")[2])[0].lower()


async def of_phone(exchange: Exchange, account_sid: str, to: str) -> dict[str, str]:
    """What a call to `to` is told of the account's domain that its phone is at."""
    if not to.startswith(("sip:", "sips:")):
        return {}
    domain = await exchange.store.read(sip_domains.domains.named, host(to))
    if domain is None or domain.account_sid != account_sid:
        return {}
    return {"SipDomainSid": domain.sid}


def save(exchange: Exchange, registration: SipRegistration) -> None:
    doing = exchange.store.write(sip_registrations.keep, registration)
    exchange.spawn(doing, "a registration")


def note(exchange: Exchange, account_sid: str, code: int, message: str) -> None:
    debugger.note(exchange, account_sid, code, message)


async def registered(exchange: Exchange) -> tuple[SipRegistration, ...]:
    """What was registered when the process before this one ended."""
    return tuple(await exchange.store.read(sip_registrations.registrations.all))
