"""Legs that are sent elsewhere, and calls that move from one phone to another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sip_carriers import Phone, carrier, not_ringing, target, traced
from sip_peer import SDP, Sender, ack, field, invite, sender, sender_call

from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError
from offhook.line.leg import HungUp, Transfer, Wish
from offhook.sip.message import Request, parse, respond


def request(text: str) -> Request:
    message = parse(text.encode())
    assert isinstance(message, Request)
    return message


async def test_the_far_end_is_sent_elsewhere_and_tells_how_that_went():
    asked: list[str] = []

    async with carrier("127.0.0.1", Phone()) as caller, carrier("127.0.0.2", phone := Phone()):
        leg = await caller.dial(target(), not_ringing)
        far: Any = phone.leg

        def go(wish: Wish) -> None:
            asked.append(wish.target)
            wish.tell(486)

        far.on_refer = go
        assert await leg.refer("sip:carol@127.0.0.3?X-Why=lunch") == Transfer(202, 486)
        assert asked == ["sip:carol@127.0.0.3?X-Why=lunch"]
        refer = next(
            data["text"] for kind, data in traced(far) if data.get("text", "").startswith("REFER")
        )
        assert field(refer, "Refer-To") == "<sip:carol@127.0.0.3?X-Why=lunch>"
        assert field(refer, "Referred-By").startswith("<sip:")


async def test_a_phone_that_nobody_wants_to_send_elsewhere_declines():
    async with carrier("127.0.0.1", Phone()) as caller, carrier("127.0.0.2", Phone()):
        leg = await caller.dial(target(), not_ringing)
        assert await leg.refer("sip:carol@127.0.0.3") == Transfer(603)


async def test_one_that_says_nothing_is_not_waited_for_longer_than_three_minutes():
    async with carrier("127.0.0.1", Phone()) as caller, carrier("127.0.0.2", phone := Phone()):
        leg = await caller.dial(target(), not_ringing)
        far: Any = phone.leg
        far.on_refer = lambda wish: None
        began = asyncio.get_running_loop().time()
        assert await leg.refer("sip:carol@127.0.0.3") == Transfer(202, 100)
        assert 179 < asyncio.get_running_loop().time() - began < 182
        assert await leg.refer("sip:carol@127.0.0.3") == Transfer(491)


async def test_what_is_known_when_the_leg_ends_meanwhile_is_told():
    async with carrier("127.0.0.1", Phone()) as caller, carrier("127.0.0.2", phone := Phone()):
        leg = await caller.dial(target(), not_ringing)
        far: Any = phone.leg
        far.on_refer = lambda wish: asyncio.get_running_loop().call_later(
            1, lambda: hanging.append(asyncio.ensure_future(far.hang_up()))
        )
        hanging: list[asyncio.Future[None]] = []
        assert await leg.refer("sip:carol@127.0.0.3") == Transfer(202, 100)
        assert leg.ended.done()
        with pytest.raises(HungUp):
            await leg.refer("sip:carol@127.0.0.3")


@pytest.mark.parametrize("status", [481, 408])
async def test_a_phone_that_knows_of_no_call_has_none(status: int):
    """RFC 3261 section 12.2.1.2."""
    async with carrier("127.0.0.2", phone := Phone()):
        far = await sender_call("127.0.0.1")
        asking = asyncio.ensure_future(phone.leg.refer("sip:carol@127.0.0.3"))
        far.peer.says(respond(request(await far.hears("REFER")), status).encode())
        far.peer.says(respond(request(await far.hears("BYE")), 481).encode())
        assert await asking == Transfer(status)
        assert (await phone.leg.ended).by == "near"


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

    async def test_ours_take_a_place_with_us_where_strangers_may_not(self):
        phone, known = Phone(), Trunk("t", allow=("127.0.0.9",))
        async with carrier("0.0.0.0", phone, trunks=(known,)) as here:
            first = await sender_call("127.0.0.9")
            to = field(first.answer, "To").partition("tag=")[2]
            replaces = f"raw@127.0.0.9;to-tag={to};from-tag=a"
            stranger = await sender("127.0.0.8")
            stranger.says(invite("127.0.0.8", None, f"Replaces: {replaces}"))
            await stranger.hears("SIP/2.0 403")
            headers = (("Replaces", replaces),)
            leg = await here.dial(target("sip:x@127.0.0.77", headers=headers), not_ringing)
            await first.hears("BYE")
            await asyncio.sleep(1)
            assert not phone.leg.ended.done()
            assert len(phone.legs) == 1
            await leg.hang_up()
            assert (await phone.leg.ended).by == "far"

    async def test_a_phone_answers_for_one_that_rings(self):
        async with carrier("127.0.0.2", Phone()) as here:
            rings, other = await sender("127.0.0.1"), await sender("127.0.0.4")
            dialling = asyncio.ensure_future(here.dial(target("sip:x@127.0.0.1"), not_ringing))
            invited = await self.ringing(rings)
            other.says(invite("127.0.0.4", None, self.replaces(invited)))
            answer = await other.hears("SIP/2.0 200")
            other.says(ack("127.0.0.4", field(answer, "To")))
            leg = await dialling
            assert "Call completed elsewhere" in await rings.hears("CANCEL")
            assert dict(leg.about.params)["SipCallId"] == "raw@127.0.0.4"
            hanging = asyncio.ensure_future(leg.hang_up())
            bye = await other.hears("BYE")
            other.says(respond(request(bye), 200).encode())
            await hanging

    async def test_whoever_answers_at_that_moment_is_sent_home(self):
        async with carrier("127.0.0.2", Phone()) as here:
            rings, other = await sender("127.0.0.1"), await sender("127.0.0.4")
            dialling = asyncio.ensure_future(here.dial(target("sip:x@127.0.0.1"), not_ringing))
            invited = await self.ringing(rings)
            other.says(invite("127.0.0.4", None, self.replaces(invited)))
            answer = await other.hears("SIP/2.0 200")
            body = SDP.format(host="127.0.0.1").encode()
            fields = (("Contact", "<sip:127.0.0.1>"), ("Content-Type", "application/sdp"))
            rings.says(respond(invited, 200, fields, tag="ring", body=body).encode())
            await rings.hears("ACK")
            await rings.hears("BYE")
            other.says(ack("127.0.0.4", field(answer, "To")))
            leg = await dialling
            await asyncio.sleep(1)
            assert not leg.ended.done()

    async def test_one_that_does_so_and_says_no_more_has_not_answered(self):
        async with carrier("127.0.0.2", Phone()) as here:
            rings, other = await sender("127.0.0.1"), await sender("127.0.0.4")
            dialling = asyncio.ensure_future(here.dial(target("sip:x@127.0.0.1"), not_ringing))
            invited = await self.ringing(rings)
            other.says(invite("127.0.0.4", None, self.replaces(invited)))
            with pytest.raises(CarrierError) as refused:
                await dialling
            assert refused.value.code == 408

    async def test_a_call_that_rings_here_is_481(self):
        async with carrier("127.0.0.2", phone := Phone(answers=False)):
            first, second = await sender("127.0.0.1"), await sender("127.0.0.4")
            first.says(invite("127.0.0.1"))
            to = field(await first.hears("SIP/2.0 180"), "To").partition("tag=")[2]
            second.says(
                invite("127.0.0.4", None, f"Replaces: raw@127.0.0.1;to-tag={to};from-tag=a")
            )
            await second.hears("SIP/2.0 481")
            assert not phone.leg.ended.done()

    async def test_whose_lines_a_call_takes_is_the_trunks_that_it_goes_on_by(self):
        trunks = (Trunk("one", "127.0.0.1"), Trunk("two", "127.0.0.4"))
        async with carrier("127.0.0.2", Phone(), trunks=trunks) as here:
            first, second = await sender_call("127.0.0.1"), await sender("127.0.0.4")
            assert here.load.trunks == {"one": 1, "two": 0}
            to = field(first.answer, "To").partition("tag=")[2]
            replaces = f"Replaces: raw@127.0.0.1;to-tag={to};from-tag=a"
            second.says(invite("127.0.0.4", None, replaces, branch="other"))
            await second.hears("SIP/2.0 200")
            assert here.load.trunks == {"one": 0, "two": 1}

    async def ringing(self, phone: Sender) -> Request:
        """Lets a phone ring; the INVITE that it got."""
        invited = request(await phone.hears("INVITE"))
        phone.says(respond(invited, 180, tag="ring").encode())
        await asyncio.sleep(1)
        return invited

    def replaces(self, invited: Request) -> str:
        return f"Replaces: {invited.call_id};to-tag={invited.from_.tag};from-tag=ring"

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
