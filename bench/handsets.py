"""`python -m bench.handsets`: registered phones that come and go, over TCP, TLS and WSS.

They say what their calls came to as the load generator does, a line each, and end when they are
told to terminate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from bench.handset import Handset
from bench.phones import Seen
from bench.soaked import DOMAIN, KINDS, PASSWORD, USERS
from bench.target import HOST
from offhook.sip.digest import Credentials
from offhook.sip.hop import Hop
from offhook.sip.stream import Stream

STAYS = (8.0, 40.0)  # seconds between coming and going
AWAY = (0.1, 3.0)
RESTS = (0.0, 6.0)  # seconds from one thing it does to the next
DIES = 0.2  # share of the phones that go without a word
NONSENSE = b"\x16\x03\x01" + bytes(range(1, 256))
FORGETS = 0.2  # ... that go without taking their registration back


@dataclass(frozen=True, slots=True)
class Connected:
    """`read` gives the next messages, none at the end; `cut` ends it at once."""

    send: Callable[[bytes], None]
    read: Callable[[], Awaitable[list[bytes]]]
    cut: Callable[[], None]


def trusting() -> ssl.SSLContext:
    """The certificate is the platform's own, for development."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


TRUSTING = trusting()


@asynccontextmanager
async def streaming(hop: Hop) -> AsyncIterator[Connected]:
    secure = TRUSTING if hop.transport == "TLS" else None
    reader, writer = await asyncio.open_connection(hop.host, hop.port, ssl=secure)
    stream = Stream()

    async def read() -> list[bytes]:
        while data := await reader.read(65536):
            if whole := list(stream.feed(data)):
                return whole
        return []

    try:
        yield Connected(writer.write, read, writer.transport.abort)
    finally:
        writer.close()


@asynccontextmanager
async def browsing(hop: Hop) -> AsyncIterator[Connected]:
    url, spoken = f"wss://{hop.host}:{hop.port}/", [Subprotocol("sip")]
    async with connect(url, subprotocols=spoken, ssl=TRUSTING, compression=None) as socket:
        outbox: asyncio.Queue[bytes] = asyncio.Queue()

        async def write() -> None:
            while True:
                await socket.send((await outbox.get()).decode())

        async def read() -> list[bytes]:
            try:
                data = await socket.recv()
            except ConnectionClosed:
                return []
            return [data.encode() if isinstance(data, str) else data]

        writing = asyncio.get_running_loop().create_task(write())
        try:
            yield Connected(outbox.put_nowait, read, socket.transport.abort)
        finally:
            writing.cancel()


async def strange(hop: Hop, over: asyncio.Event) -> None:
    """Somebody who connects, says nothing that makes sense, if anything, and stays a while."""
    while not over.is_set():
        secure = TRUSTING if hop.transport != "TCP" and random.random() < 0.5 else None
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(hop.host, hop.port, ssl=secure)
            writer.write(random.choice((b"", NONSENSE, b"GET / HTTP/1.1\r\n\r\n")))
            with suppress(TimeoutError):
                async with asyncio.timeout(random.uniform(0, 10)):
                    await reader.read()
            writer.transport.abort()
        await waits(over, *AWAY)


async def waits(over: asyncio.Event, least: float, most: float) -> None:
    """Some seconds, or until it is `over`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(random.uniform(least, most)):
            await over.wait()


class Life:
    """A phone that comes and goes until `over`. What should not happen is told as trouble."""

    def __init__(self, name: str, hop: Hop, user: str, over: asyncio.Event) -> None:
        self._name = name
        self._hop, self._over = hop, over
        self._user = Credentials(user, PASSWORD)
        self._chance = random.Random()
        self._calls = 0
        self._listed = False

    async def lasts(self) -> None:
        while not self._over.is_set() or self._listed:
            try:
                await self._comes()
            except (OSError, ConnectionClosed, ExceptionGroup) as error:
                trouble(f"{self._name}: {error!r}")
                self._listed = False
            await waits(self._over, *AWAY)

    async def _comes(self) -> None:
        opened = browsing if self._hop.web else streaming
        async with opened(self._hop) as connected:
            phone = Handset(self._name, self._user, DOMAIN, self._hop, connected.send, told)
            reading = asyncio.get_running_loop().create_task(self._listens(phone, connected))
            try:
                await self._lives(phone, connected)
            finally:
                reading.cancel()
                await phone.dies()

    async def _listens(self, phone: Handset, connected: Connected) -> None:
        while messages := await connected.read():
            for message in messages:
                phone.receive(message)
        trouble(f"{self._name}: its connection was closed")

    async def _lives(self, phone: Handset, connected: Connected) -> None:
        await self._registers(phone)
        until = asyncio.get_running_loop().time() + self._chance.uniform(*STAYS)
        while not self._over.is_set() and asyncio.get_running_loop().time() < until:
            await waits(self._over, *RESTS)
            if self._chance.random() < 0.2:
                await self._registers(phone)
            elif not self._over.is_set():
                phone.calls(self._somebody())
        dies = not self._over.is_set() and not phone.held and self._chance.random() < DIES
        if dies:
            connected.cut()
            return
        phone.hang_up()
        await phone.parts()
        if self._over.is_set() or self._chance.random() > FORGETS:
            await self._registers(phone, 0)

    async def _registers(self, phone: Handset, *seconds: int) -> None:
        status = await phone.registers(*seconds)
        self._listed = seconds != (0,)
        if status != 200:
            trouble(f"{self._name}: {status} to a REGISTER")

    def _somebody(self) -> str:
        """An application of the domain, in the words of one call alone."""
        self._calls += 1
        return f"sip:{self._chance.choice(KINDS)}.{self._calls}.{self._name}@{DOMAIN}"


def told(seen: Seen) -> None:
    line = asdict(seen)
    line["from"] = line.pop("from_")
    print("CALL " + json.dumps(line), flush=True)


def trouble(text: str) -> None:
    print(f"TROUBLE {text}", flush=True)


async def main(first: str, places: list[str]) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    loop.set_exception_handler(lambda _, what: trouble(repr(what.get("exception", what))))
    async with asyncio.TaskGroup() as group:
        for place in places:
            transport, port, phones = place.split(":")
            hop = Hop(transport, HOST, int(port), flow=1)
            group.create_task(strange(hop, over))
            for number in range(int(phones)):
                name = f"{transport.lower()}{number}-{first}"
                user = USERS[number % len(USERS)]
                group.create_task(Life(name, hop, user, over).lasts())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.handsets", description=__doc__)
    parser.add_argument("--first", required=True, help="tells their calls from others'")
    parser.add_argument("places", nargs="+", metavar="TRANSPORT:PORT:PHONES")
    asked = parser.parse_args()
    asyncio.run(main(asked.first, asked.places))
