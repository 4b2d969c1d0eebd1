"""NAT in front of us, and proxies: what we say where we are, and whom we take a request to be from.

RFC 3261 sections 18.2.1 and 16, RFC 3581.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from sip_carriers import Phone, carrier, not_ringing, target
from sip_ends import sip
from sip_peer import Sender, description, field, invite, sender
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from offhook import clock
from offhook.carriers.sip_carrier import SipCarrier
from offhook.carriers.sip_guard import Limits
from offhook.carriers.sip_places import Places
from offhook.carriers.sip_tls import Listeners
from offhook.carriers.trunks import Trunk

LAN, PUBLIC, SIX = "10.0.0.5", "203.0.113.5", "2001:db8::5"
HOME = ("10.0.0.0/8", "192.168.0.0/16", "fc00::/7")


@pytest.mark.parametrize(
    ("places", "own", "host", "first"),
    [
        (Places(), LAN, "198.51.100.1", LAN),
        (Places(PUBLIC, HOME), LAN, "198.51.100.1", PUBLIC),
        (Places(PUBLIC, HOME), LAN, "sip.example.com", PUBLIC),
        (Places(PUBLIC, HOME), LAN, "10.9.9.9", LAN),
        (Places(PUBLIC, HOME), "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        (Places(PUBLIC, ()), LAN, "10.9.9.9", PUBLIC),
        # In a container: the address of its host is private as well, and is what others reach.
        (Places("192.168.1.10", HOME), "172.17.0.2", "192.168.1.20", "192.168.1.10"),
        (Places("192.168.1.10", HOME), "172.17.0.2", "10.9.9.9", "172.17.0.2"),
        # There is no NAT for the other kind of address.
        (Places(PUBLIC, HOME), SIX, "2001:db8::9", SIX),
        (Places(SIX, HOME), LAN, "198.51.100.1", LAN),
        (Places(SIX, HOME), "fd00::1", "2001:db8::9", SIX),
    ],
)
def test_which_address_others_are_told(places: Places, own: str, host: str, first: str):
    assert places.ours(own, host)[0] == first


async def outside_and_inside(places: Places) -> list[tuple[str, str, str]]:
    """Via, Contact and address of sound in an INVITE to somebody outside, and to one inside."""
    told = []
    async with carrier("10.0.0.1", Phone(), places=places) as here:
        for host in ("198.51.100.1", "10.0.0.2"):
            peer = await sender(host)
            dialing = asyncio.ensure_future(here.dial(target(f"sip:bob@{host}"), not_ringing))
            text = await peer.hears("INVITE")
            sound = next(line for line in description(text).splitlines() if line[:2] == "c=")
            told.append((field(text, "Via").split(";")[0], field(text, "Contact"), sound))
            dialing.cancel()
    return told


async def test_who_is_outside_is_told_the_public_address_and_who_is_inside_ours():
    outside, inside = await outside_and_inside(Places(PUBLIC, HOME))
    assert outside == (
        f"SIP/2.0/UDP {PUBLIC}:5060", f"<sip:{PUBLIC}:5060>", f"c=IN IP4 {PUBLIC}"
    )  # fmt: skip
    assert inside == ("SIP/2.0/UDP 10.0.0.1:5060", "<sip:10.0.0.1:5060>", "c=IN IP4 10.0.0.1")


PROXY, CALLER, OTHER = "127.0.0.7", "198.51.100.9", "198.51.100.10"
BEHIND = Places(proxies=("127.0.0.7/32", "127.0.0.8/32"))


def passed_on(by: str, *vias: str) -> bytes:
    """An INVITE as a proxy hands it over, with the Via of each before it, the nearest first."""
    own = f"Via: SIP/2.0/UDP {by};rport;branch=z9hG4bK1"
    below = "".join(f"\r\nVia: {via}" for via in vias)
    return invite(by).replace(own.encode(), (own + below).encode())


async def answered(peer: Sender, data: bytes) -> str:
    peer.says(data)
    async with asyncio.timeout(20):
        while (answer := await peer.hears("SIP/2.0")).startswith("SIP/2.0 1"):
            pass
    return answer.split()[1]


@asynccontextmanager
async def with_a_call(places: Places, limits: Limits, **more: Any) -> AsyncIterator[SipCarrier]:
    """One that CALLER has had a call with for a second."""
    ann = Trunk("t", peer_username="ann", peer_password="secret")
    given = {"places": places, "limits": limits, "trunks": (ann,), "tcp": True} | more
    async with (
        carrier("127.0.0.1", Phone(), port=0, **given) as there,
        carrier(CALLER, Phone()) as phone,
    ):
        to = target(f"sip:x@127.0.0.1:{there.address[1]}", username="ann", password="secret")
        leg = await phone.dial(to, not_ringing)
        await asyncio.sleep(1)
        yield there
        await leg.hang_up()


class TestTrustedProxies:
    @pytest.mark.parametrize(
        ("vias", "origin"),
        [
            ((f"SIP/2.0/UDP {CALLER};branch=z9hG4bKa",), CALLER),
            ((f"SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKa;received={CALLER};rport=9",), CALLER),
            ((f"SIP/2.0/TCP phone.invalid;branch=z9hG4bKa;received={CALLER}",), CALLER),
            (("SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bKa",), "2001:db8::9"),
            # One proxy behind another.
            (("SIP/2.0/UDP 127.0.0.8;branch=z9hG4bKb", f"SIP/2.0/UDP {CALLER}"), CALLER),
            # What somebody says whom we do not trust is not looked at.
            ((f"SIP/2.0/UDP {CALLER};branch=z9hG4bKa", f"SIP/2.0/UDP {OTHER}"), CALLER),
            # The proxy itself is asking.
            ((), PROXY),
        ],
    )
    async def test_whom_a_request_is_from(self, vias: tuple[str, ...], origin: str):
        phone, trunk = Phone(), Trunk("t", allow=(origin,))
        async with carrier("0.0.0.0", phone, trunks=(trunk,), places=BEHIND):
            assert await answered(await sender(PROXY), passed_on(PROXY, *vias)) == "200"
            assert dict(phone.leg.about.params)["SipSourceIp"] == origin

    async def test_who_is_not_allowed_in_is_not_by_way_of_a_proxy(self):
        """Also where the proxy's own address is that of a trunk."""
        phone, trunk = Phone(), Trunk("t", allow=(CALLER,), address=PROXY)
        async with carrier("0.0.0.0", phone, trunks=(trunk,), places=BEHIND):
            peer, via = await sender(PROXY), f"SIP/2.0/UDP {OTHER};branch=z9hG4bKa"
            assert await answered(peer, passed_on(PROXY, via)) == "403"
        assert phone.called == []

    async def test_one_that_is_not_trusted_is_who_a_request_is_from(self):
        phone, trunk = Phone(), Trunk("t", allow=(CALLER,))
        async with carrier("0.0.0.0", phone, trunks=(trunk,), places=BEHIND):
            peer, via = await sender("127.0.0.9"), f"SIP/2.0/UDP {CALLER};branch=z9hG4bKa"
            assert await answered(peer, passed_on("127.0.0.9", via)) == "403"

    async def test_a_way_that_cannot_be_read_is_no_way_in(self):
        phone, trunk = Phone(), Trunk("t", address=PROXY)
        async with carrier("0.0.0.0", phone, trunks=(trunk,), places=BEHIND) as there:
            peer = await sender(PROXY)
            peer.says(passed_on(PROXY, f"SIP/2.0/UDP {OTHER};branch=z9hG4bKa", 'SIP/2.0 "'))
            await asyncio.sleep(5)
            assert (phone.called, there.counts["malformed"]) == ([], 1)

    async def test_each_who_comes_by_it_has_limits_of_his_own(self):
        strict = Limits(strikes=2)
        async with carrier("0.0.0.0", Phone(), places=BEHIND, limits=strict) as there:
            peer = await sender(PROXY)
            for number in range(5):
                data = passed_on(PROXY, f"SIP/2.0/UDP {CALLER};branch=z9hG4bKa")
                peer.says(data.replace(b"raw@", b"raw%d@" % number).replace(b"K1", b"K%d" % number))
            await asyncio.sleep(1)
            assert (there.counts["bans"], there.counts["banned"]) == (1, 2)
            assert await answered(peer, passed_on(PROXY, f"SIP/2.0/UDP {OTHER}")) == "403"

    async def test_it_may_be_wrong_about_who_talks_to_us(self):
        """He is not banned for it: what a proxy heard may have been a datagram, and forged."""
        proxied, strict = Places(proxies=("127.0.0.1/32",)), Limits(strikes=2)
        async with with_a_call(proxied, strict) as there:
            for number in range(5):
                data = invite("127.0.0.1", "", "Content-Length: 0", branch=str(number))
                data = data.replace(b"/UDP", b"/TCP").replace(b"raw@", b"raw%d@" % number)
                below = f"\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bKa\r\nFrom:".encode()
                with clock.outside("a proxy on a connection"):
                    reader, writer = await asyncio.open_connection("127.0.0.1", there.address[1])
                    writer.write(data.replace(b"\r\nFrom:", below))
                    assert (await reader.readline()).startswith(b"SIP/2.0 ")
                    writer.close()
            await asyncio.sleep(1)
            assert (there.counts["refused"], there.counts["bans"]) == (6, 0)

    async def test_the_sound_is_for_the_caller_and_the_answer_for_the_proxy(self):
        """The proxy is inside, and does not carry sound."""
        places = Places(PUBLIC, HOME, ("10.0.0.7/32",))
        phone, trunk = Phone(), Trunk("t", allow=(CALLER,))
        async with carrier("10.0.0.1", phone, trunks=(trunk,), places=places):
            peer = await sender("10.0.0.7")
            peer.says(passed_on("10.0.0.7", f"SIP/2.0/UDP {CALLER}"), "10.0.0.1")
            answer = await peer.hears("SIP/2.0 200")
            assert field(answer, "Contact") == "<sip:10.0.0.1:5060>"
            assert f"c=IN IP4 {PUBLIC}" in description(answer)


@pytest.mark.parametrize(
    ("header", "origin"),
    [
        (CALLER, CALLER),
        (f"{OTHER}, {CALLER}", CALLER),
        (f"{OTHER}, {CALLER}, 127.0.0.8", CALLER),
        ("[2001:db8::9]", "2001:db8::9"),
        ("unknown", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
async def test_whom_a_websocket_behind_a_proxy_is_from(header: str, origin: str):
    places, phone = Places(proxies=("127.0.0.0/8",)), Phone()
    trunk, listeners = Trunk("t", allow=(origin,)), Listeners(ws=("127.0.0.1", 0))
    async with carrier(
        "127.0.0.1", phone, port=0, listeners=listeners, trunks=(trunk,), places=places
    ) as there:
        url = f"ws://127.0.0.1:{there.listens('WS')[1]}"
        with clock.outside("a WebSocket"):
            web = await connect(
                url,
                subprotocols=[Subprotocol("sip")],
                additional_headers={"X-Forwarded-For": header},
            )
            await web.send(invite("127.0.0.1").decode().replace("/UDP", "/WS"))
            await web.recv()
        await asyncio.sleep(1)
        assert dict(phone.leg.about.params)["SipSourceIp"] == origin
        web.transport.abort()


async def test_who_is_banned_has_no_connection_either():
    """Neither has somebody who is known: a connection proves who it was."""
    places, listeners = Places(proxies=("127.0.0.0/8",)), Listeners(ws=("127.0.0.1", 0))
    async with with_a_call(places, Limits(strikes=1), listeners=listeners) as there:
        url = f"ws://127.0.0.1:{there.listens('WS')[1]}"
        told = {"X-Forwarded-For": CALLER}
        for _ in range(2):
            with clock.outside("a WebSocket"):
                web = await connect(url, subprotocols=[Subprotocol("sip")], additional_headers=told)
                with suppress(ConnectionClosed):
                    await web.send("nonsense")
                    await web.send("nonsense")
            await asyncio.sleep(1)
            web.transport.abort()
        assert (there.counts["bans"], there.counts["connections refused"]) == (1, 1)


async def test_the_sound_of_a_call_out_by_a_proxy_inside_is_for_whom_it_calls():
    places = Places(PUBLIC, HOME, ("10.0.0.7/32",))
    trunk = Trunk("t", address=CALLER, proxy="10.0.0.7")
    async with carrier("10.0.0.1", Phone(), trunks=(trunk,), places=places) as here:
        peer = await sender("10.0.0.7")
        dialing = asyncio.ensure_future(here.dial(target("+15550001111"), not_ringing))
        call = await peer.hears("INVITE")
        assert field(call, "Contact") == "<sip:10.0.0.1:5060>"
        assert f"c=IN IP4 {PUBLIC}" in description(call)
        dialing.cancel()


class TestRegisteredTrunks:
    """Outbound proxies and RFC 3608."""

    @pytest.mark.parametrize(
        ("proxy", "named", "routes", "first"),
        [
            ("", (), [], "127.0.0.9"),
            ("127.0.0.8", (), ["<sip:127.0.0.8;lr>"], "127.0.0.8"),
            ("", ("<sip:127.0.0.8;lr>",), ["<sip:127.0.0.8;lr>"], "127.0.0.8"),
            (
                "127.0.0.8", ("<sip:out@127.0.0.6;lr>",),
                ["<sip:127.0.0.8;lr>", "<sip:out@127.0.0.6;lr>"], "127.0.0.8",
            ),
            # What it names is by way of its proxy already.
            (
                "127.0.0.8", ("<sip:127.0.0.8;lr;x=1>", "<sip:out@127.0.0.6;lr>"),
                ["<sip:127.0.0.8;lr;x=1>", "<sip:out@127.0.0.6;lr>"], "127.0.0.8",
            ),
        ],
    )  # fmt: skip
    async def test_a_call_goes_by_the_proxies_that_were_named(
        self, proxy: str, named: tuple[str, ...], routes: list[str], first: str
    ):
        trunk = Trunk(
            "t", address="127.0.0.9", username="us", password="p", register=True, proxy=proxy
        )
        peers = {host: await sender(host) for host in ("127.0.0.8", "127.0.0.9")}
        async with carrier("127.0.0.2", Phone(), trunks=(trunk,)) as here:
            registrar = peers[proxy or "127.0.0.9"]
            register = await registrar.hears("REGISTER sip:127.0.0.9 ")
            assert field(register, "Supported") == "path"
            assert ("\r\nRoute: " in register) == bool(proxy)
            registrar.says(ok(register, *named))
            await asyncio.sleep(1)
            dialing = asyncio.ensure_future(here.dial(target("+15550001111"), not_ringing))
            call = await peers[first].hears("INVITE sip:+15550001111@127.0.0.9 ")
            lines = call.split("\r\n")
            assert [line[7:] for line in lines if line.startswith("Route: ")] == routes
            dialing.cancel()
            peers[first].says(ok(call).replace(b"200 OK", b"486 Busy"))
            await asyncio.gather(dialing, return_exceptions=True)

    async def test_a_registration_that_is_over_names_no_proxies_any_more(self):
        trunk = Trunk("t", address="127.0.0.9", username="us", password="p", register=True)
        peer, proxy = await sender("127.0.0.9"), await sender("127.0.0.8")
        async with carrier("127.0.0.2", Phone(), trunks=(trunk,)) as here:
            peer.says(ok(await peer.hears("REGISTER"), "<sip:127.0.0.8;lr>"))
            refresh = await later(peer, "REGISTER", 600)
            peer.says(ok(refresh).replace(b"200 OK", b"403 No"))
            await asyncio.sleep(1)
            dialing = asyncio.ensure_future(here.dial(target("+15550001111"), not_ringing))
            call = await peer.hears("INVITE")
            assert ("\r\nRoute: " in call, proxy.heard.qsize()) == (False, 0)
            dialing.cancel()
            peer.says(ok(call).replace(b"200 OK", b"486 Busy"))
            await asyncio.gather(dialing, return_exceptions=True)


async def later(peer: Sender, start: str, seconds: float) -> str:
    await asyncio.sleep(seconds)
    return await peer.hears(start)


def ok(request: str, *named: str) -> bytes:
    kept = ("Via:", "From:", "Call-ID:", "CSeq:")
    lines = [line for line in request.split("\r\n") if line.startswith(kept)]
    more = [f"To: {field(request, 'To')};tag=t", *(f"Service-Route: {each}" for each in named)]
    return sip("\n".join(["SIP/2.0 200 OK", *lines, *more, "Expires: 600"]))
