"""<Record>, one test for each sentence of its page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from scripted_call import ScriptedCall

from offhook.line.leg import HungUp
from offhook.line.orders import RecordOutcome, RecordVerb
from offhook.model.fetch import Callback, Fetch
from offhook.model.recording import Recording

SOME_DAY = datetime(2026, 3, 2, tzinfo=UTC)
RECORDING = Recording("RE1", "AC1", "CA1", "RecordVerb", SOME_DAY, SOME_DAY, SOME_DAY, duration=7)
PARAMS = {
    "RecordingUrl": "https://api.test/Recordings/RE1",
    "RecordingSid": "RE1",
    "RecordingDuration": "7",
}
END = "<Response/>"


def caller(digits: str = "", recording: Recording | None = RECORDING) -> ScriptedCall:
    return ScriptedCall(recorded=RecordOutcome(recording, digits))


async def test_the_recording_goes_to_the_action_url():
    """M03: sound is recorded."""
    call = caller("#")
    asked = await call.runs('<Response><Record action="/done"/></Response>', done=END)
    assert asked == [Fetch("/done", "POST", PARAMS | {"Digits": "#"})]
    assert call.answered_at == 0.0


async def test_the_action_is_the_current_document_by_default():
    call = caller()
    call.hangs_up(at=7)  # in the third round
    with pytest.raises(HungUp):
        await call.runs('<Response><Record method="GET"/></Response>')
    assert [(fetch.url, fetch.method) for fetch in call.told] == [("", "GET")]
    assert len(call.recordings) == 3


async def test_a_caller_who_hangs_up_ends_it_and_the_action_is_told():
    call = caller()
    call.hangs_up(at=2)
    with pytest.raises(HungUp):
        await call.runs('<Response><Record action="/done"/><Say>a</Say></Response>')
    assert call.told == [Fetch("/done", "POST", PARAMS | {"Digits": "hangup"})]


async def test_what_follows_is_not_reached():
    call = caller()
    await call.runs('<Response><Record action="/done"/><Say>a</Say></Response>', done=END)
    assert call.heard == []


async def test_nothing_captured_goes_on_with_the_next_verb():
    call = caller(recording=None)
    asked = await call.runs(
        '<Response><Record action="/done"/><Say>I heard nothing</Say></Response>'
    )
    assert (call.heard, asked) == (["I heard nothing"], [])


async def test_a_caller_who_hangs_up_before_anything_was_captured_is_told_of_too():
    call = caller(recording=None)
    call.hangs_up(at=1)
    with pytest.raises(HungUp):
        await call.runs('<Response><Record action="/done"/></Response>')
    assert call.told == [Fetch("/done", "POST", {"Digits": "hangup"})]


async def test_the_attributes_are_the_order():
    call = caller()
    await call.runs(
        '<Response><Record timeout="2" finishOnKey="*" maxLength="60" playBeep="false"'
        ' trim="do-not-trim" recordingStatusCallback="/status" recordingStatusCallbackMethod="GET"'
        ' recordingStatusCallbackEvent="in-progress completed" action="/done"/></Response>',
        done=END,
    )
    told = Callback("/status", "GET", ("in-progress", "completed"))
    assert call.recordings == [RecordVerb(2, "*", 60, False, False, told)]


async def test_an_hour_and_five_seconds_of_silence_are_the_defaults():
    call = caller()
    await call.runs('<Response><Record action="/done"/></Response>', done=END)
    assert call.recordings == [RecordVerb(5, "1234567890*#", 3600, True, True, Callback())]


async def test_what_should_be_transcribed_is_recorded_for_two_minutes_and_noted():
    call = caller()
    await call.runs('<Response><Record transcribe="true" action="/done"/></Response>', done=END)
    assert (call.recordings[0].max_length, call.notes) == (120, [13618])
