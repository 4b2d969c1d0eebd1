"""Legs that are sent elsewhere, and calls that move from one phone to another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sip_carriers import Phone, carrier, not_ringing, target, traced
from sip_peer import SDP, ack, field, invite, sender, sender_call

from offhook.carriers.sip_leg import SipLeg
from offhook.line.leg import HungUp
from offhook.sip.referral import Referral


async def test_the_far_end_is_sent_elsewhere_and_tells_how_that_went():
    asked: list[str] = []

    async with carrier("127.0.0.1", Phone()) as caller, carrier("127.0.0.2", phone := Phone()):
        leg = await caller.dial(target(), not_ringing)
        far: Any = phone.leg

        def go(referral: Referral, to: str) -> None:
            asked.append(to)
            referral.take(asyncio.get_running_loop().time())
            referral.tell(486, asyncio.get_running_loop().time())

        far.on_refer = go
        assert isinstance(leg, SipLeg)
        assert await leg.refer("sip:carol@127.0.0.3", (("X-Why", "lunch"),)) == 486
        assert asked == ["sip:carol@127.0.0.3"]
        refer = next(
            data["text"] for kind, data in traced(far) if data.get("text", "").startswith("REFER")
        )
        assert field(refer, "X-Why") == "lunch"


async def test_a_phone_that_nobody_wants_to_send_elsewhere_declines():
    async with carrier("127.0.0.1", Phone()) as caller, carrier("127.0.0.2", Phone()):
        leg = await caller.dial(target(), not_ringing)
        assert isinstance(leg, SipLeg)
        assert await leg.refer("sip:carol@127.0.0.3") == 603


async def test_a_leg_that_ends_meanwhile_is_hung_up():
    async with carrier("127.0.0.1", Phone()) as caller, carrier("127.0.0.2", phone := Phone()):
        leg = await caller.dial(target(), not_ringing)
        far: Any = phone.leg
        far.on_refer = lambda referral, to: asyncio.get_running_loop().call_later(
            1, lambda: hanging.append(asyncio.ensure_future(far.hang_up()))
        )
        hanging: list[asyncio.Future[None]] = []
        assert isinstance(leg, SipLeg)
        with pytest.raises(HungUp):
            await leg.refer("sip:carol@127.0.0.3")


class TestReplaces:
    async def test_another_phone_takes_a_call_over_and_nobody_notices(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            first = await sender_call("127.0.0.1")
            second = await sender("127.0.0.4")
            to = field(first.answer, "To").partition("tag=")[2]
            replaces = f"Replaces: raw@127.0.0.1;to-tag={to};from-tag=a"
            second.says(invite("127.0.0.4", None, replaces, branch="other"))
            answer = await second.hears("SIP/2.0 200")
            second.says(ack("127.0.0.4", field(answer, "To")))
            await first.hears("BYE")
            await asyncio.sleep(5)
            assert not phone.leg.ended.done()
            assert len(phone.legs) == 1
            hanging = asyncio.ensure_future(phone.leg.hang_up())
            await second.hears("BYE")
            await hanging

    async def test_without_a_common_codec_the_call_stays_where_it_is(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            first = await sender_call("127.0.0.1")
            second = await sender("127.0.0.4")
            to = field(first.answer, "To").partition("tag=")[2]
            replaces = f"Replaces: raw@127.0.0.1;to-tag={to};from-tag=a"
            body = SDP.format(host="127.0.0.4").replace("0 101", "18")
            second.says(invite("127.0.0.4", body, replaces, branch="other"))
            await second.hears("SIP/2.0 488")
            await asyncio.sleep(1)
            assert not phone.leg.ended.done()

    async def test_a_call_that_is_not_there_is_481(self):
        async with carrier("127.0.0.2", Phone()):
            second = await sender("127.0.0.4")
            second.says(invite("127.0.0.4", None, "Replaces: x;to-tag=1;from-tag=2"))
            await second.hears("SIP/2.0 481")
