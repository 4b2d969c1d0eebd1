"""Trunks that we register with, and that are watched.  RFC 3261 sections 10.2 and 11."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from sip_carriers import Phone, carrier
from sip_peer import Sender, field, invite
from sip_provider import Provider, provider

from offhook import clock
from offhook.carriers.sip_carrier import Pong, SipCarrier
from offhook.carriers.trunks import Trunk
from offhook.sip import digest
from offhook.sip.message import Request, Response, respond


def trunk(**more: Any) -> Trunk:
    given = {"address": "127.0.0.8", "username": "us", "password": "secret", "register": True}
    return Trunk("berlin", **given | more)


def state(opened: SipCarrier) -> dict[str, Any]:
    [only] = opened.upstream.told()
    return only


class TestRegistering:
    async def test_the_challenge_is_met_and_the_registration_refreshed_in_time(self):
        far, login = await provider(), digest.Server("p", b"k", lambda: "e" * 32, ("MD5",))

        def answer(request: Request) -> Response:
            verdict, _ = login.check(
                request.values("authorization"), "REGISTER", request.uri, b"", {"us": "secret"}, 0
            )
            if verdict != "right":
                fields = [("WWW-Authenticate", each) for each in login.challenges(0)]
                return respond(request, 401, fields, tag="p")
            contact = request.get("contact").partition(";expires")[0]
            return respond(request, 200, [("Contact", f"{contact};expires=1000")], tag="p")

        far.answer = answer
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(),)) as opened:
            await asyncio.sleep(1)
            assert state(opened)["registered"] == "registered"
            await asyncio.sleep(899)
            first, again = far.times()[1], far.times()[2]
            assert again - first == pytest.approx(850, abs=1)
            requests = [request for _, request in far.asked]
            assert len({request.call_id for request in requests}) == 1
            numbers = [request.cseq.number for request in requests]
            assert numbers == sorted(set(numbers))
            assert requests[0].get("contact") == "<sip:us@127.0.0.2:5060>;expires=3600"

    @pytest.mark.parametrize(
        ("ours", "after"), [("us@127.0.0.2:5060", 850), ("us@192.0.2.9:1024", 2550)]
    )
    async def test_others_may_be_registered_as_the_same_user(self, ours: str, after: float):
        """The second time NAT had ours written anew: then it is the one that lasts longest."""
        far = await provider()
        lasting = (("us@127.0.0.5:5060", 100), (ours, 1000), ("us@127.0.0.6:5060", 3000))
        told = ", ".join(f"<sip:{where}>;expires={seconds}" for where, seconds in lasting)
        far.answer = lambda request: respond(request, 200, [("Contact", told)], tag="p")
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(),)):
            await asyncio.sleep(2600)
            first, again = far.times()[:2]
            assert again - first == pytest.approx(after, abs=1)

    async def test_a_registrar_that_wants_longer_gets_it(self):
        far = await provider()

        def answer(request: Request) -> Response:
            if int(request.get("expires")) < 7200:
                return respond(request, 423, [("Min-Expires", "7200")], tag="p")
            return respond(request, 200, tag="p")

        far.answer = answer
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(),)) as opened:
            await asyncio.sleep(1)
            assert state(opened)["registered"] == "registered"
            assert [request.get("expires") for _, request in far.asked] == ["3600", "7200"]

    async def test_a_refusal_is_tried_again_ever_more_rarely(self):
        far = await provider()
        far.answer = lambda request: respond(request, 403, tag="p")
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(),)) as opened:
            await asyncio.sleep(1)
            assert state(opened)["registered"] == "refused"
            await asyncio.sleep(24 * 3600)
            times = far.times()
            waits = [b - a for a, b in itertools.pairwise(times)]
            for number, wait in enumerate(waits):
                longest = min(1800, 30 * 2**number)
                assert longest / 2 <= wait <= longest + 1
            far.answer = lambda request: respond(request, 200, tag="p")
            await asyncio.sleep(1801)
            assert state(opened)["registered"] == "registered"

    async def test_a_new_failure_is_the_first_again(self):
        far = await provider()
        far.answer = refusing = lambda request: respond(request, 403, tag="p")
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(),)) as opened:
            await asyncio.sleep(3600)
            far.answer = lambda request: respond(request, 200, tag="p")
            await asyncio.sleep(1801)
            assert state(opened)["registered"] == "registered"
            far.answer, before = refusing, len(far.asked)
            await asyncio.sleep(3600)
            first, again = far.times()[before : before + 2]
            assert again - first <= 31

    @pytest.mark.parametrize(
        ("when", "seconds"), [("300 (maintenance)", 300), ("99999;duration=1", 1800)]
    )
    async def test_one_that_says_when_is_asked_then(self, when: str, seconds: int):
        """RFC 3261 section 20.33; not for ever."""
        far = await provider()
        told = [("Retry-After", when)]
        far.answer = lambda request: respond(request, 503, told, tag="p")
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(),)):
            await asyncio.sleep(seconds + 100)
            first, again = far.times()[:2]
            assert again - first == pytest.approx(seconds, abs=1)

    async def test_one_that_asks_for_no_longer_than_it_was_asked_for_refuses(self):
        far = await provider()
        far.answer = lambda request: respond(request, 423, [("Min-Expires", "3600")], tag="p")
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(),)) as opened:
            await asyncio.sleep(10)
            assert len(far.asked) == 1
            assert state(opened)["registered"] == "refused"

    async def test_what_comes_from_one_that_refused_us_is_not_its_call(self):
        phone, far = Phone(), await provider("127.0.0.1", 5080)
        far.answer = lambda request: respond(request, 403, tag="p")
        async with carrier("127.0.0.2", phone, trunks=(trunk(address="localhost:5080"),)) as here:
            await asyncio.sleep(10)
            loop = asyncio.get_running_loop()
            _, peer = await loop.create_datagram_endpoint(Sender, local_addr=("127.0.0.1", 5060))
            peer.says(invite("127.0.0.1"))
            await peer.hears("SIP/2.0 200")
            assert here.load.trunks == {"berlin": 0}

    async def test_our_name_there_may_be_any(self):
        far = await provider()
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(username="us@home #1"),)):
            await asyncio.sleep(1)
            assert far.last().get("contact").startswith("<sip:us%40home%20%231@127.0.0.2:5060>")
            assert far.last().get("to") == "<sip:us%40home%20%231@127.0.0.8>"

    async def test_a_registrar_that_is_silent_is_unreachable(self):
        far = await provider()
        far.answer = lambda request: None
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(),)) as opened:
            await asyncio.sleep(33)
            assert state(opened)["registered"] == "unreachable"

    async def test_closing_takes_it_back(self):
        far = await provider()
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(),)):
            await asyncio.sleep(1)
        assert far.last().get("expires") == "0"

    async def test_closing_waits_for_no_trunk_that_is_silent(self):
        far = await provider()
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(),)):
            await asyncio.sleep(1)
            far.answer = lambda request: None
            began = clock.now()
        assert clock.now() - began < 8

    async def test_calls_come_from_where_we_registered_and_are_for_the_number_in_to(self):
        """The address of the trunk is a name, so nobody could have allowed it by hand."""
        phone = Phone()
        async with carrier("127.0.0.2", phone, trunks=(trunk(address="localhost:5080"),)):
            loop = asyncio.get_running_loop()
            await loop.create_datagram_endpoint(Provider, local_addr=("127.0.0.1", 5080))
            await asyncio.sleep(70)
            _, peer = await loop.create_datagram_endpoint(Sender, local_addr=("127.0.0.1", 5060))
            to = "<sip:+15550004444@127.0.0.2>"
            data = invite("127.0.0.1", to=to).replace(b"sip:+15550001111@", b"sip:us@", 1)
            peer.says(data)
            answer = await peer.hears("SIP/2.0 200")
            assert field(answer, "To").startswith(to)
            assert phone.called == [("+15550004444", "+15550009999")]


class TestWatching:
    async def test_a_trunk_is_asked_every_so_often_and_seen_to_go_and_come(self):
        far = await provider()
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(register=False, watch=60),)) as here:
            await asyncio.sleep(121)
            assert far.times("OPTIONS") == [pytest.approx(at, abs=0.1) for at in (0, 60, 120)]
            assert (state(here)["reachable"], state(here)["status"]) == (True, 200)
            far.answer = lambda request: None
            await asyncio.sleep(100)
            assert (state(here)["reachable"], state(here)["status"]) == (False, 0)
            far.answer = lambda request: respond(request, 404, tag="p")
            await asyncio.sleep(100)
            assert (state(here)["reachable"], state(here)["status"]) == (True, 404)

    async def test_its_challenge_is_met_and_it_is_asked_by_its_proxy(self):
        far, login = await provider(), digest.Server("p", b"k", lambda: "e" * 32, ("MD5",))

        def answer(request: Request) -> Response:
            given, known = request.values("authorization"), {"us": "secret"}
            verdict, _ = login.check(given, "OPTIONS", request.uri, b"", known, 0)
            fields = [("WWW-Authenticate", each) for each in login.challenges(0)]
            return respond(request, 200 if verdict == "right" else 401, fields, tag="p")

        far.answer = answer
        watched = trunk(register=False, address="far.example", proxy="127.0.0.8")
        async with carrier("127.0.0.2", Phone(), trunks=(watched,)) as here:
            assert (await here.options(watched)).status == 200
            assert far.last("OPTIONS").uri == "sip:far.example"
            assert far.last("OPTIONS").values("route") == ["<sip:127.0.0.8;lr>"]

    def test_who_is_refused_for_who_he_is_is_not_well(self):
        asked = (0, 200, 401, 403, 404, 407, 503)
        well = [status for status in asked if Pong("t", "", status, "", 0).healthy]
        assert well == [200, 404, 503]

    async def test_with_0_it_is_left_in_peace(self):
        far = await provider()
        async with carrier("127.0.0.2", Phone(), trunks=(trunk(register=False, watch=0),)) as here:
            await asyncio.sleep(1000)
            assert far.asked == []
            assert state(here)["reachable"] is None
