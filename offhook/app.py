"""The composition root: settings in, a running platform out."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from offhook import clock, sids
from offhook.aio import race, within
from offhook.carriers.internal import InternalCarrier
from offhook.carriers.simulated import SimulatedNetwork
from offhook.config import Address, Settings
from offhook.demo import ECHO_NUMBER
from offhook.errors import WebhookError
from offhook.exchange import debugger, inbound, messages, recovery, texting
from offhook.exchange.exchange import Exchange, Ice, Route, Rules, Voices
from offhook.exchange.inventory import Stock
from offhook.exchange.journal import Journal
from offhook.exchange.supervise import services
from offhook.frozen import frozen
from offhook.media.plane import MediaPlane
from offhook.model.account import Account, IncomingPhoneNumber
from offhook.model.allowance import Allowance, Allowances
from offhook.model.journal import PendingCallback
from offhook.model.numbers import load_places
from offhook.model.owned import ShortCode
from offhook.model.usage import Prices
from offhook.speech.service import Speech
from offhook.store import owned, records
from offhook.store.store import Connection, Store, sqlite_url
from offhook.webhooks.ask import Answer, Webhooks
from offhook.webhooks.cache import Cache
from offhook.webhooks.fence import Fence
from offhook.webhooks.notify import Notifier
from offhook.webhooks.transport import Send
from offhook.webhooks.transport_aiohttp import AiohttpTransport

log = structlog.get_logger("offhook")
DEMO_NUMBER = "+15550100100"
TOKEN_FACT = "auth token of the settings"  # its digest, when it was taken over last
DEMO_FACT = "demo"  # the root that the demo number's URLs had at the last start


@frozen
class Parts:
    """What tests hand in, in place of the real thing."""

    media: MediaPlane | None = None
    speech: Voices | None = None
    send: Send | None = None
    migrate: bool = True


@dataclass
class Platform:
    """A running platform, without its sockets: those are `serving`'s."""

    settings: Settings
    exchange: Exchange
    network: SimulatedNetwork
    account: Account
    speech: Voices
    media: MediaPlane
    routes: list[Route] = field(default_factory=list)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)  # ends a drain before its time
    drained: asyncio.Event = field(default_factory=asyncio.Event)  # nothing will happen any more

    @property
    def healthy(self) -> bool:
        """True when it can take calls."""
        return self.exchange.open and self.media.healthy and getattr(self.speech, "healthy", True)

    async def drain(self, seconds: float) -> None:
        """No new calls; live ones may finish for `seconds`, then are ended properly."""
        self.exchange.open = False
        if self.exchange.live or self.exchange.attempts:
            log.info("draining", calls=len(self.exchange.live), seconds=seconds)
            await within(seconds, race(self._quiet(), self._hurried()))
        for attempt in tuple(self.exchange.attempts.values()):
            attempt.give_up("canceled")
        for live in tuple(self.exchange.live.values()):
            self.exchange.spawn(live.leg.hang_up(), "drain")
        await within(10, self.exchange.settle())
        await self.exchange.journal.flush()
        self.drained.set()

    async def _quiet(self) -> None:
        while self.exchange.live or self.exchange.attempts:
            await asyncio.sleep(0.05)

    async def _hurried(self) -> None:
        await self.hurry.wait()


@asynccontextmanager
async def running(settings: Settings, parts: Parts = Parts()) -> AsyncIterator[Platform]:
    """The platform with its store, media and speech up, what a crash left behind recovered."""
    async with AsyncExitStack() as stack:
        data = settings.data
        data.mkdir(parents=True, exist_ok=True)
        store = await Store.open(sqlite_url(data / "offhook.db"), migrate=parts.migrate)
        stack.push_async_callback(store.close)
        account = await first_account(store, settings)
        await store.write(_short_codes, settings.inventory.short_codes, account.sid, clock.utc())
        media = parts.media or await MediaPlane.workers(settings.workers, settings.rtp)
        stack.push_async_callback(media.close)
        speech = parts.speech or await _speech(stack, data)
        webhooks = await _webhooks(stack, settings, parts.send)
        exchange = _exchange(settings, store, webhooks, speech, media)
        notifier = exchange.notifier
        platform = Platform(
            settings, exchange, _network(settings, exchange), account, speech, media
        )
        exchange.routes = platform.routes
        internal = exchange.internal = _internal(exchange)
        stack.push_async_callback(internal.close)
        stack.push_async_callback(platform.network.close)
        with clock.outside("the tables of places"):
            await asyncio.to_thread(load_places)
        await notifier.start()
        stack.push_async_callback(notifier.close)
        stack.push_async_callback(_stop, exchange)
        yield platform


async def _stop(exchange: Exchange) -> None:
    for task in tuple(exchange.tasks):
        task.cancel()
    await asyncio.gather(*exchange.tasks, return_exceptions=True)
    await exchange.journal.flush()


async def _speech(stack: AsyncExitStack, data: Path) -> Speech:
    speech = Speech(data / "cache" / "clips")
    await speech.start()
    stack.push_async_callback(speech.close)
    return speech


async def _webhooks(stack: AsyncExitStack, settings: Settings, send: Send | None) -> Webhooks:
    rules = settings.webhooks
    if send is None:
        fence = Fence.of(settings.private_targets_allowed, rules.allow_targets)
        transport = AiohttpTransport(fence, verify=rules.verify_tls)
        stack.push_async_callback(transport.close)
        send = transport.send
    cache = Cache(settings.data / "cache" / "http")
    return Webhooks(send, cache=cache, user_agent=rules.user_agent, timeout=rules.timeout)


def _exchange(
    settings: Settings, store: Store, webhooks: Webhooks, speech: Voices, media: MediaPlane
) -> Exchange:
    journal = Journal(store, settings.retention.max_events)
    rules = Rules(
        settings.data, settings.api_url, settings.default_region, settings.speech.voice,
        settings.speech.language, call_limit=settings.call_limit,
        calls_per_second=settings.limits.calls_per_second,
        concurrent_requests=settings.limits.concurrent_requests,
        magic_numbers=settings.simulated.magic_numbers, caller_names=settings.caller_names,
        allowances=_allowances(settings),
        stock=_stock(settings), ice=_ice(settings), prices=_prices(settings),
    )  # fmt: skip

    async def key(account_sid: str) -> str:
        return await exchange.key(account_sid)

    def done(callback: PendingCallback, outcome: Answer | WebhookError) -> None:
        debugger.note_callback(exchange, callback, outcome)

    notifier = Notifier(store, webhooks, key, done)
    exchange = Exchange(store, webhooks, notifier, speech, media, journal, rules)
    exchange.services = services(exchange)
    webhooks.sessions.goes_on = lambda sid: sid in exchange.live or sid in exchange.attempts
    return exchange


def _allowances(settings: Settings) -> Allowances:
    limits = settings.limits
    special = {
        sid: Allowance(
            limits.calls if own.calls is None else own.calls,
            limits.destinations if own.destinations is None else own.destinations,
        )
        for sid, own in limits.accounts.items()
    }
    return Allowances(Allowance(limits.calls, limits.destinations), special)


def _stock(settings: Settings) -> Stock:
    chosen = settings.inventory
    made_up = settings.simulates_everything if chosen.made_up == "auto" else chosen.made_up
    return Stock(chosen.numbers, made_up, chosen.closed)


def _prices(settings: Settings) -> Prices:
    """As decimals that are what was written."""
    chosen = settings.prices.model_dump(exclude={"currency", "calls_to", "messages_to"})
    exact = {name: Decimal(str(price)) for name, price in chosen.items()}
    tables = {
        name: {prefix: Decimal(str(price)) for prefix, price in table.items()}
        for name, table in (
            ("calls_to", settings.prices.calls_to),
            ("messages_to", settings.prices.messages_to),
        )
    }
    return Prices(currency=settings.prices.currency, **exact, **tables)  # type: ignore[arg-type]


def _ice(settings: Settings) -> Ice:
    """Without a STUN server of one's own, there may be one on this host's usual port."""
    chosen = settings.ice
    host = urlsplit(settings.api_url).hostname or "127.0.0.1"
    usual = f"stun:{Address(host, 3478)}"
    secret = chosen.secret.get_secret_value() if chosen.secret else secrets.token_hex(16)
    return Ice(chosen.stun or (usual,), chosen.turn, secret)


def _network(settings: Settings, exchange: Exchange) -> SimulatedNetwork:
    rules = settings.simulated
    listed = {ECHO_NUMBER: "echo"} | rules.numbers if rules.enabled else {}
    return SimulatedNetwork(
        exchange.media,
        partial(inbound.on_call, exchange),
        partial(messages.on_text, exchange),
        numbers=listed,
        takes_all=settings.simulates_everything,
    )


def _internal(exchange: Exchange) -> InternalCarrier:
    return InternalCarrier(
        exchange.media,
        partial(inbound.on_call, exchange),
        partial(messages.on_text, exchange),
        partial(texting.attached, exchange),
    )


async def first_account(store: Store, settings: Settings) -> Account:
    """The account of the settings, else the one that was there first, else a new one.

    The token of the settings counts once: a secondary token that was promoted since then stays,
    until the settings have another one.
    """
    found = await store.read(records.accounts.first)
    sid = settings.account_sid or (found.sid if found else sids.new("AC"))
    known = await store.read(records.accounts.get, sid)
    preset = settings.auth_token.get_secret_value() if settings.auth_token else ""
    mark = hashlib.sha256(preset.encode()).hexdigest() if preset else ""
    if preset and known and mark == await store.read(records.facts.get, TOKEN_FACT):
        preset = known.auth_token
    token = preset or (known.auth_token if known else secrets.token_hex(16))
    if mark:
        await store.write(records.facts.put, TOKEN_FACT, mark)
    at = clock.utc()
    if known and known.auth_token == token:
        return known
    account = Account(sid, token, at, at, "Offhook", owner_account_sid=sid)
    await store.write(records.accounts.save if known else records.accounts.insert, account)
    return account


def _short_codes(
    connection: Connection, listed: tuple[str, ...], account_sid: str, at: datetime
) -> None:
    """Those of the settings are there, and no others."""
    known = {each.short_code: each for each in owned.short_codes.all(connection)}
    for code in set(listed) - set(known):
        new = ShortCode(sids.new("SC"), account_sid, code, at, at, code)
        owned.short_codes.insert(connection, new)
    for code in set(known) - set(listed):
        owned.short_codes.delete(connection, known[code].sid)


async def demo_number(platform: Platform) -> str:
    """The number of the demonstration, added at the first start; "" when it was given up."""
    base = f"{platform.exchange.rules.public_url}/demo"
    account, at = platform.account.sid, clock.utc()
    return await platform.exchange.store.write(_demo_number, account, base, at)


def _demo_number(connection: Connection, account_sid: str, base: str, at: datetime) -> str:
    before = records.facts.get(connection, DEMO_FACT)
    number = records.numbers.by_number(connection, DEMO_NUMBER)
    if number is None and before is None and not records.numbers.count(connection):
        number = IncomingPhoneNumber(
            sids.new("PN"), account_sid, DEMO_NUMBER, at, at, "Demo",
            voice_url=f"{base}/voice", sms_url=f"{base}/sms",
        )  # fmt: skip
        records.numbers.insert(connection, number)
    elif number and before and before != base:  # the port or the public URL is another one now
        moved = {
            field: base + url.removeprefix(before)
            for field in ("voice_url", "sms_url")
            if (url := getattr(number, field)).startswith(f"{before}/")
        }
        records.numbers.save(connection, replace(number, **moved))
    records.facts.put(connection, DEMO_FACT, base)
    return DEMO_NUMBER if number else ""


async def open_lines(platform: Platform, *carriers: Route) -> None:
    """Connects the carriers, then takes up what a crash interrupted.

    The simulated network comes first: what is listed for it must not go out on a trunk.
    """
    platform.routes.append(Route(platform.network, platform.network.takes))
    platform.routes.extend(carriers)
    await recovery.recover(platform.exchange)
