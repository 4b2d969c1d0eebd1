"""Two carriers call each other over UDP in memory, with real media planes.  RFC 3261, RFC 3264."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sip_carriers import Phone, Zone, carrier, first_lines, not_ringing, target, traced
from sip_peer import SDP, Sender, ack, description, field, invite, sender, sender_call

from offhook import clock
from offhook.carriers.sip_dns import Answer
from offhook.carriers.sip_places import Places
from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError
from offhook.line.leg import HungUp, Leg, Trace
from offhook.media.plane import RtpLeg
from offhook.sip import digest
from offhook.sip.location import Question
from offhook.sip.message import Request, parse, respond


async def keys_heard(leg: Leg, count: int) -> str:
    return "".join([await leg.media.keys.get() for _ in range(count)])


class TestCalls:
    async def test_a_call_out_is_a_call_in_at_the_other_side(self):
        phone, rang = Phone(), []
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone):
            leg = await here.dial(target(), lambda leg, early: rang.append((leg, early)))
            assert rang == [(leg, False)]
            await leg.hang_up()
            await asyncio.sleep(1)
            assert (await leg.ended).by == "near"
            assert (await phone.leg.ended).by == "far"
            assert (await phone.leg.ended).code == 200
        assert phone.called == [("+15550001111", "+15550002222")]

    async def test_keys_are_heard_in_both_directions(self):
        phone = Phone()
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone):
            leg = await here.dial(target(), not_ringing)
            await leg.media.send_digits("12#")
            await phone.leg.media.send_digits("9*0")
            async with asyncio.timeout(5):
                assert await keys_heard(phone.leg, 3) == "12#"
                assert await keys_heard(leg, 3) == "9*0"
            await leg.hang_up()

    async def test_the_called_side_hangs_up(self):
        phone = Phone()
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone):
            leg = await here.dial(target(), not_ringing)
            await phone.leg.hang_up()
            ended = await leg.ended
            assert (ended.by, ended.code) == ("far", 200)

    async def test_everything_is_safe_after_the_end(self):
        phone = Phone()
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone):
            leg = await here.dial(target(), not_ringing)
            await leg.hang_up()
            await asyncio.sleep(1)
            for each in (leg, phone.leg):
                await each.ring()
                await each.reject(486)
                await each.hang_up()
                with pytest.raises(HungUp):
                    await each.answer()

    async def test_answering_twice_is_answering_once(self):
        async def on_call(leg: Leg, to: str, from_: str) -> None:
            await asyncio.gather(leg.answer(), leg.answer())
            await leg.answer()
            await leg.hang_up()

        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", on_call):
            leg = await here.dial(target(), not_ringing)
            await leg.answer()
            await leg.ended

    async def test_an_invite_says_which_call_it_is(self):
        phone = Phone()
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone):
            headers = (("X-Order", "42"), ("Route", "<sip:evil>"))
            leg = await here.dial(
                target("sip:bob@127.0.0.2?X-From-Uri=1", headers=headers, from_name="Ann"),
                not_ringing,
            )
            about = phone.leg.about
            params = dict(about.params)
            assert params["SipHeader_X-Twilio-CallSid"] == "CA1"
            assert params["SipHeader_X-Twilio-AccountSid"] == "AC1"
            assert params["SipHeader_X-Order"] == "42"
            assert params["SipHeader_X-From-Uri"] == "1"
            assert params["SipSourceIp"] == "127.0.0.1"
            assert params["SipDomain"] == "127.0.0.2"
            assert about.caller_name == "Ann"
            assert dict(leg.about.params)["SipCallId"] == params["SipCallId"]
            await leg.hang_up()
        assert phone.called == [("sip:bob@127.0.0.2", "+15550002222")]

    async def test_the_signalling_is_kept_with_the_leg(self):
        phone = Phone(thinks=0.3)
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone):
            leg = await here.dial(target(), not_ringing)
            await leg.hang_up()
            await asyncio.sleep(1)
            assert first_lines(leg) == [
                "sent INVITE sip:+15550001111@127.0.0.2 SIP/2.0",
                "received SIP/2.0 100 Trying",
                "received SIP/2.0 180 Ringing",
                "received SIP/2.0 200 OK",
                "sent ACK sip:127.0.0.2:5060 SIP/2.0",
                "sent BYE sip:127.0.0.2:5060 SIP/2.0",
                "received SIP/2.0 200 OK",
            ]
            told = traced(phone.leg)
            assert [kind for kind, _ in told] == ["sip"] * 7 + ["sound"]
            assert told[0][1]["direction"] == "received"
            assert (told[0][1]["local"], told[0][1]["remote"]) == (
                "127.0.0.2:5060",
                "127.0.0.1:5060",
            )
            assert told[0][1]["transport"] == "UDP"
            assert told[-1][1]["packets_received"] >= 0

    async def test_who_rings_at_once_says_nothing_before(self):
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", Phone()):
            leg = await here.dial(target(), not_ringing)
            await leg.hang_up()
            heard = [line for line in first_lines(leg) if line.startswith("received")]
            assert heard[0] == "received SIP/2.0 180 Ringing"

    async def test_a_crash_in_the_platform_ends_that_call_alone(self, caplog: Any):
        async def crash(leg: Leg, to: str, from_: str) -> None:
            raise RuntimeError(to)

        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", crash):
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(), not_ringing)
            assert refused.value.code == 500

    async def test_also_one_that_is_up(self):
        async def crash(leg: Leg, to: str, from_: str) -> None:
            await leg.answer()
            raise RuntimeError(to)

        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", crash):
            leg = await here.dial(target(), not_ringing)
            async with asyncio.timeout(10):
                assert (await leg.ended).by == "far"


class TestRefusals:
    @pytest.mark.parametrize("code", [486, 404, 603, 503])
    async def test_a_refusal_is_an_error_of_the_network(self, code: int):
        async def reject(leg: Leg, to: str, from_: str) -> None:
            await leg.reject(code)
            await leg.reject(486)
            ended = await leg.ended
            assert (ended.by, ended.code) == ("near", code)

        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", reject):
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(), not_ringing)
            assert refused.value.code == code

    async def test_hanging_up_what_was_not_answered_is_480(self):
        async def hang_up(leg: Leg, to: str, from_: str) -> None:
            await leg.ring()
            await leg.hang_up()

        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", hang_up):
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(), not_ringing)
            assert refused.value.code == 480

    async def test_nobody_there_is_503_after_32_seconds_and_not_a_ring_timeout(self):
        async with carrier("127.0.0.1", Phone()) as here:
            began = clock.now()
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(), not_ringing)
            assert refused.value.code == 503
            assert clock.now() - began == pytest.approx(32)

    @pytest.mark.parametrize(
        ("to", "code"),
        [
            ("+15550001111", 404),
            ("client:tommy", 404),
            ("sip:", 404),
            ("sip:bob@127.0.0.2;transport=tls", 503),
            ("sips:bob@127.0.0.2", 503),
            ("sip:bob@127.0.0.2;transport=tcp", 503),
        ],
    )
    async def test_what_has_no_way_is_refused_at_once(self, to: str, code: int):
        async with carrier("127.0.0.1", Phone()) as here:
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(to), not_ringing)
            assert refused.value.code == code
            assert clock.now() == 0

    async def test_a_name_without_an_address_is_503(self):
        async with carrier("127.0.0.1", Phone()) as here:
            with pytest.raises(CarrierError) as refused:
                await here.dial(target("sip:bob@nobody.invalid"), not_ringing)
            assert refused.value.code == 503
            assert "nobody.invalid" in refused.value.reason

    async def test_without_a_free_media_port_calls_are_503(self):
        phone = Phone()
        async with (
            carrier("127.0.0.1", Phone(), ports=range(10000, 10002)) as here,
            carrier("127.0.0.2", phone),
        ):
            leg = await here.dial(target(), not_ringing)
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(), not_ringing)
            assert refused.value.code == 503
            await leg.hang_up()
            await asyncio.sleep(0.1)
            again = await here.dial(target(), not_ringing)
            await again.hang_up()

    async def test_headers_of_a_refusal_are_handed_on(self):
        async with carrier("127.0.0.1", Phone()) as here:
            peer = await sender("127.0.0.2")
            dialing = asyncio.ensure_future(here.dial(target(), not_ringing))
            heard = await peer.hears("INVITE")
            copied = "".join(
                f"{n}: {field(heard, n)}\r\n" for n in ("Via", "From", "Call-ID", "CSeq")
            )
            refusal = (
                f"SIP/2.0 480 Gone Fishing\r\n{copied}To: <sip:x@y>;tag=1\r\nX-Why: fish\r\n\r\n"
            )
            peer.says(refusal.encode(), "127.0.0.1")
            with pytest.raises(CarrierError) as refused:
                await dialing
            assert (refused.value.code, refused.value.reason) == (480, "Gone Fishing")
            assert refused.value.params[1:] == (("SipHeader_X-Why", "fish"),)

    async def test_who_answers_and_hangs_up_at_once_has_answered(self):
        async with carrier("127.0.0.1", Phone()) as here:
            peer = await sender("127.0.0.2")
            dialing = asyncio.ensure_future(here.dial(target(), not_ringing))
            invited = parse((await peer.hears("INVITE")).encode())
            assert isinstance(invited, Request)
            fields = (("Contact", "<sip:127.0.0.2>"), ("Content-Type", "application/sdp"))
            body = SDP.format(host="127.0.0.2").encode()
            peer.says(respond(invited, 200, fields, tag="b", body=body).encode(), "127.0.0.1")
            ours = (("From", f"{invited.get('to')};tag=b"), ("To", invited.get("from")))
            same = (("Call-ID", invited.call_id), ("CSeq", "1 BYE"))
            bye = Request((*ours, *same), b"", "BYE", "sip:127.0.0.1")
            bye = bye.via_first("SIP/2.0/UDP 127.0.0.2;branch=z9hG4bKbye")
            peer.says(bye.encode(), "127.0.0.1")
            leg = await dialing
            assert (await leg.ended).by == "far"


class TestGivingUp:
    async def test_cancelling_the_dial_cancels_the_call(self):
        phone = Phone(answers=False)
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone):
            dialing = asyncio.ensure_future(here.dial(target(), not_ringing))
            await asyncio.sleep(5)
            dialing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dialing
            ended = await phone.leg.ended
            assert (ended.by, ended.code) == ("far", 487)

    async def test_an_answer_that_crosses_it_is_ended(self):
        phone = Phone(answers=False)
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone):
            dialing = asyncio.ensure_future(here.dial(target(), not_ringing))
            await asyncio.sleep(5)
            dialing.cancel()
            answering = asyncio.ensure_future(phone.leg.answer())
            with pytest.raises(asyncio.CancelledError):
                await dialing
            await answering
            assert (await phone.leg.ended).by == "far"
            assert (await phone.leg.ended).code == 200

    async def test_a_bye_says_that_the_answer_arrived_although_its_ack_was_lost(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender("127.0.0.1")
            peer.says(invite("127.0.0.1"))
            to = field(await peer.hears("SIP/2.0 200"), "To")
            peer.says(ack("127.0.0.1", to, "2").replace(b"ACK", b"BYE"))
            assert (await phone.leg.ended).by == "far"
            await asyncio.sleep(0.1)
            assert phone.hung_up == 0

    async def test_a_leg_that_rings_can_be_hung_up(self):
        phone, legs = Phone(answers=False), []
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone):
            dialing = asyncio.ensure_future(
                here.dial(target(), lambda leg, early: legs.append(leg))
            )
            await asyncio.sleep(1)
            await legs[0].hang_up()
            with pytest.raises(CarrierError) as refused:
                await dialing
            assert refused.value.code == 487

    async def test_the_callee_that_was_about_to_answer_hears_of_it(self):
        phone = Phone(answers=False)
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone):
            dialing = asyncio.ensure_future(here.dial(target(), not_ringing))
            await asyncio.sleep(1)
            dialing.cancel()
            await asyncio.sleep(1)
            with pytest.raises(HungUp):
                await phone.leg.answer()


async def ear(host: str, port: int) -> asyncio.Queue[bytes]:
    """The packets that arrive there."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            heard.put_nowait(data)

    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Ear, local_addr=(host, port))
    return heard


class TestSound:
    """RFC 3264 through the carrier."""

    async def call_in(self, peer: Sender, host: str, body: str | None = None) -> str:
        """A call from a peer that is answered; its 200."""
        peer.says(invite(host, body))
        answer = await peer.hears("SIP/2.0 200")
        peer.says(ack(host, field(answer, "To")))
        return answer

    async def test_an_offer_without_a_common_codec_is_488(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender("127.0.0.1")
            for branch, body in enumerate(
                (SDP.replace("0 101", "18"), "v=0\nnonsense\n", SDP.replace("30000", "0"))
            ):
                host = "127.0.0.1"
                data = invite(
                    host, body.format(host=host), branch=f"b{branch}", cseq=str(branch + 1)
                )
                peer.says(data)
                await peer.hears("SIP/2.0 488")
        assert phone.legs == []

    async def test_a_late_offer_is_ours_and_its_answer_comes_with_the_ack(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender("127.0.0.1")
            peer.says(invite("127.0.0.1", ""))
            answer = await peer.hears("SIP/2.0 200")
            assert "RTP/AVP 0 8 9 111 101" in description(answer)
            ours = SDP.format(host="127.0.0.1").replace("0 101", "8")
            peer.says(ack("127.0.0.1", field(answer, "To"), body=ours))
            await asyncio.sleep(1)
            assert not phone.leg.ended.done()
            assert phone.hung_up == 0

    async def test_a_late_offer_that_is_not_answered_ends_the_call(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender("127.0.0.1")
            peer.says(invite("127.0.0.1", ""))
            answer = await peer.hears("SIP/2.0 200")
            peer.says(ack("127.0.0.1", field(answer, "To")))
            await peer.hears("BYE")

    async def test_hold_and_resume_are_answered_with_the_next_version(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender("127.0.0.1")
            first = await self.call_in(peer, "127.0.0.1")
            versions, directions = [], []
            plain = SDP.format(host="127.0.0.1")
            for number, body in enumerate((plain + "a=sendonly\n", plain, plain), 2):
                more = {"branch": f"re{number}", "cseq": str(number), "to": field(first, "To")}
                peer.says(invite("127.0.0.1", body, **more))
                answer = await peer.hears("SIP/2.0 200")
                peer.says(ack("127.0.0.1", field(first, "To"), str(number)))
                lines = description(answer).split("\r\n")
                versions.append(lines[1].split()[2])
                directions.append(next(x for x in lines if x in ("a=sendrecv", "a=recvonly")))
            assert directions == ["a=recvonly", "a=sendrecv", "a=sendrecv"]
            assert versions == ["2", "3", "3"]
            assert description(first).split("\r\n")[1].split()[2] == "1"

    async def test_a_reinvite_moves_the_sound(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender("127.0.0.1")
            first = await self.call_in(peer, "127.0.0.1")
            heard = await ear("127.0.0.7", 31000)
            moved = SDP.format(host="127.0.0.7").replace("30000", "31000").replace("0 101", "8 101")
            more = {"branch": "re2", "cseq": "2", "to": field(first, "To")}
            peer.says(invite("127.0.0.1", moved, **more))
            await peer.hears("SIP/2.0 200")
            peer.says(ack("127.0.0.1", field(first, "To"), "2"))
            tone = asyncio.ensure_future(phone.leg.media.play_tone((((440,), 1.0),)))
            async with asyncio.timeout(5):
                packet = await heard.get()
            tone.cancel()
            assert packet[1] & 0x7F == 8

    @pytest.mark.parametrize(
        ("name", "host"),
        [
            ("media.test", "127.0.0.7"),
            ("Nobody-Knows", "127.0.0.1"),
            ("six.test", "127.0.0.1"),
            ("both.test", "127.0.0.7"),
        ],
    )
    async def test_a_name_is_looked_up_and_else_sound_goes_to_who_called(
        self, name: str, host: str
    ):
        """RFC 4566 section 5.7; a leg has sockets of one kind."""
        four, six = ["127.0.0.7"], ["::7"]
        zone = Zone(
            A={"media.test": four, "both.test": four}, AAAA={"six.test": six, "both.test": six}
        )
        phone = Phone()
        async with carrier("127.0.0.2", phone, dns=zone):
            peer = await sender("127.0.0.1")
            heard = await ear(host, 30000)
            await self.call_in(peer, "127.0.0.1", SDP.format(host=name))
            await asyncio.sleep(0.1)
            tone = asyncio.ensure_future(phone.leg.media.play_tone((((440,), 1.0),)))
            async with asyncio.timeout(5):
                await heard.get()
            tone.cancel()

    async def test_what_is_agreed_meanwhile_counts_more_than_a_name(self):
        phone, asked = Phone(), asyncio.Event()

        async def slow(question: Question) -> Answer:
            asked.set()
            await asyncio.sleep(2)
            return Answer(("127.0.0.8",) if question.kind == "A" else ())

        async with carrier("127.0.0.2", phone, dns=slow):
            peer = await sender("127.0.0.1")
            heard = await ear("127.0.0.7", 30000)
            first = await self.call_in(peer, "127.0.0.1", SDP.format(host="media.test"))
            await asked.wait()
            more = {"branch": "re2", "cseq": "2", "to": field(first, "To")}
            peer.says(invite("127.0.0.1", SDP.format(host="127.0.0.7"), **more))
            await peer.hears("SIP/2.0 200")
            await asyncio.sleep(3)
            while not heard.empty():
                heard.get_nowait()
            tone = asyncio.ensure_future(phone.leg.media.play_tone((((440,), 1.0),)))
            async with asyncio.timeout(5):
                await heard.get()
            tone.cancel()

    async def test_a_reinvite_that_shares_nothing_is_488_and_the_call_goes_on(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender("127.0.0.1")
            first = await self.call_in(peer, "127.0.0.1")
            body = SDP.format(host="127.0.0.1").replace("0 101", "18")
            more = {"branch": "re2", "cseq": "2", "to": field(first, "To")}
            peer.says(invite("127.0.0.1", body, **more))
            await peer.hears("SIP/2.0 488")
            assert not phone.leg.ended.done()

    async def test_a_reinvite_without_a_body_asks_for_our_offer(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender("127.0.0.1")
            first = await self.call_in(peer, "127.0.0.1")
            more = {"branch": "re2", "cseq": "2", "to": field(first, "To")}
            peer.says(invite("127.0.0.1", "", **more))
            answer = await peer.hears("SIP/2.0 200")
            assert "RTP/AVP 0 8 9 111 101" in description(answer)
            peer.says(ack("127.0.0.1", field(first, "To"), "2", SDP.format(host="127.0.0.1")))
            await asyncio.sleep(1)
            assert not phone.leg.ended.done()

    async def test_early_media_is_connected_and_told(self):
        rang: list[bool] = []
        async with carrier("127.0.0.1", Phone()) as here:
            peer = await sender("127.0.0.2")
            dialing = asyncio.ensure_future(
                here.dial(target(), lambda leg, early: rang.append(early))
            )
            heard = await peer.hears("INVITE")
            copied = "".join(
                f"{n}: {field(heard, n)}\r\n" for n in ("Via", "From", "Call-ID", "CSeq")
            )
            head = f"{copied}To: <sip:x@y>;tag=1\r\nContact: <sip:127.0.0.2>\r\n"
            sdp = SDP.format(host="127.0.0.2").replace("\n", "\r\n")
            for line, body in (
                ("180 Ringing", ""),
                ("183 Progress", sdp),
                ("180 Ringing", ""),
                ("200 OK", ""),
            ):
                type_ = "Content-Type: application/sdp\r\n" if body else ""
                peer.says(f"SIP/2.0 {line}\r\n{head}{type_}\r\n{body}".encode(), "127.0.0.1")
                await asyncio.sleep(0.5)
            leg = await dialing
            assert rang == [False, True, True]
            assert isinstance(leg.media, RtpLeg)
            hanging_up = asyncio.ensure_future(leg.hang_up())
            await peer.hears("BYE")
            hanging_up.cancel()

    async def test_of_several_that_ring_with_sound_the_one_who_answers_hears_us(self):
        """The answer of a fork may have no description: it came with its 183."""
        async with carrier("127.0.0.1", Phone()) as here:
            peer = await sender("127.0.0.2")
            ears = {tag: await ear(f"127.0.0.{tag}", 30000) for tag in "78"}
            dialing = asyncio.ensure_future(here.dial(target(), not_ringing))
            heard = await peer.hears("INVITE")
            names = ("Via", "From", "Call-ID", "CSeq")
            copied = "".join(f"{name}: {field(heard, name)}\r\n" for name in names)
            for line, tag in (("183 Progress", "7"), ("183 Progress", "8"), ("200 OK", "7")):
                head = f"{copied}To: <sip:x@y>;tag={tag}\r\nContact: <sip:127.0.0.2>\r\n"
                body = SDP.format(host=f"127.0.0.{tag}").replace("\n", "\r\n")
                if line == "183 Progress":
                    head += f"Content-Type: application/sdp\r\n\r\n{body}"
                peer.says(f"SIP/2.0 {line}\r\n{head}\r\n".encode(), "127.0.0.1")
                await asyncio.sleep(0.5)
            leg = await dialing
            before = {tag: ears[tag].qsize() for tag in ears}
            tone = asyncio.ensure_future(leg.media.play_tone((((440,), 1.0),)))
            await asyncio.sleep(0.5)
            tone.cancel()
            assert ears["7"].qsize() > before["7"] + 20
            assert ears["8"].qsize() == before["8"]
            hanging_up = asyncio.ensure_future(leg.hang_up())
            await peer.hears("BYE")
            hanging_up.cancel()

    async def test_an_answer_without_a_common_codec_is_acknowledged_and_ended(self):
        async with carrier("127.0.0.1", Phone()) as here:
            peer = await sender("127.0.0.2")
            dialing = asyncio.ensure_future(here.dial(target(), not_ringing))
            heard = await peer.hears("INVITE")
            copied = "".join(
                f"{n}: {field(heard, n)}\r\n" for n in ("Via", "From", "Call-ID", "CSeq")
            )
            head = f"{copied}To: <sip:x@y>;tag=1\r\nContact: <sip:127.0.0.2>\r\n"
            body = SDP.format(host="127.0.0.2").replace("0 101", "18")
            peer.says(f"SIP/2.0 200 OK\r\n{head}\r\n{body}".encode(), "127.0.0.1")
            await peer.hears("ACK")
            bye = await peer.hears("BYE")
            copied = "".join(
                f"{n}: {field(bye, n)}\r\n" for n in ("Via", "From", "To", "Call-ID", "CSeq")
            )
            peer.says(f"SIP/2.0 200 OK\r\n{copied}\r\n".encode(), "127.0.0.1")
            with pytest.raises(CarrierError) as refused:
                await dialing
            assert refused.value.code == 488

    @pytest.mark.parametrize(
        ("type_", "body", "key"),
        [
            ("application/dtmf-relay", "Signal=5\nDuration=160\n", "5"),
            ("application/dtmf-relay", "Signal= #\n", "#"),
            ("application/dtmf-relay", "Signal=10\n", "*"),
            ("application/dtmf-relay", "signal=11\n", "#"),
            ("application/dtmf", "7", "7"),
            ("application/dtmf", "d", "D"),
        ],
    )
    async def test_a_key_may_come_by_info(self, type_: str, body: str, key: str):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender("127.0.0.1")
            answer = await self.call_in(peer, "127.0.0.1")
            for number, (kind, text) in enumerate(((type_, body), ("text/plain", "8")), 2):
                info = invite("127.0.0.1", text, branch=f"i{number}", cseq=str(number))
                info = info.replace(b"INVITE", b"INFO").replace(b"application/sdp", kind.encode())
                to = field(answer, "To").encode()
                peer.says(info.replace(b"<sip:+15550001111@127.0.0.2>", to))
            await asyncio.sleep(1)
            assert phone.leg.media.keys.get_nowait() == key
            assert phone.leg.media.keys.empty()


class TestNoAck:
    async def test_without_an_ack_the_leg_is_dropped_after_32_seconds(self):
        """Error 32022."""
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender("127.0.0.1")
            peer.says(invite("127.0.0.1"))
            await peer.hears("SIP/2.0 200")
            ended = await phone.leg.ended
            assert (ended.by, ended.code) == ("network", 408)
            assert clock.now() == pytest.approx(32, abs=0.1)
            await asyncio.sleep(1)
            assert phone.hung_up == 1
            assert any(data.get("code") == 32022 for kind, data in traced(phone.leg))


class TestRestart:
    async def test_a_bye_is_sent_for_a_dialog_of_before(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            async with carrier("127.0.0.1", Phone()) as before:
                leg = await before.dial(target(), not_ringing)
                kept = leg.about.dialog
                assert kept["carrier"] == before.name == "sip"
                network = asyncio.get_running_loop().network  # type: ignore[attr-defined]
                usual, network.fate = network.fate, lambda datagram: ()
            network.fate = usual
            assert not phone.leg.ended.done()
            async with carrier("127.0.0.1", Phone()) as after:
                await after.bye(kept)
            assert (await phone.leg.ended).by == "far"

    async def test_a_bye_for_nobody_comes_back_after_32_seconds(self):
        phone = Phone()
        async with carrier("127.0.0.1", Phone()) as here:
            async with carrier("127.0.0.2", phone):
                leg = await here.dial(target(), not_ringing)
                kept = leg.about.dialog
                await leg.hang_up()
            began = clock.now()
            await here.bye(kept)
            assert clock.now() - began == pytest.approx(32)

    async def test_a_leg_that_is_not_answered_has_nothing_to_restore(self):
        legs: list[Leg] = []
        async with (
            carrier("127.0.0.1", Phone()) as here,
            carrier("127.0.0.2", Phone(answers=False)),
        ):
            dialing = asyncio.ensure_future(
                here.dial(target(), lambda leg, early: legs.append(leg))
            )
            await asyncio.sleep(1)
            assert legs[0].about.dialog == {}
            dialing.cancel()


class TestStopping:
    async def test_calls_are_refused_with_503_and_those_that_are_up_go_on(self):
        phone = Phone()
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone) as there:
            leg = await here.dial(target(), not_ringing)
            there.refuse_calls()
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(), not_ringing)
            assert refused.value.code == 503
            peer = await sender("127.0.0.3")
            peer.says(invite("127.0.0.3"))
            assert field(await peer.hears("SIP/2.0 503"), "Retry-After") == "30"
            assert not leg.ended.done()
            await leg.hang_up()

    async def test_closing_ends_what_is_left(self):
        phone = Phone()
        async with carrier("127.0.0.1", Phone()) as here:
            async with carrier("127.0.0.2", phone):
                leg = await here.dial(target(), not_ringing)
            assert (await leg.ended).by == "far"


class TestTrunks:
    TRUNK = Trunk("provider", address="127.0.0.2", username="ann", password="secret")

    async def test_a_number_goes_to_its_trunk_and_its_challenge_is_met(self):
        phone = Phone()
        asked = Trunk("us", peer_username="ann", peer_password="secret", allow=("127.0.0.0/8",))
        async with (
            carrier("127.0.0.1", Phone(), trunks=(self.TRUNK,)) as here,
            carrier("127.0.0.2", phone, trunks=(asked,)) as there,
        ):
            leg = await here.dial(target("+15550003333"), not_ringing)
            assert there.counts["refused"] == 1
            shown = [data["text"] for kind, data in traced(leg) if kind == "sip"]
            assert any("401 Unauthorized" in text for text in shown)
            assert any("Authorization: (not shown)" in text for text in shown)
            assert not any("response=" in text for text in shown)
            await leg.hang_up()
        assert phone.called == [("+15550003333", "+15550002222")]

    async def test_of_several_a_call_is_by_the_one_that_logged_in(self):
        trunks = tuple(
            Trunk(each, peer_username=each, peer_password="x") for each in ("ann", "bob")
        )
        async with (
            carrier("127.0.0.1", Phone()) as here,
            carrier("0.0.0.0", Phone(), trunks=trunks, port=5070) as there,
        ):
            bob = target("sip:x@127.0.0.2:5070", username="bob", password="x")
            leg = await here.dial(bob, not_ringing)
            assert there.load.trunks == {"ann": 0, "bob": 1}
            await leg.hang_up()

    async def test_wrong_credentials_are_401_and_nobody_learns_which_numbers_there_are(self):
        asked = Trunk("us", peer_username="ann", peer_password="other")
        phone = Phone()
        async with (
            carrier("127.0.0.1", Phone(), trunks=(self.TRUNK,)) as here,
            carrier("0.0.0.0", phone, trunks=(asked,), port=5070),
        ):
            trunk = Trunk("wrong", address="127.0.0.2:5070", username="ann", password="secret")
            async with carrier("127.0.0.3", Phone(), trunks=(trunk,)) as third:
                with pytest.raises(CarrierError) as refused:
                    await third.dial(target("+15550003333"), not_ringing)
            assert refused.value.code == 401
            with pytest.raises(CarrierError) as refused:
                await here.dial(target("sip:x@127.0.0.2:5070", username="ann"), not_ringing)
            assert refused.value.code == 401
        assert phone.called == []

    async def test_an_unknown_source_is_403_where_nobody_can_log_in(self):
        phone = Phone()
        async with carrier("127.0.0.1", Phone()) as here, carrier("0.0.0.0", phone, port=5070):
            with pytest.raises(CarrierError) as refused:
                await here.dial(target("sip:+1555@127.0.0.2:5070"), not_ringing)
            assert refused.value.code == 403
        assert phone.called == []

    async def test_a_trunk_may_challenge_us_in_calls_that_it_made(self):
        """It would not hear our BYE else, and we no more of the call."""
        trunk = Trunk("one", "127.0.0.1", username="us", password="secret")
        async with carrier("127.0.0.2", phone := Phone(), trunks=(trunk,)):
            far = await sender_call("127.0.0.1")
            hanging = asyncio.ensure_future(phone.leg.hang_up())
            first = parse((await far.hears("BYE")).encode())
            assert isinstance(first, Request)
            login = digest.Server("p", b"k", lambda: "ab" * 16, ("MD5",))
            asked = [("Proxy-Authenticate", each) for each in login.challenges(0)]
            far.peer.says(respond(first, 407, asked).encode())
            again = parse((await far.hears("BYE")).encode())
            assert isinstance(again, Request)
            given = again.values("proxy-authorization")
            verdict = login.check(given, "BYE", again.uri, b"", {"us": "secret"}, 0)
            assert verdict == ("right", "us")
            far.peer.says(respond(again, 200).encode())
            await hanging

    async def test_requests_of_a_dialog_need_no_trunk(self):
        """In-dialog requests are matched by the dialog, not by their source."""
        phone = Phone()
        known = Trunk("t", allow=("127.0.0.1",))
        async with carrier("0.0.0.0", phone, trunks=(known,), places=Places("127.0.0.2")):
            peer, other = await sender("127.0.0.1"), await sender("127.0.0.9")
            peer.says(invite("127.0.0.1"))
            answer = await peer.hears("SIP/2.0 200")
            peer.says(ack("127.0.0.1", field(answer, "To")))
            await asyncio.sleep(0.1)
            bye = ack("127.0.0.9", field(answer, "To"), "2").replace(b"ACK", b"BYE")
            other.says(bye.replace(b"raw@127.0.0.9", b"raw@127.0.0.1"))
            await other.hears("SIP/2.0 200")
            assert (await phone.leg.ended).by == "far"

    async def test_takes_and_emergency_say_what_can_be_dialled(self):
        rescue = Trunk("rescue", address="127.0.0.2", prefixes=("+49",), emergency=True)
        async with carrier("127.0.0.1", Phone(), trunks=(rescue,)) as here:
            assert here.takes("+4930123456")
            assert here.takes("sip:anybody@anywhere")
            assert not here.takes("+15550001111")
            assert not here.takes("client:tommy")
            assert here.emergency("112")
            assert here.emergency("+49112")
            assert not here.emergency("+1911")

    async def test_a_trunk_is_asked_whether_it_is_there(self):
        async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", Phone()):
            pong = await here.options(self.TRUNK)
            assert (pong.trunk, pong.status, pong.healthy) == ("provider", 200, True)
            assert pong.seconds == pytest.approx(0.02)
            silent = await here.options(Trunk("silent", address="127.0.0.99"))
            assert (silent.status, silent.healthy, silent.seconds) == (0, False, pytest.approx(32))
            unnamed = await here.options(Trunk("unnamed", address="nobody.invalid"))
            assert not unnamed.healthy

    async def test_a_hostile_header_is_refused_and_not_sent(self):
        async with carrier("127.0.0.1", Phone()) as here:
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(call_sid="CA\r\nX-Evil: 1"), not_ringing)
            assert refused.value.code == 400
            assert (here.load.dialogs, here.load.transactions) == (0, 0)


async def test_what_is_no_sip_is_counted():
    async with carrier("127.0.0.2", Phone()) as here:
        peer = await sender("127.0.0.1")
        peer.says(b"hello")
        peer.says(b"\x00" * 50)
        await asyncio.sleep(1)
        assert here.counts["malformed"] == 2


async def test_behind_a_public_address_it_is_that_which_is_told():
    async with carrier("10.0.0.1", Phone(), places=Places("203.0.113.5")) as here:
        trace = Trace()
        dialing = asyncio.ensure_future(
            here.dial(target("sip:bob@10.0.0.2", trace=trace), not_ringing)
        )
        await asyncio.sleep(0.1)
        told: list[str] = []
        trace.listen(lambda kind, data: told.append(data["text"]))
        dialing.cancel()
        assert "Via: SIP/2.0/UDP 203.0.113.5:5060" in told[0]
        assert "Contact: <sip:203.0.113.5:5060>" in told[0]
        assert "c=IN IP4 203.0.113.5" in told[0]
        assert "From: <sip:+15550002222@203.0.113.5>" in told[0]
