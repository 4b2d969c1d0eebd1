"""How many calls a trunk may have at a time, in and out."""

from __future__ import annotations

import asyncio

import pytest
from sip_carriers import Phone, carrier, not_ringing, target

from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError
from offhook.line.leg import Target

NUMBER = "+15550001111"


def number() -> Target:
    return target(NUMBER)


class TestCallsOut:
    TRUNKS = (Trunk("one", "127.0.0.2", calls=2), Trunk("two", "127.0.0.3", calls=1))

    async def test_those_that_one_trunk_may_not_have_go_to_the_next(self):
        one, two = Phone(), Phone()
        async with (
            carrier("127.0.0.2", one),
            carrier("127.0.0.3", two),
            carrier("127.0.0.1", Phone(), trunks=self.TRUNKS) as here,
        ):
            legs = [await here.dial(number(), not_ringing) for _ in range(3)]
            assert (len(one.legs), len(two.legs)) == (2, 1)
            assert here.load.trunks == {"one": 2, "two": 1}
            assert (here.counts["trunk full"], here.counts["trunk failover"]) == (1, 1)
            with pytest.raises(CarrierError, match="503 two has as many calls as it may"):
                await here.dial(number(), not_ringing)
            await legs[0].hang_up()
            await here.dial(number(), not_ringing)
            assert len(one.legs) == 3

    async def test_one_that_only_rings_counts(self):
        async with (
            carrier("127.0.0.2", Phone(answers=False)),
            carrier("127.0.0.1", Phone(), trunks=(Trunk("one", "127.0.0.2", calls=1),)) as here,
        ):
            ringing = asyncio.ensure_future(here.dial(number(), not_ringing))
            await asyncio.sleep(1)
            with pytest.raises(CarrierError) as refused:
                await here.dial(number(), not_ringing)
            assert refused.value.code == 503
            ringing.cancel()
            await asyncio.gather(ringing, return_exceptions=True)
            assert here.load.trunks == {"one": 0}

    async def test_without_a_limit_there_is_none(self):
        async with (
            carrier("127.0.0.2", Phone()),
            carrier("127.0.0.1", Phone(), trunks=(Trunk("one", "127.0.0.2"),)) as here,
        ):
            for _ in range(20):
                await here.dial(number(), not_ringing)
            assert here.counts["trunk full"] == 0


class TestCallsIn:
    async def test_one_too_many_is_503_with_the_time_to_come_back(self):
        phone = Phone()
        trunks = (Trunk("them", allow=("127.0.0.9/32",), calls=1),)
        async with (
            carrier("127.0.0.1", phone, trunks=trunks) as here,
            carrier("127.0.0.9", Phone()) as them,
        ):
            to = target(f"sip:{NUMBER}@127.0.0.1")
            leg = await them.dial(to, not_ringing)
            with pytest.raises(CarrierError) as refused:
                await them.dial(to, not_ringing)
            assert refused.value.code == 503
            assert (len(phone.legs), here.counts["trunk full"]) == (1, 1)
            await leg.hang_up()
            await them.dial(to, not_ringing)
            assert len(phone.legs) == 2

    async def test_calls_in_and_out_count_together(self):
        trunks = (Trunk("them", "127.0.0.9", calls=1),)
        async with (
            carrier("127.0.0.1", Phone(), trunks=trunks) as here,
            carrier("127.0.0.9", Phone()) as them,
        ):
            await them.dial(target(f"sip:{NUMBER}@127.0.0.1"), not_ringing)
            with pytest.raises(CarrierError, match="them has as many calls as it may"):
                await here.dial(number(), not_ringing)

    async def test_others_are_not_held_up_by_it(self):
        phone = Phone()
        trunks = (Trunk("them", allow=("127.0.0.9/32",), calls=1),)
        async with (
            carrier("127.0.0.1", phone, trunks=trunks),
            carrier("127.0.0.9", Phone()) as them,
            carrier("127.0.0.8", Phone()) as others,
        ):
            for end in (them, others, others):
                await end.dial(target(f"sip:{NUMBER}@127.0.0.1"), not_ringing)
            assert len(phone.legs) == 3
