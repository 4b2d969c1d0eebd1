"""<Dial>, <Number> and <Sip>, one test for each sentence of their pages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from scripted_call import ScriptedCall

from offhook.line.leg import HungUp
from offhook.line.orders import DialOrder, DialOutcome, DialTarget
from offhook.model.fetch import Callback, Fetch
from offhook.model.recording import Recording

SOME_DAY = datetime(2026, 3, 2, tzinfo=UTC)
RECORDING = Recording("RE1", "AC1", "CA2", "DialVerb", SOME_DAY, SOME_DAY, SOME_DAY, duration=12)
ANSWERED = DialOutcome("completed", "CA2", 12, bridged=True)
END = "<Response/>"
NUMBER = "+15550001111"


async def orders(dial: str) -> DialOrder:
    call = ScriptedCall(dialled=ANSWERED)
    await call.runs(f"<Response>{dial}</Response>")
    [order] = call.dials
    return order


async def targets(nouns: str) -> tuple[DialTarget, ...]:
    return (await orders(f"<Dial>{nouns}</Dial>")).targets


async def codes(nouns: str) -> list[int]:
    call = ScriptedCall()
    await call.runs(f"<Response><Dial>{nouns}</Dial></Response>")
    return call.notes


async def test_the_words_are_the_number():
    """M03: the call is connected to another phone."""
    order = await orders("<Dial> 415-123-4567 </Dial>")
    assert order == DialOrder((DialTarget("number", "415-123-4567"),))


async def test_it_answers_first():
    call = ScriptedCall()
    await call.runs(f"<Response><Dial>{NUMBER}</Dial></Response>")
    assert call.answered_at == 0.0


async def test_answer_on_bridge_leaves_the_answering_to_the_bridge():
    call = ScriptedCall()
    await call.runs(f'<Response><Dial answerOnBridge="true">{NUMBER}</Dial></Response>')
    assert (call.answered, call.dials[0].answer_on_bridge) == (False, True)


async def test_without_an_action_the_next_verb_follows():
    call = ScriptedCall(dialled=ANSWERED)
    asked = await call.runs(f"<Response><Dial>{NUMBER}</Dial><Say>bye</Say></Response>")
    assert (call.heard, call.heard_at, asked) == (["bye"], [20.0], [])


async def test_the_action_is_told_how_it_went_and_takes_the_documents_place():
    """M16: DialCallStatus uses the words of CallStatus."""
    call = ScriptedCall(dialled=ANSWERED)
    twiml = f'<Response><Dial action="/done">{NUMBER}</Dial><Say>bye</Say></Response>'
    [asked] = await call.runs(twiml, done=END)
    params = {
        "DialCallStatus": "completed",
        "DialCallSid": "CA2",
        "DialCallDuration": "12",
        "DialBridged": "true",
    }
    assert (asked, call.heard) == (Fetch("/done", "POST", params), [])


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
async def test_nobody_answered_gives_no_duration(status):
    call = ScriptedCall(dialled=DialOutcome(status, "CA2"))
    [asked] = await call.runs(
        f'<Response><Dial action="/done" method="GET">{NUMBER}</Dial></Response>', done=END
    )
    params = {"DialCallStatus": status, "DialCallSid": "CA2", "DialBridged": "false"}
    assert asked == Fetch("/done", "GET", params)


async def test_a_recorded_dial_tells_of_its_recording_and_sip_of_its_answer():
    outcome = DialOutcome(
        "completed", "CA2", 12, True, RECORDING, (("DialSipResponseCode", "200"),)
    )
    call = ScriptedCall(dialled=outcome)
    [asked] = await call.runs(
        f'<Response><Dial action="/done">{NUMBER}</Dial></Response>', done=END
    )
    assert list(asked.params.items())[4:] == [
        ("RecordingUrl", "https://api.test/Recordings/RE1"),
        ("RecordingSid", "RE1"),
        ("RecordingDuration", "12"),
        ("DialSipResponseCode", "200"),
    ]


async def test_the_action_is_told_although_the_caller_has_hung_up():
    call = ScriptedCall(dialled=DialOutcome("no-answer", "CA2"))
    call.hangs_up(at=5)
    with pytest.raises(HungUp):
        await call.runs(f'<Response><Dial action="/done">{NUMBER}</Dial></Response>')
    params = {"DialCallStatus": "no-answer", "DialCallSid": "CA2", "DialBridged": "false"}
    assert call.told == [Fetch("/done", "POST", params)]


async def test_nothing_follows_for_a_caller_who_has_hung_up():
    call = ScriptedCall(dialled=ANSWERED)
    call.hangs_up(at=5)
    with pytest.raises(HungUp):
        await call.runs(f"<Response><Dial>{NUMBER}</Dial><Sms>too late</Sms></Response>")
    assert (call.told, call.texts) == ([], [])


async def test_the_attributes_are_the_order():
    order = await orders(
        '<Dial timeout="10" timeLimit="60" callerId="client:ann" hangupOnStar="true"'
        ' ringTone="uk" record="record-from-answer-dual" recordingTrack="inbound"'
        ' trim="trim-silence" sequential="true" recordingStatusCallback="/rec"'
        f' recordingStatusCallbackEvent="absent"><Number>{NUMBER}</Number></Dial>'
    )
    assert order == DialOrder(
        (DialTarget("number", NUMBER),),
        timeout=10,
        time_limit=60,
        caller_id="client:ann",
        hangup_on_star=True,
        ring_tone="uk",
        record="record-from-answer-dual",
        recording_track="inbound",
        trim=True,
        callback=Callback("/rec", "POST", ("absent",)),
        sequential=True,
    )


async def test_a_call_that_was_dialled_cannot_dial():
    call = ScriptedCall(whisper=True)
    await call.runs(f"<Response><Dial>{NUMBER}</Dial><Say>a</Say></Response>")
    assert (call.dials, call.notes, call.heard) == ([], [13201], ["a"])


async def test_several_phones_ring_at_once():
    found = await targets("<Number>+15550001111</Number><Sip>sip:ann@a.test</Sip>")
    assert [(target.kind, target.to) for target in found] == [
        ("number", "+15550001111"),
        ("sip", "sip:ann@a.test"),
    ]


async def test_ten_phones_are_the_most():
    nouns = "".join(f"<Number>+1555000{n:04}</Number>" for n in range(11))
    assert len(await targets(nouns)) == 10
    assert await codes(nouns) == [13215]


async def test_a_number_has_its_own_whisper_digits_and_callbacks():
    [target] = await targets(
        '<Number sendDigits="ww1" url="/whisper" method="GET" statusCallback="/status"'
        f' statusCallbackEvent="initiated answered">{NUMBER}</Number>'
    )
    told = Callback("/status", "POST", ("initiated", "answered"))
    assert target == DialTarget(
        "number", NUMBER, url="/whisper", method="GET", callback=told, send_digits="ww1"
    )


async def test_what_is_no_number_is_left_out_and_the_others_ring():
    call = ScriptedCall()
    await call.runs(
        f"<Response><Dial><Number>ann</Number><Number>{NUMBER}</Number></Dial></Response>"
    )
    assert [target.to for target in call.dials[0].targets] == [NUMBER]
    assert call.notes == [13223]


LONG_HEADERS = f"<Sip>sip:b@b.test?X-A={'1' * 1024}</Sip>"


@pytest.mark.parametrize(
    "inside", ["ann", "", "<Number>ann</Number>", "<Sip>ann</Sip>", LONG_HEADERS]
)
async def test_nobody_to_ring_has_failed(inside):
    call = ScriptedCall()
    [asked] = await call.runs(
        f'<Response><Dial action="/done">{inside}</Dial></Response>', done=END
    )
    assert asked.params == {"DialCallStatus": "failed", "DialBridged": "false"}
    assert call.dials == []


async def test_a_wrong_child_is_13215_and_skipped():
    assert await codes(f"<Say>a</Say><Number>{NUMBER}</Number>") == [13215]


async def test_a_conference_is_not_dialled_together_with_numbers():
    call = ScriptedCall()
    nouns = f"<Conference>room</Conference><Number>{NUMBER}</Number>"
    await call.runs(f"<Response><Dial>{nouns}</Dial></Response>")
    assert (call.notes, call.dials) == ([13000, 13245], [])


@pytest.mark.parametrize(
    "noun", ["Client", "Conference", "Queue", "Sim", "WhatsApp", "Application"]
)
async def test_phones_of_later_releases_are_noted_and_the_next_verb_follows(noun):
    call = ScriptedCall()
    asked = await call.runs(
        f'<Response><Dial action="/done"><{noun}>x</{noun}></Dial><Say>a</Say></Response>'
    )
    assert (call.notes, call.dials, asked, call.heard) == ([13245], [], [], ["a"])


async def test_the_phones_of_this_release_ring_beside_those_of_later_ones():
    call = ScriptedCall()
    await call.runs(
        f"<Response><Dial><Client>ann</Client><Number>{NUMBER}</Number></Dial></Response>"
    )
    assert (call.notes, [target.to for target in call.dials[0].targets]) == ([13245], [NUMBER])


async def test_a_sip_uri_brings_headers_and_credentials():
    [target] = await targets(
        '<Sip username="ann" password="secret" url="/whisper">'
        " sip:bob@b.test:5070;transport=tcp?X-Color=dark%20red&amp;User-to-User=1%3B2 </Sip>"
    )
    assert target == DialTarget(
        "sip",
        "sip:bob@b.test:5070;transport=tcp",
        url="/whisper",
        username="ann",
        password="secret",
        headers=(("X-Color", "dark red"), ("User-to-User", "1;2")),
    )


async def test_headers_may_stand_in_elements_too():
    [target] = await targets(
        "<Sip><Uri>sip:bob@b.test?X-A=1</Uri>"
        '<Headers><Header name="X-B" value="2"/></Headers></Sip>'
    )
    assert target.headers == (("X-A", "1"), ("X-B", "2"))


async def test_a_header_of_another_name_is_dropped():
    nouns = (
        "<Sip><Uri>sip:bob@b.test?Via=1&amp;X-A=1</Uri>"
        '<Headers><Header name="Contact" value="2"/></Headers></Sip>'
    )
    [target] = await targets(nouns)
    assert target.headers == (("X-A", "1"),)
    assert await codes(nouns) == [13252, 13252]


async def test_several_uris_are_tried_by_priority_then_weight():
    [target] = await targets(
        '<Sip username="ann" password="p"><Uri priority="2">sip:c@a.test</Uri>'
        '<Uri priority="1" weight="1">sip:b@a.test</Uri>'
        '<Uri priority="1" weight="9" username="eve" password="q">sip:a@a.test</Uri></Sip>'
    )
    tried = [(each.to, each.username) for each in (target, *target.then)]
    assert tried == [("sip:a@a.test", "eve"), ("sip:b@a.test", "ann"), ("sip:c@a.test", "ann")]


@pytest.mark.parametrize(
    ("sip", "code"),
    [
        ("<Sip>bob</Sip>", 13243),
        ("<Sip>sip:</Sip>", 13243),
        ("<Sip>tel:+15550001111</Sip>", 13243),
        (f"<Sip>sip:{'b' * 250}@b.test</Sip>", 13243),
        (f"<Sip>sip:b@b.test?X-A={'1' * 1024}</Sip>", 13253),
        ('<Sip username="ann">sip:b@b.test</Sip>', 13249),
        ('<Sip password="p">sip:b@b.test</Sip>', 13249),
        (f"<Sip>{'<Uri>sip:b@b.test</Uri>' * 11}</Sip>", 13250),
        ("<Sip><Number>1</Number>sip:b@b.test</Sip>", 13215),
        ('<Sip machineDetection="Enable">sip:b@b.test</Sip>', 21262),
    ],
)
async def test_what_is_wrong_with_a_sip_target_has_a_code(sip, code):
    assert await codes(sip) == [code]


@pytest.mark.parametrize(
    "uri", ["sip:b.test", "sips:b@b.test", "sip:b@[2001:db8::1]:5060", "SIP:b@10.0.0.1;secure=true"]
)
async def test_shapes_of_sip_uris(uri):
    assert (await targets(f"<Sip>{uri}</Sip>"))[0].to == uri


async def test_refer_url_is_asked_when_a_phone_transfers_the_call_and_takes_the_actions_place():
    order = await orders(f'<Dial referUrl="/refer" referMethod="GET">{NUMBER}</Dial>')
    assert order.refer == Fetch("/refer", "GET")
    onward = Fetch("/refer", "POST", {"ReferTransferTarget": "sip:carol@desk.test"})
    call = ScriptedCall(dialled=DialOutcome("completed", "CA2", 12, True, onward=onward))
    twiml = f'<Response><Dial action="/done">{NUMBER}</Dial><Say>bye</Say></Response>'
    asked = await call.runs(twiml, refer=END, done=END)
    assert (asked, call.heard) == ([onward], [])


async def test_a_caller_who_has_gone_is_not_led_on_by_a_transfer_but_the_action_is_told():
    onward = Fetch("/refer", "POST", {"ReferTransferTarget": "sip:carol@desk.test"})
    outcome = DialOutcome("completed", "CA2", 12, True, onward=onward)
    call = ScriptedCall(dialled=outcome)
    call.hangs_up(at=5)
    with pytest.raises(HungUp):
        await call.runs(f'<Response><Dial action="/done">{NUMBER}</Dial></Response>')
    assert [each.url for each in call.told] == ["/done"]
