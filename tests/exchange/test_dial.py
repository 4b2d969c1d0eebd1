"""`<Dial>`, one test for each sentence of its page.  reference: Dial."""

from __future__ import annotations

import asyncio
import wave

import numpy as np
import pytest

from offhook.carriers.handset import Handset
from offhook.model.recording import Recording
from offhook.testing import Offhook
from offhook.testing.voice import Ear, speak

OURS, CALLER, AGENT, OTHER = "+15550100", "+14155550100", "+14155550111", "+14155550122"
EVENTS = "initiated ringing answered completed"


class App:
    """Answers the first request with `first`, `action` requests with a goodbye, keeps the rest."""

    def __init__(self, first: str, **others: str) -> None:
        self.first, self.others = first, others
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def __call__(self, request) -> str:
        path = request.path.strip("/")
        self.asked.append((path, request.params))
        body = self.others.get(path, "" if path else self.first)
        return f"<Response>{body}</Response>"

    def params(self, path: str) -> dict[str, str]:
        return next(params for asked, params in self.asked if asked == path)

    def statuses(self, path: str) -> list[str]:
        return [params["CallStatus"] for asked, params in self.asked if asked == path]


async def test_the_caller_and_the_called_hear_each_other(offhook: Offhook):
    app = App(f'<Dial action="/after">{AGENT}</Dial>', after="<Say>Goodbye.</Say>")
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS, from_=CALLER)
    other = await offhook.phone(AGENT).rings()
    await other.answered()
    await call.says("Hello agent.")
    await other.hears("Hello agent.")
    await other.says("Hello caller.")
    await call.hears("Hello caller.")
    await other.hang_up()
    await call.hears("Goodbye.")
    told = app.params("after")
    child = next(each for each in offhook.calls if each.direction == "outbound-dial")
    assert told["DialCallStatus"] == "completed"
    assert told["DialBridged"] == "true"
    assert told["DialCallSid"] == child.sid
    assert told["DialCallDuration"] == str(child.duration)
    assert child.parent_call_sid == told["CallSid"]
    assert (child.from_, child.to) == (CALLER, AGENT)


async def test_a_dial_without_action_goes_on_with_the_next_verb(offhook: Offhook):
    offhook.number(OURS, voice=App(f"<Dial>{AGENT}</Dial><Say>Next.</Say>"))
    offhook.phone(AGENT).behaves("busy")
    call = await offhook.call(OURS)
    await call.hears("Next.")


async def outcome(offhook: Offhook, behaviour: str, **attributes: str) -> dict[str, str]:
    """The action parameters of a Dial to a phone that behaves like that."""
    written = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    app = App(f'<Dial action="/after" {written}>{AGENT}</Dial>')
    offhook.number(OURS, voice=app)
    offhook.phone(AGENT).behaves(behaviour)
    call = await offhook.call(OURS)
    await call.ended()
    return app.params("after")


async def test_busy(offhook: Offhook):
    told = await outcome(offhook, "busy")
    assert (told["DialCallStatus"], told["DialBridged"]) == ("busy", "false")
    assert "DialCallDuration" not in told


async def test_no_answer_after_the_timeout_and_not_a_second_later(offhook: Offhook):
    before = offhook.now
    told = await outcome(offhook, "no-answer", timeout="7")
    assert told["DialCallStatus"] == "no-answer"
    assert 7 <= offhook.now - before < 8


async def test_the_timeout_is_thirty_seconds_when_nothing_is_said(offhook: Offhook):
    before = offhook.now
    await outcome(offhook, "no-answer")
    assert 30 <= offhook.now - before < 31


async def test_an_unreachable_number_is_failed_and_noted(offhook: Offhook):
    assert (await outcome(offhook, "unreachable"))["DialCallStatus"] == "failed"
    assert 13224 in [each.error_code for each in offhook.notifications]


async def test_what_is_no_number_is_failed_without_a_call(offhook: Offhook):
    app = App('<Dial action="/after"><Number>+155512</Number></Dial>')
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS)).ended()
    assert app.params("after")["DialCallStatus"] == "failed"
    assert "DialCallSid" not in app.params("after")
    assert [each.direction for each in offhook.calls] == ["inbound"]


async def test_of_several_that_fail_one_that_was_called_is_told(offhook: Offhook):
    nouns = f"<Number>+155512</Number><Number>{AGENT}</Number>"
    app = App(f'<Dial action="/after">{nouns}</Dial>')
    offhook.number(OURS, voice=app)
    offhook.phone(AGENT).behaves("unreachable")
    await (await offhook.call(OURS)).ended()
    child = next(each for each in offhook.calls if each.parent_call_sid)
    told = app.params("after")
    assert (told["DialCallStatus"], told["DialCallSid"]) == ("failed", child.sid)


async def test_emergency_numbers_are_refused(offhook: Offhook):
    app = App('<Dial action="/after"><Number>911</Number></Dial>')
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS)).ended()
    assert app.params("after")["DialCallStatus"] == "failed"


async def test_the_caller_who_gives_up_is_told_as_no_answer(offhook: Offhook):
    app = App(f'<Dial action="/after">{AGENT}</Dial>')
    offhook.number(OURS, voice=app)
    offhook.phone(AGENT).behaves("no-answer")
    call = await offhook.call(OURS)
    await offhook.phone(AGENT).rings()
    await call.hang_up()
    await asyncio.sleep(1)
    told = app.params("after")
    assert (told["DialCallStatus"], told["CallStatus"]) == ("no-answer", "completed")
    child = next(each for each in offhook.calls if each.direction == "outbound-dial")
    assert child.status == "canceled"


async def test_several_phones_ring_together_and_the_first_to_answer_wins(offhook: Offhook):
    nouns = f"<Number>{AGENT}</Number><Number>{OTHER}</Number>"
    app = App(f'<Dial action="/after">{nouns}</Dial>')
    offhook.number(OURS, voice=app)
    offhook.phone(AGENT).behaves("no-answer")
    call = await offhook.call(OURS)
    other = await offhook.phone(OTHER).rings()
    await other.answered()
    await call.says("You it is.")
    await other.hears("You it is.")
    await other.hang_up()
    await call.ended()
    statuses = {each.to: each.status for each in offhook.calls if each.parent_call_sid}
    assert statuses == {AGENT: "canceled", OTHER: "completed"}
    winner = next(each for each in offhook.calls if each.to == OTHER)
    assert app.params("after")["DialCallSid"] == winner.sid


async def test_of_several_that_fail_busy_is_told_before_no_answer(offhook: Offhook):
    nouns = f"<Number>{AGENT}</Number><Number>{OTHER}</Number>"
    app = App(f'<Dial timeout="5" action="/after">{nouns}</Dial>')
    offhook.number(OURS, voice=app)
    offhook.phone(AGENT).behaves("no-answer")
    offhook.phone(OTHER).behaves("busy")
    await (await offhook.call(OURS)).ended()
    assert app.params("after")["DialCallStatus"] == "busy"


async def test_sequential_rings_one_after_the_other_each_for_the_timeout(offhook: Offhook):
    nouns = f"<Number>{AGENT}</Number><Number>{OTHER}</Number>"
    app = App(f'<Dial sequential="true" timeout="6" action="/after">{nouns}</Dial>')
    offhook.number(OURS, voice=app)
    offhook.phone(AGENT).behaves("no-answer")
    call = await offhook.call(OURS)
    began = offhook.now
    other = await offhook.phone(OTHER).rings()
    assert 6 <= offhook.now - began < 7
    await other.answered()
    await other.hang_up()
    await call.ended()
    assert app.params("after")["DialCallStatus"] == "completed"


async def test_answer_on_bridge_keeps_the_caller_ringing(offhook: Offhook):
    offhook.number(OURS, voice=App(f'<Dial answerOnBridge="true">{AGENT}</Dial>'))
    call = await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    assert call.state == "ringing"
    await other.answered()
    await call.answered()
    await other.says("Here I am.")
    await call.hears("Here I am.")


async def test_with_answer_on_bridge_it_rings_until_the_whisper_is_over(offhook: Offhook):
    noun = f'<Number url="/whisper">{AGENT}</Number>'
    app = App(f'<Dial answerOnBridge="true">{noun}</Dial>', whisper="<Say>A call for you.</Say>")
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    await other.hears("A call for")
    assert call.state == "ringing"
    await call.answered(within=2)


@pytest.mark.parametrize(("attribute", "hertz"), [("", {440, 480}), ('ringTone="uk"', {400, 450})])
async def test_the_caller_hears_it_ring_as_it_does_there(
    offhook: Offhook, attribute: str, hertz: set[int]
):
    offhook.number(OURS, voice=App(f'<Dial timeout="5" {attribute}>{AGENT}</Dial>'))
    offhook.phone(AGENT).behaves("no-answer")
    call = await offhook.call(OURS)
    sound = bytearray()
    call.handset.hear(sound.extend)
    await call.ended()
    waves = np.abs(np.fft.rfft(np.frombuffer(sound, "<i2")[4000:6000], 8000))
    loudest = {int(each) for each in np.flatnonzero(waves > waves.max() / 2)}
    assert {round(each, -1) for each in loudest} == hertz


async def announces(phone: Handset) -> None:
    phone.ring(early_media=True)
    await phone.play(speak("This number has changed."))
    await phone.wait(60)


async def test_what_the_only_phone_says_before_its_answer_is_heard(offhook: Offhook):
    offhook.number(OURS, voice=App(f"<Dial>{AGENT}</Dial>"))
    offhook.phone(AGENT).behaves(announces)
    call = await offhook.call(OURS)
    await call.hears("This number has changed.")


async def test_of_several_phones_none_is_heard_before_one_answers(offhook: Offhook):
    nouns = f"<Number>{AGENT}</Number><Number>{OTHER}</Number>"
    offhook.number(OURS, voice=App(f"<Dial timeout='20'>{nouns}</Dial>"))
    offhook.phone(AGENT).behaves(announces)
    offhook.phone(OTHER).behaves("no-answer")
    call = await offhook.call(OURS)
    await call.hears_nothing(19)


async def test_a_caller_who_hangs_up_takes_the_called_party_along(offhook: Offhook):
    noun = f'<Number statusCallback="/events">{AGENT}</Number>'
    app = App(f'<Dial action="/after">{noun}</Dial>')
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    await other.answered()
    await asyncio.sleep(7)
    await call.hang_up()
    assert (await other.ended()).by == "near"
    await offhook.platform.exchange.notifier.settled()
    told = app.params("after")
    assert (told["DialCallStatus"], told["DialCallDuration"]) == ("completed", "7")
    assert (told["CallStatus"], app.statuses("events")) == ("completed", ["completed"])


async def test_a_call_from_a_browser_needs_a_caller_id_to_dial_a_number(offhook: Offhook):
    app = App(f'<Dial action="/after">{AGENT}</Dial>')
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS, from_="client:ann")).ended()
    assert app.params("after")["DialCallStatus"] == "failed"
    assert [each.error_code for each in offhook.notifications] == [13214]


async def test_an_unanswered_answer_on_bridge_ends_as_the_dial_did(offhook: Offhook):
    offhook.number(OURS, voice=App(f'<Dial answerOnBridge="true">{AGENT}</Dial>'))
    offhook.phone(AGENT).behaves("busy")
    call = await offhook.call(OURS)
    assert (await call.ended()).code == 486
    assert call.record.status == "busy"


async def test_the_star_drops_the_called_party(offhook: Offhook):
    app = App(f'<Dial hangupOnStar="true" action="/after">{AGENT}</Dial>', after="<Say>Back.</Say>")
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    await other.answered()
    await call.press("5*")
    await call.hears("Back.")
    assert (await other.ended()).by == "near"
    assert app.params("after")["DialCallStatus"] == "completed"


async def test_keys_pass_through_the_bridge(offhook: Offhook):
    offhook.number(OURS, voice=App(f"<Dial>{AGENT}</Dial>"))
    call = await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    await other.answered()
    await call.press("42#")
    assert other.keys == "42#"


async def test_the_time_limit_ends_the_called_party(offhook: Offhook):
    app = App(f'<Dial timeLimit="9" action="/after">{AGENT}</Dial>')
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    await other.answered()
    began = offhook.now
    await other.ended()
    assert 9 <= offhook.now - began < 10
    await call.ended()
    assert app.params("after")["DialCallDuration"] == "9"


async def test_caller_id(offhook: Offhook):
    offhook.number(OURS, voice=App(f'<Dial callerId="{OURS}">{AGENT}</Dial>'))
    await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    assert other.handset.other == OURS


async def test_digits_are_sent_after_the_answer_and_before_the_bridge(offhook: Offhook):
    noun = f'<Number sendDigits="w12#">{AGENT}</Number>'
    offhook.number(OURS, voice=App(f"<Dial>{noun}</Dial>"))
    call = await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    await other.answered()
    await asyncio.sleep(2)
    await call.says("Through.")
    await other.hears("Through.")
    assert other.keys == "12#"


async def test_the_called_party_hears_the_whisper_first(offhook: Offhook):
    noun = f'<Number url="/whisper">{AGENT}</Number>'
    app = App(f"<Dial>{noun}</Dial>", whisper="<Say>A call for you.</Say>")
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    await other.answered()
    await other.hears("A call for you.")
    await call.says("Hi.")
    await other.hears("Hi.")
    told = app.params("whisper")
    child = next(each for each in offhook.calls if each.parent_call_sid)
    assert (told["CallSid"], told["CallStatus"]) == (child.sid, "in-progress")
    assert (told["Direction"], told["ParentCallSid"]) == ("outbound-dial", child.parent_call_sid)


async def test_a_whisper_that_hangs_up_declines(offhook: Offhook):
    noun = f'<Number url="/whisper">{AGENT}</Number>'
    app = App(f'<Dial action="/after">{noun}</Dial>', whisper="<Say>No.</Say><Hangup/>")
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS)).ended()
    told = app.params("after")
    assert (told["DialCallStatus"], told["DialBridged"]) == ("completed", "false")


async def test_the_others_ring_until_somebody_has_heard_the_whisper_out(offhook: Offhook):
    """reference: Dial, execution: who hangs up in it has not won."""
    nouns = "".join(f'<Number url="/whisper">{each}</Number>' for each in (AGENT, OTHER))
    asked = iter(["<Say>No.</Say><Hangup/>", "<Say>Yes.</Say>"])
    app = App(f'<Dial action="/after">{nouns}</Dial>')

    async def answer(request) -> str:
        verbs = next(asked) if request.path == "/whisper" else ""
        return f"<Response>{verbs}</Response>" if verbs else await app(request)

    async def later(phone: Handset) -> None:
        phone.ring()
        await phone.wait(9)
        phone.answer()

    offhook.phone(OTHER).behaves(later)
    offhook.number(OURS, voice=answer)
    call = await offhook.call(OURS)
    declined = await offhook.phone(AGENT).rings()
    await declined.hears("No.")
    other = await offhook.phone(OTHER).rings()
    assert other.state == "ringing"
    await other.hears("Yes.")
    await call.says("Hello.")
    await other.hears("Hello.")
    await other.hang_up()
    await call.ended()
    assert app.params("after")["DialCallSid"] == other.sid


async def test_a_whisper_may_not_dial(offhook: Offhook):
    noun = f'<Number url="/whisper">{AGENT}</Number>'
    app = App(f"<Dial>{noun}</Dial>", whisper=f"<Dial>{OTHER}</Dial>")
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await (await offhook.phone(AGENT).rings()).answered()
    await call.hears_nothing(5)
    assert 13201 in [each.error_code for each in offhook.notifications]


async def test_each_target_has_status_callbacks_of_its_own(offhook: Offhook):
    noun = f'<Number statusCallback="/events" statusCallbackEvent="{EVENTS}">{AGENT}</Number>'
    app = App(f"<Dial>{noun}</Dial>")
    offhook.number(OURS, voice=app)
    await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    await other.answered()
    await other.hang_up()
    await asyncio.sleep(1)
    assert app.statuses("events") == ["initiated", "ringing", "in-progress", "completed"]
    told = [params for path, params in app.asked if path == "events"]
    assert [params["SequenceNumber"] for params in told] == ["0", "1", "2", "3"]
    assert {params["CallSid"] for params in told} == {
        next(each.sid for each in offhook.calls if each.parent_call_sid)
    }
    assert {"CallDuration", "Duration", "SipResponseCode"} <= set(told[3])
    assert "CallDuration" not in told[2]


async def test_by_default_only_the_end_is_told(offhook: Offhook):
    noun = f'<Number statusCallback="/events">{AGENT}</Number>'
    app = App(f"<Dial>{noun}</Dial>")
    offhook.number(OURS, voice=app)
    offhook.phone(AGENT).behaves("busy")
    await (await offhook.call(OURS)).ended()
    await asyncio.sleep(1)
    assert app.statuses("events") == ["busy"]
    told = app.params("events")
    assert (told["CallDuration"], told["Duration"], told["SipResponseCode"]) == ("0", "0", "486")


async def recorded(offhook: Offhook) -> Recording:
    """What is kept of a call in which either has said something."""
    call = await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    await other.answered()
    await call.says("I am left.")
    await other.says("I am right.")
    await other.hang_up()
    await call.ended()
    [recording] = offhook.recordings
    return recording


async def test_a_recorded_dial_keeps_both_voices_in_their_channels(offhook: Offhook):
    app = App(f'<Dial record="record-from-answer-dual" action="/after">{AGENT}</Dial>')
    offhook.number(OURS, voice=app)
    recording = await recorded(offhook)
    assert (recording.channels, recording.source, recording.status) == (2, "DialVerb", "completed")
    assert spoken(recording.path, 0) == "I am left."
    assert spoken(recording.path, 1) == "I am right."
    told = app.params("after")
    assert told["RecordingSid"] == recording.sid
    assert told["RecordingUrl"].endswith(f"/Recordings/{recording.sid}")


async def test_a_mono_recording_has_both_in_one(offhook: Offhook):
    app = App(f'<Dial record="record-from-answer" recordingStatusCallback="/done">{AGENT}</Dial>')
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    other = await offhook.phone(AGENT).rings()
    await other.answered()
    await call.says("One.")
    await other.says("Two.")
    await other.hang_up()
    await asyncio.sleep(1)
    [recording] = offhook.recordings
    assert spoken(recording.path, 0).split() == ["One.", "Two."]
    told = app.params("done")
    assert (told["RecordingStatus"], told["RecordingSource"]) == ("completed", "DialVerb")
    assert told["RecordingChannels"] == "1"


@pytest.mark.parametrize(
    ("track", "words"), [("inbound", "I am left."), ("outbound", "I am right.")]
)
async def test_one_track_is_one_voice(offhook: Offhook, track: str, words: str):
    how = f'record="record-from-answer-dual" recordingTrack="{track}"'
    offhook.number(OURS, voice=App(f"<Dial {how}>{AGENT}</Dial>"))
    recording = await recorded(offhook)
    assert (recording.channels, recording.track) == (1, track)
    assert spoken(recording.path, 0) == words


def spoken(path: str, channel: int) -> str:
    """What is said in one channel of a recording."""
    with wave.open(path) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        samples = frames.reshape(-1, file.getnchannels())[:, channel]
    ear = Ear()
    for start in range(0, len(samples) - 159, 160):
        ear.feed(samples[start : start + 160].tobytes())
    return ear.text.strip()
