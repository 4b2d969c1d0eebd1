"""Calls over SIP and RTP in memory, from the INVITE to the last callback: the same exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import cast
from urllib.parse import quote
from xml.sax.saxutils import escape

from exchange_app import AGENT, OURS, App
from exchange_phones import ELSEWHERE, HERE, THERE, Bringing, not_told, sip, to

from offhook.errors import CarrierError
from offhook.exchange.exchange import Route
from offhook.line.leg import About, Carrier, Leg, Ringing, Target, Text, Transfer
from offhook.sip.message import parse
from offhook.testing import Offhook, Response
from offhook.testing.udp import rough
from offhook.testing.voice import Ear, speak


async def test_a_sip_caller_hears_the_application_and_presses_a_key(offhook: Offhook):
    app = App(
        '<Gather numDigits="1" action="/key"><Say>Press one.</Say></Gather>',
        key="<Say>Thank you.</Say>",
    )
    offhook.number(OURS, voice=app)
    async with sip(offhook) as phone:
        leg = await phone.dial(to(OURS), not_told)
        ear = Ear()
        leg.media.tap(ear.feed)
        await asyncio.sleep(3)
        assert ear.text.strip() == "Press one."
        await leg.media.send_digits("1")
        await leg.ended
        assert ear.text.split("\n")[:2] == ["Press one.", "Thank you."]
    told = app.told("key")
    assert told["Digits"] == "1"
    assert told["SipSourceIp"] == THERE
    assert "SipCallId" in told
    [call] = offhook.calls
    assert (call.status, call.sip_response_code) == ("completed", 200)


async def test_a_sip_phone_is_dialled_and_told_of(offhook: Offhook):
    async def answers(leg: Leg) -> None:
        await leg.ring()
        await leg.answer()
        await leg.media.play(speak("Hello from SIP."))
        await leg.hang_up()

    app = App(f'<Dial action="/after"><Sip>sip:agent@{THERE}</Sip></Dial>')
    offhook.number(OURS, voice=app)
    async with sip(offhook, there=answers):
        call = await offhook.call(OURS)
        await call.hears("Hello from SIP.")
        await call.ended()
    told = app.told("after")
    assert (told["DialCallStatus"], told["DialSipResponseCode"]) == ("completed", "200")
    assert told["DialSipCallId"]


async def test_a_refusal_says_its_sip_code(offhook: Offhook):
    async def busy(leg: Leg) -> None:
        await leg.reject(486)

    app = App(f'<Dial action="/after"><Sip>sip:agent@{THERE}</Sip></Dial>')
    offhook.number(OURS, voice=app)
    async with sip(offhook, there=busy):
        await (await offhook.call(OURS)).ended()
    told = app.told("after")
    assert (told["DialCallStatus"], told["DialSipResponseCode"]) == ("busy", "486")
    assert told["DialSipCallId"]


async def test_the_action_is_told_of_sip_what_its_table_says_and_no_more(offhook: Offhook):
    async def answers(leg: Leg) -> None:
        await leg.answer()
        await leg.hang_up()

    app = App(f'<Dial action="/after"><Sip>sip:agent@{THERE}</Sip></Dial>')
    offhook.number(OURS, voice=app)
    async with sip(offhook, there=answers):
        await (await offhook.call(OURS)).ended()
    told = {name for name in app.told("after") if name.startswith("DialSip")}
    assert told == {"DialSipCallId", "DialSipResponseCode"}


class Desks:
    """A carrier of SIP phones whose answers bring something along; the one at `busy` refuses."""

    name = "desks"

    def __init__(self, network: Carrier) -> None:
        self.network = network

    async def dial(self, target: Target, ringing: Ringing) -> Leg:
        brought = (("SipCallId", "77@desk"), ("SipHeader_X-Desk", "7"))
        if target.to.startswith("sip:busy@"):
            raise CarrierError(486, "Busy Here", brought)
        leg = await self.network.dial(replace(target, to=AGENT), ringing)
        return cast(Leg, Bringing(leg, About(params=brought)))

    async def send(self, text: Text, report: Callable[[str, int], None]) -> None:
        """Nobody texts here."""


def with_desks(offhook: Offhook) -> None:
    exchange = offhook.platform.exchange
    [simulated] = (each.carrier for each in exchange.routes)
    exchange.routes = [Route(Desks(simulated), lambda to: to.startswith("sip:")), *exchange.routes]


async def test_what_an_answer_brings_is_told_to_the_whisper_the_callbacks_and_the_action(
    offhook: Offhook,
):
    noun = '<Sip url="/whisper" statusCallback="/status">sip:bob@desk.test</Sip>'
    app = App(f'<Dial action="/after">{noun}</Dial>', whisper="<Hangup/>")
    offhook.number(OURS, voice=app)
    with_desks(offhook)
    await (await offhook.call(OURS)).ended()
    await offhook.platform.exchange.notifier.settled()
    brought = {"SipCallId": "77@desk", "SipHeader_X-Desk": "7"}
    assert app.told("whisper").items() >= brought.items()
    assert app.told("status").items() >= brought.items()
    told = {name: value for name, value in app.told("after").items() if "Sip" in name}
    assert told == {
        "DialSipCallId": "77@desk", "DialSipHeader_X-Desk": "7", "DialSipResponseCode": "200",
    }  # fmt: skip


async def test_what_a_refusal_brings_is_told_as_well(offhook: Offhook):
    app = App('<Dial action="/after"><Sip>sip:busy@desk.test</Sip></Dial>')
    offhook.number(OURS, voice=app)
    with_desks(offhook)
    await (await offhook.call(OURS)).ended()
    told = {name: value for name, value in app.told("after").items() if "Sip" in name}
    assert told == {
        "DialSipCallId": "77@desk", "DialSipHeader_X-Desk": "7", "DialSipResponseCode": "486",
    }  # fmt: skip


async def test_the_next_uri_is_tried_when_one_is_out_of_order_but_not_when_it_is_busy(
    offhook: Offhook,
):
    async def broken(leg: Leg) -> None:
        raise CarrierError(503)

    async def answers(leg: Leg) -> None:
        await leg.answer()
        await leg.media.play(speak("The second."))
        await leg.hang_up()

    uris = f'<Uri priority="1">sip:a@{THERE}</Uri><Uri priority="2">sip:b@{ELSEWHERE}</Uri>'
    offhook.number(OURS, voice=App(f"<Dial><Sip>{uris}</Sip></Dial>"))
    async with sip(offhook, there=broken, elsewhere=answers):
        call = await offhook.call(OURS)
        await call.hears("The second.")
        await call.ended()
    statuses = [each.status for each in offhook.calls if each.direction == "outbound-dial"]
    assert statuses == ["failed", "completed"]


async def test_a_call_by_rest_to_a_sip_phone_that_never_answers(offhook: Offhook):
    async def rings(leg: Leg) -> None:
        await leg.ring()
        await leg.ended

    app = App()
    offhook.number(OURS)
    async with sip(offhook, there=rings):
        await offhook.post(
            "Calls.json",
            To=f"sip:agent@{THERE}",
            From=OURS,
            Twiml="<Response><Say>Hi.</Say></Response>",
            Timeout="6",
            StatusCallback=offhook.url(app, "/status"),
        )
        await asyncio.sleep(10)
    told = app.told("status")
    assert (told["CallStatus"], told["SipResponseCode"]) == ("no-answer", "487")


async def test_a_caller_who_gives_up_is_not_answered(offhook: Offhook):
    offhook.number(OURS, voice=App('<Pause length="30"/>'))
    async with sip(offhook) as phone:
        dialling = asyncio.ensure_future(phone.dial(to(OURS), not_told))
        await asyncio.sleep(3)
        dialling.cancel()
        await asyncio.gather(dialling, return_exceptions=True)
        await asyncio.sleep(1)
    [call] = offhook.calls
    assert call.status == "no-answer"


async def test_datagrams_that_are_lost_are_made_up_for(offhook: Offhook):
    offhook.number(OURS, voice=App("<Say>Through thick and thin.</Say>"))
    async with sip(offhook) as phone:
        loop = asyncio.get_running_loop()
        loop.network.fate = rough(
            Random(5), loss=0.05, duplication=0.02, latency=0.02, jitter=0.005
        )
        for _ in range(8):
            leg = await phone.dial(to(OURS), not_told)
            assert (await leg.ended).code == 200
        await asyncio.sleep(40)
    assert {call.status for call in offhook.calls} == {"completed"}


async def test_a_phone_that_talks_to_two_connects_them(offhook: Offhook):
    """RFC 5589 section 7: an attended transfer, with Replaces in Refer-To."""
    alices: list[Leg] = []
    ears = {"bob": Ear()}

    async def alice(leg: Leg) -> None:
        alices.append(leg)
        await leg.answer()
        await leg.ended

    async def bob(leg: Leg) -> None:
        await leg.answer()
        leg.media.tap(ears["bob"].feed)
        await asyncio.sleep(12)
        await leg.media.play(speak("Bob speaking."))
        await leg.ended

    app = App(
        f'<Dial referUrl="/refer"><Sip>sip:alice@{THERE}</Sip></Dial>',
        refer=lambda request: (
            f"<Dial><Sip>{escape(request.params['ReferTransferTarget'])}</Sip></Dial>"
        ),
    )
    offhook.number(OURS, voice=app)
    offhook.number("+15550177", voice=App(f"<Dial><Sip>sip:bob@{ELSEWHERE}</Sip></Dial>"))
    async with sip(offhook, there=alice, elsewhere=bob) as phone:
        call = await offhook.call(OURS)
        await call.hears_nothing(2)
        second = await phone.dial(to("+15550177"), not_told)
        await call.hears_nothing(2)
        dialog = second.about.dialog
        ours, theirs = (dialog[end].rpartition("tag=")[2] for end in ("remote", "local"))
        replaces = quote(f"{dialog['call_id']};to-tag={ours};from-tag={theirs}")
        fared = await alices[0].refer(f"sip:+15550177@{HERE}?Replaces={replaces}")
        assert fared == Transfer(202, 200)
        await second.ended
        await call.says("Is this Bob?")
        assert ears["bob"].text.strip() == "Is this Bob?"
        await call.hears("Bob speaking.")
        await call.hang_up()
        await asyncio.sleep(1)
    assert {each.status for each in offhook.calls} == {"completed"}


async def test_a_phone_whose_transfer_has_no_document_is_told_so_and_talks_on(offhook: Offhook):
    alices: list[Leg] = []

    async def alice(leg: Leg) -> None:
        alices.append(leg)
        await leg.answer()
        await leg.ended

    dial = f'<Dial referUrl="/refer"><Sip>sip:alice@{THERE}</Sip></Dial>'
    offhook.number(OURS, voice=App(dial, refer=Response("", 500)))
    async with sip(offhook, there=alice):
        call = await offhook.call(OURS)
        await call.hears_nothing(2)
        assert await alices[0].refer(f"sip:carol@{ELSEWHERE}") == Transfer(202, 503)
        await alices[0].media.play(speak("Still here."))
        await call.hears("Still here.")
        await call.hang_up()
        await asyncio.sleep(1)
    assert {each.status for each in offhook.calls} == {"completed"}


async def test_a_phone_answers_for_one_that_rings(offhook: Offhook):
    """RFC 3891 section 3: directed pickup."""
    alices: list[Leg] = []
    said: list[str] = []

    async def alice(leg: Leg) -> None:
        alices.append(leg)
        leg.trace.listen(lambda kind, data: said.append(data.get("text", "")))
        await leg.ring()
        await leg.ended

    app = App(f'<Dial action="/after"><Sip>sip:alice@{THERE}</Sip></Dial>')
    offhook.number(OURS, voice=app)
    async with sip(offhook, there=alice) as phone:
        call = await offhook.call(OURS)
        await asyncio.sleep(2)
        ringing = parse(said[-1].encode())
        replaces = f"{ringing.call_id};to-tag={ringing.from_.tag};from-tag={ringing.to.tag}"
        headers = (("Replaces", replaces),)
        bob = await phone.dial(replace(to("alice"), headers=headers), not_told)
        assert (await alices[0].ended).by == "far"
        bob.media.tap((ear := Ear()).feed)
        await call.says("Is this Alice?")
        assert ear.text.strip() == "Is this Alice?"
        await bob.media.play(speak("Bob speaking."))
        await call.hears("Bob speaking.")
        await bob.hang_up()
        await call.ended()
    told = app.told("after")
    assert (told["DialCallStatus"], told["DialSipResponseCode"]) == ("completed", "200")
    assert told["DialSipCallId"] == dict(bob.about.params)["SipCallId"]
