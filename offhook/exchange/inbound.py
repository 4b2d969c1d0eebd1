"""A call comes in.  Flow 1 of docs/flows.md."""

from __future__ import annotations

from datetime import datetime

import structlog

from offhook import clock, sids
from offhook.exchange import debugger, lines, params, permission, sip_homes
from offhook.exchange.exchange import Exchange
from offhook.exchange.supervise import supervise
from offhook.frozen import frozen
from offhook.line.leg import About, Leg
from offhook.line.live_call import LiveCall
from offhook.model.account import Account
from offhook.model.call import Call
from offhook.model.fetch import Callback, Script
from offhook.model.numbers import caller, normalise
from offhook.store import records, sip_domains
from offhook.store.store import Connection

NOT_FOUND, DECLINED, SERVER_ERROR, UNAVAILABLE = 404, 603, 500, 503

log = structlog.get_logger("offhook.exchange")


@frozen
class Destination:
    """Whose a call is, and which application has it: a number's or a SIP domain's."""

    account: Account
    voice: Script
    callback: Callback
    api_version: str
    number_sid: str = ""
    application_sid: str = ""
    looks_up_names: bool = False
    domain_sid: str = ""


async def on_call(exchange: Exchange, leg: Leg, to: str, from_: str) -> None:
    """From the first ring to the end. `to` and `from_` are as the carrier got them, which runs this
    as a task of its own."""
    exchange.enlist()
    if not exchange.open:
        return await leg.reject(UNAVAILABLE)
    region, at = exchange.rules.region, clock.utc()
    dialled, calling = normalise(to, region), caller(from_, region)

    def enter(connection: Connection) -> tuple[Destination, Call] | None:
        found = find(connection, dialled)
        if found is None:
            return None
        call = _record(exchange, found, leg, dialled, calling, at)
        records.calls.insert(connection, call)
        return found, call

    try:
        entered = await exchange.store.write(enter)
    except Exception:
        log.exception("a call could not be stored")
        return await leg.reject(SERVER_ERROR)
    if entered is None:
        return await leg.reject(NOT_FOUND)
    found, call = entered
    exchange.counts["begun", call.direction] += 1
    live = lines.join(exchange, call, leg, found.voice)
    full = permission.has_too_many(exchange, found.account.sid)
    if full or found.account.status != "active" or not found.voice.url:
        return await _unreachable(exchange, found, live, full)

    async def ring() -> None:
        await leg.ring()
        exchange.journal.add(call.sid, call.account_sid, "status", {"status": "ringing"})

    limit = exchange.rules.call_limit
    return await supervise(exchange, live, lambda: params.first(live), limit, ring)


def find(connection: Connection, to: str) -> Destination | None:
    """What is behind an address of ours: a number in E.164, or a sip: URI at a SIP domain."""
    if to.startswith(("sip:", "sips:")):
        return _domain(connection, sip_homes.host(to))
    return _number(connection, to)


def _number(connection: Connection, e164: str) -> Destination | None:
    """The number's own URLs, or its application's in their place."""
    number = records.numbers.by_number(connection, e164)
    account = number and records.accounts.standing(connection, number.account_sid)
    if not number or not account:
        return None
    application = None
    if number.voice_application_sid:
        application = records.applications.get(connection, number.voice_application_sid)
    has = application or number
    return Destination(
        account, has.voice, has.callback, has.api_version, number.sid,
        application.sid if application else "", has.voice_caller_id_lookup,
    )  # fmt: skip


def _domain(connection: Connection, name: str) -> Destination | None:
    domain = sip_domains.domains.named(connection, name)
    account = domain and records.accounts.standing(connection, domain.account_sid)
    if not domain or not account:
        return None
    return Destination(
        account, domain.voice, domain.callback, domain.api_version, domain_sid=domain.sid
    )


def _record(
    exchange: Exchange, found: Destination, leg: Leg, to: str, from_: str, at: datetime
) -> Call:
    about = leg.about
    return Call(
        sids.new("CA"), found.account.sid, to, from_, "inbound", at, at, status="ringing",
        phone_number_sid=found.number_sid, api_version=found.api_version, callback=found.callback,
        forwarded_from=normalise(about.forwarded_from, exchange.rules.region),
        caller_name=_name(exchange, from_, about.caller_name) if found.looks_up_names else "",
        details=_brought(found, about), node=exchange.rules.node,
        application_sid=found.application_sid,
    )  # fmt: skip


def _name(exchange: Exchange, from_: str, shown: str) -> str:
    """Of the directory of the settings, else as the caller's network shows it."""
    return exchange.rules.caller_names.get(from_) or shown


def _brought(found: Destination, about: About) -> dict[str, str]:
    """What the leg brought along; a call to a SIP domain is told which."""
    domain = {"SipDomainSid": found.domain_sid} if found.domain_sid else {}
    return dict(about.params) | domain


async def _unreachable(exchange: Exchange, found: Destination, live: LiveCall, full: bool) -> None:
    """Nobody could answer: refused, and the owner is told why."""
    call, active = live.record, found.account.status == "active"
    code, message = (11100, f"{call.to} has no voice URL") if active else (10003, "")
    if active and full:
        code, message = permission.TOO_MANY, ""
        permission.refused(exchange, "calls at a time")
    debugger.note(exchange, call.account_sid, code, message, subject=call.sid)
    await live.leg.reject(DECLINED)
    await lines.finish(exchange, live, "failed")
