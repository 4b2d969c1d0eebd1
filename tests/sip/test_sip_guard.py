"""What strangers may ask of us, and what happens to those who ask too much."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sip_carriers import Phone, Zone, carrier, not_ringing, target
from sip_ends import sip
from sip_peer import Sender, ack, field, invite, sender

from offhook.carriers.sip_carrier import Directory
from offhook.carriers.sip_guard import MOST_SOURCES, Guard, Limits
from offhook.carriers.sip_places import Places
from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError

STRANGER = "203.0.113.9"


def guard(**limits: Any) -> Guard:
    return Guard(Limits(**limits), lambda host: host == "trunk")


class TestRates:
    def test_so_many_at_once_and_then_so_many_a_second(self):
        door = guard(rate=10, burst=30)
        assert [door.hears(STRANGER, 0) for _ in range(40)] == [True] * 30 + [False] * 10
        assert [door.hears(STRANGER, 1) for _ in range(20)] == [True] * 10 + [False] * 10
        assert door.counts["limited"] == 20
        assert sum(door.hears(STRANGER, 3600) for _ in range(40)) == 30

    def test_one_source_is_not_limited_for_another(self):
        door = guard(rate=1, burst=1)
        assert door.hears(STRANGER, 0)
        assert not door.hears(STRANGER, 0)
        assert door.hears("203.0.113.10", 0)

    def test_a_trunk_is_never_limited(self):
        door = guard(rate=1, burst=1, strikes=1)
        assert all(door.hears("trunk", 0) for _ in range(1000))
        assert not any(door.strike("trunk", 0) for _ in range(1000))

    def test_what_is_remembered_has_a_bound(self):
        door = guard(rate=1, burst=1)
        door.hears("first", 0)
        for number in range(MOST_SOURCES):
            door.hears(f"source {number}", 0)
        assert door.hears("first", 0), "it was forgotten, as the one that was quiet for longest"
        assert not door.hears(f"source {MOST_SOURCES - 1}", 0)

    def test_all_of_a_customers_ipv6_is_one_source(self):
        door = guard(rate=1, burst=1, strikes=1)
        assert door.hears("2001:db8:1:2::1", 0)
        assert not door.hears("2001:db8:1:2:ffff::9", 0)
        assert door.hears("2001:db8:1:3::1", 0)
        assert [door.strike(f"2001:db8:1:2::{n}", 0) for n in range(2)] == [False, True]
        assert door.bans("2001:db8:1:2::99", 0)
        assert [who for who, _ in door.banned(0)] == ["2001:db8:1:2::/64"]


class TestBans:
    def strikes(self, door: Guard, count: int, now: float = 0) -> list[bool]:
        return [door.strike(STRANGER, now) for _ in range(count)]

    def test_who_is_refused_too_often_is_not_heard_until_the_ban_is_over(self):
        door = guard(strikes=3, ban_seconds=600)
        assert self.strikes(door, 4) == [False, False, False, True]
        assert not door.hears(STRANGER, 599)
        assert door.bans(STRANGER, 599)
        assert list(door.banned(100)) == [(STRANGER, 500)]
        assert list(door.banned(600)) == []
        assert door.hears(STRANGER, 600)
        assert (door.counts["bans"], door.counts["banned"]) == (1, 1)

    def test_mistakes_that_are_far_apart_are_forgotten(self):
        door = guard(strikes=3, ban_seconds=600)
        assert not any(door.strike(STRANGER, 200 * number) for number in range(50))

    def test_who_then_knows_the_password_is_forgiven(self):
        door = guard(strikes=3, ban_seconds=600)
        for _ in range(10):
            assert self.strikes(door, 3) == [False] * 3
            door.forgive(STRANGER)

    def test_whether_it_is_spared_is_asked_when_it_would_be_banned(self):
        door, asked = guard(strikes=3, ban_seconds=600), []
        told = [door.strike(STRANGER, 0, lambda: not asked.append(None)) for _ in range(5)]
        assert (told, len(asked)) == ([False] * 5, 2)
        assert door.strike(STRANGER, 0)

    def test_with_0_strikes_nobody_is_banned(self):
        assert not any(self.strikes(guard(strikes=0), 1000))


class TestTheCarrier:
    """Behind an address that is not loopback, without a trunk that knows the caller."""

    ADDRESS = "198.51.100.1"

    async def scan(self, peer: Sender, count: int) -> None:
        for number in range(count):
            data = invite(STRANGER, branch=f"s{number}").replace(b"raw@", b"raw%d@" % number)
            peer.says(data, self.ADDRESS)
            await asyncio.sleep(1)

    async def test_a_scanner_is_refused_for_a_while_and_then_not_heard(self):
        async with carrier(self.ADDRESS, Phone(), limits=Limits(strikes=5)) as here:
            peer = await sender(STRANGER)
            await self.scan(peer, 10)
            assert peer.heard.qsize() == 6
            assert (here.counts["refused"], here.counts["bans"]) == (6, 1)
            assert here.counts["banned"] == 4
            await asyncio.sleep(600)
            await self.scan(peer, 1)
            assert peer.heard.qsize() == 7

    async def test_so_is_one_that_would_register_whatever_comes_of_it(self):
        async def nobody(name: str, username: str) -> None:
            return None

        directory = Directory(nobody, lambda kept: None, lambda *told: None)
        limits = Limits(strikes=5)
        async with carrier(self.ADDRESS, Phone(), limits=limits, directory=directory) as here:
            peer, data = await sender(STRANGER), OPTIONS.replace(b"OPTIONS", b"REGISTER")
            for number in range(10):
                other = data.replace(b"ID: o", b"ID: o%d" % number)
                peer.says(other.replace(b"z9hG4bKo", b"z9hG4bKo%d" % number), self.ADDRESS)
                await asyncio.sleep(1)
            assert peer.heard.qsize() == 6
            assert (here.counts["bans"], here.counts["banned"]) == (1, 4)

    async def test_so_is_one_that_sends_nonsense(self):
        async with carrier(self.ADDRESS, Phone(), limits=Limits(strikes=5)) as here:
            peer = await sender(STRANGER)
            for _ in range(20):
                peer.says(b"hello", self.ADDRESS)
            await asyncio.sleep(1)
            assert (here.counts["malformed"], here.counts["banned"]) == (6, 14)

    @pytest.mark.parametrize("count", ["malformed", "refused"])
    async def test_what_seems_to_come_from_the_far_end_of_a_call_bans_nobody(self, count: str):
        """Anybody can write any address into a datagram. Afterwards it is one as any other."""
        trunks = (Trunk("them", peer_username="ann", peer_password="secret"),)
        async with (
            carrier(self.ADDRESS, Phone(), limits=Limits(strikes=5), trunks=trunks) as here,
            carrier(STRANGER, Phone()) as phone,
        ):
            forger = await sender(STRANGER, 5070)
            ann = target(f"sip:x@{self.ADDRESS}", username="ann", password="secret")
            leg = await phone.dial(ann, not_ringing)
            await asyncio.sleep(1)  # for so long it is as it was
            before = here.counts[count]
            await self.forge(forger, count)
            assert (here.counts[count] - before, here.counts["bans"]) == (20, 0)
            await leg.hang_up()
            await asyncio.sleep(2)
            await self.forge(forger, count)
            assert here.counts["bans"] == 1

    async def forge(self, forger: Sender, count: str) -> None:
        for number in range(20):
            data = invite(STRANGER, branch=f"f{number}").replace(b"raw@", b"forged%d@" % number)
            forger.says(b"hello" if count == "malformed" else data, self.ADDRESS)
        await asyncio.sleep(2)

    async def test_a_phone_that_logs_in_whenever_it_is_asked_is_none(self):
        trunks = (Trunk("them", peer_username="ann", peer_password="secret"),)
        limits = Limits(strikes=3)
        async with (
            carrier(self.ADDRESS, Phone(), limits=limits, trunks=trunks) as here,
            carrier(STRANGER, Phone()) as phone,
        ):
            to = f"sip:+15550001111@{self.ADDRESS}"
            for _ in range(8):
                ann = target(to, username="ann", password="secret")
                leg = await phone.dial(ann, not_ringing)
                await leg.hang_up()
            assert (here.counts["refused"], here.counts["bans"]) == (8, 0)

    @pytest.mark.parametrize(
        "known",
        [
            {"trunks": (Trunk("one", allow=("203.0.113.0/24",)),)},
            {"places": Places(proxies=("203.0.113.0/24",))},
        ],
    )
    async def test_a_trunk_or_a_proxy_of_ours_may_send_as_much_as_it_likes(
        self, known: dict[str, Any]
    ):
        limits = Limits(rate=1, burst=1, strikes=1)
        async with carrier(self.ADDRESS, Phone(), limits=limits, **known) as here:
            peer = await sender(STRANGER)
            for _ in range(50):
                peer.says(OPTIONS, self.ADDRESS)
            await asyncio.sleep(1)
            assert here.counts["limited"] == 0

    async def test_so_may_one_that_dns_leads_to_whose_calls_are_not_let_in_by_that(self):
        trunks = (Trunk("one", "provider.test:5060"),)
        zone, limits = Zone(A={"provider.test": [STRANGER]}), Limits(rate=1, burst=1, strikes=1)
        known = (Trunk("us", allow=(self.ADDRESS,)),)
        async with (
            carrier(self.ADDRESS, Phone(), limits=limits, trunks=trunks, dns=zone) as here,
            carrier(STRANGER, Phone(), trunks=known) as there,
        ):
            for _ in range(3):
                leg = await here.dial(target("+15550001111"), not_ringing)
                await leg.hang_up()
                with pytest.raises(CarrierError) as refused:
                    await there.dial(target(f"sip:x@{self.ADDRESS}"), not_ringing)
                assert refused.value.code == 403
            assert (here.counts["limited"], here.counts["bans"]) == (0, 0)

    async def test_more_calls_than_we_take_are_503(self):
        trunks = (Trunk("one", allow=("203.0.113.0/24",)),)
        limits = Limits(calls=2)
        async with carrier(self.ADDRESS, Phone(), limits=limits, trunks=trunks) as here:
            peer = await sender(STRANGER)
            await self.scan(peer, 3)
            refused = await peer.hears("SIP/2.0 503")
            assert "Retry-After" in refused
            assert here.counts["full"] == 1

    async def test_more_transactions_than_we_bear_are_not_begun(self):
        trunks = (Trunk("one", allow=("203.0.113.0/24",)),)
        limits = Limits(transactions=3)
        async with carrier(self.ADDRESS, Phone(), limits=limits, trunks=trunks) as here:
            peer = await sender(STRANGER)
            for number in range(10):
                peer.says(OPTIONS.replace(b"z9hG4bKo", b"z9hG4bKo%d" % number), self.ADDRESS)
            await asyncio.sleep(1)
            assert here.counts["full"] == 7

    async def test_the_calls_that_are_up_do_not_suffer_from_that(self):
        """What begins no transaction is heard: an ACK here."""
        trunks = (Trunk("one", allow=("203.0.113.0/24",)),)
        phone = Phone()
        limits = Limits(transactions=3)
        async with carrier(self.ADDRESS, phone, limits=limits, trunks=trunks) as here:
            peer = await sender(STRANGER)
            peer.says(invite(STRANGER), self.ADDRESS)
            answer = await peer.hears("SIP/2.0 200")
            for number in range(10):
                peer.says(OPTIONS.replace(b"z9hG4bKo", b"z9hG4bKo%d" % number), self.ADDRESS)
            peer.says(ack(STRANGER, field(answer, "To")), self.ADDRESS)
            await asyncio.sleep(40)
            assert here.counts["full"] == 8
            assert not phone.leg.ended.done()


OPTIONS = sip(f"""
OPTIONS sip:198.51.100.1 SIP/2.0
Via: SIP/2.0/UDP {STRANGER};rport;branch=z9hG4bKo
From: <sip:{STRANGER}>;tag=a
To: <sip:198.51.100.1>
Call-ID: o
CSeq: 1 OPTIONS

""")


@pytest.mark.real_time
class TestConnections:
    async def opened(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", port)

    async def test_no_more_than_so_many_from_one_source(self):
        limits = Limits(per_source=2)
        async with carrier("127.0.0.1", Phone(), port=0, tcp=True, limits=limits) as here:
            ends = [await self.opened(here.address[1]) for _ in range(3)]
            async with asyncio.timeout(5):
                assert await gone(ends[2][0])
            assert here.counts["connections refused"] == 1
            for _, writer in ends:
                writer.close()

    async def test_one_that_says_nothing_is_closed(self):
        limits = Limits(idle=0.2)
        async with carrier("127.0.0.1", Phone(), port=0, tcp=True, limits=limits) as here:
            reader, writer = await self.opened(here.address[1])
            async with asyncio.timeout(5):
                assert await gone(reader)
            assert here.counts["idle"] == 1
            writer.close()


async def gone(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True
