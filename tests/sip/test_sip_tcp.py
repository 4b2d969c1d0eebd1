"""Calls over real sockets, UDP and TCP.  RFC 3261 section 18, RFC 5626 section 3.5.1."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sip_carriers import Phone, carrier, not_ringing, target, traced
from sip_ends import OPTIONS

from offhook.carriers.sip_carrier import SipCarrier
from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError

pytestmark = pytest.mark.real_time


@asynccontextmanager
async def two(phone: Phone, **settings: object) -> Iterator[tuple[SipCarrier, int]]:  # type: ignore[misc]
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(
            carrier("127.0.0.1", Phone(), tcp=True, port=0, ports=range(41000, 41020))
        )
        given = {"tcp": True, "port": 0, "ports": range(41020, 41040)} | settings
        there = await stack.enter_async_context(carrier("127.0.0.1", phone, **given))
        yield here, there.address[1]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_over_a_real_socket(transport: str):
    phone = Phone()
    async with two(phone) as (here, port):
        leg = await here.dial(
            target(f"sip:bob@127.0.0.1:{port};transport={transport}"), not_ringing
        )
        assert {data["transport"] for _, data in traced(leg)} == {transport.upper()}
        await leg.hang_up()
        assert (await phone.leg.ended).by == "far"


async def test_the_called_side_may_hang_up_on_the_same_connection():
    phone = Phone()
    async with two(phone) as (here, port):
        leg = await here.dial(target(f"sip:bob@127.0.0.1:{port};transport=tcp"), not_ringing)
        told = traced(phone.leg)
        await phone.leg.hang_up()
        assert (await leg.ended).by == "far"
        assert len({data["remote"] for kind, data in told if kind == "sip"}) == 1


async def test_a_long_invite_goes_over_tcp_by_itself():
    phone = Phone()
    headers = tuple((f"X-Header-{n}", "x" * 100) for n in range(12))
    async with two(phone) as (here, port):
        leg = await here.dial(target(f"sip:bob@127.0.0.1:{port}", headers=headers), not_ringing)
        assert traced(leg)[0][1]["transport"] == "TCP"
        assert dict(phone.leg.about.params)["SipHeader_X-Header-11"] == "x" * 100
        await leg.hang_up()


async def test_where_nobody_listens_on_tcp_it_goes_as_a_datagram():
    phone = Phone()
    headers = tuple((f"X-Header-{n}", "x" * 100) for n in range(12))
    async with two(phone, tcp=False) as (here, port):
        leg = await here.dial(target(f"sip:bob@127.0.0.1:{port}", headers=headers), not_ringing)
        invites = [d["transport"] for _, d in traced(leg) if d.get("text", "").startswith("INVITE")]
        assert invites == ["TCP", "UDP"]
        await leg.hang_up()


async def test_a_refused_connection_is_known_at_once():
    async with two(Phone(), tcp=False) as (here, port):
        async with asyncio.timeout(5):
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(f"sip:bob@127.0.0.1:{port};transport=tcp"), not_ringing)
        assert refused.value.code == 503


async def test_a_trunk_over_tcp_says_whether_it_is_there():
    async with two(Phone()) as (here, port):
        pong = await here.options(Trunk("t", address=f"127.0.0.1:{port}", transport="tcp"))
        assert pong.status == 200
        assert pong.address == f"TCP 127.0.0.1:{port}"


async def test_a_keep_alive_is_answered_and_messages_may_come_in_pieces():
    async with two(Phone()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(5):
            writer.write(b"\r\n\r\n" + OPTIONS[:50])
            assert await reader.readexactly(2) == b"\r\n"
            writer.write(
                OPTIONS[50:] + OPTIONS.replace(b"z9hG4bK1", b"z9hG4bK2").replace(b"one", b"two")
            )
            for _ in range(2):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 200")
        writer.close()
        await writer.wait_closed()


async def test_a_stream_that_has_lost_its_boundaries_is_closed_and_counted():
    phone = Phone()
    async with carrier("127.0.0.1", phone, tcp=True, port=0, ports=range(41040, 41050)) as there:
        reader, writer = await asyncio.open_connection(*there.address)
        writer.write(OPTIONS.replace(b"Content-Length: 0", b"Content-Length: many"))
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        assert there.counts["malformed"] == 1
        writer.close()
        await writer.wait_closed()


async def test_a_port_that_is_taken_is_an_error():
    async with carrier("127.0.0.1", Phone(), tcp=True, port=0, ports=range(41050, 41060)) as first:
        with pytest.raises(OSError, match="in use"):
            async with carrier("127.0.0.1", Phone(), tcp=True, port=first.address[1]):
                pass
