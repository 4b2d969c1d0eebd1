"""The transport of production: aiohttp, HTTP/1.1 with keep-alive."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from offhook import clock
from offhook.webhooks.fence import Fence
from offhook.webhooks.transport import Headers, Incoming, Outgoing, TooLarge, TransportError

_CHUNK = 65_536
_WRONG_NAME, _EXPIRED, _NO_CHAIN = {62, 64}, {10}, {18, 19, 20, 21}  # X509_V_ERR_...


class AiohttpTransport:
    """Hand its `send` to Webhooks. Opens on the first request, on the loop that makes it."""

    def __init__(self, fence: Fence | None = None, *, verify: bool = True) -> None:
        self._fence = fence or Fence()
        self._tls = {named: _tls(verify, named) for named in (True, False)}
        self._session: aiohttp.ClientSession | None = None

    async def send(self, outgoing: Outgoing) -> Incoming:
        """The response. Raises TransportError."""
        url = URL(outgoing.url, encoded=True)
        self._check_literal(url)
        with clock.outside(f"{outgoing.method} {outgoing.url}"):
            return await self._on_live_connection(url, outgoing)

    async def close(self) -> None:
        if self._session:
            with clock.outside("closing connections"):
                await self._session.close()

    async def _on_live_connection(self, url: URL, outgoing: Outgoing) -> Incoming:
        # A kept connection may be closed by the other side just as we write (RFC 9112 section
        # 9.3.1). Nothing was answered on it and the token is the same: ask again on the next.
        while True:
            attempt = _Attempt()
            _attempt.set(attempt)
            try:
                return await self._exchanged(url, outgoing, attempt)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if attempt.connected or isinstance(error, aiohttp.ClientConnectorError):
                    raise _transport_error(error) from error
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                raise _transport_error(error) from error

    async def _exchanged(self, url: URL, outgoing: Outgoing, attempt: _Attempt) -> Incoming:
        asking = self._opened().request(
            outgoing.method,
            url,
            headers=outgoing.headers,
            data=outgoing.body or None,
            allow_redirects=False,
            timeout=_patience(outgoing.connect, outgoing.read),
            ssl=self._tls[outgoing.server_name],
        )
        async with asking as response:
            attempt.connected = True
            try:
                body = await _read(response, outgoing)
            except aiohttp.SocketTimeoutError:  # not asked for again: some of it was answered
                raise TransportError(11205, "the rest was not answered in time") from None
            return Incoming(response.status, _headers(response), body)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = _FencedResolver(self._fence)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, resolver=resolver, socket_factory=_socket),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _check_literal(self, url: URL) -> None:
        """aiohttp resolves no literal address, so the resolver does not see it."""
        with suppress(ValueError):
            if not self._fence.permits(url.host or ""):
                raise _forbidden(url.host or "")


class _FencedResolver(AbstractResolver):
    """Answers only permitted addresses, and aiohttp connects to nothing but what is answered."""

    def __init__(self, fence: Fence) -> None:
        self._fence, self._inner = fence, aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        permitted = [each for each in found if self._fence.permits(each["host"])]
        if found and not permitted:
            raise _forbidden(host)
        return permitted

    async def close(self) -> None:
        await self._inner.close()


class _Attempt:
    """`connected` once it has a connection that is not a kept one, or an answer began."""

    connected = False


_attempt: ContextVar[_Attempt] = ContextVar("attempt")


def _socket(address: Any) -> socket.socket:
    """For a new connection."""
    _attempt.get().connected = True
    family, kind, protocol, *_ = address
    return socket.socket(family, kind, protocol)


@lru_cache(maxsize=64)
def _patience(connect: float, read: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(connect=connect, sock_read=read)


async def _read(response: aiohttp.ClientResponse, outgoing: Outgoing) -> bytes:
    room = outgoing.room(response.content_type)
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > room:
            response.close()
            if not outgoing.cut:
                raise TooLarge(room)
            break
    return bytes(body[:room])


def _headers(response: aiohttp.ClientResponse) -> Headers:
    headers = response.headers
    if "Content-Encoding" not in headers:
        return tuple(headers.items())
    undone = ("content-encoding", "content-length")
    return tuple((name, value) for name, value in headers.items() if name.lower() not in undone)


def _tls(verify: bool, named: bool) -> ssl.SSLContext:
    context = ssl.create_default_context() if named else _Nameless(ssl.PROTOCOL_TLS_CLIENT)
    if not named:
        context.check_hostname = False
        context.load_default_certs()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Nameless(ssl.SSLContext):
    """Sends no server name (`sni=n`), and so can check none."""

    def wrap_bio(self, *buffers: Any, server_side: bool = False, **_: Any) -> ssl.SSLObject:
        return super().wrap_bio(buffers[0], buffers[1], server_side=server_side)


def _forbidden(host: str) -> TransportError:
    told = f"{host} is in a network that applications may not be in"
    return TransportError(11200, f"{told}: webhooks.allow_targets of the settings lets them")


def _transport_error(error: Exception) -> TransportError:
    """Which row of the table an aiohttp or socket error is."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _certificate_error(error.certificate_error)
        case aiohttp.ClientSSLError():
            return TransportError(11220, f"TLS handshake failed: {error}", "ct")
        case aiohttp.ClientConnectorDNSError():
            return TransportError(11210, f"host not found: {error.host}", "ct")
        case aiohttp.ConnectionTimeoutError():
            return TransportError(11201, "no connection in time", "ct")
        case aiohttp.ClientConnectorError() if error.errno == errno.ECONNREFUSED:
            return TransportError(11202, "connection refused", "ct")
        case aiohttp.ClientConnectorError():
            return TransportError(11205, f"no connection: {error.strerror}", "ct")
        case aiohttp.SocketTimeoutError() | asyncio.TimeoutError():
            return TransportError(11205, "nothing was answered in time", "rt")
        case aiohttp.ClientResponseError():
            return TransportError(11206, f"not HTTP: {error.message}")
        case aiohttp.ClientPayloadError():
            return TransportError(11206, f"the body is broken: {error}")
        case aiohttp.InvalidURL():
            return TransportError(11100, f"not a URL that can be asked: {error}")
        case _:
            return TransportError(11205, f"the connection broke: {error}")


def _certificate_error(error: Exception) -> TransportError:
    why = getattr(error, "verify_code", 0)
    table = {11235: _WRONG_NAME, 11236: _EXPIRED, 11237: _NO_CHAIN}
    code = next((code for code, reasons in table.items() if why in reasons), 11220)
    return TransportError(code, f"certificate refused: {error}", "ct")
