"""The kit as an application developer uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as WebRequest
from starlette.responses import Response as WebResponse
from starlette.routing import Route
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from offhook.carriers.handset import Handset
from offhook.line.leg import Ended
from offhook.testing.applications import Request, Response, kind_of
from offhook.testing.phones import PhoneCall
from offhook.testing.platform import Offhook
from offhook.testing.speech import transcribe_wav
from offhook.testing.voice import speak

US, YOU = "+15550100", "+15550002222"
MENU = '<Response><Gather numDigits="1"><Say>Press 1 for sales.</Say></Gather></Response>'
SALES = "<Response><Say>Sales, hello.</Say></Response>"


def say(text: str) -> str:
    return f"<Response><Say>{text}</Say></Response>"


def answering(document: str) -> Any:
    return lambda request: document


async def shop(request: Request) -> str:
    return SALES if request.params.get("Digits") == "1" else MENU


async def asgi_shop(request: WebRequest) -> WebResponse:
    form = await request.form()
    return WebResponse(SALES if form.get("Digits") == "1" else MENU, media_type="text/xml")


def wsgi_shop(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    form = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("Content-Type", "text/xml")])
    return [(SALES if b"Digits=1" in form else MENU).encode()]


ASGI = Starlette(routes=[Route("/", asgi_shop, methods=["POST"])])


class Redirected(TwilioHttpClient):
    """The official library's own client, with another address in place of its service's."""

    def __init__(self, offhook: Offhook) -> None:
        super().__init__()
        self._root = offhook.api_url

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        return super().request(method, self._root + urlsplit(url).path, *args, **options)


# An application is anything that answers


@pytest.mark.parametrize("app", [shop, ASGI, wsgi_shop], ids=["function", "ASGI", "WSGI"])
async def test_an_application_answers_a_call(offhook: Offhook, app: Any) -> None:
    """M01: the application behind the called number is asked, and its TwiML performed."""
    offhook.number(US, voice=app)
    call = await offhook.call(US)
    await call.hears("Press 1 for sales.")
    call.press("1")
    await call.hears("Sales, hello.")
    assert await call.ended() == Ended("near", 200)

    assert offhook.webhooks[-1].params["Digits"] == "1"
    assert call.heard == "Press 1 for sales.\nSales, hello."
    assert [each.status for each in offhook.calls] == ["completed"]
    assert call.record.sid == offhook.webhooks[0].params["CallSid"]


async def test_an_application_may_be_a_url(offhook: Offhook) -> None:
    offhook.number(US, voice=offhook.url(ASGI))
    await (await offhook.call(US)).hears("Press 1 for sales.")
    assert offhook.webhooks[0].url.startswith("http://127.0.0.1:")


def test_what_is_no_application_is_refused() -> None:
    def four(a: int, b: int, c: int, d: int) -> None:
        """Takes too much."""

    with pytest.raises(TypeError, match="takes 4 arguments"):
        kind_of(four)


async def test_a_function_runs_in_virtual_time(offhook: Offhook) -> None:
    async def slow(request: Request) -> str:
        await asyncio.sleep(10)
        return say("Sorry, I was asleep.")

    offhook.number(US, voice=slow)
    call = await offhook.call(US)
    await call.hears("Sorry, I was asleep.")
    assert 10 < offhook.now < 13


async def test_a_function_that_fails_has_its_number_say_so(offhook: Offhook) -> None:
    def fails(request: Request) -> str:
        raise ZeroDivisionError

    def makes_up(request: Request) -> str:
        return say(f"Error {request.params['ErrorCode']}.")

    offhook.number(US, voice=fails, fallback=makes_up)
    await (await offhook.call(US)).hears("Error 11200.")
    assert [each.status for each in offhook.webhooks] == [500, 200]


async def test_a_function_may_answer_with_sound(offhook: Offhook) -> None:
    played = speak("This is a recording. これは録音です。")
    sound = offhook.url(lambda request: played, "/hello.wav")
    offhook.number(US, voice=answering(f"<Response><Play>{sound}</Play></Response>"))
    await (await offhook.call(US)).hears("This is a recording. これは録音です。")


async def test_a_response_has_its_own_status_and_type(offhook: Offhook) -> None:
    offhook.number(US, voice=lambda request: Response("Just words.", 200, "text/plain"))
    await (await offhook.call(US)).hears("Just words.")


# Time


async def test_a_day_of_pause_is_over_at_once(offhook: Offhook) -> None:
    """Six calls, one after the other: none may last longer than four hours."""
    offhook.number(
        US, voice=answering('<Response><Pause length="14390"/><Say>Still there?</Say></Response>')
    )
    for _ in range(6):
        call = await offhook.call(US)
        await call.hears_nothing(14_380)
        await call.hears("Still there?")
        await call.ended()
    assert offhook.now > 86_000


async def test_every_frame_of_ten_minutes_is_heard(offhook: Offhook) -> None:
    offhook.number(US, voice=answering('<Response><Say loop="0">Please hold.</Say></Response>'))
    call = await offhook.call(US)
    await asyncio.sleep(600)
    said = len(speak("Please hold.").pcm) / 16_000
    assert call.heard.count("Please hold.") == int(600 / said)


async def test_an_application_in_a_thread_may_use_the_api(offhook: Offhook) -> None:
    library = Client(offhook.account_sid, offhook.auth_token, http_client=Redirected(offhook))

    def page(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        [call] = library.calls.list()
        start_response("200 OK", [("Content-Type", "text/xml")])
        return [say(f"Your call is {call.status}.").encode()]

    offhook.number(US, voice=page)
    await (await offhook.call(US)).hears("Your call is ringing.")


# Phones


async def test_a_failed_expectation_says_what_was_heard(offhook: Offhook) -> None:
    offhook.number(US, voice=answering(say("Goodbye.")))
    call = await offhook.call(US)
    with pytest.raises(AssertionError, match=r"hear 'Hello\.' .* but 'Goodbye\.'; the call"):
        await call.hears("Hello.")


async def test_what_was_heard_once_is_not_heard_again(offhook: Offhook) -> None:
    offhook.number(US, voice=answering('<Response><Say loop="2">La.</Say></Response>'))
    call = await offhook.call(US)
    await call.hears("La.")
    await call.hears("La.")
    with pytest.raises(AssertionError, match="but nothing"):
        await call.hears("La.")


async def test_silence_can_be_expected(offhook: Offhook) -> None:
    offhook.number(
        US, voice=answering('<Response><Pause length="5"/><Say>Boo!</Say><Pause/></Response>')
    )
    call = await offhook.call(US)
    await call.hears_nothing(4.9)
    with pytest.raises(AssertionError, match="heard 'B"):
        await call.hears_nothing(1)


async def test_a_phone_is_called_and_answers(offhook: Offhook) -> None:
    """M05: a REST request starts a call, which runs its document on the answer."""
    offhook.number(US)
    posted = await offhook.post("Calls.json", To=YOU, From=US, Twiml=say("Your order is ready."))
    assert posted["status"] == "queued"
    call = await offhook.phone(YOU).rings()
    await call.hears("Your order is ready.")
    await call.ended()
    assert (await offhook.get(f"Calls/{posted['sid']}.json"))["status"] == "completed"
    assert call.sid == posted["sid"]


@pytest.mark.parametrize(
    ("how", "status"),
    [("busy", "busy"), ("rejects", "busy"), ("unreachable", "failed"), ("no-answer", "no-answer")],
)
async def test_a_phone_behaves_by_the_table(offhook: Offhook, how: str, status: str) -> None:
    offhook.phone(YOU).behaves(how)
    await offhook.post(
        "Calls.json", To=YOU, From=offhook.number(US), Twiml=say("Hello?"), Timeout="30"
    )
    call = await offhook.phone(YOU).rings()
    await call.ended()
    assert call.record.status == status


async def test_a_phone_behaves_as_a_coroutine_does(offhook: Offhook) -> None:
    async def answers_and_presses(phone: Handset) -> None:
        phone.ring()
        await phone.wait(5)
        phone.answer()
        await phone.wait(1)
        await phone.press("1")

    offhook.phone(YOU).behaves(answers_and_presses)
    await offhook.post("Calls.json", To=YOU, From=offhook.number(US), Url=offhook.url(shop))
    await (await offhook.phone(YOU).rings()).hears("Sales, hello.")


async def test_a_bridged_call_is_heard_at_both_ends_and_recorded(offhook: Offhook) -> None:
    dial = f'<Dial record="record-from-answer-dual">{YOU}</Dial>'
    offhook.number(US, voice=answering(f"<Response>{dial}</Response>"))
    caller = await offhook.call(US)
    callee = await offhook.phone(YOU).rings()
    await callee.answered()
    await caller.says("Can you hear me?")
    await callee.hears("Can you hear me?")
    await callee.says("Loud and clear.")
    await caller.hears("Loud and clear.")
    await caller.hang_up()
    await callee.ended()
    [recording] = offhook.recordings
    assert transcribe_wav(recording.path) == ["Can you hear me?", "Loud and clear."]


async def test_a_caller_is_recorded(offhook: Offhook) -> None:
    async def voicemail(request: Request) -> str:
        if "RecordingUrl" in request.params:
            return say("Thank you.")
        return '<Response><Record playBeep="false" finishOnKey="#"/></Response>'

    offhook.number(US, voice=voicemail)
    call = await offhook.call(US)
    await asyncio.sleep(0.5)
    await call.says("Ring me up. 📞")
    call.press("#")
    await call.hears("Thank you.")
    assert [transcribe_wav(each.path) for each in offhook.recordings] == [["Ring me up. 📞"]]


async def test_keys_that_are_played_are_seen(offhook: Offhook) -> None:
    offhook.number(US, voice=answering('<Response><Play digits="12w#"/></Response>'))
    call = await offhook.call(US)
    await call.ended()
    assert call.keys == "12#"


# Texts


async def test_a_text_gets_its_reply(offhook: Offhook) -> None:
    """M02: an incoming text asks the number's SMS URL; the application answers with XML."""

    async def replies(request: Request) -> str:
        return f"<Response><Message>You said {request.params['Body']}</Message></Response>"

    offhook.number(US, sms=replies)
    await offhook.text(YOU, US, "Grüezi 🏔️")
    text = await offhook.phone(YOU).reads("You said Grüezi 🏔️")
    assert text.from_ == US
    assert [each.status for each in offhook.messages] == ["received", "delivered"]


async def test_a_text_that_cannot_be_delivered_says_why(offhook: Offhook) -> None:
    offhook.phone(YOU).behaves("landline")
    posted = await offhook.post("Messages.json", To=YOU, From=offhook.number(US), Body="Hello")
    with pytest.raises(AssertionError, match=r"did not read 'Hello' within 30 s but nothing"):
        await offhook.phone(YOU).reads("Hello")
    message = await offhook.get(f"Messages/{posted['sid']}.json")
    assert (message["status"], message["error_code"]) == ("undelivered", 30006)


# What there is to see


async def test_the_official_library_is_a_client_of_the_platform(offhook: Offhook) -> None:
    """M24: the official helper library works against the API."""
    library = Client(offhook.account_sid, offhook.auth_token, http_client=Redirected(offhook))
    twiml = say("Hello from a library.")
    offhook.number(US)
    posted = await asyncio.to_thread(lambda: library.calls.create(to=YOU, from_=US, twiml=twiml))
    call = await offhook.phone(YOU).rings()
    await call.hears("Hello from a library.")
    assert call.sid == posted.sid


async def test_the_story_of_a_call_is_kept(offhook: Offhook) -> None:
    offhook.number(US, voice=answering(say("Hello.")))
    call = await offhook.call(US)
    await call.ended()
    kinds = {event.kind for event in await offhook.story(call.sid)}
    assert {"status", "webhook", "twiml", "said"} <= kinds


async def test_the_debuggers_entries_are_seen(offhook: Offhook) -> None:
    offhook.number(US, voice=answering("<Response><Sai>Hello.</Sai></Response>"))
    call = await offhook.call(US)
    await call.ended()
    assert 12200 in [each.error_code for each in offhook.notifications]


async def test_a_phone_that_crashes_fails_the_test() -> None:
    async def trips(phone: Handset) -> None:
        raise ZeroDivisionError

    async def test() -> None:
        async with Offhook() as offhook:
            offhook.phone(YOU).behaves(trips)
            await offhook.post("Calls.json", To=YOU, From=offhook.number(US), Twiml=say("Hello?"))
            await asyncio.sleep(10)

    with pytest.raises(ExceptionGroup, match="phones crashed"):
        await test()


@pytest.fixture
def ready(offhook: Offhook) -> str:
    """A number that an ordinary fixture sets up, before anything runs."""
    return offhook.number(US, voice=shop)


async def test_numbers_may_be_set_up_by_fixtures(offhook: Offhook, ready: str) -> None:
    call: PhoneCall = await offhook.call(ready)
    await call.hears("Press 1 for sales.")


async def test_a_call_that_is_refused_has_its_record(offhook: Offhook) -> None:
    offhook.number(US, voice=answering('<Response><Reject reason="busy"/></Response>'))
    call = await offhook.call(US)
    assert await call.ended() == Ended("near", 486)
    assert call.record.status == "busy"
