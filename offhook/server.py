"""A platform on its sockets: HTTP, SIP, and the signals that stop it."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from offhook import app, clock, demo, doctor
from offhook.api.app import api_app
from offhook.carriers.sip_carrier import SipCarrier, SipSettings
from offhook.carriers.sip_guard import Limits
from offhook.carriers.sip_phones import Directory
from offhook.carriers.sip_places import Places
from offhook.carriers.sip_tls import CannotListen, Listeners
from offhook.carriers.trunks import Trunk
from offhook.config import Address, Settings
from offhook.config.sip_doors import Doors
from offhook.config.sip_trunks import Trunk as TrunkRules
from offhook.errors import ApiError, ConfigError
from offhook.exchange import inbound, retention, sip_homes, usage
from offhook.exchange.exchange import Exchange, Route
from offhook.frozen import frozen
from offhook.listening import Complaints, Connection
from offhook.metrics import Metrics
from offhook.own import Figures, own_routes, refused

log = structlog.get_logger("offhook")
TRIES = 100  # ports above a default one that is taken
NO_PAIR = "it takes a certificate and its own key, in PEM and without a passphrase"


@frozen
class Serving:
    """Where a platform is to be reached: from this machine, and by applications (`public_url`).

    `phones` says where by which transports of SIP.
    """

    platform: app.Platform
    api_url: str
    public_url: str
    sip: str
    demo_number: str
    phones: dict[str, str]


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Serving]:
    """The platform on its sockets; leaving drains it. Raises ConfigError when one cannot be had."""
    with sole_use(settings.data):
        async with _serving(settings) as where:
            yield where


@contextmanager
def sole_use(data: Path) -> Iterator[None]:
    """Two platforms on one folder would take each other's calls for those of a crash.

    Raises ConfigError. The lock goes with the process, however that ends.
    """
    with (data / "lock").open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"an Offhook is running on {data} already: stop it, or choose another --data"
            ) from None
        yield


@asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[Serving]:
    asyncio.get_running_loop().set_exception_handler(Complaints())
    listener = http_socket(settings.http, settings.asked("http"))
    host, port = listener.getsockname()[:2]
    settings = settings.model_copy(update={"http": Address(host, port)})
    async with app.running(settings) as platform:
        sip = await sip_carrier(settings, platform)
        metrics = Metrics(platform, sip)
        server = _Server(_uvicorn(web(platform, sip, metrics)))
        tasks = [
            asyncio.create_task(server.serve(sockets=[listener]), name="http"),
            asyncio.create_task(_retention(platform), name="retention"),
            asyncio.create_task(usage.keep(platform.exchange), name="usage"),
            asyncio.create_task(metrics.watch_loop(), name="loop lag"),
        ]
        try:
            await app.open_lines(platform, Route(sip, sip.takes, sip.emergency))
            number = await app.demo_number(platform)
            yield Serving(
                platform,
                _from_here(host, port),
                settings.api_url,
                str(Address(*sip.address)),
                number,
                {transport: str(Address(*place)) for transport, place in sip.places.items()},
            )
            sip.refuse_calls()
            await platform.drain(settings.drain)
        finally:
            await sip.close()
            server.should_exit = True
            for task in tasks[1:]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _from_here(host: str, port: int) -> str:
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return f"http://{Address(anywhere.get(host, host), port)}"


async def _retention(platform: app.Platform) -> None:
    rules = platform.settings.retention
    await retention.keep(platform.exchange, rules.traces_days, rules.recordings_days)


async def sip_carrier(settings: Settings, platform: app.Platform) -> SipCarrier:
    """SIP on its port; a default port that is taken gives way to the next free one."""
    address, asked = settings.sip, settings.asked("sip")
    ports = [address.port] if asked else range(address.port, address.port + TRIES)
    trunks = tuple(trunk_of(each) for each in settings.trunk)
    listeners = sip_listeners(settings)
    exchange = platform.exchange
    directory = await sip_directory(exchange)
    for port in ports:
        chosen = SipSettings(
            address.host, port, places_of(settings), trunks,
            rtp_timeout=settings.rtp_timeout, listeners=listeners, limits=limits_of(settings.doors),
            failover=settings.sip_failover, keep_alive=settings.sip_keep_alive,
            region=settings.default_region,
        )  # fmt: skip
        try:
            return await SipCarrier.open(
                chosen, exchange.media, partial(inbound.on_call, exchange), directory=directory
            )
        except CannotListen as error:
            instead = f"HOST:PORT as sip_{error.transport.lower()}"
            raise ConfigError(_taken(Address(*error.place), error, instead)) from None
        except OSError as error:
            if asked or error.errno != errno.EADDRINUSE:
                place = Address(address.host, port)
                raise ConfigError(_taken(place, error, "with --sip HOST:PORT")) from None
    raise ConfigError(f"no SIP port from {address} on is free; choose one with --sip")


def sip_listeners(settings: Settings) -> Listeners:
    """Where SIP listens besides UDP and TCP, with a certificate. Raises ConfigError."""
    tls, ws, wss = (
        (each.host, each.port) if each else None
        for each in (settings.sip_tls, settings.sip_ws, settings.sip_wss)
    )
    certificate, key = settings.sip_certificate, settings.sip_key
    if certificate is None and (tls or wss):
        certificate, key = _development_certificate(settings)
    listeners = Listeners(
        tls, ws, wss, certificate, key, settings.sip_verify, settings.sip_authorities
    )
    try:
        listeners.trusting()
    except OSError as error:
        why = "there is no certificate in it" if isinstance(error, ssl.SSLError) else _why(error)
        named = settings.sip_authorities
        raise ConfigError(f"{named} cannot be used as sip_authorities: {why}") from None
    try:
        if tls or wss:
            listeners.presenting()
    except OSError as error:
        why = NO_PAIR if isinstance(error, ssl.SSLError) else _why(error)
        files = f"{certificate} with the key in {key or certificate}"
        raise ConfigError(f"{files} cannot be used as sip_certificate: {why}") from None
    return listeners


def _development_certificate(settings: Settings) -> tuple[Path, Path]:
    from offhook.carriers.sip_certificate import development_certificate

    hosts = (settings.sip_tls, settings.sip_wss)
    given = {each.host for each in hosts if each and each.host not in ("0.0.0.0", "::")}
    if settings.public_ip:
        given.add(str(settings.public_ip))
    names = tuple(sorted(given | {"localhost", "127.0.0.1"}))
    log.warning("a certificate for development is in use; name one of yours as sip_certificate")
    return development_certificate(settings.data, names, clock.utc())


async def sip_directory(exchange: Exchange) -> Directory:
    """Domains and registrations, as SIP asks for them."""
    return Directory(
        partial(sip_homes.home, exchange),
        partial(sip_homes.save, exchange),
        partial(sip_homes.note, exchange),
        await sip_homes.registered(exchange),
    )


def places_of(settings: Settings) -> Places:
    return Places(str(settings.public_ip or ""), settings.local_networks, settings.sip_proxies)


def limits_of(doors: Doors) -> Limits:
    return Limits(
        doors.rate, doors.burst, doors.strikes, doors.ban, doors.calls,
        connections=doors.connections, per_source=doors.per_source, idle=doors.idle,
        handshakes=doors.handshakes, handshakes_per_source=doors.handshakes_per_source,
    )  # fmt: skip


def trunk_of(rules: TrunkRules) -> Trunk:
    """A trunk of the settings as the SIP carrier wants it."""
    secret, peer = rules.password, rules.peer_password
    return Trunk(
        rules.name, rules.address, rules.transport, rules.prefixes, rules.allow,
        rules.username, secret.get_secret_value() if secret else "",
        rules.peer_username, peer.get_secret_value() if peer else "",
        shown=rules.caller_id.shown, caller_id_header=rules.caller_id.header,
        plus=rules.caller_id.format != "plus-less", emergency=rules.emergency, srtp=rules.srtp,
        register=rules.register_there, watch=rules.watch, proxy=rules.proxy,
        keep_alive=rules.keep_alive, calls=rules.calls, failover_on=rules.failover_on,
    )  # fmt: skip


def http_socket(address: Address, asked: bool) -> socket.socket:
    """A listening socket; a default port that is taken gives way to the next free one."""
    ports = [address.port] if asked else range(address.port, address.port + TRIES)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    for port in ports:
        # asyncio turns Nagle off for sockets that name their protocol only.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address.host, port))
            listener.listen(2048)
        except OSError as error:
            listener.close()
            if asked or error.errno != errno.EADDRINUSE:
                place = Address(address.host, port)
                raise ConfigError(_taken(place, error, "with --http HOST:PORT")) from None
            continue
        listener.setblocking(False)
        return listener
    raise ConfigError(f"no HTTP port from {address} on is free; choose one with --http")


def _taken(address: Address, error: OSError, instead: str) -> str:
    return f"cannot listen on {address} ({_why(error)}): choose another {instead}"


def _why(error: OSError) -> str:
    """In the system's words, without those that `socket.create_server` adds."""
    return (error.strerror or str(error)).partition(" (while attempting")[0].lower()


def web(platform: app.Platform, sip: SipCarrier, metrics: Metrics) -> Starlette:
    """Everything on the HTTP port: our own routes, the demonstration, then the API."""
    settings = platform.settings
    token = settings.metrics_token
    private = settings.http.loopback and not settings.public_url
    own = own_routes(
        platform.exchange,
        platform.network,
        lambda: platform.healthy,
        partial(doctor.checks, platform, sip),
        sip.upstream.told,
        platform.drained,
        Figures(metrics.page, token.get_secret_value() if token else "", private),
    )
    everything = Starlette(
        routes=[*own, Mount("/demo", demo.application())], exception_handlers={ApiError: refused}
    )
    everything.router.default = metrics.measured(api_app(platform.exchange))
    return everything


def _uvicorn(web: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        web, http=Connection, log_config=None, access_log=False, lifespan="off",
        server_header=False, timeout_keep_alive=75, timeout_graceful_shutdown=2,
    )  # fmt: skip


class _Server(uvicorn.Server):
    """Signals are ours: they drain the calls first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def stopped(hurry: asyncio.Event) -> None:
    """Returns at the first SIGTERM or SIGINT; the next one sets `hurry`."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def take() -> None:
        (hurry if asked.is_set() else asked).set()

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, take)
    await asked.wait()
