"""A platform on its sockets: HTTP, SIP, and the signals that stop it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from offhook import app, demo
from offhook.api.app import api_app
from offhook.api.own import own_routes
from offhook.carriers.sip import SipCarrier
from offhook.config import Address, Settings
from offhook.errors import ConfigError
from offhook.exchange import inbound, retention
from offhook.exchange.exchange import Route

log = structlog.get_logger("offhook")
TRIES = 100  # ports above a default one that is taken


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a platform is to be reached."""

    platform: app.Platform
    api_url: str
    sip: str
    demo_number: str


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Serving]:
    """The platform on its sockets. Raises ConfigError when one cannot be had."""
    listener = http_socket(settings.http)
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    local_url = f"http://{shown}:{port}"
    settings = settings.reached_at(local_url)
    async with app.running(settings) as platform:
        sip = await _sip(settings, platform)
        platform.routes.append(Route(sip, sip.takes, sip.emergency))
        web = _web(platform, sip)
        server = _Server(_uvicorn(web))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        keeper = asyncio.create_task(
            retention.keep(
                platform.exchange, settings.retention.traces_days, settings.retention.recordings_days
            )
        )
        await app.open_lines(platform)
        number = await app.demo_number(platform)
        try:
            yield Serving(platform, local_url, f"{sip.host}:{sip.port}", number)
            await sip.stop_taking_calls()
            await platform.drain(settings.drain)
        finally:
            keeper.cancel()
            await sip.close()
            server.should_exit = True
            await asyncio.gather(task, keeper, return_exceptions=True)


def http_socket(address: Address) -> socket.socket:
    """A listening socket; a default port that is taken gives way to the next free one."""
    ports = [address.port] if address.given else range(address.port, address.port + TRIES)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    for port in ports:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address.host, port))
            listener.listen(2048)
        except OSError as error:
            listener.close()
            if error.errno != 98 or address.given:
                raise ConfigError(f"--http {address}: {error.strerror}; choose another") from None
            continue
        listener.setblocking(False)
        return listener
    raise ConfigError(f"--http {address}: no free port up to {address.port + TRIES}")
