"""SIP domains as the SIP side asks for them; the phones that are registered survive a restart."""

from __future__ import annotations

from offhook.exchange import debugger
from offhook.exchange.exchange import Exchange
from offhook.model.sip_domains import REALM
from offhook.model.sip_registrations import Home, SipRegistration
from offhook.store import sip_registrations


async def home(exchange: Exchange, name: str, username: str) -> Home | None:
    return await exchange.store.read(sip_registrations.home, name, username, REALM)


def save(exchange: Exchange, registration: SipRegistration) -> None:
    doing = exchange.store.write(sip_registrations.keep, registration)
    exchange.spawn(doing, "a registration")


def note(exchange: Exchange, account_sid: str, code: int, message: str) -> None:
    debugger.note(exchange, account_sid, code, message)


async def registered(exchange: Exchange) -> tuple[SipRegistration, ...]:
    """What was registered when the process before this one ended."""
    return tuple(await exchange.store.read(sip_registrations.registrations.all))
