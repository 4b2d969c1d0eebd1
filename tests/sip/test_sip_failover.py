"""The next server, and the next trunk, when one fails.  RFC 3263 section 4.3."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sip_carriers import Phone, Zone, carrier, not_ringing, target
from sip_provider import Provider, provider

from offhook import clock
from offhook.carriers.sip_carrier import SipCarrier
from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError
from offhook.line.leg import Leg
from offhook.sip.location import Srv
from offhook.sip.message import Request, Response, respond

NUMBER = "+15550001111"
PAIR = {
    "SRV": {
        "_sip._udp.pair.example": [Srv(2, 0, 5060, "b.example."), Srv(1, 0, 5060, "a.example.")],
    },
    "A": {"a.example": ["127.0.0.8"], "b.example": ["127.0.0.2"], "only.example": ["127.0.0.2"]},
}  # fmt: skip


def refusing(status: int, *fields: tuple[str, str]) -> Callable[[Request], Response | None]:
    def answer(request: Request) -> Response | None:
        return None if request.method == "ACK" else respond(request, status, fields, tag="p")

    return answer


def silent(request: Request) -> None:
    return None


async def first(answer: Callable[[Request], Response | None], host: str = "127.0.0.8") -> Provider:
    """The server, or trunk, that is tried first."""
    made = await provider(host)
    made.answer = answer
    return made


async def hang_up(leg: Leg) -> None:
    await leg.hang_up()


class TestServers:
    """Of one name, in the order of its SRV records."""

    async def test_the_next_is_tried_when_one_says_nothing(self):
        one, phone = await first(silent), Phone()
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), dns=Zone(**PAIR)) as here,
        ):
            began = clock.now()
            leg = await here.dial(target("sip:bob@pair.example"), not_ringing)
            assert clock.now() - began == pytest.approx(4, abs=0.5)
            assert len(one.times("INVITE")) == 4  # as often as a datagram is repeated in that time
            assert here.counts["server failover"] == 1
            assert len(phone.legs) == 1
            await leg.hang_up()

    async def test_the_next_is_tried_when_one_says_503(self):
        one, phone = await first(refusing(503)), Phone()
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), dns=Zone(**PAIR)) as here,
        ):
            leg = await here.dial(target("sip:bob@pair.example"), not_ringing)
            assert len(one.times("INVITE")) == 1
            await leg.hang_up()

    @pytest.mark.parametrize("status", [404, 486, 480, 488, 500, 603])
    async def test_what_is_said_of_the_call_is_not_asked_twice(self, status: int):
        await first(refusing(status))
        phone = Phone()
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), dns=Zone(**PAIR)) as here,
        ):
            with pytest.raises(CarrierError) as refused:
                await here.dial(target("sip:bob@pair.example"), not_ringing)
            assert refused.value.code == status
            assert phone.called == []

    @pytest.mark.parametrize(
        ("fields", "seconds"),
        [((), 30), ((("Retry-After", "120"),), 120), ((("Retry-After", "9999 (busy)"),), 600)],
    )
    async def test_one_that_failed_is_left_in_peace_for_as_long_as_it_asks(
        self, fields: tuple[tuple[str, str], ...], seconds: float
    ):
        one = await first(refusing(503, *fields))
        async with (
            carrier("127.0.0.2", Phone()),
            carrier("127.0.0.1", Phone(), dns=Zone(**PAIR)) as here,
        ):
            asked = []
            for wait in (0, seconds - 2, 4):
                await asyncio.sleep(wait)
                await hang_up(await here.dial(target("sip:bob@pair.example"), not_ringing))
                asked.append(len(one.times("INVITE")))
            assert asked == [1, 1, 2]

    async def test_one_that_answers_again_is_tried_before_one_that_failed(self):
        a, b = await first(refusing(503)), await first(refusing(486), "127.0.0.2")
        async with carrier("127.0.0.1", Phone(), dns=Zone(**PAIR)) as here:
            for status in (486, 503, 486, 486):
                b.answer = refusing(status)
                with pytest.raises(CarrierError) as refused:
                    await here.dial(target("sip:bob@pair.example"), not_ringing)
                assert refused.value.code == status
            assert (len(a.times("INVITE")), len(b.times("INVITE"))) == (3, 4)

    async def test_when_all_of_them_fail_the_last_has_all_its_time(self):
        await first(silent)
        await first(silent, "127.0.0.2")
        async with carrier("127.0.0.1", Phone(), dns=Zone(**PAIR)) as here:
            with pytest.raises(CarrierError) as refused:
                await here.dial(target("sip:bob@pair.example"), not_ringing)
            assert refused.value.code == 503
            assert clock.now() == pytest.approx(4 + 32, abs=0.5)

    async def test_one_that_said_anything_has_all_its_time(self):
        slow, phone = await first(lambda request: respond(request, 100)), Phone()
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), dns=Zone(**PAIR)) as here,
        ):
            dialing = asyncio.ensure_future(here.dial(target("sip:bob@pair.example"), not_ringing))
            await asyncio.sleep(60)
            assert phone.called == []
            slow.answer = lambda request: respond(request, 200, tag="p")
            dialing.cancel()
            await asyncio.gather(dialing, return_exceptions=True)

    async def test_one_that_answers_too_late_is_told_that_nobody_waits(self):
        one, phone = await first(silent), Phone()
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), dns=Zone(**PAIR)) as here,
        ):
            leg = await here.dial(target("sip:bob@pair.example"), not_ringing)
            one.answer = lambda request: (
                respond(request, 180, tag="p") if request.method == "INVITE" else None
            )
            await asyncio.sleep(10)
            assert one.times("CANCEL")
            assert not leg.ended.done()
            await leg.hang_up()

    async def test_a_name_is_asked_for_anew_when_its_time_is_over(self):
        zone = Zone(ttl=100, **PAIR)
        async with (
            carrier("127.0.0.2", Phone()),
            carrier("127.0.0.1", Phone(), dns=zone) as here,
        ):
            asked = []
            for wait in (0, 90, 20):
                await asyncio.sleep(wait)
                zone.asked.clear()
                uri = target("sip:bob@only.example;transport=udp")
                await hang_up(await here.dial(uri, not_ringing))
                asked.append([question.kind for question in zone.asked])
            assert asked == [["SRV", "A"], ["SRV"], ["A"]]  # what is not there, for 30 seconds

    async def test_a_name_that_nobody_knows_any_more_leads_where_it_led(self):
        zone = Zone(ttl=10, **PAIR)
        async with carrier("127.0.0.2", Phone()), carrier("127.0.0.1", Phone(), dns=zone) as here:
            await hang_up(await here.dial(target("sip:bob@only.example"), not_ringing))
            await asyncio.sleep(1000)
            zone.answers = False
            await hang_up(await here.dial(target("sip:bob@only.example"), not_ringing))

    async def test_while_dns_is_silent_nobody_waits_for_it_twice(self):
        zone = Zone(**PAIR)
        zone.answers, zone.error = False, TimeoutError("silence")
        async with carrier("127.0.0.1", Phone(), dns=zone) as here:
            asked = []
            for wait in (0, 4, 2):
                await asyncio.sleep(wait)
                with pytest.raises(CarrierError):
                    await here.dial(target("sip:bob@only.example"), not_ringing)
                asked.append(len(zone.asked))
            assert asked == [1, 1, 2]

    async def test_requests_in_a_dialog_go_to_names_too(self):
        """The Contact of the called side is a name without a port."""
        zone, one = Zone(**PAIR), await provider()

        def answer(request: Request) -> Response | None:
            contact = ("Contact", "<sip:bob@pair.example>")
            sdp = request.body.replace(b"127.0.0.1", b"127.0.0.8")
            if request.method == "ACK":
                return None
            body = sdp if request.method == "INVITE" else b""
            fields = (contact, ("Content-Type", "application/sdp")) if body else ()
            return respond(request, 200, fields, tag="p", body=body)

        one.answer = answer
        async with carrier("127.0.0.1", Phone(), dns=zone) as here:
            leg = await here.dial(target("sip:bob@127.0.0.8"), not_ringing)
            await leg.hang_up()
            assert [request.method for _, request in one.asked] == ["INVITE", "ACK", "BYE"]


class TestOtherRequests:
    """REGISTER and OPTIONS go on to the next server as well."""

    @pytest.mark.parametrize(("status", "seconds"), [(0, 4), (503, 0)])
    async def test_a_registrar_that_fails_leaves_it_to_the_next(self, status: int, seconds: float):
        await first(refusing(status) if status else silent)
        spare = await first(refusing(200), "127.0.0.2")
        trunk = Trunk("t", address="pair.example", username="u", password="p", register=True)
        async with carrier("127.0.0.1", Phone(), dns=Zone(**PAIR), trunks=(trunk,)) as here:
            await asyncio.sleep(seconds + 1)
            assert told(here)["t"]["registered"] == "registered"
            assert told(here)["t"]["found_at"] == "UDP 127.0.0.2:5060"
            assert spare.times() == [pytest.approx(seconds, abs=0.5)]

    async def test_a_trunk_is_there_when_any_of_its_servers_is(self):
        await first(silent)
        await first(refusing(200), "127.0.0.2")
        trunk = Trunk("t", address="pair.example", watch=60)
        async with carrier("127.0.0.1", Phone(), dns=Zone(**PAIR), trunks=(trunk,)) as here:
            await asyncio.sleep(6)
            assert told(here)["t"]["reachable"] is True


def trunks(**more: Any) -> tuple[Trunk, ...]:
    return (
        Trunk("main", address="127.0.0.8", **more),
        Trunk("spare", address="127.0.0.2"),
    )


def told(here: SipCarrier) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in here.upstream.told()}


class TestTrunks:
    @pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
    async def test_one_that_is_not_able_leaves_the_call_to_the_next(self, status: int):
        await first(refusing(status))
        phone = Phone()
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), trunks=trunks()) as here,
        ):
            await hang_up(await here.dial(target(NUMBER), not_ringing))
            assert len(phone.legs) == 1
            assert here.counts["trunk failover"] == 1
            main, spare = told(here)["main"], told(here)["spare"]
            assert (main["calls"], main["failed"]) == (1, 1)
            assert main["failing"].startswith(str(status))
            assert (spare["calls"], spare["failed"], spare["failing"]) == (1, 0, "")

    @pytest.mark.parametrize(("status", "calls"), [(403, 1), (500, 0), (408, 0), (503, 1)])
    async def test_what_its_refusals_mean_may_be_said_of_it(self, status: int, calls: int):
        """503 is no answer whatever is said."""
        await first(refusing(status))
        phone = Phone()
        main, spare = trunks()
        main = replace(main, failover_on=(403,))
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), trunks=(main, spare)) as here,
        ):
            dialing = asyncio.ensure_future(here.dial(target(NUMBER), not_ringing))
            await asyncio.wait([dialing])
            error = dialing.exception()
            assert (error.code if isinstance(error, CarrierError) else 0) == (not calls) * status
            assert len(phone.legs) == calls
            assert here.counts["trunk failover"] == calls

    async def test_no_other_of_its_servers_is_asked_what_one_was_not_able_to(self):
        await first(refusing(500))
        second = await first(refusing(500), "127.0.0.2")
        both = Trunk("main", address="pair.example"), Trunk("spare", address="127.0.0.3")
        async with (
            carrier("127.0.0.3", Phone()),
            carrier("127.0.0.1", Phone(), dns=Zone(**PAIR), trunks=both) as here,
        ):
            await hang_up(await here.dial(target(NUMBER), not_ringing))
            assert here.counts["trunk failover"] == 1
            assert second.asked == []

    async def test_one_that_says_nothing_leaves_it_to_the_next_at_once_the_second_time(self):
        main = await first(silent)
        async with (
            carrier("127.0.0.2", Phone()),
            carrier("127.0.0.1", Phone(), trunks=trunks()) as here,
        ):
            waits = []
            for _ in range(2):
                began = clock.now()
                leg = await here.dial(target(NUMBER), not_ringing)
                waits.append(clock.now() - began)
                await leg.hang_up()
            assert waits == [pytest.approx(4, abs=0.5), pytest.approx(0, abs=0.5)]
            assert len({request.call_id for _, request in main.asked}) == 1

    async def test_one_without_an_address_leaves_it_to_the_next(self):
        nowhere = Trunk("nowhere", address="nobody.example")
        async with (
            carrier("127.0.0.2", Phone()),
            carrier("127.0.0.1", Phone(), trunks=(nowhere, trunks()[1])) as here,
        ):
            await hang_up(await here.dial(target(NUMBER), not_ringing))
            assert told(here)["nowhere"]["failing"] == "503 nobody.example has no address"

    @pytest.mark.parametrize("status", [403, 404, 480, 486, 487, 501, 600, 603])
    async def test_a_refusal_is_final(self, status: int):
        await first(refusing(status))
        phone = Phone()
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), trunks=trunks()) as here,
        ):
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(NUMBER), not_ringing)
            assert (refused.value.code, phone.called) == (status, [])
            assert (told(here)["main"]["calls"], told(here)["main"]["failed"]) == (1, 0)

    async def test_who_rang_is_not_called_by_another_way(self):
        """A 408 or 503 after it rang is nobody's answer, not a trunk's failure."""
        statuses = iter([180, 503])

        def answer(request: Request) -> Response | None:
            if request.method == "ACK":
                return None
            main.transport.sendto(respond(request, 180, tag="p").encode(), ("127.0.0.1", 5060))
            return respond(request, 503, tag="p") if next(statuses) == 180 else None

        main, phone = await first(silent), Phone()
        main.answer = answer
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), trunks=trunks()) as here,
        ):
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(NUMBER), not_ringing)
            assert (refused.value.code, phone.called) == (503, [])

    async def test_one_that_is_seen_down_is_tried_last(self):
        main, phone = await first(silent), Phone()
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), trunks=trunks(watch=60)) as here,
        ):
            await asyncio.sleep(40)
            assert told(here)["main"]["reachable"] is False
            await hang_up(await here.dial(target(NUMBER), not_ringing))
            assert main.times("INVITE") == []
            main.answer = lambda request: respond(request, 200, tag="p")
            await asyncio.sleep(60)
            main.answer = refusing(486)
            with pytest.raises(CarrierError):
                await here.dial(target(NUMBER), not_ringing)
            assert len(main.times("INVITE")) == 1

    async def test_one_that_recovers_is_taken_again(self):
        main, phone = await first(refusing(503)), Phone()
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), trunks=trunks()) as here,
        ):
            await hang_up(await here.dial(target(NUMBER), not_ringing))
            main.answer = refusing(486)
            await asyncio.sleep(31)
            with pytest.raises(CarrierError):
                await here.dial(target(NUMBER), not_ringing)
            assert told(here)["main"]["failing"] == ""
            assert (told(here)["main"]["calls"], told(here)["main"]["failed"]) == (2, 1)

    async def test_one_whose_fault_it_is_not_is_asked_again_at_once(self):
        """A 500 is of this call, as far as anybody knows; a 503 is of the server."""
        main = await first(refusing(500))
        async with (
            carrier("127.0.0.2", Phone()),
            carrier("127.0.0.1", Phone(), trunks=trunks()) as here,
        ):
            for _ in range(2):
                await hang_up(await here.dial(target(NUMBER), not_ringing))
            assert len(main.times("INVITE")) == 2

    async def test_one_that_carried_a_call_is_first_again(self):
        main = await first(refusing(503, ("Retry-After", "500")))
        spare = await first(refusing(503), "127.0.0.2")
        async with carrier("127.0.0.1", Phone(), trunks=trunks()) as here:
            for status in (503, 486, 486):
                with pytest.raises(CarrierError) as refused:
                    await here.dial(target(NUMBER), not_ringing)
                assert refused.value.code == status
                main.answer = refusing(486)
                await asyncio.sleep(17)  # twice that is more than the spare one is avoided for
            assert (len(main.times("INVITE")), len(spare.times("INVITE"))) == (3, 1)

    async def test_all_of_them_down_is_a_refusal_that_counts(self):
        await first(refusing(503))
        await first(refusing(503), "127.0.0.2")
        async with carrier("127.0.0.1", Phone(), trunks=trunks()) as here:
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(NUMBER), not_ringing)
            assert refused.value.code == 503
            assert (here.counts["trunk failed"], here.counts["trunk failover"]) == (2, 1)

    async def test_an_emergency_call_stays_with_trunks_that_may_carry_it(self):
        await first(refusing(503))
        phone = Phone()
        given = (Trunk("main", address="127.0.0.8", emergency=True), trunks()[1])
        async with (
            carrier("127.0.0.2", phone),
            carrier("127.0.0.1", Phone(), trunks=given) as here,
        ):
            for number in ("911", "+911"):
                with pytest.raises(CarrierError) as refused:
                    await here.dial(target(number), not_ringing)
                assert refused.value.code == 503
            assert phone.called == []

    async def test_giving_up_ends_whichever_is_being_tried(self):
        main = await first(silent)
        async with (
            carrier("127.0.0.2", Phone(answers=False)) as there,
            carrier("127.0.0.1", Phone(), trunks=trunks()) as here,
        ):
            dialing = asyncio.ensure_future(here.dial(target(NUMBER), not_ringing))
            await asyncio.sleep(10)
            dialing.cancel()
            await asyncio.gather(dialing, return_exceptions=True)
            await asyncio.sleep(1)
            assert there.counts["refused"] == 0
            assert main.times("BYE") == []
            assert dialing.cancelled()
