"""`<Record>`, and recordings by REST.  reference: Record; Recordings; call subresources."""

from __future__ import annotations

import asyncio
import io
import wave

import aiohttp
import pytest
from exchange_app import AGENT, OURS, App, begun, codes

from offhook import clock
from offhook.exchange import control
from offhook.model.fetch import Script
from offhook.testing import Offhook, PhoneCall, transcribe
from offhook.testing.speech import transcribe_wav

EVENTS = 'recordingStatusCallbackEvent="in-progress completed absent"'


async def recorded(offhook: Offhook, app: App) -> PhoneCall:
    """A caller who has said something into a <Record> that is going on, after its beep."""
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.answered()
    await asyncio.sleep(1)
    await call.says("Please call me back.")
    return call


async def test_silence_ends_a_recording_and_its_action_is_told(offhook: Offhook):
    """M03: record audio."""
    app = App('<Record action="/done" timeout="3"/><Say>Never.</Say>', done="<Say>Thanks.</Say>")
    call = await recorded(offhook, app)
    began = offhook.now
    await call.hears("Thanks.")
    assert 3 <= offhook.now - began < 4.5
    [recording] = offhook.recordings
    told = app.told("done")
    assert told["RecordingSid"] == recording.sid
    assert told["RecordingUrl"] == (
        f"{offhook.api_url}/2010-04-01/Accounts/{offhook.account_sid}/Recordings/{recording.sid}"
    )
    assert told["RecordingDuration"] == str(recording.duration)
    assert (told["Digits"], told["CallStatus"]) == ("", "in-progress")
    assert (recording.source, recording.channels, recording.status) == (
        "RecordVerb",
        1,
        "completed",
    )
    assert transcribe_wav(recording.path) == ["Please call me back."]


async def test_the_action_is_the_same_document_when_none_is_named(offhook: Offhook):
    answers = iter(['<Record maxLength="2"/>', "<Say>Thanks.</Say>"])
    app = App(lambda request: next(answers))
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS)).hears("Thanks.")
    assert "RecordingUrl" in app.told("")


@pytest.mark.parametrize(("keys", "pressed"), [("", "5"), ('finishOnKey="#"', "7#")])
async def test_a_key_ends_a_recording(offhook: Offhook, keys: str, pressed: str):
    app = App(f'<Record action="/done" {keys}/>')
    call = await recorded(offhook, app)
    await call.press(pressed)
    await call.ended()
    assert app.told("done")["Digits"] == pressed[-1]


async def test_who_hangs_up_has_left_a_recording(offhook: Offhook):
    """The action is asked with Digits=hangup, and its answer is not run."""
    app = App('<Record action="/done"/>', done="<Say>Too late.</Say>")
    call = await recorded(offhook, app)
    await call.hang_up()
    await asyncio.sleep(1)
    told = app.told("done")
    assert (told["Digits"], told["CallStatus"]) == ("hangup", "completed")
    [recording] = offhook.recordings
    assert transcribe_wav(recording.path) == ["Please call me back."]
    assert call.record.status == "completed"


async def test_who_hangs_up_in_the_beep_has_left_none(offhook: Offhook):
    app = App('<Record action="/done"/>')
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.answered()
    await asyncio.sleep(0.1)
    await call.hang_up()
    await asyncio.sleep(1)
    assert app.told("done")["Digits"] == "hangup"
    assert "RecordingUrl" not in app.told("done")
    assert offhook.recordings == []


async def test_max_length_ends_a_recording(offhook: Offhook):
    app = App('<Record action="/done" maxLength="2" timeout="0" playBeep="false"/>')
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.answered()
    began = offhook.now
    await call.ended()
    assert 2 <= round(offhook.now - began, 1) < 2.3
    assert app.told("done")["Digits"] == ""


@pytest.mark.parametrize(("how", "beeps"), [("", True), ('playBeep="false"', False)])
async def test_a_beep_says_that_it_begins(offhook: Offhook, how: str, beeps: bool):
    offhook.number(OURS, voice=App(f'<Record maxLength="2" action="/done" {how}/>'))
    call = await offhook.call(OURS)
    sound = bytearray()
    call.handset.hear(sound.extend)
    await call.ended()
    assert (max(sound, default=0) > 0) == beeps


@pytest.mark.parametrize(("how", "seconds"), [("", 2), ('trim="do-not-trim"', 7)])
async def test_silence_at_the_end_is_trimmed_unless_told_not_to(
    offhook: Offhook, how: str, seconds: int
):
    app = App(f'<Record action="/done" playBeep="false" {how}/>')
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.answered()
    await call.says("x" * 25)
    await call.ended()
    assert app.told("done")["RecordingDuration"] == str(seconds)
    with wave.open(offhook.recordings[0].path) as file:
        assert round(file.getnframes() / file.getframerate()) == seconds


async def test_status_callbacks_tell_of_the_recording(offhook: Offhook):
    app = App(f'<Record action="/done" recordingStatusCallback="/recording" {EVENTS}/>')
    call = await recorded(offhook, app)
    assert [each.params["RecordingStatus"] for each in app.requests("recording")] == ["in-progress"]
    await call.ended()
    await offhook.platform.exchange.notifier.settled()
    [recording] = offhook.recordings
    assert app.told("recording") == {
        "AccountSid": offhook.account_sid, "CallSid": call.sid, "RecordingSid": recording.sid,
        "RecordingUrl": app.told("done")["RecordingUrl"], "RecordingStatus": "completed",
        "RecordingDuration": app.told("done")["RecordingDuration"], "RecordingChannels": "1",
        "RecordingStartTime": "Mon, 02 Mar 2026 09:00:00 +0000",
        "RecordingSource": "RecordVerb", "RecordingTrack": "inbound", "ErrorCode": "0",
    }  # fmt: skip


async def test_only_its_end_is_told_when_nothing_else_is_asked_for(offhook: Offhook):
    app = App(
        '<Record action="/done" recordingStatusCallback="/r?a=1" '
        'recordingStatusCallbackMethod="GET"/>'
    )
    call = await recorded(offhook, app)
    await call.ended()
    await offhook.platform.exchange.notifier.settled()
    [request] = app.requests("r")
    assert (request.method, request.params["RecordingStatus"]) == ("GET", "completed")


async def test_the_recording_is_served_without_a_login(offhook: Offhook):
    app = App('<Record action="/done"/>')
    await (await recorded(offhook, app)).ended()
    url = app.told("done")["RecordingUrl"]
    for suffix in ("", ".wav"):
        with clock.outside("fetching a recording"):
            async with aiohttp.ClientSession() as session, session.get(url + suffix) as response:
                kind, body = response.content_type, await response.read()
        assert (response.status, kind) == (200, "audio/x-wav")
        with wave.open(io.BytesIO(body)) as file:
            assert transcribe(file.readframes(file.getnframes())) == "Please call me back."


# By REST


TALK = '<Gather numDigits="9" timeout="300"/>'


async def talking(offhook: Offhook, app: App) -> PhoneCall:
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.answered()
    return call


async def test_a_recording_is_started_paused_resumed_and_stopped(offhook: Offhook):
    call = await talking(offhook, App(TALK))
    path = f"Calls/{call.sid}/Recordings"
    started = await offhook.post(f"{path}.json")
    assert (started["status"], started["source"]) == ("in-progress", "StartCallRecordingAPI")
    await call.says("One.")
    one = f"{path}/{started['sid']}.json"
    paused = await offhook.post(one, Status="paused", PauseBehavior="skip")
    assert paused["status"] == "paused"
    await call.says("Secret.")
    await offhook.post(f"{path}/Twilio.CURRENT.json", Status="in-progress")
    await call.says("Two.")
    stopped = await offhook.post(one, Status="stopped")
    assert stopped["status"] == "stopped"
    await call.says("Three.")
    [recording] = offhook.recordings
    assert recording.status == "completed"
    assert transcribe_wav(recording.path)[0].split() == ["One.", "Two."]
    assert call.state == "answered"


async def test_a_recording_ends_with_its_call(offhook: Offhook):
    app = App(TALK)
    call = await talking(offhook, app)
    await offhook.post(
        f"Calls/{call.sid}/Recordings.json", RecordingStatusCallback=offhook.url(app, "/recording"),
        RecordingChannels="dual",
    )  # fmt: skip
    await call.says("Hello?")
    await call.hang_up()
    await offhook.platform.exchange.notifier.settled()
    assert app.told("recording")["RecordingStatus"] == "completed"
    assert app.told("recording")["RecordingChannels"] == "2"
    assert transcribe_wav(offhook.recordings[0].path) == ["Hello?", ""]


async def test_a_call_that_is_over_cannot_be_recorded(offhook: Offhook):
    call = await talking(offhook, App(TALK))
    await call.hang_up()
    with pytest.raises(AssertionError, match="21220"):
        await offhook.post(f"Calls/{call.sid}/Recordings.json")


async def test_a_record_verb_that_rest_stops_leads_on(offhook: Offhook):
    app = App('<Record action="/done" timeout="0"/>', done="<Say>Thanks.</Say>")
    call = await recorded(offhook, app)
    await offhook.post(f"Calls/{call.sid}/Recordings/Twilio.CURRENT.json", Status="stopped")
    await call.hears("Thanks.")
    assert app.told("done")["RecordingSid"] == offhook.recordings[0].sid


async def test_a_redirect_ends_a_record_verb_and_keeps_what_was_said(offhook: Offhook):
    app = App('<Record action="/done" timeout="0"/>')
    call = await recorded(offhook, app)
    await offhook.post(f"Calls/{call.sid}.json", Twiml="<Response><Say>Away.</Say></Response>")
    await call.hears("Away.")
    assert transcribe_wav(offhook.recordings[0].path) == ["Please call me back."]
    assert app.requests("done") == []


async def test_a_redirect_that_meets_the_beginning_of_a_recording_ends_it(offhook: Offhook):
    exchange = offhook.platform.exchange
    offhook.number(OURS, voice=App('<Record playBeep="false" timeout="0"/>', late=1))
    call = await offhook.call(OURS)
    await begun(offhook, "Record")
    while not exchange.takings:
        await asyncio.sleep(0)
    [live] = exchange.live.values()
    away = Script(twiml='<Response><Say>Away.</Say><Pause length="60"/></Response>')
    await control.redirect(exchange, live.record, away)
    await call.hears("Away.")
    assert exchange.takings == {}
    assert "in-progress" not in [each.status for each in offhook.recordings]


async def test_a_dial_that_nobody_answers_leaves_no_recording_behind(offhook: Offhook):
    app = App(
        f'<Dial timeout="5" record="record-from-ringing-dual" action="/after" '
        f'recordingStatusCallback="/recording">{AGENT}</Dial>',
        after='<Pause length="60"/>',
    )
    offhook.phone(AGENT).behaves("no-answer")
    offhook.number(OURS, voice=app)
    await offhook.call(OURS)
    await asyncio.sleep(8)
    assert app.told("after")["DialCallStatus"] == "no-answer"
    assert "RecordingUrl" not in app.told("after")
    assert [each.status for each in offhook.recordings] == ["completed"]
    assert codes(offhook) == []


async def test_a_dial_recorded_from_ringing_has_both_voices(offhook: Offhook):
    app = App(f'<Dial record="record-from-ringing-dual" action="/after">{AGENT}</Dial>')
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    await other.answered()
    await call.says("Left.")
    await other.says("Right.")
    await other.hang_up()
    await call.ended()
    [recording] = offhook.recordings
    assert transcribe_wav(recording.path) == ["Left.", "Right."]
    assert app.told("after")["RecordingSid"] == recording.sid
