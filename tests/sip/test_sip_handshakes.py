"""Connections on which TLS or a WebSocket is still being agreed on: there are only so many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from sip_carriers import Phone, carrier
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake
from websockets.typing import Subprotocol

from offhook import clock
from offhook.carriers.sip_carrier import SipCarrier
from offhook.carriers.sip_certificate import development_certificate
from offhook.carriers.sip_guard import Limits
from offhook.carriers.sip_places import Places
from offhook.carriers.sip_tls import Listeners

ANY, HOST = ("127.0.0.1", 0), "127.0.0.1"
KINDS = ("TLS", "WS", "WSS")


@pytest.fixture(scope="module")
def listeners(tmp_path_factory: pytest.TempPathFactory) -> Listeners:
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = development_certificate(folder, (HOST,), datetime.now(UTC))
    return Listeners(ANY, ANY, ANY, certificate, key, authorities=certificate)


@asynccontextmanager
async def serving(
    listeners: Listeners, proxies: tuple[str, ...] = (), **limits: int
) -> AsyncIterator[SipCarrier]:
    given, places = Limits(**limits), Places(proxies=proxies)
    more = {"listeners": listeners, "limits": given, "places": places}
    async with carrier(HOST, Phone(), port=0, **more) as there:
        yield there


@asynccontextmanager
async def silent(there: SipCarrier, kind: str) -> AsyncIterator[asyncio.StreamReader]:
    """Somebody who connects and says nothing."""
    with clock.outside("a connection"):
        reader, writer = await asyncio.open_connection(*there.listens(kind))
    try:
        yield reader
    finally:
        writer.close()


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        with clock.outside("the end of a connection"):
            return await reader.read(1) == b""
    except ConnectionResetError:
        return True


@asynccontextmanager
async def ready(there: SipCarrier, kind: str, listeners: Listeners) -> AsyncIterator[None]:
    """A phone whose connection stands."""
    trusting = None if kind == "WS" else listeners.trusting()
    host, port = there.listens(kind)
    with clock.outside("a connection that is agreed on"):
        if kind == "TLS":
            _, writer = await asyncio.open_connection(host, port, ssl=trusting)
            closing = writer.transport
        else:
            url = f"{kind.lower()}://{host}:{port}"
            given = {"subprotocols": [Subprotocol("sip")], "ping_interval": None}
            connection = await connect(url, ssl=trusting, **given)
            closing = connection.transport
        async with asyncio.timeout(5):
            while not there.load.connections[kind]:
                await asyncio.sleep(0)
    try:
        yield
    finally:
        closing.abort()


@pytest.mark.parametrize("kind", KINDS)
async def test_one_source_has_only_so_many(listeners: Listeners, kind: str):
    async with (
        serving(listeners, handshakes_per_source=2) as there,
        silent(there, kind),
        silent(there, kind),
        silent(there, kind) as third,
    ):
        assert await is_closed(third)
        assert there.counts["handshakes refused"] == 1


async def test_all_together_have_only_so_many_though_a_proxy_speaks_for_them(listeners: Listeners):
    limits = {"handshakes": 3, "handshakes_per_source": 1}
    async with (
        serving(listeners, (HOST,), **limits) as there,
        silent(there, "TLS"),
        silent(there, "WS"),
        silent(there, "WSS"),
        silent(there, "WS") as fourth,
    ):
        assert await is_closed(fourth)
        assert there.counts["handshakes refused"] == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_who_is_ready_makes_room(listeners: Listeners, kind: str):
    async with (
        serving(listeners, handshakes=1) as there,
        ready(there, kind, listeners),
        silent(there, kind),
        silent(there, kind) as last,
    ):
        assert await is_closed(last)
        assert there.counts["handshakes refused"] == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_who_takes_too_long_makes_room(listeners: Listeners, kind: str):
    """Ten seconds."""
    async with serving(listeners, handshakes=1) as there, silent(there, kind) as slow:
        await asyncio.sleep(11)
        assert await is_closed(slow)
        async with ready(there, kind, listeners):
            assert there.counts["handshakes refused"] == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_who_goes_makes_room(listeners: Listeners, kind: str):
    async with serving(listeners, handshakes=1) as there:
        async with silent(there, kind):
            pass
        async with asyncio.timeout(5):
            while True:
                try:
                    async with ready(there, kind, listeners):
                        break
                except (OSError, InvalidHandshake):  # that it went is not known yet
                    await asyncio.sleep(0.1)
