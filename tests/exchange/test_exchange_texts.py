"""Texts in and out.  reference: messaging."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from exchange_app import CALLER, OURS, App, codes

from offhook import clock, sids
from offhook.exchange.exchange import Route
from offhook.line.leg import Carrier, Text
from offhook.model.account import Application
from offhook.model.journal import Event
from offhook.store import records
from offhook.testing import Offhook, Response

PNG = b"\x89PNG\r\n\x1a\n and so on"


async def texted(offhook: Offhook, app: App, body: str = "Hi", **more: Any) -> None:
    """CALLER texts OURS, which `app` answers; returns when everything is done."""
    offhook.number(OURS, sms=app, sms_fallback=offhook.url(app, "/instead"))
    await offhook.text(CALLER, OURS, body, **more)
    await settled(offhook)


async def settled(offhook: Offhook) -> None:
    await asyncio.sleep(5)
    await offhook.platform.exchange.settle()
    await offhook.platform.exchange.notifier.settled()


def inbox(offhook: Offhook, number: str = CALLER) -> list[str]:
    return [text.body for text in offhook.phone(number).inbox]


# In


async def test_a_text_asks_the_application_with_everything_known(offhook: Offhook):
    """M02, M15."""
    app = App()
    await texted(offhook, app, "Grüße 😀")
    told, [message] = app.told(""), offhook.messages
    assert list(told) == [
        "ToCountry", "ToState", "SmsMessageSid", "NumMedia", "ToCity", "FromZip", "SmsSid",
        "FromState", "SmsStatus", "FromCity", "Body", "FromCountry", "To", "ToZip", "NumSegments",
        "MessageSid", "AccountSid", "From", "ApiVersion",
    ]  # fmt: skip
    assert {told["MessageSid"], told["SmsSid"], told["SmsMessageSid"]} == {message.sid}
    assert (told["From"], told["To"], told["Body"]) == (CALLER, OURS, "Grüße 😀")
    assert (told["SmsStatus"], told["NumMedia"], told["NumSegments"]) == ("received", "0", "1")
    assert (told["FromState"], told["FromCountry"]) == ("CA", "US")
    assert (message.status, message.direction) == ("received", "inbound")


async def test_attachments_are_kept_and_to_be_had(offhook: Offhook):
    app = App()
    await texted(offhook, app, "Look", media=(("image/png", PNG), ("text/vcard", b"BEGIN:VCARD")))
    told = app.told("")
    assert (told["NumMedia"], told["MediaContentType0"]) == ("2", "image/png")
    assert told["MediaContentType1"] == "text/vcard"
    assert told["MessageSid"].startswith("MM")
    with clock.outside("fetching an attachment"):
        async with aiohttp.ClientSession() as session, session.get(told["MediaUrl0"]) as response:
            kind, body = response.content_type, await response.read()
    assert (kind, body) == ("image/png", PNG)


async def test_a_text_to_a_number_that_is_not_ours_is_not_taken(offhook: Offhook):
    assert await offhook.text(CALLER, "+15550199", "Hi") is None
    assert offhook.messages == []


async def test_a_number_without_a_url_keeps_its_texts(offhook: Offhook):
    offhook.number(OURS)
    await offhook.text(CALLER, OURS, "Hi")
    assert [each.status for each in offhook.messages] == ["received"]
    assert codes(offhook) == []


async def test_the_application_of_a_number_answers_its_texts(offhook: Offhook):
    """M13."""
    own, app, at = App(), App("<Message>Right.</Message>"), clock.utc()
    application = Application(
        sids.new("AP"), offhook.account_sid, at, at, sms_url=offhook.url(app), sms_method="GET"
    )
    await offhook.platform.exchange.store.write(records.applications.insert, application)
    offhook.number(OURS, sms=own, sms_application_sid=application.sid)
    await offhook.text(CALLER, OURS, "Hi")
    await offhook.phone(CALLER).reads("Right.")
    assert [request.method for _, request in app.asked] == ["GET"]
    assert own.asked == []


# Answers


async def test_replies_go_out_in_order_and_are_told_of(offhook: Offhook):
    reply = '<Message statusCallback="/status">{}</Message>'
    app, left = App("".join(map(reply.format, range(9)))), []

    def note(event: Event) -> None:
        if event.data.get("status") == "sent":
            left.append(event.subject)

    offhook.platform.exchange.journal.listeners.add(note)
    await texted(offhook, app)
    replies = [each for each in offhook.messages if each.direction == "outbound-reply"]
    assert [each.body for each in replies] == list("012345678") == sorted(inbox(offhook))
    assert left == [each.sid for each in replies]
    assert {(each.from_, each.to, each.status) for each in replies} == {(OURS, CALLER, "delivered")}
    for reply_sent in replies:
        told = [
            request.params["MessageStatus"]
            for request in app.requests("status")
            if request.params["MessageSid"] == reply_sent.sid
        ]
        assert told == ["sent", "delivered"]


@pytest.mark.parametrize(
    "text", ["You said hi", "5 < 6 & <b>", "A bell:\x07", "two\nlines"], ids=["a", "b", "c", "d"]
)
async def test_plain_text_is_the_reply_as_it_is(offhook: Offhook, text: str):
    await texted(offhook, App(Response(text, media_type="text/plain")))
    assert inbox(offhook) == [text]


async def test_plain_text_that_is_too_long_is_not_sent(offhook: Offhook):
    await texted(offhook, App(Response("x" * 1601, media_type="text/plain")))
    assert inbox(offhook) == []
    assert codes(offhook) == [14103]


@pytest.mark.parametrize("answer", [Response(status=204), Response(""), ""])
async def test_nothing_is_no_reply(offhook: Offhook, answer: Any):
    await texted(offhook, App(answer))
    assert len(offhook.messages) == 1
    assert codes(offhook) == []


async def test_a_redirect_passes_the_message_on(offhook: Offhook):
    """M21."""
    app = App(
        '<Redirect method="GET">\n  next\n</Redirect><Message>Never.</Message>',
        next="<Message>There.</Message>",
    )
    await texted(offhook, app)
    assert inbox(offhook) == ["There."]
    [request] = app.requests("next")
    assert (request.method, request.params["Body"]) == ("GET", "Hi")


async def test_an_action_is_asked_when_the_reply_is_queued_and_takes_over(offhook: Offhook):
    app = App(
        '<Message action="/then">One</Message><Message>Never.</Message>',
        then="<Message>Two</Message>",
    )
    await texted(offhook, app)
    assert sorted(inbox(offhook)) == ["One", "Two"]
    asked, *told = app.requests("then")
    reply = next(each for each in offhook.messages if each.body == "One")
    assert (asked.params["MessageSid"], asked.params["MessageStatus"]) == (reply.sid, "sent")
    assert asked.params["Body"] == "Hi"
    assert [request.params["MessageStatus"] for request in told] == ["sent", "delivered"]


async def test_a_reply_may_go_to_somebody_else_in_national_form(offhook: Offhook):
    await texted(offhook, App('<Message to="(415) 555-4345">Psst.</Message>'))
    assert inbox(offhook, "+14155554345") == ["Psst."]


@pytest.mark.parametrize(
    ("attributes", "code"),
    [('from="+15550999"', 14102), (f'to="{OURS}"', 14101), ('to="Bob"', 14101)],
)
async def test_a_reply_that_cannot_be_sent_is_left_out(
    offhook: Offhook, attributes: str, code: int
):
    await texted(offhook, App(f"<Message {attributes}>A</Message><Message>B</Message>"))
    assert inbox(offhook) == ["B"]
    assert codes(offhook) == [code]


async def test_the_fallback_takes_over_when_the_application_fails(offhook: Offhook):
    app = App(Response("", 503), instead="<Message>Later.</Message>")
    await texted(offhook, app)
    assert inbox(offhook) == ["Later."]
    told = app.told("instead")
    assert (told["ErrorCode"], told["ErrorUrl"]) == ("11200", offhook.url(app))
    assert told["Body"] == "Hi"


async def test_when_the_fallback_fails_too_there_is_only_a_note(offhook: Offhook):
    await texted(offhook, App(Response("<Say"), instead=Response("{}", media_type="a/json")))
    assert inbox(offhook) == []
    assert codes(offhook) == [12100, 12300]
    assert offhook.notifications[0].response_body == "<Say"


async def test_cookies_last_for_four_hours_of_silence_between_two_numbers(offhook: Offhook):
    """M11."""
    app = App(Response("<Response/>", headers={"Set-Cookie": "step=2"}))
    await texted(offhook, app)
    await offhook.text(CALLER, OURS, "Two")
    await asyncio.sleep(4 * 3600 - 10)
    await offhook.text(CALLER, OURS, "Three")
    await offhook.text("+14155550122", OURS, "A stranger's")
    await asyncio.sleep(4 * 3600 + 10)
    await offhook.text(CALLER, OURS, "Four")
    cookies = {each.params["Body"]: each.headers.get("cookie") for _, each in app.asked}
    assert cookies == {
        "Hi": None, "Two": "step=2", "Three": "step=2", "A stranger's": None, "Four": None,
    }  # fmt: skip


async def test_a_machine_that_answers_a_machine_is_stopped(offhook: Offhook):
    app = App("<Message>Echo</Message>")
    offhook.number(OURS, sms=app)
    for _ in range(17):
        await offhook.text(CALLER, OURS, "Echo")
    await settled(offhook)
    assert len(inbox(offhook)) == 15
    assert codes(offhook) == [14107, 14107]
    await asyncio.sleep(30)
    await offhook.text(CALLER, OURS, "Echo")
    await settled(offhook)
    assert len(inbox(offhook)) == 16


# Out


async def sent(offhook: Offhook, app: App, **form: str) -> dict[str, Any]:
    usual = {
        "To": CALLER, "From": offhook.number(OURS), "Body": "Hello",
        "StatusCallback": offhook.url(app, "/status"),
    }  # fmt: skip
    posted = await offhook.post("Messages.json", **usual | form)
    await settled(offhook)
    return posted


async def test_a_text_is_queued_sent_and_delivered_and_told_of_in_order(offhook: Offhook):
    """Never of the status that the request was answered with."""
    app = App()
    posted = await sent(offhook, app)
    assert posted["status"] == "queued"
    assert inbox(offhook) == ["Hello"]
    told = [request.params for request in app.requests("status")]
    assert [each["MessageStatus"] for each in told] == ["sent", "delivered"]
    assert list(told[0]) == [
        "SmsSid", "SmsStatus", "MessageStatus", "To", "MessageSid", "AccountSid", "From",
        "ApiVersion",
    ]  # fmt: skip
    assert [each["SmsStatus"] for each in told] == ["sent", "delivered"]
    assert {each["MessageSid"] for each in told} == {posted["sid"]}


@pytest.mark.parametrize(
    ("how", "code"),
    [("landline", 30006), ("unreachable", 30003), ("unknown", 30005), ("filtered", 30007)],
)
async def test_a_text_that_does_not_arrive_says_why(offhook: Offhook, how: str, code: int):
    app = App()
    offhook.phone(CALLER).behaves(how)
    posted = await sent(offhook, app)
    told = [request.params for request in app.requests("status")]
    assert [each["MessageStatus"] for each in told] == ["sent", "undelivered"]
    assert told[1]["ErrorCode"] == str(code)
    message = await offhook.get(f"Messages/{posted['sid']}.json")
    assert (message["status"], message["error_code"]) == ("undelivered", code)


@pytest.fixture
def offhook_settings(request: pytest.FixtureRequest) -> dict[str, object]:
    return getattr(request, "param", {})


@pytest.mark.parametrize("offhook_settings", [{"simulated": {"enabled": False}}], indirect=True)
async def test_a_text_that_nobody_carries_fails(offhook: Offhook):
    app = App()
    await sent(offhook, app)
    assert [each.params["MessageStatus"] for each in app.requests("status")] == ["failed"]
    assert app.told("status")["ErrorCode"] == "30006"
    assert codes(offhook) == [21612]


@pytest.mark.parametrize(
    "offhook_settings",
    [{"simulated": {"enabled": False, "numbers": {CALLER: "answers"}}}],
    indirect=True,
)
async def test_a_network_that_is_off_has_no_phones_at_all(offhook: Offhook):
    await sent(offhook, App())
    assert inbox(offhook) == []


async def test_media_are_fetched_kept_and_sent(offhook: Offhook):
    app = App(picture=Response(PNG, media_type="image/png"))
    posted = await sent(offhook, app, MediaUrl=offhook.url(app, "/picture"))
    [request] = app.requests("picture")
    assert (request.method, "x-twilio-signature" in request.headers) == ("GET", False)
    assert (posted["num_media"], posted["sid"][:2]) == ("1", "MM")
    listed = await offhook.get(f"Messages/{posted['sid']}/Media.json")
    assert [each["content_type"] for each in listed["media_list"]] == ["image/png"]
    assert offhook.phone(CALLER).inbox[0].media == (offhook.url(app, "/picture"),)


async def test_a_text_whose_media_cannot_be_had_fails(offhook: Offhook):
    app = App(picture=Response("", 404))
    await sent(offhook, app, MediaUrl=offhook.url(app, "/picture"))
    assert [each.params["MessageStatus"] for each in app.requests("status")] == ["failed"]
    assert app.told("status")["ErrorCode"] == "11200"
    assert inbox(offhook) == []


async def test_a_text_that_was_sent_stays_sent_when_its_receipt_cannot_be_stored(offhook: Offhook):
    exchange = offhook.platform.exchange
    trigger = """CREATE TRIGGER full BEFORE UPDATE ON messages WHEN NEW.status = 'delivered'
                 BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"""
    await exchange.store.write(lambda connection: connection.exec_driver_sql(trigger))
    exchange.routes = [Route(AtOnce(exchange.routes[0].carrier), lambda to: True)]
    await sent(offhook, App())
    assert [each.status for each in offhook.messages] == ["sent"]


class AtOnce:
    """A carrier whose receipts come before it has returned."""

    name = "at once"

    def __init__(self, carrier: Carrier) -> None:
        self.dial = carrier.dial

    async def send(self, text: Text, report: Callable[[str, int], None]) -> None:
        report("delivered", 0)


# Opting out


async def test_stop_stops_and_start_starts_again(offhook: Offhook):
    """The application hears of it all the same; what it says to somebody who stopped is kept."""
    app = App("<Message>Special offer!</Message>")
    rules = offhook.platform.exchange.rules
    await texted(offhook, app, " Stop \n")
    assert inbox(offhook) == [rules.stopped]
    assert app.told("")["Body"] == " Stop \n"
    assert codes(offhook) == [21610]
    await texted(offhook, app, "Are you there?")
    await texted(offhook, app, "QUIT")
    assert inbox(offhook) == [rules.stopped]
    with pytest.raises(AssertionError, match=r"400.*21610"):
        await offhook.post("Messages.json", To=CALLER, From=OURS, Body="Hello?")
    await texted(offhook, app, "start")
    assert inbox(offhook)[1:] == [rules.started, "Special offer!"]


async def test_stop_is_between_two_numbers(offhook: Offhook):
    offhook.number("+15550101")
    await texted(offhook, App(), "STOP")
    for own, other in (("+15550101", CALLER), (OURS, "+14155550122")):
        await offhook.post("Messages.json", To=other, From=own, Body="Hello")
    await settled(offhook)
    assert inbox(offhook)[1:] == ["Hello"]
    assert inbox(offhook, "+14155550122") == ["Hello"]


async def test_help_gets_help_and_several_words_are_no_keyword(offhook: Offhook):
    app = App("<Message>App.</Message>")
    await texted(offhook, app, "help")
    await texted(offhook, app, "stop please")
    assert inbox(offhook) == [offhook.platform.exchange.rules.helped, "App.", "App."]


async def test_start_by_somebody_who_never_stopped_is_a_word_like_any_other(offhook: Offhook):
    await texted(offhook, App("<Message>Great.</Message>"), "YES")
    assert inbox(offhook) == ["Great."]


async def test_a_text_in_a_call_to_somebody_who_stopped_is_invalid(offhook: Offhook):
    app = App('<Sms action="/sent">Hello.</Sms>')
    await texted(offhook, App(), "STOP")
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS, from_=CALLER)).ended()
    assert app.told("sent")["SmsStatus"] == "invalid"
    assert codes(offhook) == [21610]
