"""How long connections last, and what keeps them.  RFC 5626 sections 3.5 and 4.4, RFC 3261 18."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sip_carriers import Phone, carrier, not_ringing, target
from sip_ends import OPTIONS
from sip_peer import sender
from sip_provider import provider
from web_browser import mapped
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from offhook import clock
from offhook.carriers.sip_carrier import SipCarrier
from offhook.carriers.sip_guard import Limits
from offhook.carriers.sip_tls import Listeners
from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError
from offhook.sip.message import Request, parse, respond

PING, PONG = b"\r\n\r\n", b"\r\n"
STUN = b"\0\1\0\0\x21\x12\xa4\x42" + b"x" * 12  # a binding request


class Stranger:
    """A TCP connection to us."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def says(self, data: bytes) -> None:
        self.writer.write(data)

    async def hears(self) -> bytes:
        """What comes next; b"" is the end."""
        with clock.outside("the other side of a connection"):
            return await self.reader.read(65536)

    async def is_closed(self) -> bool:
        return self.reader.at_eof() or await self.hears() == b""


@asynccontextmanager
async def serving(**limits: float) -> AsyncIterator[SipCarrier]:
    given = Limits(**limits)  # type: ignore[arg-type]
    async with carrier("127.0.0.1", Phone(), tcp=True, port=0, limits=given) as there:
        yield there


@asynccontextmanager
async def stranger(there: SipCarrier) -> AsyncIterator[Stranger]:
    with clock.outside("a connection"):
        reader, writer = await asyncio.open_connection(*there.address)
    try:
        yield Stranger(reader, writer)
    finally:
        writer.close()


class TestStreams:
    async def test_one_that_brings_no_message_is_closed(self):
        async with serving() as there, stranger(there) as other:
            await asyncio.sleep(31)
            assert there.counts["idle"] == 0
            await asyncio.sleep(2)
            assert await other.is_closed()
            assert there.counts["idle"] == 1

    @pytest.mark.parametrize("drop", [PING, b"O"])
    async def test_drops_do_not_keep_one_that_brings_no_message(self, drop: bytes):
        async with serving() as there, stranger(there) as other:
            for _ in range(4):
                other.says(drop)
                await asyncio.sleep(10)
            assert there.counts["idle"] == 1

    async def test_signs_of_life_keep_one_that_brought_a_message(self):
        async with serving(idle=100) as there, stranger(there) as other:
            other.says(OPTIONS)
            assert (await other.hears()).startswith(b"SIP/2.0 200")
            for _ in range(5):
                await asyncio.sleep(90)
                other.says(PING)
                assert await other.hears() == PONG
            await asyncio.sleep(101)
            assert await other.is_closed()

    async def test_there_are_only_so_many(self):
        async with serving(connections=2) as there, stranger(there), stranger(there):
            async with stranger(there) as third:
                assert await third.is_closed()
            assert there.counts["connections refused"] == 1

    async def test_one_that_asks_and_does_not_read_is_closed(self):
        """Before the answers that wait for it take all the memory there is."""
        asked = OPTIONS.replace(b"<sip:a@b>", b"<sip:a@b>;x=" + b"x" * 30_000)
        async with serving() as there, stranger(there) as other:

            async def ask() -> None:
                for n in range(5000):
                    one = b"%d" % n
                    other.says(asked.replace(b"z9hG4bK1", b"z9hG4bK" + one).replace(b"one", one))
                    await other.writer.drain()

            with clock.outside("answers that nobody reads"), pytest.raises(ConnectionError):
                await ask()
            assert there.counts["slow"] == 1
            async with stranger(there) as next_:
                next_.says(OPTIONS)
                assert (await next_.hears()).startswith(b"SIP/2.0 200")


class Server:
    """The far side of connections of ours."""

    def __init__(self) -> None:
        self.answers, self.pings, self.connections = True, 0, 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while data := await reader.read(65536):
            if data == PING:
                self.pings += 1
            if data == PING and self.answers:
                writer.write(PONG)
            elif data.startswith(b"OPTIONS"):
                head = data.replace(b"OPTIONS sip:127.0.0.1", b"SIP/2.0 200 OK\r\nX: ", 1)
                writer.write(head.replace(b"\r\nTo: <sip", b"\r\nTo: <sip", 1))
        writer.close()


class TestOurs:
    """Connections that we open: a sign of life every 95 seconds."""

    @pytest.mark.parametrize(("answers", "dead"), [(True, 1), (False, 0)])
    async def test_one_that_used_to_answer_and_does_no_longer_is_closed(
        self, answers: bool, dead: int
    ):
        """Who never answered may be one that does not know of this."""
        far = Server()
        far.answers = answers
        server = await asyncio.start_server(far, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        trunk = Trunk("t", address=f"127.0.0.1:{port}", transport="tcp")
        async with carrier("127.0.0.1", Phone(), tcp=True, port=0, trunks=(trunk,)) as here:
            asking = asyncio.ensure_future(here.options(trunk))
            await asyncio.sleep(1)
            assert far.connections == 1
            await asyncio.sleep(20)
            far.pings = 0
            await asyncio.sleep(100)
            assert far.pings == 1
            far.answers = False
            await asyncio.sleep(110)
            assert far.pings == 2
            assert here.counts["connections dead"] == dead
            assert here.load.connections["TCP"] == 1 - dead
            await asking
        server.close()

    @pytest.mark.parametrize(("closes", "status", "connections"), [(1, 200, 2), (9, 0, 2)])
    async def test_a_request_that_met_the_end_of_its_connection_is_tried_on_another(
        self, closes: int, status: int, connections: int
    ):
        """Once: one whose new connection ends as well is lost, and that is known at once."""
        answering, seen = [0], [0]

        async def far(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen[0] += 1
            while data := await reader.read(65536):
                if answering[0] > 0:
                    answering[0] -= 1
                    break
                request = parse(data)
                assert isinstance(request, Request)
                writer.write(respond(request, 200, tag="x").encode())
            writer.close()

        server = await asyncio.start_server(far, "127.0.0.1", 0)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        trunk = Trunk("t", address=address, transport="tcp")
        async with carrier("127.0.0.1", Phone(), tcp=True, port=0, trunks=(trunk,)) as here:
            for _ in range(2):
                assert (await here.options(trunk)).status == 200
            assert seen == [1]
            answering[0] = closes
            pong = await here.options(trunk)
            assert (pong.status, seen[0]) == (status, connections)
            assert pong.seconds < 2
        server.close()

    async def test_a_registration_whose_connection_ended_is_made_anew(self):
        """RFC 5626 section 4.4: calls to us would come on it."""
        writers: list[asyncio.StreamWriter] = []

        async def far(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            while data := await reader.read(65536):
                if data != PING:
                    request = parse(data)
                    assert isinstance(request, Request)
                    writer.write(respond(request, 200, tag="x").encode())

        server = await asyncio.start_server(far, "127.0.0.1", 0)
        trunk = Trunk(
            "t", address=f"127.0.0.1:{server.sockets[0].getsockname()[1]}", transport="tcp",
            username="u", password="p", register=True,
        )  # fmt: skip
        async with carrier("127.0.0.1", Phone(), tcp=True, port=0, trunks=(trunk,)):
            await asyncio.sleep(60)
            assert len(writers) == 1
            writers[0].close()
            await asyncio.sleep(6)
            assert len(writers) == 2
        for writer in writers:
            writer.close()
        server.close()

    async def test_a_long_request_asks_for_tcp_once_where_it_was_refused(self):
        """RFC 3261 section 18.1.1, and what was learnt of it."""
        headers = tuple((f"X-Header-{n}", "x" * 100) for n in range(12))
        trace: list[str] = []
        async with (
            carrier("127.0.0.2", Phone()),
            carrier("127.0.0.1", Phone(), tcp=True, port=0) as here,
        ):
            for _ in range(2):
                leg = await here.dial(target("sip:bob@127.0.0.2", headers=headers), not_ringing)
                leg.trace.listen(lambda kind, data: trace.append(data.get("text", "")))
                await leg.hang_up()
            vias = [
                line.split()[1]
                for text in trace
                if text.startswith("INVITE")
                for line in text.splitlines()
                if line.startswith("Via")
            ]
            assert vias == ["SIP/2.0/TCP", "SIP/2.0/UDP", "SIP/2.0/UDP"]

    @pytest.mark.real_time
    async def test_a_long_request_does_not_wait_for_a_trunk_that_drops_tcp(self):
        """The next trunk would be asked before it was ever sent by datagram."""
        headers = tuple((f"X-Header-{n}", "x" * 100) for n in range(12))
        deaf = socket.create_server(("127.0.0.1", 0), backlog=0)
        address = deaf.getsockname()
        waiting = [socket.socket() for _ in range(3)]  # a backlog that is full takes nobody else
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        far, other = await provider(*address), await provider("127.0.0.1", 0)
        far.answer = lambda request: respond(request, 486, tag="x")
        other.answer = lambda request: respond(request, 404, tag="x")
        port = other.transport.get_extra_info("sockname")[1]
        trunks = (
            Trunk("first", address=f"127.0.0.1:{address[1]}"),
            Trunk("next", address=f"127.0.0.1:{port}"),
        )
        async with carrier("127.0.0.1", Phone(), tcp=True, port=0, trunks=trunks) as here:
            with pytest.raises(CarrierError) as refused:
                await here.dial(target("+493012345678", headers=headers), not_ringing)
            assert refused.value.code == 486
        for each in (deaf, *waiting, far.transport, other.transport):
            each.close()


class TestDatagrams:
    @pytest.mark.parametrize("drop", [b"\r\n\r\n", b"\r\n", b"\0", b"\0\0\0\0", STUN, STUN[:-1]])
    async def test_what_only_keeps_a_nat_open_is_no_offence(self, drop: bytes):
        strict = Limits(strikes=2, rate=1, burst=1)
        async with carrier("127.0.0.2", Phone(), limits=strict) as there:
            peer = await sender("127.0.0.9")
            for _ in range(50):
                peer.says(drop)
            await asyncio.sleep(1)
            assert (there.counts["malformed"], there.counts["limited"]) == (0, 0)
            assert there.counts["bans"] == 0

    async def test_stun_is_answered_where_it_is_asked(self):
        """RFC 5626 section 4.4.2: who hears nothing takes its flow for dead."""
        async with carrier("127.0.0.2", Phone()):
            peer = await sender("127.0.0.9")
            peer.says(STUN)
            answer = (await peer.hears("\1\1")).encode(errors="surrogateescape")
            assert (answer[8:20], mapped(answer)) == (STUN[8:], ("127.0.0.9", 5060))

    async def test_nobody_gets_more_of_it_than_of_anything_else(self):
        """Behind an address that is not loopback: those are exempt."""
        async with carrier("198.51.100.1", Phone(), limits=Limits(rate=1, burst=3)) as there:
            peer = await sender("203.0.113.9")
            for _ in range(10):
                peer.says(STUN, "198.51.100.1")
            await asyncio.sleep(0.5)
            assert (peer.heard.qsize(), there.counts["limited"]) == (3, 7)

    async def test_a_nat_in_front_of_us_is_kept_open_for_a_trunk(self):
        trunk = Trunk("t", address="127.0.0.9", keep_alive=25)
        async with carrier("127.0.0.2", Phone(), trunks=(trunk,)):
            peer = await sender("127.0.0.9")
            await asyncio.sleep(101)
            heard = [peer.heard.get_nowait() for _ in range(peer.heard.qsize())]
            assert heard.count("\r\n\r\n") == 4

    async def test_a_connection_is_not_made_to_keep_one_open(self):
        seen: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(lambda _, writer: seen.append(writer), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        trunk = Trunk("t", address=f"127.0.0.1:{port}", transport="tcp", keep_alive=25)
        async with carrier("127.0.0.1", Phone(), tcp=True, port=0, trunks=(trunk,)):
            await asyncio.sleep(101)
            assert seen == []
        server.close()

    async def test_a_trunk_without_it_is_left_in_peace(self):
        trunk = Trunk("t", address="127.0.0.9")
        async with carrier("127.0.0.2", Phone(), trunks=(trunk,)):
            peer = await sender("127.0.0.9")
            await asyncio.sleep(101)
            heard = [peer.heard.get_nowait() for _ in range(peer.heard.qsize())]
            assert "\r\n\r\n" not in heard


@asynccontextmanager
async def browser(**limits: float) -> AsyncIterator[tuple[SipCarrier, ClientConnection]]:
    listeners = Listeners(ws=("127.0.0.1", 0))
    given = Limits(**limits)  # type: ignore[arg-type]
    async with carrier("127.0.0.1", Phone(), port=0, listeners=listeners, limits=given) as there:
        url = f"ws://127.0.0.1:{there.listens('WS')[1]}"
        with clock.outside("a WebSocket"):
            connection = await connect(url, subprotocols=[Subprotocol("sip")], ping_interval=None)
        try:
            yield there, connection
        finally:
            connection.transport.abort()


class TestWebSockets:
    async def test_one_that_brings_no_message_is_closed(self):
        async with browser() as (there, connection):
            await asyncio.sleep(20)
            await connection.send("\r\n\r\n")
            await asyncio.sleep(13)
            assert there.counts["idle"] == 1
            with clock.outside("the end of a connection"):
                assert await connection.recv() == "\r\n"
                with pytest.raises(ConnectionClosed):
                    await connection.recv()

    async def test_one_is_closed_that_was_idle_for_long(self):
        async with browser(idle=100) as (there, connection):
            await connection.send(OPTIONS.decode().replace("/TCP", "/WS"))
            with clock.outside("an answer"):
                assert "200 OK" in str(await connection.recv())
            await asyncio.sleep(90)
            await connection.send("\r\n\r\n")
            await asyncio.sleep(90)
            assert there.counts["idle"] == 0
            await asyncio.sleep(11)
            assert there.counts["idle"] == 1
