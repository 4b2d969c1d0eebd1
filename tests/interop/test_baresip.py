"""A softphone that is not ours, both ways; what is heard is read from its recording."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from baresip import Baresip
from peers import needs
from served import Application, Up, response, serving
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from offhook.cli.ear import share_heard
from offhook.speech.service import Speech

pytestmark = pytest.mark.interop

QUESTION = "Please enter the two digits of the year in which you were born."
ANSWER = "Thank you very much, and have a pleasant day."


class Here(TwilioHttpClient):
    """The library's own client, led to another host: its one way to have another base URL."""

    def __init__(self, api: str) -> None:
        super().__init__(timeout=30)
        self._api = api

    def request(self, method: str, url: str, *args: object, **more: object) -> Response:
        here = url.replace("https://api.twilio.com", self._api)
        return super().request(method, here, *args, **more)  # type: ignore[arg-type]


def sound_of(text: str, up: Up) -> bytes:
    """What the platform said, from its own cache: speech is never twice the same to the sample."""

    async def say() -> bytes:
        speech = Speech(up.data / "cache" / "clips")
        await speech.start()
        clip = await speech.say(text, "", "", "")
        await speech.close()
        return await asyncio.to_thread(Path(clip.path).read_bytes)

    return asyncio.run(say())


def test_it_calls_in_hears_the_application_and_its_keys_are_digits(up: Up, tmp_path: Path) -> None:
    """M04, M05: keys pressed in answer to a prompt reach the action as Digits."""
    needs("baresip")
    app = Application(
        {
            "/voice": response(
                "<Gather action='/key' numDigits='2' timeout='20'>",
                f"<Say>{QUESTION}</Say></Gather>",
            ),
            "/key": response(f"<Say>{ANSWER}</Say><Hangup/>"),
        }
    )
    with serving(app):
        up.number("+15550100301", VoiceUrl=f"{app.url}/voice")
        with Baresip(tmp_path) as phone:
            phone.dial(f"sip:+15550100301@{up.sip}")
            phone.until("CALL_ESTABLISHED")
            phone.listens(4)
            phone.press("76")
            phone.until("CALL_CLOSED")
            heard = phone.heard()
    asked = app.gets("/voice").params
    assert (asked["From"], asked["To"]) == (phone.uri, "+15550100301")
    assert app.gets("/key").params["Digits"] == "76"
    assert share_heard(heard, sound_of(QUESTION, up)) > 0.9
    assert share_heard(heard, sound_of(ANSWER, up)) > 0.9
    assert share_heard(heard, sound_of("Nobody has ever said this.", up)) < 0.5


def test_it_is_called_through_the_official_library(up: Up, tmp_path: Path) -> None:
    """M06, M13: a call made by REST, heard, and reported with its duration."""
    needs("baresip")
    app = Application(
        {
            "/voice": response(f"<Say>{ANSWER}</Say><Redirect>/said</Redirect>"),
            "/said": response("<Pause length='60'/>"),
        }
    )
    client = Client(up.account_sid, up.auth_token, http_client=Here(up.api))
    with serving(app), Baresip(tmp_path) as phone:
        call = client.calls.create(
            to=phone.uri,
            from_=up.demo,
            url=f"{app.url}/voice",
            status_callback=f"{app.url}/status",
            status_callback_event=["initiated", "ringing", "answered", "completed"],
        )
        assert call.status == "queued"
        phone.until("CALL_ESTABLISHED")
        app.gets("/said")
        phone.hang_up()
        phone.until("CALL_CLOSED")
        done = app.gets("/status", CallStatus="completed").params
        heard = phone.heard()
    answer = sound_of(ANSWER, up)
    assert share_heard(heard, answer) > 0.9
    assert int(done["CallDuration"]) >= int(len(answer) / 16_000)
    assert [one.params["CallStatus"] for one in app.asked("/status")] == [
        "initiated", "ringing", "in-progress", "completed",
    ]  # fmt: skip
    fetched = client.calls(call.sid).fetch()
    assert (fetched.status, fetched.duration) == ("completed", done["CallDuration"])
