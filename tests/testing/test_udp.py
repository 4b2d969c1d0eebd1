"""Unmodified asyncio UDP on a network in memory."""

from __future__ import annotations

import asyncio
import random

import pytest

from offhook import clock
from offhook.testing.udp import LATENCY, Address, UdpNetwork, rough
from offhook.testing.virtual_time import VirtualTimeLoop


class Ear(asyncio.DatagramProtocol):
    """Remembers what it gets; answers a ping."""

    def __init__(self) -> None:
        self.got: list[tuple[float, bytes, Address]] = []
        self.errors: list[Exception] = []
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.got.append((round(clock.now(), 6), data, addr))
        if data == b"ping":
            self.transport.sendto(b"pong", addr)

    def error_received(self, exc: Exception) -> None:
        self.errors.append(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True


def network() -> UdpNetwork:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop.network


async def bound(local: Address | None = None, remote: Address | None = None) -> Ear:
    loop = asyncio.get_running_loop()
    _, ear = await loop.create_datagram_endpoint(Ear, local_addr=local, remote_addr=remote)
    return ear


async def test_a_datagram_arrives_after_the_latency_with_its_senders_address() -> None:
    one, two = await bound(("10.0.0.1", 5060)), await bound(("10.0.0.2", 5060))
    one.transport.sendto(b"ping", ("10.0.0.2", 5060))
    await asyncio.sleep(1)
    assert two.got == [(LATENCY, b"ping", ("10.0.0.1", 5060))]
    assert one.got == [(2 * LATENCY, b"pong", ("10.0.0.2", 5060))]


async def test_port_0_is_given_a_free_port_and_a_taken_one_is_refused() -> None:
    one, two = await bound(("127.0.0.1", 0)), await bound(("127.0.0.1", 0))
    first, second = (ear.transport.get_extra_info("sockname") for ear in (one, two))
    assert first[1] != second[1]
    with pytest.raises(OSError, match="address already in use"):
        await bound(first)
    one.transport.close()
    await bound(first)
    await asyncio.sleep(0)
    assert one.closed
    two.transport.close()
    again = (await bound(("127.0.0.1", 0))).transport.get_extra_info("sockname")
    assert again[1] not in (first[1], second[1])  # it may be taken for real sockets


async def test_a_socket_on_all_addresses_hears_those_nobody_else_has() -> None:
    every, own = await bound(("0.0.0.0", 5060)), await bound(("10.0.0.2", 5060))
    sender = await bound()
    sender.transport.sendto(b"a", ("10.0.0.9", 5060))
    sender.transport.sendto(b"b", ("10.0.0.2", 5060))
    await asyncio.sleep(1)
    assert [data for _, data, _ in every.got] == [b"a"]
    assert [data for _, data, _ in own.got] == [b"b"]


async def test_a_connected_socket_hears_only_its_peer_and_learns_that_nobody_is_there() -> None:
    peer, stranger = await bound(("10.0.0.2", 7)), await bound(("10.0.0.3", 7))
    ear = await bound(("10.0.0.1", 7), ("10.0.0.2", 7))
    stranger.transport.sendto(b"psst", ("10.0.0.1", 7))
    ear.transport.sendto(b"ping")
    await asyncio.sleep(1)
    assert [data for _, data, _ in ear.got] == [b"pong"]
    with pytest.raises(ValueError, match="connected to"):
        ear.transport.sendto(b"ping", ("10.0.0.3", 7))
    peer.transport.close()
    ear.transport.sendto(b"ping")
    await asyncio.sleep(1)
    assert [type(error) for error in ear.errors] == [ConnectionRefusedError]


async def test_datagrams_are_lost_and_doubled_as_the_line_has_it() -> None:
    network().fate = rough(random.Random(7), loss=0.3, duplication=0.2)
    ear, sender = await bound(("10.0.0.2", 7)), await bound()
    for number in range(500):
        sender.transport.sendto(b"%d" % number, ("10.0.0.2", 7))
    await asyncio.sleep(1)
    arrived = [data for _, data, _ in ear.got]
    assert 300 < len(set(arrived)) < 400
    assert 40 < len(arrived) - len(set(arrived)) < 100


async def test_datagrams_of_the_same_instant_arrive_in_their_order() -> None:
    ear, sender = await bound(("10.0.0.2", 7)), await bound()
    waiting = [asyncio.get_running_loop().call_later(60, print) for _ in range(3)]
    for number in range(20):
        sender.transport.sendto(bytes([number]), ("10.0.0.2", 7))
    await asyncio.sleep(1)
    assert [data[0] for _, data, _ in ear.got] == list(range(20))
    for timer in waiting:
        timer.cancel()


async def test_datagrams_overtake_one_another_on_a_line_with_jitter() -> None:
    network().fate = rough(random.Random(7), jitter=0.05)
    ear, sender = await bound(("10.0.0.2", 7)), await bound()
    for number in range(20):
        sender.transport.sendto(bytes([number]), ("10.0.0.2", 7))
        await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    arrived = [data[0] for _, data, _ in ear.got]
    assert arrived != sorted(arrived)
    assert sorted(arrived) == list(range(20))


async def test_a_test_decides_the_fate_of_single_datagrams() -> None:
    network().fate = lambda datagram: () if datagram.data == b"BYE" else (0.5,)
    ear, sender = await bound(("10.0.0.2", 7)), await bound()
    for data in (b"INVITE", b"BYE"):
        sender.transport.sendto(data, ("10.0.0.2", 7))
    await asyncio.sleep(1)
    assert [(at, data) for at, data, _ in ear.got] == [(0.5, b"INVITE")]
