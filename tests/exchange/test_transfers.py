"""Calls that are sent elsewhere: `<Refer>`, and phones that transfer.  reference: Refer, Dial."""

from __future__ import annotations

import asyncio

import pytest
from exchange_app import AGENT, CALLER, OURS, App, codes

from offhook.line.leg import HungUp
from offhook.testing import Offhook, PhoneCall, Request, Response

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


async def bridged(
    offhook: Offhook, app: App, from_: str = CALLER, **number: str
) -> tuple[PhoneCall, PhoneCall]:
    """The caller and the agent, put through by `app`."""
    offhook.number(OURS, voice=app, **number)
    call = await offhook.call(OURS, from_=from_)
    agent = await offhook.phone(AGENT).rings()
    await agent.answered()
    return call, agent


async def slowly(request: Request) -> str:
    await asyncio.sleep(5)
    return "<Say>On you go.</Say><Pause length='60'/>"


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
        app = App(TALK, refer=Response("", 500), instead="<Say>Plan B.</Say>")
        fallback = offhook.url(app, "/instead")
        call, agent = await bridged(offhook, app, fallback=fallback)
        assert await agent.transfers(CAROL) == 200
        await call.hears("Plan B.")
        assert app.told("instead")["ErrorUrl"] == offhook.url(app, "/refer")

    @pytest.mark.parametrize(
        ("page", "code"),
        [
            (Response("", 500), 11200),
            (Response("{}", media_type="application/json"), 12300),
            (Response("<Response><Say>"), 12100),
            (Response("<Answer/>"), 12102),
        ],
    )
    async def test_without_a_document_the_phone_is_told_and_they_go_on_talking(
        self, offhook: Offhook, page: Response, code: int
    ):
        app = App(TALK, refer=page)
        call, agent = await bridged(offhook, app)
        assert await agent.transfers(CAROL) == 503
        assert codes(offhook) == [code]
        await call.says("Are you still there?")
        await agent.hears("Are you still there?")
        await agent.says("Here I am.")
        await call.hears("Here I am.")
        app.pages["refer"] = "<Say>On you go.</Say>"
        assert await agent.transfers(CAROL) == 200
        await call.hears("On you go.")

    async def test_an_application_that_cannot_be_reached_leaves_them_talking(
        self, offhook: Offhook
    ):
        dial = f'<Dial referUrl="http://nobody.test/">{AGENT}</Dial>'
        call, agent = await bridged(offhook, App(dial), from_=ALICE)
        assert await call.transfers(CAROL) == 503
        await agent.says("Here I am.")
        await call.hears("Here I am.")

    async def test_links_of_the_document_that_goes_on_stay_where_they_led(self, offhook: Offhook):
        dial = f'<Dial action="after" referUrl="/far/refer">{AGENT}</Dial>'
        app = App(dial, **{"far/refer": Response("<oops")}, after="<Say>Bye.</Say>")
        call, agent = await bridged(offhook, app)
        assert await agent.transfers(CAROL) == 503
        await agent.hang_up()
        await call.hears("Bye.")
        assert app.paths == ["", "far/refer", "after"]

    async def test_links_of_the_document_that_takes_over_lead_from_there(self, offhook: Offhook):
        dial = f'<Dial referUrl="/far/refer">{AGENT}</Dial>'
        pages = {"far/refer": "<Redirect>next</Redirect>", "far/next": "<Say>Next.</Say>"}
        call, agent = await bridged(offhook, App(dial, **pages))
        await agent.transfers(CAROL)
        await call.hears("Next.")

    async def test_they_talk_until_the_document_is_there(self, offhook: Offhook):
        call, agent = await bridged(offhook, App(TALK, refer=slowly))
        began = offhook.now
        wish = asyncio.ensure_future(agent.transfers(CAROL))
        await agent.says("I put you through.")
        await call.hears("I put you through.")
        await call.says("Thank you.")
        await agent.hears("Thank you.")
        assert not wish.done()
        assert await wish == 200
        assert 5 <= offhook.now - began < 5.1
        await call.hears("On you go.")

    async def test_who_wished_it_need_not_wait(self, offhook: Offhook):
        app = App(TALK, refer=slowly)
        call, agent = await bridged(offhook, app)
        wish = asyncio.ensure_future(agent.transfers(CAROL))
        await asyncio.sleep(1)
        await agent.hang_up()
        with pytest.raises(HungUp):
            await wish
        await call.hears("On you go.")
        assert app.paths == ["", "refer"]

    async def test_nor_need_the_caller(self, offhook: Offhook):
        app = App(TALK, refer=slowly)
        call, agent = await bridged(offhook, app, from_=ALICE)
        wish = asyncio.ensure_future(call.transfers(CAROL))
        await asyncio.sleep(1)
        await call.hang_up()
        with pytest.raises(HungUp):
            await wish
        await agent.hears("On you go.")
        assert app.told("after")["CallStatus"] == "completed"
        assert (call.record.status, call.record.duration) == ("completed", 3)

    async def test_who_was_to_stay_and_hangs_up_ends_it(self, offhook: Offhook):
        app = App(TALK, refer=slowly)
        call, agent = await bridged(offhook, app)
        wish = asyncio.ensure_future(agent.transfers(CAROL))
        await asyncio.sleep(1)
        await call.hang_up()
        assert await wish == 503
        assert (await agent.ended()).by == "near"
        assert app.told("after")["DialCallStatus"] == "completed"
        await asyncio.sleep(9)
        assert agent.heard == ""
        assert {each.status for each in offhook.calls} == {"completed"}

    async def test_and_so_does_the_called_party(self, offhook: Offhook):
        app = App(TALK, refer=slowly, after="<Say>Your agent is gone.</Say>")
        call, agent = await bridged(offhook, app, from_=ALICE)
        wish = asyncio.ensure_future(call.transfers(CAROL))
        await asyncio.sleep(1)
        await agent.hang_up()
        assert await wish == 503
        await call.hears("Your agent is gone.")
        assert "DialCallDuration" in app.told("after")

    @pytest.mark.parametrize("who", ["caller", "agent"])
    async def test_rest_goes_before_a_document_that_is_not_there_yet(
        self, offhook: Offhook, who: str
    ):
        app = App(TALK, refer=slowly, after='<Pause length="60"/>')
        call, agent = await bridged(offhook, app)
        sent = {"caller": call, "agent": agent}[who]
        wish = asyncio.ensure_future(agent.transfers(CAROL))
        await asyncio.sleep(1)
        twiml = "<Response><Say>By REST.</Say><Pause length='60'/></Response>"
        await offhook.post(f"Calls/{sent.sid}.json", Twiml=twiml)
        assert await wish == 503
        await sent.hears("By REST.")
        await asyncio.sleep(9)
        assert call.heard.strip() == ("By REST." if who == "caller" else "")
        assert agent.heard.strip() == ("By REST." if who == "agent" else "")
        assert agent.state == ("over" if who == "caller" else "answered")

    async def test_one_wish_at_a_time(self, offhook: Offhook):
        call, agent = await bridged(offhook, App(TALK, refer=slowly), from_=ALICE)
        wish = asyncio.ensure_future(agent.transfers(CAROL))
        await asyncio.sleep(1)
        assert await agent.transfers(ALICE) == 603
        assert await call.transfers(CAROL) == 603
        assert await wish == 200
        await call.hears("On you go.")

    async def test_time_is_up_while_it_is_asked_for(self, offhook: Offhook):
        dial = f'<Dial timeLimit="3" action="/after" referUrl="/refer">{AGENT}</Dial>'
        app = App(dial, refer=slowly, after="<Say>Time is up.</Say>")
        call, agent = await bridged(offhook, app)
        assert await agent.transfers(CAROL) == 503
        await call.hears("Time is up.")
        assert (await agent.ended()).by == "near"
