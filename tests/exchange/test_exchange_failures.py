"""What happens when an application fails.  reference: interpreting the response, failure path."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import pytest
from exchange_app import CALLER, OURS, App, codes

from offhook.testing import Offhook, Response
from offhook.testing.speech import wav_of
from offhook.testing.voice import speak

APOLOGY = "We are sorry, an application error has occurred. Goodbye."
DOWN = Response("down", 500, "text/plain")

# The answer, by its type


async def heard(offhook: Offhook, answer: Response) -> str:
    """What a caller hears of that answer, to the end of the call."""
    offhook.number(OURS, voice=App(answer))
    call = await offhook.call(OURS)
    await call.ended()
    return call.heard


@pytest.mark.parametrize("media_type", ["text/xml", "application/xml", "text/html"])
async def test_twiml_has_three_types(offhook: Offhook, media_type: str):
    document = Response("<Response><Say>Hello.</Say></Response>", media_type=media_type)
    assert await heard(offhook, document) == "Hello."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Just words.", "Just words."),
        ("Tom & Jerry <3", "Tom & Jerry <3"),
        ("A bell:\x07 and\na line", "A bell:\x07 and a line"),
        ("<Response><Say>Run.</Say></Response>", "Run."),
    ],
)
async def test_plain_text_is_spoken_unless_it_is_twiml(offhook: Offhook, text: str, said: str):
    assert await heard(offhook, Response(text, media_type="text/plain")) == said


async def test_sound_is_played(offhook: Offhook):
    sound = Response(wav_of(speak("I am a file.")), media_type="audio/wav")
    assert await heard(offhook, sound) == "I am a file."


async def test_nothing_is_nothing_to_do(offhook: Offhook):
    assert await heard(offhook, Response(status=204)) == ""
    assert codes(offhook) == []


async def test_an_empty_answer_ends_the_call_and_is_noted(offhook: Offhook):
    assert await heard(offhook, Response(" ")) == ""
    assert codes(offhook) == [11770]
    assert offhook.calls[0].status == "completed"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response("{}", media_type="application/json"), 12300),
        (Response("no sound", media_type="audio/wav"), 12300),
        (Response("<Response><Say>Hello.</Response>"), 12100),
        (Response("<Answer/>"), 12102),
        (Response("<Response>" + " " * 70_000 + "</Response>"), 11750),
        (Response("gone", 404, "text/plain"), 11200),
    ],
)
async def test_what_cannot_be_run_is_apologised_for(offhook: Offhook, answer: Response, code: int):
    """The caller is answered, to hear it; the call is completed."""
    assert await heard(offhook, answer) == APOLOGY
    assert codes(offhook) == [code]
    assert offhook.calls[0].status == "completed"


async def test_an_answer_without_a_type_is_a_failure(offhook: Offhook):
    assert await heard(offhook, Response("<Response/>", media_type="")) == APOLOGY
    assert codes(offhook) == [11200]


async def test_an_application_has_fifteen_seconds(offhook: Offhook):
    offhook.number(OURS, voice=App("<Say>Hello.</Say>", late=16))
    call = await offhook.call(OURS)
    began = offhook.now
    await call.answered()
    assert 15 <= offhook.now - began < 15.1
    await call.hears(APOLOGY)
    assert codes(offhook) == [11203]


@pytest.fixture
def offhook_settings(request: pytest.FixtureRequest) -> dict[str, object]:
    return getattr(request, "param", {})


@pytest.mark.parametrize("offhook_settings", [{"webhooks": {"timeout": 3}}], indirect=True)
async def test_or_as_many_as_the_settings_allow(offhook: Offhook):
    offhook.number(OURS, voice=App("<Say>Hello.</Say>", late=4))
    call = await offhook.call(OURS)
    began = offhook.now
    await call.answered()
    assert 3 <= offhook.now - began < 3.1


# The fallback


async def test_the_fallback_is_told_what_failed_and_takes_over(offhook: Offhook):
    app = App(
        DOWN, instead='<Say>Welcome anyway.</Say><Gather action="next"/>', next="<Say>Next.</Say>"
    )
    offhook.number(OURS, voice=app, fallback=offhook.url(app, "/instead"))
    call = await offhook.call(OURS)
    await call.hears("Welcome anyway.")
    await asyncio.sleep(1)
    call.press("1#")
    await call.hears("Next.")
    told = app.told("instead")
    assert (told["ErrorCode"], told["ErrorUrl"]) == ("11200", offhook.url(app))
    assert told["CallStatus"] == "ringing"
    assert app.paths == ["", "instead", "next"]


async def test_the_fallback_has_a_method_of_its_own(offhook: Offhook):
    app = App(DOWN)
    url = offhook.url(app, "/instead")
    offhook.number(OURS, voice=app, fallback=url, voice_fallback_method="GET")
    await (await offhook.call(OURS)).ended()
    assert [request.method for _, request in app.asked] == ["POST", "GET"]


@pytest.mark.parametrize(
    "first",
    [
        "<Redirect>/bad</Redirect>",
        '<Gather numDigits="1" action="/bad"/>',
        '<Record action="/bad"/>',
    ],
)
async def test_the_fallback_answers_for_every_later_document(offhook: Offhook, first: str):
    app = App(first, bad=Response("<oops"), instead="<Say>Sorry.</Say>")
    offhook.number(OURS, voice=app, fallback=offhook.url(app, "/instead"))
    call = await offhook.call(OURS)
    await asyncio.sleep(1)
    call.press("1")
    await call.hears("Sorry.")
    assert app.told("instead")["ErrorCode"] == "12100"
    assert app.told("instead")["ErrorUrl"] == offhook.url(app, "/bad")


async def test_when_the_fallback_fails_as_well_there_is_an_apology(offhook: Offhook):
    app = App(DOWN, instead=Response("{}", media_type="application/json"))
    offhook.number(OURS, voice=app, fallback=offhook.url(app, "/instead"))
    call = await offhook.call(OURS)
    await call.hears(APOLOGY)
    assert codes(offhook) == [11200, 12300]
    assert app.paths == ["", "instead"]


async def test_what_is_no_url_in_a_document_is_its_applications_fault(offhook: Offhook):
    app = App("<Redirect>http://[::1</Redirect>", instead="<Say>Sorry.</Say>")
    offhook.number(OURS, voice=app, fallback=offhook.url(app, "/instead"))
    await (await offhook.call(OURS)).hears("Sorry.")
    assert codes(offhook) == [11100]


async def test_what_is_no_url_in_the_answer_to_a_text_is_its_applications_fault(offhook: Offhook):
    app = App("<Redirect>http://[::1</Redirect>", instead="<Message>Sorry.</Message>")
    offhook.number(OURS, sms=app, sms_fallback=offhook.url(app, "/instead"))
    await offhook.text(CALLER, OURS, "Hello?")
    await offhook.phone(CALLER).reads("Sorry.")
    assert codes(offhook) == [11100]


async def test_credentials_of_a_url_are_not_told(offhook: Offhook):
    app = App(DOWN)
    url = offhook.url(app).replace("http://", "http://user:secret@")
    offhook.number(OURS, voice=url, fallback=offhook.url(app, "/instead"))
    await (await offhook.call(OURS)).ended()
    assert app.told("instead")["ErrorUrl"] == offhook.url(app)


# The debugger


async def test_a_failure_is_noted_with_its_request_and_response(offhook: Offhook):
    offhook.number(OURS, voice=App(Response("<Response>\n  <Say>Hi</Response>")))
    call = await offhook.call(OURS)
    await call.ended()
    [entry] = offhook.notifications
    said = parse_qs(entry.message_text)
    assert (entry.error_code, entry.log, entry.call_sid) == (12100, 0, call.sid)
    assert (entry.request_method, entry.request_url) == ("POST", offhook.webhooks[0].url)
    assert parse_qs(entry.request_variables)["CallSid"] == [call.sid]
    assert entry.response_body == "<Response>\n  <Say>Hi</Response>"
    assert (said["line"], said["LogLevel"]) == (["2"], ["ERROR"])


async def test_a_schema_warning_says_where_and_the_document_runs(offhook: Offhook):
    offhook.number(OURS, voice=App('\n<Sing/>\n <Say colour="red">Hello.</Say>'))
    call = await offhook.call(OURS)
    await call.hears("Hello.")
    entries = [parse_qs(each.message_text) for each in offhook.notifications]
    assert [(each["ErrorCode"], each["line"], each["cols"]) for each in entries] == [
        (["12200"], ["2"], ["1"]), (["12200"], ["3"], ["2"]),
    ]  # fmt: skip
    assert [each.log for each in offhook.notifications] == [1, 1]


# What fails alone


@pytest.mark.parametrize(
    ("play", "code"),
    [
        ("<Play>/missing.wav</Play>", 11200),
        ("<Play>/text</Play>", 13420),
        ("<Play>ftp://app.test/x.wav</Play>", 11100),
    ],
)
async def test_sound_that_cannot_be_had_is_left_out(offhook: Offhook, play: str, code: int):
    missing = {"missing.wav": Response("", 404)}
    text = Response("no sound", media_type="text/plain")
    offhook.number(OURS, voice=App(f"{play}<Say>Next.</Say>", text=text, **missing))
    call = await offhook.call(OURS)
    await call.hears("Next.")
    assert codes(offhook) == [code]


async def test_a_relative_action_of_a_document_without_a_url_is_a_failure(offhook: Offhook):
    """A document that came in a REST request has nothing that a URL could be relative to."""
    document = '<Response><Gather numDigits="1" action="/next"/></Response>'
    await offhook.post("Calls.json", To="+14155550111", From=offhook.number(OURS), Twiml=document)
    call = await offhook.phone("+14155550111").rings()
    await call.answered()
    call.press("1")
    await call.hears(APOLOGY)
    assert codes(offhook) == [15004]


async def test_a_callback_url_that_stays_relative_is_left_out(offhook: Offhook):
    document = '<Response><Record maxLength="2" recordingStatusCallback="/x" action=""/></Response>'
    await offhook.post("Calls.json", To="+14155550111", From=offhook.number(OURS), Twiml=document)
    call = await offhook.phone("+14155550111").rings()
    await call.ended()
    assert 13256 in codes(offhook)
    assert [each.status for each in offhook.recordings] == ["completed"]


async def test_documents_that_run_in_a_circle_are_stopped(offhook: Offhook):
    app = App("<Redirect/>")
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS)).ended()
    assert len(app.asked) == 1000
    assert codes(offhook) == [14106]


async def test_a_crash_ends_one_call_and_no_other(offhook: Offhook):
    """Whatever is wrong with one call, the debugger knows, and the others go on."""

    well, ill = App('<Pause length="5"/><Say>All is well.</Say>'), App("<Say>A</Say>")
    offhook.number(OURS, voice=well)
    offhook.number("+15550101", voice=ill)
    fine = await offhook.call(OURS, from_="+14155550122")
    speech = offhook.platform.exchange.speech
    offhook.platform.exchange.speech = Mute(speech)
    crashed = await offhook.call("+15550101")
    assert (await crashed.ended()).by == "near"
    offhook.platform.exchange.speech = speech
    await fine.hears("All is well.")
    assert codes(offhook) == [12400]
    assert crashed.record.status == "completed"


class Mute:
    """A voice that is out of order."""

    def __init__(self, voice: object) -> None:
        self.voice = voice

    async def say(self, *words: object) -> None:
        raise ZeroDivisionError


async def test_a_callback_that_is_not_taken_is_a_warning(offhook: Offhook):
    app = App("<Say>Hello.</Say>", status=DOWN)
    offhook.number(OURS, voice=app, status=offhook.url(app, "/status"))
    await (await offhook.call(OURS)).ended()
    await offhook.platform.exchange.notifier.settled()
    await asyncio.sleep(1)
    assert [(each.error_code, each.log) for each in offhook.notifications] == [(15003, 1)]


async def test_what_a_url_has_for_the_application_alone_is_not_noted(offhook: Offhook):
    app = App(DOWN, status=DOWN)
    voice, status = (
        offhook.url(app, path).replace("://", "://me:hush@") for path in ("/", "/status")
    )
    offhook.number(OURS, voice=voice, status=status)
    await (await offhook.call(OURS)).ended()
    await offhook.platform.exchange.notifier.settled()
    await asyncio.sleep(1)
    assert codes(offhook) == [11200, 15003]
    assert "hush" not in repr(offhook.notifications)


async def test_nor_is_it_in_the_story_of_a_call(offhook: Offhook):
    sound = Response(wav_of(speak("La.")), media_type="audio/wav")
    app = App("<Play>sound</Play>", sound=sound)
    url = offhook.url(app).replace("://", "://me:hush@")
    offhook.number(OURS, voice=url, status=url + "status")
    call = await offhook.call(OURS)
    await call.ended()
    await offhook.platform.exchange.notifier.settled()
    story = await offhook.story(call.sid)
    asked = [event.data["url"] for event in story if event.kind == "webhook"]
    assert asked == [offhook.url(app, path) for path in ("/", "/sound", "/status")]
    assert "hush" not in repr(story)


async def test_a_bad_override_in_a_url_is_noted_wherever_it_is_asked(offhook: Offhook):
    sound = Response(wav_of(speak("La.")), media_type="audio/wav")
    app = App("<Play>/sound#rp=never</Play>", sound=sound)
    bad = "#rp=never"
    offhook.number(OURS, voice=offhook.url(app) + bad, status=offhook.url(app, "/status") + bad)
    call = await offhook.call(OURS)
    await call.hears("La.")
    await call.ended()
    await offhook.platform.exchange.notifier.settled()
    await asyncio.sleep(1)
    assert codes(offhook) == [11243, 11243, 11243]


# A database that takes nothing


async def broken(offhook: Offhook) -> None:
    await offhook.platform.exchange.store.write(
        lambda connection: connection.exec_driver_sql("ALTER TABLE calls RENAME TO gone")
    )


async def test_a_call_that_cannot_be_stored_is_refused(offhook: Offhook):
    offhook.number(OURS, voice=App("<Say>Hello.</Say>"))
    await broken(offhook)
    call = await offhook.call(OURS)
    assert (await call.ended()).code == 500


async def test_a_call_out_that_cannot_be_stored_is_none(offhook: Offhook):
    offhook.number(OURS)
    await broken(offhook)
    with pytest.raises(AssertionError, match="500"):
        await offhook.post("Calls.json", To="+15550007777", From=OURS, Twiml="<Response/>")
    assert offhook.platform.exchange.attempts == {}


async def test_a_call_out_whose_story_cannot_be_stored_does_not_stay(offhook: Offhook):
    offhook.number(OURS)
    offhook.phone("+15550007777").behaves("no-answer")
    await offhook.post("Calls.json", To="+15550007777", From=OURS, Twiml="<Response/>")
    await broken(offhook)
    await asyncio.sleep(100)
    assert offhook.platform.exchange.attempts == {}
