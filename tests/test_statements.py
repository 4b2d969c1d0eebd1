"""What Offhook promises, statement by statement, each in one short test.

Further proofs name the statement in their docstrings: `grep -rn M17 tests`. M20 and M23 belong to
later releases, and so do M25, the console of M12 and M26, and the search of M26.
"""

from __future__ import annotations

import asyncio
import base64
import urllib.request
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from offhook.testing import Offhook, Request, Response, speak
from offhook.testing.speech import wav_of

US, CALLER, FRIEND = "+15550100", "+14155550100", "+14155550111"


def twiml(verbs: str) -> str:
    return f"<Response>{verbs}</Response>"


class Site:
    """Pages by path; each is asked and answered in turn."""

    def __init__(self, **pages: Any) -> None:
        self.pages = pages
        self.asked: list[Request] = []

    async def __call__(self, request: Request) -> Any:
        self.asked.append(request)
        page = self.pages.get(request.path.strip("/") or "first", "")
        return twiml(page) if isinstance(page, str) else page

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.asked]


async def told(offhook: Offhook) -> None:
    """Everybody has been told everything."""
    await asyncio.sleep(1)
    await offhook.platform.exchange.notifier.settled()


async def test_m01_a_call_asks_the_application_behind_the_number(offhook: Offhook):
    """M01"""
    offhook.number(US, voice=Site(first="<Say>Welcome.</Say>"))
    await (await offhook.call(US)).hears("Welcome.")


async def test_m02_a_text_asks_the_application_behind_the_number(offhook: Offhook):
    """M02"""
    offhook.number(US, sms=Site(first="<Message>Welcome.</Message>"))
    await offhook.text(CALLER, US, "Hi")
    await offhook.phone(CALLER).reads("Welcome.")


async def test_m03_twiml_talks_texts_plays_gathers_records_and_connects(offhook: Offhook):
    """M03: all but the conference, which is of a later release."""
    site = Site(
        first="<Say>Say.</Say><Sms>Text.</Sms><Play>/sound</Play>"
        '<Gather numDigits="1" action="/2"/>',
        sound=Response(wav_of(speak("Play.")), media_type="audio/wav"),
        **{"2": '<Record playBeep="false" action="/3"/>', "3": f"<Dial>{FRIEND}</Dial>"},
    )
    offhook.number(US, voice=site)
    call = await offhook.call(US, from_=CALLER)
    await call.hears("Say.")
    await call.hears("Play.")
    await offhook.phone(CALLER).reads("Text.")
    call.press("4")
    await asyncio.sleep(1)
    await call.says("Record.")
    call.press("#")
    friend = await offhook.phone(FRIEND).rings()
    await friend.answered()
    await call.says("Connect.")
    await friend.hears("Connect.")
    assert site.asked[2].params["Digits"] == "4"
    assert "RecordingUrl" in site.asked[3].params


async def test_m04_documents_link_to_each_other(offhook: Offhook):
    """M04: one at a time; by action, by Redirect, relative to each other."""
    site = Site(
        first='<Gather numDigits="1" action="shop/menu"/>',
        **{"shop/menu": "<Redirect>bye</Redirect><Say>No.</Say>", "shop/bye": "<Say>Bye.</Say>"},
    )
    offhook.number(US, voice=site)
    call = await offhook.call(US)
    await call.answered()
    call.press("1")
    await call.hears("Bye.")
    assert (site.paths, call.heard) == (["/", "/shop/menu", "/shop/bye"], "Bye.")


async def test_m05_outgoing_calls_are_started_by_rest_and_controlled_by_twiml(offhook: Offhook):
    """M05"""
    site = Site(first='<Gather numDigits="1" action="/2"/>', **{"2": "<Say>Thanks.</Say>"})
    url = offhook.url(site)
    await offhook.post("Calls.json", To=FRIEND, From=offhook.number(US), Url=url)
    call = await offhook.phone(FRIEND).rings()
    await call.answered()
    await asyncio.sleep(1)
    call.press("1")
    await call.hears("Thanks.")


async def test_m06_texts_are_sent_by_a_plain_http_request(offhook: Offhook):
    """M06: basic auth, a form, any language."""
    offhook.number(US)
    await asyncio.sleep(1)
    url = f"{offhook.api_url}/2010-04-01/Accounts/{offhook.account_sid}/SMS/Messages"
    login = base64.b64encode(f"{offhook.account_sid}:{offhook.auth_token}".encode()).decode()
    form = urlencode({"To": FRIEND, "From": US, "Body": "Grüezi 🏔"}).encode()
    request = urllib.request.Request(url, form, {"Authorization": f"Basic {login}"})

    def post() -> tuple[int, str]:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read().decode()

    status, body = await asyncio.to_thread(post)
    assert status == 201
    assert "<TwilioResponse><SMSMessage><Sid>SM" in body.replace("\n", "").replace(" ", "")
    await offhook.phone(FRIEND).reads("Grüezi 🏔")


async def test_m07_the_version_of_2008_has_parameters_of_its_own(offhook: Offhook):
    """M07: the first document by POST whatever is configured."""
    site = Site(first=f'<Dial action="/2">{FRIEND}</Dial>')
    offhook.number("+14155550199", voice=site, voice_method="GET", api_version="2008-08-01")
    await offhook.call("+14155550199", from_=CALLER)
    friend = await offhook.phone(FRIEND).rings()
    await friend.answered()
    await friend.hang_up()
    await told(offhook)
    first, action = site.asked
    assert first.method == "POST"
    assert (first.params["Caller"], first.params["Called"]) == ("4155550100", "4155550199")
    assert first.params["CallStatus"] == "in-progress"
    assert {"From", "To", "ApiVersion", "Direction", "FromCity"}.isdisjoint(first.params)
    assert action.params["DialStatus"] == "answered"
    assert "DialCallStatus" not in action.params


async def test_m08_requests_are_made_by_get_or_post_as_configured(offhook: Offhook):
    """M08"""
    site = Site(first='<Redirect method="POST">/2</Redirect>')
    offhook.number(US, voice=site, voice_method="GET")
    await (await offhook.call(US)).ended()
    assert [request.method for request in site.asked] == ["GET", "POST"]


CACHED = {"Cache-Control": "max-age=3600", "Date": formatdate(usegmt=True)}  # as the wall has it


async def test_m09_a_post_carries_a_form_and_is_never_cached(offhook: Offhook):
    """M09"""
    site = Site(first=Response(twiml("<Say>Hi.</Say>"), headers=CACHED))
    offhook.number(US, voice=site)
    for _ in range(2):
        await (await offhook.call(US)).ended()
    assert len(site.asked) == 2
    content_type = site.asked[0].headers["content-type"]
    assert content_type == "application/x-www-form-urlencoded; charset=utf-8"
    assert "CallSid" not in site.asked[0].url


async def test_m10_a_get_carries_a_query_and_is_cached(offhook: Offhook):
    """M10: documents and sound alike, as HTTP says."""
    sound = Response(wav_of(speak("La.")), media_type="audio/wav", headers=CACHED)
    again = Response(
        twiml('<Play>/sound</Play><Redirect method="GET">/again</Redirect>'), headers=CACHED
    )
    site = Site(
        first="<Say>Hi.</Say><Redirect method='GET'>/again</Redirect>", again=again, sound=sound
    )
    offhook.number(US, voice=site)
    for _ in range(2):
        call = await offhook.call(US)
        for _ in range(3):
            await call.hears("La.")
        await call.hang_up()
    assert site.paths == ["/", "/again", "/sound", "/", "/again"]
    assert site.asked[1].params["CallSid"] in site.asked[1].url


async def test_m11_requests_come_as_from_a_browser(offhook: Offhook):
    """M11: cookies are kept and redirects followed."""
    site = Site(
        first=Response("", 302, headers={"Location": "/2", "Set-Cookie": "seen=1; Path=/"}),
        **{"2": "<Redirect>/3</Redirect>"},
    )
    offhook.number(US, voice=site)
    for _ in range(2):
        await (await offhook.call(US)).ended()
    assert site.paths == ["/", "/2", "/3"] * 2
    cookies = [request.headers.get("cookie") for request in site.asked]
    assert cookies == [None, "seen=1", "seen=1"] * 2


async def test_m12_urls_and_methods_are_configured_by_rest(offhook: Offhook):
    """M12, M26: a number is bought, configured and released."""
    site = Site(first="<Say>Configured.</Say>")
    bought = await offhook.post("IncomingPhoneNumbers.json", PhoneNumber="+14155550177")
    path = f"IncomingPhoneNumbers/{bought['sid']}.json"
    await offhook.post(path, VoiceUrl=offhook.url(site), VoiceMethod="GET")
    await (await offhook.call("+14155550177")).hears("Configured.")
    assert site.asked[0].method == "GET"


async def test_m13_an_application_takes_the_place_of_a_numbers_urls(offhook: Offhook):
    """M13"""
    site = Site(first="<Say>Application.</Say>")
    made = await offhook.post(
        "Applications.json", FriendlyName="shop", VoiceUrl=offhook.url(site), VoiceMethod="GET"
    )
    offhook.number(US, voice=Site(first="<Say>Number.</Say>"), voice_application_sid=made["sid"])
    await (await offhook.call(US)).hears("Application.")
    assert site.asked[0].method == "GET"


async def test_m14_voice_requests_say_which_call_it_is(offhook: Offhook):
    """M14: ForwardedFrom and CallerName are proved with the calls that have them."""
    site = Site()
    offhook.number(US, voice=site)
    call = await offhook.call(US, from_=CALLER)
    await call.ended()
    params = site.asked[0].params
    assert params["AccountSid"] == offhook.account_sid
    assert len(params["AccountSid"]) == 34
    assert (params["CallSid"], params["From"], params["To"]) == (call.sid, CALLER, US)
    assert (params["ApiVersion"], params["Direction"]) == ("2010-04-01", "inbound")


async def test_m15_places_are_told_where_they_are_known(offhook: Offhook):
    """M15"""
    site = Site()
    offhook.number("+12125550100", voice=site)
    await (await offhook.call("+12125550100", from_=CALLER)).ended()
    params = site.asked[0].params
    assert (params["FromState"], params["FromCountry"]) == ("CA", "US")
    assert (params["ToState"], params["ToCountry"]) == ("NY", "US")
    assert {f"{who}{what}" for who in ("From", "To") for what in ("City", "Zip")} <= set(params)


@pytest.mark.parametrize(
    ("how", "word"),
    [
        ("answers", "completed"),
        ("busy", "busy"),
        ("unreachable", "failed"),
        ("no-answer", "no-answer"),
    ],
)
async def test_m16_calls_and_dials_use_the_same_words(offhook: Offhook, how: str, word: str):
    """M16: queued, ringing and canceled are seen on the way, and with M28."""
    site = Site(first=f'<Dial timeout="5" action="/2">{FRIEND}</Dial>')
    offhook.number(US, voice=site)
    offhook.phone(FRIEND).behaves(how)
    call = await offhook.call(US)
    friend = await offhook.phone(FRIEND).rings()
    await asyncio.sleep(3)
    friend.handset.hang_up()
    await call.ended()
    assert site.asked[0].params["CallStatus"] == "ringing"
    assert site.asked[1].params["CallStatus"] == "in-progress"
    if how != "no-answer":
        assert site.asked[1].params["DialCallStatus"] == word
    child = next(each for each in offhook.calls if each.parent_call_sid)
    assert child.status == word


async def test_m17_the_end_of_a_call_is_told_with_duration_and_recording(offhook: Offhook):
    """M17"""
    site = Site(first='<Say>Hello.</Say><Pause length="5"/>')
    await offhook.post(
        "Calls.json", To=FRIEND, From=offhook.number(US), Url=offhook.url(site), Record="true",
        StatusCallback=offhook.url(site, "/end"),
    )  # fmt: skip
    await (await offhook.phone(FRIEND).rings()).ended()
    await told(offhook)
    first, end = (request.params for request in site.asked)
    [recording] = offhook.recordings
    assert set(first) <= set(end)
    assert (end["CallStatus"], end["CallDuration"]) == ("completed", str(offhook.calls[0].duration))
    assert (end["RecordingSid"], end["RecordingDuration"]) == (
        recording.sid, str(recording.duration),
    )  # fmt: skip
    assert end["RecordingUrl"].endswith(recording.sid)


@pytest.mark.parametrize(
    ("caller", "said"), [("(415) 555-4345", "+14155554345"), ("Reception", "Reception")]
)
async def test_m18_numbers_are_e164_where_they_can_be(offhook: Offhook, caller: str, said: str):
    """M18"""
    site = Site()
    offhook.number(US, voice=site)
    await (await offhook.call(US, from_=caller)).ended()
    assert site.asked[0].params["From"] == said


async def test_m19_dates_are_gmt_as_in_mails(offhook: Offhook):
    """M19"""
    site = Site(first="<Say>Hi.</Say>")
    offhook.number(US, voice=site, status=offhook.url(site, "/end"))
    call = await offhook.call(US)
    await call.ended()
    await told(offhook)
    shown = await offhook.get(f"Calls/{call.sid}.json")
    assert shown["date_created"] == "Mon, 02 Mar 2026 09:00:00 +0000"
    assert site.asked[1].params["Timestamp"] == shown["end_time"]


async def test_m21_sms_replies_and_redirect_passes_control(offhook: Offhook):
    """M21"""
    site = Site(
        first="<Redirect>\n  /elsewhere\n</Redirect>", elsewhere="<Sms>\n  Two\n  lines\n</Sms>"
    )
    offhook.number(US, sms=site)
    await offhook.text(CALLER, US, "Hi")
    await offhook.phone(CALLER).reads("Two\nlines")


async def test_m22_gather_sends_keys_to_a_relative_action(offhook: Offhook):
    """M22"""
    sound = Response(wav_of(speak("or two.")), media_type="audio/wav")
    gather = '<Gather numDigits="1" action="pick"><Say>Press one</Say><Play>or.wav</Play></Gather>'
    site = Site(first=gather, **{"or.wav": sound, "pick": "<Say>Good choice.</Say>"})
    offhook.number(US, voice=site)
    call = await offhook.call(US)
    await call.hears("Press one")
    await call.hears("or two.")
    await asyncio.sleep(0.5)
    call.press("2")
    await call.hears("Good choice.")
    assert site.asked[-1].params["Digits"] == "2"


class ToOffhook(TwilioHttpClient):
    """The official library's own HTTP client, pointed here."""

    def __init__(self, offhook: Offhook) -> None:
        super().__init__()
        self._root = offhook.api_url

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        return super().request(method, self._root + urlsplit(url).path, *args, **options)


async def test_m24_the_official_library_does_everything(offhook: Offhook):
    """M24: everything that there is so far."""
    library = Client(offhook.account_sid, offhook.auth_token, http_client=ToOffhook(offhook))
    script = twiml('<Say>Hello.</Say><Pause length="60"/>')

    def work() -> list[Any]:
        number = library.incoming_phone_numbers.create(phone_number="+14155550177")
        application = library.applications.create(friendly_name="shop")
        call = library.calls.create(to=FRIEND, from_=number.phone_number, twiml=script)
        text = library.messages.create(to=FRIEND, from_=number.phone_number, body="Hello.")
        return [number, application, call, text]

    number, application, call, text = await asyncio.to_thread(work)
    friend = await offhook.phone(FRIEND).rings()
    await friend.hears("Hello.")
    await offhook.phone(FRIEND).reads("Hello.")

    def look() -> tuple[str, str, list[str], bool]:
        ended = call.update(status="completed").status
        library.applications(application.sid).delete()
        return (
            ended, library.messages(text.sid).fetch().status,
            [each.sid for each in library.calls.list()], number.delete(),
        )  # fmt: skip

    assert await asyncio.to_thread(look) == ("completed", "delivered", [call.sid], True)


async def test_m26_numbers_are_bought_configured_and_released_by_rest(offhook: Offhook):
    """M26"""
    site = Site(first="<Say>Mine.</Say>")
    bought = await offhook.post(
        "IncomingPhoneNumbers.json", PhoneNumber="(415) 555-0177", VoiceUrl=offhook.url(site)
    )
    await (await offhook.call("+14155550177")).hears("Mine.")
    library = Client(offhook.account_sid, offhook.auth_token, http_client=ToOffhook(offhook))
    await asyncio.to_thread(library.incoming_phone_numbers(bought["sid"]).delete)
    assert (await (await offhook.call("+14155550177")).ended()).code == 404


def test_m27_there_is_a_reference_and_a_guide_to_the_first_five_minutes():
    """M27: tests/test_docs.py runs what the README's five minutes print."""
    root = Path(__file__).parent.parent
    assert "## The first five minutes" in (root / "README.md").read_text()
    assert "test_the_readmes_application_answers" in (root / "tests" / "test_docs.py").read_text()
    assert {"configuration.md", "testing.md"} <= {page.name for page in (root / "docs").iterdir()}


async def test_m28_calls_are_canceled_redirected_and_ended_by_rest(offhook: Offhook):
    """M28"""
    form = {"To": FRIEND, "From": offhook.number(US), "Twiml": twiml('<Pause length="600"/>')}
    queued = await offhook.post("Calls.json", **form)
    path = f"Calls/{queued['sid']}.json"
    assert (await offhook.post(path, Status="canceled"))["status"] == "canceled"
    path = f"Calls/{(await offhook.post('Calls.json', **form))['sid']}.json"
    await offhook.phone(FRIEND).rings()
    rings = await offhook.phone(FRIEND).rings()
    assert (await offhook.post(path, Status="canceled"))["status"] == "canceled"
    assert (await rings.ended()).code == 487
    path = f"Calls/{(await offhook.post('Calls.json', **form))['sid']}.json"
    live = await offhook.phone(FRIEND).rings()
    await live.answered()
    await offhook.post(path, Twiml=twiml('<Say>Change of plan.</Say><Pause length="600"/>'))
    await live.hears("Change of plan.")
    assert (await offhook.post(path, Status="completed"))["status"] == "completed"
    assert (await live.ended()).by == "near"
