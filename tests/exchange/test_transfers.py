"""Calls that are sent elsewhere: `<Refer>`, and phones that transfer.  reference: Refer, Dial."""

from __future__ import annotations

import asyncio

import pytest
from exchange_app import AGENT, CALLER, OURS, App, codes

from offhook.testing import Offhook, Response

ALICE, CAROL = "sip:alice@desk.test", "sip:carol@desk.test"
TO_CAROL = f'<Refer action="/after"><Sip>{CAROL}</Sip></Refer>'
TALK = '<Dial action="/after" referUrl="/refer" referMethod="GET">' + AGENT + "</Dial>"


class TestRefer:
    async def test_a_sip_phone_goes_where_it_is_sent_and_hangs_up(self, offhook: Offhook):
        app = App(TO_CAROL)
        offhook.number(OURS, voice=app)
        call = await offhook.call(OURS, from_=ALICE)
        ended = await call.ended()
        assert (call.sent_to, ended.by) == ([CAROL], "far")
        told = app.told("after")
        assert told["ReferCallStatus"] == "in-progress"
        assert (told["ReferSipResponseCode"], told["NotifySipResponseCode"]) == ("202", "200")
        assert (told["CallStatus"], call.record.status) == ("completed", "completed")

    async def test_one_that_does_not_get_through_stays_and_is_told_what_next(
        self, offhook: Offhook
    ):
        app = App(TO_CAROL, after="<Say>Carol is busy.</Say>")
        offhook.number(OURS, voice=app)
        offhook.phone(ALICE).refers(202, 100, 180, 486)
        call = await offhook.call(OURS, from_=ALICE)
        await call.hears("Carol is busy.")
        assert app.told("after")["ReferCallStatus"] == "busy"

    async def test_one_that_refuses_stays(self, offhook: Offhook):
        app = App(TO_CAROL, after="<Say>Well then.</Say>")
        offhook.number(OURS, voice=app)
        offhook.phone(ALICE).refers(405)
        call = await offhook.call(OURS, from_=ALICE)
        await call.hears("Well then.")
        told = app.told("after")
        assert told["ReferSipResponseCode"] == "405"
        assert {"ReferCallStatus", "NotifySipResponseCode"}.isdisjoint(told)

    async def test_as_the_last_verb_without_an_action_it_ends_the_call(self, offhook: Offhook):
        offhook.number(OURS, voice=App(f"<Refer><Sip>{CAROL}</Sip></Refer>"))
        offhook.phone(ALICE).refers(202, 503)
        call = await offhook.call(OURS, from_=ALICE)
        assert (await call.ended()).by == "near"

    async def test_a_caller_who_hangs_up_meanwhile_is_told_of(self, offhook: Offhook):
        app = App(TO_CAROL)
        offhook.number(OURS, voice=app)
        offhook.phone(ALICE).refers(202, *[180] * 60)
        call = await offhook.call(OURS, from_=ALICE)
        await call.hears_nothing(5)
        await call.hang_up()
        assert app.told("after")["ReferCallStatus"] == "canceled"

    async def test_a_phone_of_the_telephone_network_cannot_be_sent(self, offhook: Offhook):
        offhook.number(OURS, voice=App(f"{TO_CAROL}<Say>Still here.</Say>"))
        call = await offhook.call(OURS, from_=CALLER)
        await call.hears("Still here.")
        assert (codes(offhook), call.sent_to) == ([13801], [])


class TestReferUrl:
    async def test_the_called_party_hands_the_caller_on(self, offhook: Offhook):
        app = App(TALK, refer=f"<Dial><Sip>{CAROL}</Sip></Dial>")
        offhook.number(OURS, voice=app)
        carol = offhook.phone(CAROL)
        call = await offhook.call(OURS, from_=CALLER)
        agent = await offhook.phone(AGENT).rings()
        await agent.answered()
        assert await agent.transfers(CAROL) == 200
        await agent.ended()
        other = await carol.rings()
        await other.answered()
        await other.says("Carol speaking.")
        await call.hears("Carol speaking.")
        [asked] = app.requests("refer")
        assert (asked.method, asked.params["ReferTransferTarget"]) == ("GET", CAROL)
        assert (asked.params["CallSid"], asked.params["CallStatus"]) == (call.sid, "in-progress")
        assert "after" not in app.paths

    async def test_the_caller_hands_the_called_party_on(self, offhook: Offhook):
        app = App(TALK, refer="<Say>Your caller is gone, but we are here.</Say>")
        offhook.number(OURS, voice=app)
        call = await offhook.call(OURS, from_=ALICE)
        agent = await offhook.phone(AGENT).rings()
        await agent.answered()
        assert await call.transfers(CAROL) == 200
        await agent.hears("Your caller is gone, but we are here.")
        assert (await call.ended()).by == "far"
        told = app.told("refer")
        assert (told["CallSid"], told["ReferTransferTarget"]) == (agent.sid, CAROL)
        assert app.told("after")["DialCallStatus"] == "completed"
        assert "DialCallDuration" not in app.told("after")

    @pytest.mark.parametrize("verbs", [f"<Dial>{AGENT}</Dial>", "<Pause length='60'/>"])
    async def test_without_a_url_to_ask_it_is_declined_and_the_call_goes_on(
        self, offhook: Offhook, verbs: str
    ):
        offhook.number(OURS, voice=App(verbs))
        call = await offhook.call(OURS, from_=ALICE)
        await call.hears_nothing(5)
        assert await call.transfers(CAROL) == 603
        assert (call.state == "over", codes(offhook)) == (False, [13802])

    async def test_of_two_who_ask_at_once_the_first_is_heard(self, offhook: Offhook):
        offhook.number(OURS, voice=App(TALK, refer="<Say>On you go.</Say>"))
        call = await offhook.call(OURS, from_=ALICE)
        agent = await offhook.phone(AGENT).rings()
        await agent.answered()
        told = await asyncio.gather(agent.transfers(CAROL), call.transfers(CAROL))
        assert told == [200, 603]
        await call.hears("On you go.")

    async def test_when_they_have_parted_it_is_declined_again(self, offhook: Offhook):
        offhook.number(OURS, voice=App(TALK, after="<Pause length='60'/>"))
        call = await offhook.call(OURS, from_=ALICE)
        agent = await offhook.phone(AGENT).rings()
        await agent.answered()
        await agent.hang_up()
        await call.hears_nothing(1)
        assert await call.transfers(CAROL) == 603

    async def test_a_document_that_fails_is_the_fallbacks(self, offhook: Offhook):
        app = App(TALK, refer=Response("", 500))
        offhook.number(OURS, voice=app, fallback=App("<Say>Plan B.</Say>"))
        call = await offhook.call(OURS, from_=CALLER)
        agent = await offhook.phone(AGENT).rings()
        await agent.answered()
        await agent.transfers(CAROL)
        await call.hears("Plan B.")
