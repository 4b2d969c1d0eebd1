"""What applications of API version 2008-08-01 are asked (M07).

reference: call lifecycle section 4.1; webhooks section 2; the old SMS callbacks.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

from offhook.testing import Offhook, Request

OURS, CALLER, GERMAN = "+14155550199", "+14155550100", "+4930123456"
OLD = "2008-08-01"
NEVER = {"From", "To", "ApiVersion", "Direction", "ParentCallSid", "ForwardedFrom", "ToCity"}


class Site:
    """Pages by path; the requests are kept."""

    def __init__(self, **pages: str) -> None:
        self.pages, self.asked = pages, list[Request]()

    async def __call__(self, request: Request) -> str:
        self.asked.append(request)
        return f"<Response>{self.pages.get(request.path.strip('/') or 'first', '')}</Response>"

    @property
    def params(self) -> list[Any]:
        return [dict(request.params) for request in self.asked]


async def told(offhook: Offhook) -> None:
    """Everybody has been told everything."""
    await asyncio.sleep(2)
    await offhook.platform.exchange.notifier.settled()


async def test_an_application_brings_its_version_to_the_number(offhook: Offhook) -> None:
    """It replaces the number's own; the first document is asked for by POST (M13)."""
    site = Site(first="<Hangup/>")
    made = await offhook.post(
        "Applications.json", VoiceUrl=offhook.url(site), VoiceMethod="GET", ApiVersion=OLD
    )
    offhook.number(OURS, voice_application_sid=made["sid"])
    await (await offhook.call(OURS, from_=CALLER)).ended()
    [asked] = site.asked
    assert asked.method == "POST"
    assert asked.params["Caller"] == "4155550100"
    assert NEVER.isdisjoint(asked.params)


async def test_numbers_of_other_countries_stay_international(offhook: Offhook) -> None:
    site = Site(first="<Hangup/>")
    offhook.number(OURS, voice=site, api_version=OLD)
    await (await offhook.call(OURS, from_=GERMAN)).ended()
    assert (site.params[0]["Caller"], site.params[0]["Called"]) == (GERMAN, "4155550199")


async def test_later_documents_go_by_their_verbs_method(offhook: Offhook) -> None:
    site = Site(first='<Redirect method="GET">/next</Redirect>', next="<Hangup/>")
    offhook.number(OURS, voice=site, voice_method="GET", api_version=OLD)
    await (await offhook.call(OURS)).ended()
    assert [asked.method for asked in site.asked] == ["POST", "GET"]
    assert site.params[1]["Called"] == "4155550199"


async def test_a_recording_has_a_duration(offhook: Offhook) -> None:
    site = Site(first='<Record playBeep="false" action="/done" timeout="2"/>', done="<Hangup/>")
    offhook.number(OURS, voice=site, api_version=OLD)
    call = await offhook.call(OURS)
    await call.says("A message.")
    await call.ended()
    done = site.params[-1]
    assert int(done["Duration"]) > 0
    assert "RecordingUrl" in done
    assert "RecordingDuration" not in done


async def test_a_dial_that_nobody_answers(offhook: Offhook) -> None:
    site = Site(first=f'<Dial timeout="5" action="/over">{GERMAN}</Dial>', over="<Hangup/>")
    offhook.number(OURS, voice=site, api_version=OLD)
    offhook.phone(GERMAN).behaves("no-answer")
    await (await offhook.call(OURS)).ended()
    assert site.params[-1]["DialStatus"] == "no-answer"
    assert {"DialCallStatus", "DialCallSid"}.isdisjoint(site.params[-1])


async def test_the_end_of_a_call_is_told_in_the_words_of_then(offhook: Offhook) -> None:
    site, status = Site(first="<Say>Hi.</Say><Pause length='3'/>"), Site()
    offhook.number(OURS, voice=site, status=status, api_version=OLD)
    await (await offhook.call(OURS)).ended()
    await told(offhook)
    [end] = status.params
    assert end["CallStatus"] == "completed"
    assert int(end["CallDuration"]) >= 1
    assert NEVER.isdisjoint(end)


async def test_a_call_by_rest_has_the_version_of_its_path(offhook: Offhook) -> None:
    """Outgoing calls go by the version in the request's URI, whatever the number's is (M05)."""
    site = Site(first="<Hangup/>")
    offhook.number(OURS)
    path = f"/{OLD}/Accounts/{offhook.account_sid}/Calls.json"
    placed = await offhook.post(
        path, Caller=OURS, Called=CALLER, Url=offhook.url(site), Method="GET"
    )
    assert placed["called"] == "4155550100"
    await (await offhook.phone(CALLER).rings()).ended()
    [asked] = site.asked
    assert asked.method == "POST"
    assert (asked.params["Caller"], asked.params["Called"]) == ("4155550199", "4155550100")


async def test_a_text_has_one_sid_and_numbers_of_ten_digits(offhook: Offhook) -> None:
    site = Site(first="<Sms>Welcome.</Sms>")
    offhook.number(OURS, sms=site, sms_method="GET", api_version=OLD)
    await offhook.text(CALLER, OURS, "Hi")
    await offhook.phone(CALLER).reads("Welcome.")
    [asked] = site.asked
    assert asked.method == "POST"
    assert (asked.params["From"], asked.params["To"]) == ("4155550100", "4155550199")
    assert asked.params["SmsSid"].startswith("SM")
    assert {"MessageSid", "SmsMessageSid", "NumMedia", "ApiVersion"}.isdisjoint(asked.params)


async def test_a_text_by_rest_is_reported_once(offhook: Offhook) -> None:
    status = Site()
    offhook.number(OURS)
    path = f"/{OLD}/Accounts/{offhook.account_sid}/SMS/Messages.json"
    sent = await offhook.post(
        path, From=OURS, To=CALLER, Body="Hi", StatusCallback=offhook.url(status)
    )
    await offhook.phone(CALLER).reads("Hi")
    await told(offhook)
    assert status.params == [{"SmsSid": sent["sid"], "SmsStatus": "sent"}]
    assert urlsplit(sent["uri"]).path.startswith(f"/{OLD}/")
