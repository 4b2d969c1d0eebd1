"""A call comes in.  reference: inbound call routing, timeline, request parameters."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from exchange_app import AGENT, CALLER, OURS, App, codes
from exchange_phones import Bringing

from offhook import clock, sids
from offhook.carriers.simulated import SimulatedNetwork
from offhook.exchange import inbound
from offhook.line.leg import About, Ended, Leg
from offhook.model.account import Application
from offhook.store import records
from offhook.testing import Offhook, Request, Response

# Routing


async def test_a_number_that_is_not_ours_is_refused_with_404(offhook: Offhook):
    call = await offhook.call("+15550199")
    assert await call.ended() == Ended("near", 404)
    assert offhook.calls == []


async def test_a_number_without_a_url_is_refused_and_its_owner_told(offhook: Offhook):
    app = App()
    offhook.number(OURS, status=offhook.url(app, "/status"))
    call = await offhook.call(OURS)
    assert (await call.ended()).code == 603
    [record] = offhook.calls
    assert (record.status, record.duration) == ("failed", 0)
    assert codes(offhook) == [11100]
    assert app.statuses("status") == ["failed"]


async def test_a_suspended_account_takes_no_calls(offhook: Offhook):
    app = App("<Say>Hello.</Say>")
    offhook.number(OURS, voice=app)
    account = offhook.platform.account
    exchange = offhook.platform.exchange
    await exchange.store.write(records.accounts.save, replace(account, status="suspended"))
    call = await offhook.call(OURS)
    assert (await call.ended()).code == 603
    assert codes(offhook) == [10003]
    assert app.asked == []


async def test_the_application_of_a_number_takes_the_place_of_its_urls(offhook: Offhook):
    """M13: URLs, methods, status callback and name lookup are all the application's."""
    own, app = App("<Say>Wrong.</Say>"), App("<Say>Right.</Say>")
    application = await an_application(
        offhook, voice_url=offhook.url(app), voice_method="GET",
        status_callback=offhook.url(app, "/status"), status_callback_method="GET",
    )  # fmt: skip
    offhook.number(OURS, voice=own, status=own, voice_application_sid=application.sid)
    call = await offhook.call(OURS)
    await call.hears("Right.")
    await call.ended()
    assert [request.method for _, request in app.asked] == ["GET", "GET"]
    assert app.paths == ["", "status"]
    assert app.told("")["ApplicationSid"] == application.sid
    assert own.asked == []


async def an_application(offhook: Offhook, **fields: Any) -> Application:
    at = clock.utc()
    made = Application(sids.new("AP"), offhook.account_sid, at, at, **fields)
    await offhook.platform.exchange.store.write(records.applications.insert, made)
    return made


# What is asked, and how


async def test_the_first_request_says_who_calls_whom_while_it_rings(offhook: Offhook):
    """M14, M15, M16."""
    app = App("<Say>Hello.</Say>")
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS, from_=CALLER)
    await call.ended()
    told = app.told("")
    assert told == {
        "CallSid": call.sid, "AccountSid": offhook.account_sid, "From": CALLER, "To": OURS,
        "Caller": CALLER, "Called": OURS, "CallStatus": "ringing", "ApiVersion": "2010-04-01",
        "Direction": "inbound",
        **{f"{who}{what}": told[f"{who}{what}"] for who in ("From", "To", "Caller", "Called")
           for what in ("City", "State", "Zip", "Country")},
    }  # fmt: skip
    assert (told["FromState"], told["FromCountry"]) == ("CA", "US")
    assert told["CallerCountry"] == told["FromCountry"]
    assert len(told["CallSid"]) == len(told["AccountSid"]) == 34


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_first_request_is_made_by_the_configured_method(offhook: Offhook, method: str):
    """M08, M09, M10: a form in the body, or parameters behind those that the URL has."""
    app = App()
    offhook.number(OURS, voice=offhook.url(app, "/?tenant=7"), voice_method=method)
    await (await offhook.call(OURS)).ended()
    [(_, request)] = app.asked
    assert request.method == method
    assert request.params["tenant"] == "7"
    assert request.params["To"] == OURS
    assert ("CallSid" in request.url) == (method == "GET")


async def test_each_later_request_is_made_by_its_verbs_method(offhook: Offhook):
    """M08."""
    app = App('<Redirect method="GET">/a</Redirect>', a='<Redirect method="POST">/b</Redirect>')
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS)).ended()
    assert [(path, request.method) for path, request in app.asked] == [
        ("", "POST"), ("a", "GET"), ("b", "POST"),
    ]  # fmt: skip


# Who calls


async def first_request(offhook: Offhook, about: About, **fields: Any) -> dict[str, str]:
    """What the application is told of a call whose leg brings that along."""
    app, exchange = App("<Say>Hello.</Say>"), offhook.platform.exchange
    offhook.number(OURS, voice=app, **fields)
    await asyncio.sleep(0)

    async def on_call(leg: Leg, to: str, from_: str) -> None:
        await inbound.on_call(exchange, cast(Leg, Bringing(leg, about)), to, from_)

    async def on_text(*text: Any) -> None:
        """Nobody texts here."""

    network = SimulatedNetwork(exchange.media, on_call, on_text)
    phone = await network.call(CALLER, OURS)
    await phone.ended
    await network.close()
    return app.told("")


async def test_a_diverted_call_says_by_whom(offhook: Offhook):
    """M14."""
    told = await first_request(offhook, About(forwarded_from="(415) 555-0199"))
    assert told["ForwardedFrom"] == told["CalledVia"] == "+14155550199"
    assert offhook.calls[0].forwarded_from == "+14155550199"


async def test_the_callers_name_is_told_when_the_number_looks_it_up(offhook: Offhook):
    """M14."""
    about = About(caller_name="Ada Lovelace")
    told = await first_request(offhook, about, voice_caller_id_lookup=True)
    assert told["CallerName"] == "Ada Lovelace" == offhook.calls[0].caller_name


class TestOurOwnDirectory:
    @pytest.fixture
    def offhook_settings(self) -> dict[str, Any]:
        return {"caller_names": {CALLER: "Ada of the directory"}}

    async def test_names_a_caller_whatever_the_network_says(self, offhook: Offhook):
        about = About(caller_name="Unknown")
        told = await first_request(offhook, about, voice_caller_id_lookup=True)
        assert told["CallerName"] == "Ada of the directory"

    async def test_is_not_asked_for_a_number_that_looks_nobody_up(self, offhook: Offhook):
        assert "CallerName" not in await first_request(offhook, About())


async def test_the_callers_name_is_not_told_otherwise(offhook: Offhook):
    assert "CallerName" not in await first_request(offhook, About(caller_name="Ada Lovelace"))


async def test_what_a_sip_leg_brings_is_passed_on(offhook: Offhook):
    brought = (("SipCallId", "abc@host"), ("SipHeader_X-Shoe-Size", "43"))
    told = await first_request(offhook, About(params=brought))
    assert told.items() >= dict(brought).items()


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ("(415) 555-4345", "+14155554345"),
        ("0114930123456", "+4930123456"),
        ("anonymous", "+266696687"),
        ("Front desk", "Front desk"),
    ],
)
async def test_numbers_are_e164_where_they_can_be(offhook: Offhook, shown: str, told: str):
    """M18: else the caller ID as it came; a withheld one as keys spell it."""
    app = App()
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS, from_=shown)).ended()
    assert app.told("")["From"] == told
    assert offhook.calls[0].from_ == told


# The end


async def test_the_end_is_told_once_with_everything_known(offhook: Offhook):
    """M17, M19: an asynchronous request with the usual parameters and the duration."""
    app = App('<Say>Hello.</Say><Pause length="61"/>')
    offhook.number(OURS, voice=app, status=offhook.url(app, "/status"))
    call = await offhook.call(OURS, from_=CALLER)
    await call.hears("Hello.")
    await asyncio.sleep(29)
    await call.hang_up()
    await offhook.platform.exchange.notifier.settled()
    assert app.paths == ["", "status"]
    first, last = app.told(""), app.told("status")
    assert {**last, "CallStatus": "ringing"}.items() >= first.items()
    assert last["CallStatus"] == "completed"
    assert last["CallbackSource"] == "call-progress-events"
    assert (last["SequenceNumber"], last["SipResponseCode"]) == ("0", "200")
    assert last["CallDuration"] == str(call.record.duration)
    assert last["Duration"] == "1"
    assert last["Timestamp"] == "Mon, 02 Mar 2026 09:00:29 +0000"


async def test_minutes_are_rounded_up(offhook: Offhook):
    app = App('<Say>A</Say><Pause length="60"/>')
    offhook.number(OURS, voice=app, status=offhook.url(app, "/status"))
    await (await offhook.call(OURS)).ended()
    await offhook.platform.exchange.notifier.settled()
    assert (app.told("status")["CallDuration"], app.told("status")["Duration"]) == ("60", "1")


async def test_who_hangs_up_while_the_application_thinks_is_not_talked_to(offhook: Offhook):
    """The request is allowed to finish; its answer is not run, and the end is told."""
    app = App("<Say>Too late.</Say>", late=8)
    offhook.number(OURS, voice=app, status=offhook.url(app, "/status"))
    call = await offhook.call(OURS)
    await asyncio.sleep(1)
    await call.hang_up()
    await asyncio.sleep(20)
    assert call.heard == ""
    assert (call.record.status, call.record.duration) == ("no-answer", 0)
    assert [each.status for each in offhook.webhooks] == [200, 200]
    assert app.told("status")["CallStatus"] == "no-answer"
    assert app.told("status")["CallDuration"] == "0"


@pytest.mark.parametrize("verb", ["<Redirect>/more</Redirect>", "<Sms>You hung up.</Sms>"])
async def test_what_is_answered_to_a_caller_who_has_gone_is_not_run(offhook: Offhook, verb: str):
    """reference: document execution model."""

    async def slowly(request: Request) -> str:
        await asyncio.sleep(5)
        return verb

    app = App('<Gather numDigits="1" action="/slow"/>', slow=slowly)
    offhook.number(OURS, voice=offhook.url(app), status=offhook.url(app, "/status"))
    call = await offhook.call(OURS, from_=CALLER)
    await asyncio.sleep(1)
    call.press("1")
    await asyncio.sleep(1)
    await call.hang_up()
    await asyncio.sleep(30)
    assert app.paths == ["", "slow", "status"]
    assert offhook.messages == []


async def test_a_call_lasts_until_the_phone_is_hung_up_not_until_the_application_has_answered(
    offhook: Offhook,
):
    async def slowly(request: Request) -> str:
        await asyncio.sleep(9)
        return "<Say>Too late.</Say>"

    app = App('<Gather numDigits="1" action="/slow"/>', slow=slowly)
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.answered()
    await asyncio.sleep(2)
    call.press("1")
    await asyncio.sleep(1)
    await call.hang_up()
    await asyncio.sleep(20)
    assert call.record.duration == 3


# What answers


@pytest.mark.parametrize(
    "verb",
    [
        "<Say>Hello.</Say>",
        '<Play digits="1"/>',
        '<Gather timeout="1"/>',
        '<Record maxLength="2" action="/done"/>',
        f'<Dial timeout="5">{AGENT}</Dial>',
        "<Hangup/>",
    ],
)
async def test_these_verbs_answer(offhook: Offhook, verb: str):
    offhook.number(OURS, voice=App(f'<Pause length="3"/>{verb}'))
    offhook.phone(AGENT).behaves("no-answer")
    call = await offhook.call(OURS)
    await asyncio.sleep(2.9)
    assert call.state == "ringing"
    assert (await call.ended()).code == 200
    assert call.record.status == "completed"


async def test_redirect_does_not_answer(offhook: Offhook):
    app = App("<Redirect>/next</Redirect>", next='<Pause length="5"/>')
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await asyncio.sleep(4)
    assert (call.state, app.statuses("next")) == ("ringing", ["ringing"])


async def test_the_end_of_a_document_answers_and_hangs_up(offhook: Offhook):
    offhook.number(OURS, voice=App(""))
    call = await offhook.call(OURS)
    assert (await call.ended()).code == 200
    assert call.record.status == "completed"


@pytest.mark.parametrize(
    ("reason", "code", "status"), [("", 404, "no-answer"), ('reason="busy"', 486, "busy")]
)
async def test_reject_refuses(offhook: Offhook, reason: str, code: int, status: str):
    offhook.number(OURS, voice=App(f"<Reject {reason}/><Say>Never.</Say>"))
    call = await offhook.call(OURS)
    assert await call.ended() == Ended("near", code)
    assert (call.record.status, call.record.sip_response_code) == (status, code)


async def test_a_reject_after_the_answer_hangs_up(offhook: Offhook):
    offhook.number(OURS, voice=App('<Say>Hello.</Say><Reject reason="busy"/>'))
    call = await offhook.call(OURS)
    assert (await call.ended()).code == 200
    assert call.record.status == "completed"


# Documents and their verbs


async def test_relative_urls_are_below_the_document_that_was_redirected_to(offhook: Offhook):
    """M04: a link is resolved against the URL of its document after redirects."""
    away = Response("", 302, headers={"Location": "/shop/menu?x=1"})
    app = App(away, **{"shop/menu": "<Redirect>next</Redirect>"})
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS)).ended()
    assert app.paths == ["", "shop/menu", "shop/next"]


async def test_an_empty_redirect_asks_for_the_same_document(offhook: Offhook):
    answers = iter(["<Redirect/>", "<Say>Again.</Say>"])
    app = App(lambda request: next(answers))
    offhook.number(OURS, voice=offhook.url(app, "/?n=1"))
    await (await offhook.call(OURS)).hears("Again.")
    assert [request.params["n"] for request in app.requests("")] == ["1", "1"]


async def test_a_text_is_sent_to_the_caller_and_its_action_asked(offhook: Offhook):
    """M03, M21: Sms in a call."""
    app = App(
        '<Sms action="/sent" statusCallback="/text">Your code is 7.</Sms>',
        sent="<Say>Look at your phone.</Say>",
    )
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS, from_=CALLER)
    await call.hears("Look at your phone.")
    text = await offhook.phone(CALLER).reads("Your code is 7.")
    assert text.from_ == OURS
    [message] = offhook.messages
    assert message.direction == "outbound-call"
    assert (app.told("sent")["SmsSid"], app.told("sent")["SmsStatus"]) == (message.sid, "sent")
    await asyncio.sleep(1)
    assert [each.params["SmsStatus"] for each in app.requests("text")] == ["sent", "delivered"]


async def test_a_text_from_a_number_that_is_not_ours_is_invalid(offhook: Offhook):
    app = App('<Sms from="+15550999" action="/sent">Hello.</Sms>')
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS)).ended()
    assert app.told("sent")["SmsStatus"] == "invalid"
    assert codes(offhook) == [14102]


async def test_keys_gathered_in_a_call_are_what_was_pressed(offhook: Offhook):
    """M22: through the sound, key by key."""
    app = App(
        '<Gather numDigits="4" action="/pin" finishOnKey=""><Say>Your PIN?</Say></Gather>',
        pin=lambda request: f"<Say>{request.params['Digits']}</Say>",
    )
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.hears("Your P")
    call.press("1#*4")
    await call.hears("1#*4")
    assert "IN?" not in call.heard  # the first key ended the prompt
    assert app.told("pin")["msg"] == "Gather End"
    assert app.told("pin")["CallStatus"] == "in-progress"


async def test_the_finish_key_ends_a_gather_and_is_not_a_digit(offhook: Offhook):
    app = App('<Gather action="/pin"/>')
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.answered()
    await call.press("12#")
    await call.ended()
    assert (app.told("pin")["Digits"], app.told("pin")["FinishedOnKey"]) == ("12", "#")


async def test_keys_before_a_gather_are_not_its_own(offhook: Offhook):
    app = App('<Say>One moment please.</Say><Gather numDigits="1" action="/pin"/>')
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.answered()
    call.press("9")
    await call.hears("please.")
    await asyncio.sleep(0.5)
    call.press("3")
    await call.ended()
    assert app.told("pin")["Digits"] == "3"


async def test_who_hangs_up_in_a_gather_is_not_reported(offhook: Offhook):
    app = App('<Gather numDigits="4" action="/pin"/>')
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.answered()
    await call.press("12")
    await call.hang_up()
    await asyncio.sleep(10)
    assert app.paths == [""]


async def test_who_hangs_up_while_something_is_said_is_not_led_on(offhook: Offhook):
    app = App("<Say>A long sentence.</Say><Redirect>/next</Redirect>")
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.hears("A long")
    await call.hang_up()
    await asyncio.sleep(5)
    assert app.paths == [""]
