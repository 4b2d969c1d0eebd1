"""Everything that can go wrong on the wire, by its code.  reference: webhooks sections 3.1 to 3.4.

Real sockets, and real time where the point is a timeout.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from webhook_application import CALL, reply, serving

from offhook.errors import WebhookError
from offhook.webhooks.ask import Kind, Request, Webhooks
from offhook.webhooks.transport_aiohttp import AiohttpTransport

TLS = Path(__file__).parent / "tls"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw(answering: Answering) -> AsyncIterator[str]:
    """The base URL of a server that does with each connection whatever it likes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answering(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # our side gave up first, as it may
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


def saying(*pieces: bytes) -> Answering:
    """Reads a request, answers these bytes, closes."""

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return answering


async def asked(url: str, kind: Kind = "document", **settings: object) -> WebhookError | int:
    """The error, or the status of the answer."""
    transport = AiohttpTransport()
    try:
        return (await Webhooks(transport.send).ask(Request(url, "GET", kind=kind))).status
    except WebhookError as error:
        return error
    finally:
        await transport.close()


async def code(url: str, kind: Kind = "document") -> int:
    error = await asked(url, kind)
    assert isinstance(error, WebhookError)
    return error.code


async def test_11200_for_an_error_status_with_what_was_answered():
    async with raw(saying(b"HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\n\r\nlater")) as url:
        error = await asked(url)
    assert isinstance(error, WebhookError)
    assert (error.code, error.status, error.body) == (11200, 503, b"later")
    assert ("Content-Type", "text/plain") in error.headers


@pytest.mark.real_time
@pytest.mark.skipif(sys.platform != "linux", reason="backlogs are counted otherwise")
async def test_11201_when_no_connection_comes_about_in_time():
    """A full backlog answers no SYN, as an unreachable machine does."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        port = listening.getsockname()[1]
        assert await code(f"http://127.0.0.1:{port}/#ct=100&rc=0") == 11201
        for filler in fillers:
            filler.close()


async def test_11202_when_the_connection_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert await code(f"http://127.0.0.1:{taken.getsockname()[1]}/") == 11202


@pytest.mark.real_time
async def test_11203_when_everything_together_takes_too_long():
    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with raw(dripping) as url:
        assert await code(f"{url}#tt=150&rt=100") == 11203


@pytest.mark.real_time
@pytest.mark.parametrize("begun", [b"", OK + b"Content-Length: 9\r\n\r\n<Res"])
async def test_11205_when_nothing_comes_for_the_read_timeout(begun: bytes):
    """To the first byte, and between packets."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await reader.read()

    async with raw(silent) as url:
        assert await code(f"{url}#rt=100") == 11205


@pytest.mark.real_time
@pytest.mark.parametrize(("begun", "times"), [(b"", 3), (OK + b"Content-Length: 9\r\n\r\n<Res", 1)])
async def test_what_was_answered_in_part_is_not_asked_for_again(begun: bytes, times: int):
    """reference: lifecycle section 5.1."""
    asked = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.write(begun)
        await reader.read()

    async with raw(silent) as url:
        assert await code(f"{url}#rt=100&rp=rt&rc=2") == 11205
    assert asked == times


async def test_11205_when_the_connection_breaks_before_the_answer():
    async with raw(saying()) as url:
        assert await code(url) == 11205


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        OK + b"Content-Length: x\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"Content-Length: 50\r\n\r\n<Response/>",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    ],
)
async def test_11206_for_what_is_not_http(answer: bytes):
    async with raw(saying(answer)) as url:
        assert await code(url) == 11206


async def test_11210_when_there_is_no_such_host():
    assert await code("http://nowhere.invalid/") == 11210


@asynccontextmanager
async def secure(certificate: str) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / f"{certificate}.pem")
    async with serving(context) as application:
        yield application.at("/voice", reply())


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "ca.pem"))


async def test_11220_when_the_other_side_speaks_no_tls():
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw(plain) as url:
        assert await code(url.replace("http:", "https:")) == 11220


@pytest.mark.usefixtures("trusted")
async def test_a_certificate_that_is_in_order_is_accepted():
    async with secure("good") as url:
        assert await asked(url) == 200


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("certificate", "expected"), [("other", 11235), ("expired", 11236)])
async def test_11235_for_another_hosts_certificate_and_11236_for_an_old_one(
    certificate: str, expected: int
):
    async with secure(certificate) as url:
        assert await code(url) == expected


async def test_11237_for_a_certificate_that_nobody_vouches_for():
    async with secure("good") as url:
        assert await code(url) == 11237


async def test_certificates_are_not_looked_at_when_that_is_switched_off():
    transport = AiohttpTransport(verify=False)
    async with secure("expired") as url:
        assert (await Webhooks(transport.send).ask(Request(url))).status == 200
        await transport.close()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("fragment", "named"), [("", "localhost"), ("#sni=n", None)])
async def test_the_server_name_is_sent_unless_overridden(fragment: str, named: str | None):
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "good.pem")
    context.sni_callback = lambda connection, name, own: names.append(name)
    async with serving(context) as application:
        url = application.at("/voice", reply()).replace("127.0.0.1", "localhost")
        assert await asked(url + fragment) == 200
    assert names == [named]


@pytest.mark.parametrize("framing", [b"", b"Content-Length: 65537\r\n"])
async def test_11750_for_a_document_of_more_than_64_kilobytes(framing: bytes):
    async with raw(saying(OK + framing + b"\r\n", b"x" * 65_537)) as url:
        assert await code(url) == 11750
    async with raw(saying(OK + b"\r\n", b"x" * 65_536)) as url:
        assert await asked(url) == 200


async def test_11750_counts_what_is_unpacked(opened):
    async with opened() as (application, webhooks):
        packed = reply(gzip.compress(b"x" * 10_000_000), Content_Encoding="gzip")
        with pytest.raises(WebhookError) as failed:
            await webhooks.ask(Request(application.at("/voice", packed)))
    assert failed.value.code == 11750


async def test_11751_for_media_above_its_own_limit(opened):
    async with opened(media_bytes=100_000) as (application, webhooks):
        url = application.at("/a.mp3", reply(b"x" * 100_000, type_="audio/mpeg"))
        too_long = application.at("/b.mp3", reply(b"x" * 100_001, type_="audio/mpeg"))
        answer = await webhooks.ask(Request(url, "GET", kind="media"))
        assert len(answer.body) == 100_000
        assert len((await webhooks.ask(Request(url))).body) == 100_000  # sound as a document
        with pytest.raises(WebhookError) as failed:
            await webhooks.ask(Request(too_long, "GET", kind="media"))
        assert failed.value.code == 11751
        with pytest.raises(WebhookError) as failed:
            await webhooks.ask(Request(url, "GET", kind="media", max_bytes=99_999))
        assert failed.value.code == 11751


async def test_a_callbacks_answer_is_not_read_to_its_end(opened):
    async with opened() as (application, webhooks):
        url = application.at("/status", reply(b"x" * 1_000_000))
        answer = await webhooks.ask(Request(url, kind="callback"))
    assert (answer.status, len(answer.body)) == (200, 65_536)


@pytest.mark.real_time
async def test_a_kept_connection_that_was_closed_is_replaced():
    """The post is made again on a new connection: nothing was answered on the old one."""
    connections: list[int] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 11\r\n\r\n<Response/>")
        await reader.readuntil(b"\r\n\r\n")  # and then it closes

    transport = AiohttpTransport()
    webhooks = Webhooks(transport.send)
    async with raw(once) as url:
        for _ in range(3):
            assert (await webhooks.ask(Request(f"{url}#rc=0", "POST", jar=CALL))).status == 200
    await transport.close()
    assert len(connections) == 3
