"""A call is placed by REST.  reference: REST voice, Calls; status callbacks; state machines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from exchange_app import AGENT, OURS, App, codes, twiml

from offhook.carriers.handset import Handset
from offhook.exchange import control
from offhook.exchange.outbound import CallOrder, place_call
from offhook.model.fetch import Callback, Script
from offhook.testing import Offhook
from offhook.testing.speech import transcribe_wav

EVENTS = "initiated ringing answered completed"


async def placed(offhook: Offhook, app: App, **form: str) -> dict[str, Any]:
    """A call to AGENT that `app` answers, and that it hears everything of."""
    usual = {
        "To": AGENT, "From": offhook.number(OURS), "Url": offhook.url(app),
        "StatusCallback": offhook.url(app, "/status"), "StatusCallbackEvent": EVENTS,
    }  # fmt: skip
    return await offhook.post("Calls.json", **usual | form)


async def settled(offhook: Offhook) -> None:
    await offhook.platform.exchange.settle()
    await offhook.platform.exchange.notifier.settled()


async def test_a_call_is_answered_runs_its_document_and_is_told_of_in_order(offhook: Offhook):
    """M05, M16, M17."""
    app = App("<Say>Hello.</Say>")
    posted = await placed(offhook, app)
    assert (posted["status"], posted["direction"]) == ("queued", "outbound-api")
    call = await offhook.phone(AGENT).rings()
    assert app.paths == ["status", "status"]  # the document is asked for when somebody is there
    await call.hears("Hello.")
    await call.ended()
    await settled(offhook)
    assert app.statuses("status") == ["initiated", "ringing", "in-progress", "completed"]
    told = [request.params for request in app.requests("status")]
    assert [each["SequenceNumber"] for each in told] == ["0", "1", "2", "3"]
    assert {each["CallSid"] for each in told} == {posted["sid"]}
    assert ["CallDuration" in each for each in told] == [False, False, False, True]
    assert told[3]["SipResponseCode"] == "200"
    first = app.told("")
    assert (first["CallStatus"], first["Direction"]) == ("in-progress", "outbound-api")
    assert (first["To"], first["From"]) == (AGENT, OURS)


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("busy", "busy", "486"),
        ("rejects", "busy", "603"),
        ("unreachable", "failed", "404"),
        ("no-answer", "no-answer", "487"),
    ],
)
async def test_a_call_that_nobody_takes_ends_once(
    offhook: Offhook, how: str, status: str, code: str
):
    """M16: no document is asked for, and the last callback says why."""
    app = App("<Say>Hello.</Say>")
    offhook.phone(AGENT).behaves(how)
    posted = await placed(offhook, app, StatusCallbackEvent="completed")
    await settled(offhook)
    assert app.paths == ["status"]
    told = app.told("status")
    assert (told["CallStatus"], told["SipResponseCode"]) == (status, code)
    assert (told["CallDuration"], told["Duration"]) == ("0", "0")
    record = await offhook.get(f"Calls/{posted['sid']}.json")
    assert (record["status"], record["duration"]) == (status, "0")
    assert told.get("ErrorCode") == ("21214" if status == "failed" else None)


async def test_what_nobody_carries_is_failed_and_noted(offhook: Offhook):
    app = App()
    await placed(offhook, app, To="sip:nobody@nowhere.test")
    await settled(offhook)
    assert app.statuses("status")[-1] == "failed"
    assert codes(offhook) == [21214]


async def test_a_phone_rings_as_long_as_was_asked_and_not_a_second_longer(offhook: Offhook):
    offhook.phone(AGENT).behaves("no-answer")
    before = offhook.now
    await placed(offhook, App(), Timeout="17")
    call = await offhook.phone(AGENT).rings()
    assert (await call.ended()).code == 487
    assert 17 <= round(offhook.now - before, 1) < 17.2


async def test_only_the_events_that_were_asked_for_are_told_and_counted(offhook: Offhook):
    app = App("<Say>Hello.</Say>")
    await placed(offhook, app, StatusCallbackEvent="answered ringing")
    await (await offhook.phone(AGENT).rings()).ended()
    await settled(offhook)
    told = [request.params for request in app.requests("status")]
    assert [each["CallStatus"] for each in told] == ["ringing", "in-progress"]
    assert [each["SequenceNumber"] for each in told] == ["0", "1"]


async def test_digits_are_sent_after_the_answer_and_before_the_document(offhook: Offhook):
    app = App("<Say>Hello.</Say>")
    await placed(offhook, app, SendDigits="1w2#")
    call = await offhook.phone(AGENT).rings()
    await call.answered()
    assert "" not in app.paths
    await call.hears("Hello.")
    assert call.keys == "12#"


async def test_a_recorded_call_is_reported_with_its_end(offhook: Offhook):
    """M17: Record=true."""
    app = App("<Say>Hello.</Say><Pause/>")
    posted = await placed(
        offhook, app, Record="true", RecordingChannels="dual",
        RecordingStatusCallback=offhook.url(app, "/recording"),
    )  # fmt: skip
    call = await offhook.phone(AGENT).rings()
    await call.answered()
    await call.says("Yes?")
    await call.ended()
    await settled(offhook)
    [recording] = offhook.recordings
    assert (recording.source, recording.call_sid) == ("OutboundAPI", posted["sid"])
    assert transcribe_wav(recording.path) == ["Yes?", "Hello."]
    told = app.requests("status")[-1].params
    assert told["RecordingSid"] == recording.sid
    assert told["RecordingUrl"] == app.told("recording")["RecordingUrl"]
    assert told["RecordingDuration"] == str(recording.duration)
    assert all("RecordingSid" not in request.params for request in app.requests("status")[:-1])


async def test_the_recording_of_a_verb_is_not_reported_with_the_end(offhook: Offhook):
    app = App('<Record maxLength="2" action="/done"/>')
    await placed(offhook, app)
    await (await offhook.phone(AGENT).rings()).ended()
    await settled(offhook)
    assert "RecordingSid" in app.told("done")
    assert "RecordingSid" not in app.told("status")


async def test_a_call_lasts_as_long_as_it_may(offhook: Offhook):
    app = App('<Pause length="100"/>')
    await placed(offhook, app, TimeLimit="9")
    call = await offhook.phone(AGENT).rings()
    await call.ended()
    await settled(offhook)
    assert (call.record.status, call.record.duration) == ("completed", 9)
    assert codes(offhook) == [32015]


async def test_a_text_is_sent_to_who_was_called(offhook: Offhook):
    await placed(offhook, App("<Sms>Here is the link.</Sms>"))
    text = await offhook.phone(AGENT).reads("Here is the link.")
    assert (text.from_, text.to) == (OURS, AGENT)


async def test_a_queued_call_is_canceled_before_anybody_is_told(offhook: Offhook):
    """M28: nothing was dialled, so no callback is owed."""
    app, exchange = App(), offhook.platform.exchange
    offhook.number(OURS)
    await asyncio.sleep(1)
    told = Callback(offhook.url(app, "/status"), events=tuple(EVENTS.split()))
    order = CallOrder(offhook.account_sid, AGENT, OURS, Script(offhook.url(app)), told)
    call = await place_call(exchange, order)
    ended = await control.cancel(exchange, call)
    await settled(offhook)
    assert ended.status == "canceled" == offhook.calls[0].status
    assert app.asked == []
    assert offhook.phone(AGENT).calls == []


async def test_a_ringing_call_is_canceled(offhook: Offhook):
    """M28."""
    app = App()
    offhook.phone(AGENT).behaves("no-answer")
    posted = await placed(offhook, app)
    call = await offhook.phone(AGENT).rings()
    answer = await offhook.post(f"Calls/{posted['sid']}.json", Status="canceled")
    assert (answer["status"], answer["duration"]) == ("canceled", "0")
    assert (await call.ended()).code == 487
    await settled(offhook)
    assert app.statuses("status") == ["initiated", "ringing", "canceled"]
    assert app.told("status")["SipResponseCode"] == "487"


async def test_a_call_in_progress_is_not_canceled(offhook: Offhook):
    """M28: canceled has no effect on it, completed ends it."""
    posted = await placed(offhook, App('<Pause length="100"/>'))
    call = await offhook.phone(AGENT).rings()
    await call.answered()
    path = f"Calls/{posted['sid']}.json"
    assert (await offhook.post(path, Status="canceled"))["status"] == "in-progress"
    assert call.state == "answered"
    assert (await offhook.post(path, Status="completed"))["status"] == "completed"
    assert (await call.ended()).by == "near"


async def test_a_cancel_that_crosses_the_answer_hangs_up(offhook: Offhook):
    """Who was told `canceled` finds the call canceled, however close the answer was."""
    exchange = offhook.platform.exchange

    async def answers_at_once(phone: Handset) -> None:
        phone.ring()
        await phone.wait(1)
        phone.answer()
        [call] = offhook.calls
        assert (await control.cancel(exchange, call)).status == "canceled"

    app = App("<Say>Hello.</Say>")
    offhook.phone(AGENT).behaves(answers_at_once)
    await placed(offhook, app)
    call = await offhook.phone(AGENT).rings()
    assert (await call.ended()).by == "near"
    await settled(offhook)
    assert offhook.calls[0].status == "canceled"
    assert app.statuses("status") == ["initiated", "ringing", "canceled"]


async def test_who_hangs_up_before_the_document_is_there_ends_the_call(offhook: Offhook):
    app = App("<Say>Hello.</Say>", late=5)
    posted = await placed(offhook, app)
    call = await offhook.phone(AGENT).rings()
    await call.answered()
    await asyncio.sleep(2)
    await call.hang_up()
    await settled(offhook)
    record = await offhook.get(f"Calls/{posted['sid']}.json")
    assert (record["status"], record["duration"]) == ("completed", "2")


async def test_no_call_is_placed_while_the_platform_stops(offhook: Offhook):
    offhook.number(OURS)
    await offhook.platform.drain(0)
    with pytest.raises(AssertionError, match="20503"):
        await offhook.post("Calls.json", To=AGENT, From=OURS, Twiml=twiml("<Say>Hi.</Say>"))


async def test_draining_gives_up_what_rings_and_ends_what_talks(offhook: Offhook):
    app = App('<Pause length="1000"/>')
    offhook.phone(AGENT).behaves("no-answer")
    await placed(offhook, app)
    await offhook.phone(AGENT).rings()
    offhook.number("+15550101", voice=App("<Say>Hello.</Say><Gather timeout='1000'/>"))
    talking = await offhook.call("+15550101")
    await talking.hears("Hello.")
    began = offhook.now
    await offhook.platform.drain(5)
    assert 5 <= round(offhook.now - began, 1) < 6
    assert {call.status for call in offhook.calls} == {"canceled", "completed"}
    assert (await talking.ended()).by == "near"
    await offhook.platform.exchange.notifier.settled()
    assert app.statuses("status")[-1] == "canceled"
