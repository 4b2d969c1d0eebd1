"""A proxy on loopback: CONNECT to one of the platform's hosts ends here (RFC 9110 section 9.3.6).

TLS is ended with the local authority's certificate, and what is inside goes to the API as it is.
The answer to CONNECT is its status line alone: PHP's library takes headers there for the answer's.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from urllib.parse import urlsplit

from offhook import clock
from offhook.aio import race
from offhook.proxy.authority import LEAF, Authority

PLATFORM = re.compile(r"(api|accounts|iam)(\.[a-z0-9-]{1,63}){0,2}\.twilio\.com")
PATIENCE = 30.0  # seconds that a client has for its request, and for the handshake
CHUNK = 65536
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
FAULTS = (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError)

Address = tuple[str, int]


class Relay:
    """`others` lets connections to any other host through untouched; without it they are refused,
    and `refused` is told the host's name."""

    def __init__(
        self,
        authority: Authority,
        api: Address,
        others: bool = False,
        refused: Callable[[str], None] = lambda host: None,
    ) -> None:
        self._authority, self._api = authority, api
        self._others, self._refused = others, refused
        self._contexts: dict[str, tuple[ssl.SSLContext, datetime]] = {}  # and when they were made

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Gives the port; connections end with it."""
        tasks = set[asyncio.Task[None]]()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(*FAULTS):
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._answer(head, reader, writer)
        writer.close()
        with suppress(*FAULTS):
            await writer.wait_closed()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        host, port = _address(method, target)
        if method == "CONNECT" and port == 443 and PLATFORM.fullmatch(host):
            writer.write(ESTABLISHED)
            async with asyncio.timeout(PATIENCE):
                await writer.start_tls(self._context(host))
            return await _join(reader, writer, self._api)
        if not self._others:
            self._refused(host)
            return await _refuse(writer, 403, f"{host} is not a host of the platform")
        if method == "CONNECT":
            return await _join(reader, writer, (host, port), established=True)
        return await _join(reader, writer, (host, port), first=head)

    def _context(self, host: str) -> ssl.SSLContext:
        """A program may run for longer than a certificate is good."""
        now = clock.utc()
        context, made_at = self._contexts.get(host, (None, now))
        if context is None or now - made_at > LEAF / 2:
            context = self._authority.stands_for(host, now)
            self._contexts[host] = context, now
        return context


def _address(method: str, target: str) -> Address:
    """Whom the request is for. Raises ValueError."""
    parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
    if not parts.hostname:
        raise ValueError(target)
    return parts.hostname, parts.port or (443 if method == "CONNECT" else 80)


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    to: Address,
    *,
    established: bool = False,
    first: bytes = b"",
) -> None:
    """Both ways until one side is done."""
    try:
        async with asyncio.timeout(PATIENCE):
            inward, outward = await asyncio.open_connection(*to)
    except (OSError, TimeoutError) as error:
        return await _refuse(writer, 502, f"{to[0]} cannot be reached: {error}")
    if established:
        writer.write(ESTABLISHED)
    outward.write(first)
    try:
        await race(_pump(reader, outward), _pump(inward, writer))
    finally:
        outward.close()
        with suppress(*FAULTS):
            await outward.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()


async def _refuse(writer: asyncio.StreamWriter, status: int, why: str) -> None:
    body = f"{why}\n".encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
