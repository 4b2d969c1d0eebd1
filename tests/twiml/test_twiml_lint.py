# ruff: noqa: E501
"""Checking TwiML without running it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from offhook.twiml.lint import as_line, channel_of, lint
from offhook.twiml.markup import read_xml

CONFORMANCE = os.environ.get("OFFHOOK_CONFORMANCE", "")


def lines(twiml: str, channel=None) -> list[str]:
    return [as_line("voice.xml", problem) for problem in lint(twiml, channel)]


def test_a_good_document_has_no_problems():
    assert lines("<Response><Say>Hello</Say></Response>") == []


def test_a_problem_is_one_line_with_its_place_its_code_and_a_suggestion():
    assert lines('<Response>\n  <Gather numdigits="1"/>\n</Response>') == [
        "voice.xml:2:3 12200 <Gather> has no attribute numdigits, did you mean numDigits?"
    ]


@pytest.mark.parametrize(
    ("twiml", "expected"),
    [
        ('<Reject reason="bussy"/>', "1:11 13810 <Reject reason=\"bussy\"> must be rejected or busy, did you mean busy?"),
        ('<Pause length="0"/>', '1:11 13910 <Pause length="0"> must be a whole number from 1'),
        ("<Dail>1</Dail>", "1:11 12200 There is no <Dail>, did you mean Dial?"),
        ("<Dial><Numbr>+15550001111</Numbr></Dial>", "1:17 13215 There is no <Numbr>, did you mean Number?"),
        ('<Start><Strem url="wss://a"/></Start>', "1:18 14300 There is no <Strem>, did you mean Stream?"),
    ],
)  # fmt: skip
def test_what_is_close_is_suggested(twiml, expected):
    assert f"voice.xml:{expected}" in lines(f"<Response>{twiml}</Response>")


def test_a_document_that_cannot_be_run_is_an_error():
    [problem] = lint("<Response>\n<Say>Hello</Response>")
    assert (problem.code, problem.level, problem.line) == (12100, "error", 2)


def test_an_empty_file_is_an_error():
    [problem] = lint(" \n")
    assert (problem.code, problem.level) == (11770, "error")


def test_problems_are_sorted_by_position():
    found = lint('<Response><Gather timeout="x">\n<Say loop="x">a</Say></Gather><Sing/></Response>')
    assert [(each.line, each.column) for each in found] == sorted(
        (each.line, each.column) for each in found
    )
    assert len(found) == 3


@pytest.mark.parametrize(
    ("inside", "channel"),
    [
        ("<Message>a</Message>", "messaging"),
        ("<Message>a</Message><Redirect/>", "messaging"),
        ("<Say>a</Say>", "voice"),
        ("<Say>a</Say><Message>b</Message>", "voice"),
        ("<Redirect/>", "voice"),
        ("<Sms>a</Sms>", "voice"),
        ("", "voice"),
    ],
)
def test_the_content_tells_the_channel(inside, channel):
    assert channel_of(read_xml(f"<Response>{inside}</Response>")) == channel


def test_a_channel_that_is_given_is_the_one_that_counts():
    say = "<Response><Say>a</Say></Response>"
    assert [problem.code for problem in lint(say, "messaging")] == [14110]
    assert lint(say, "voice") == []


LATER = """<Response>
<Enqueue waitUrl="/w" action="/a" method="GET" waitUrlMethod="GET" maxQueueSize="10">support</Enqueue>
<Enqueue workflowSid="WW00000000000000000000000000000000"><Task priority="1" timeout="5">{}</Task></Enqueue>
<Leave/><Echo/><Queue url="/q">support</Queue>
<Connect action="/a"><Stream url="wss://a.test/s" name="n" track="inbound_track"><Parameter name="a" value="b"/></Stream></Connect>
<Connect><ConversationRelay url="wss://a.test/r" voice="x" interruptible="any" dtmfDetection="true"><Language code="de-DE"/></ConversationRelay></Connect>
<Start><Recording track="both" channels="dual" trim="do-not-trim"/><Siprec name="s" connectorName="c"/></Start>
<Stop><Transcription name="t"/></Stop>
<Pay chargeAmount="20.45" validCardTypes="visa amex"><Prompt for="expiration-date" attempt="1 2"><Say>a</Say></Prompt></Pay>
<Refer action="/a"><Sip>sip:a@b.test?X-A=1</Sip></Refer>
<Dial><Client statusCallback="/s"><Identity>ann</Identity><Parameter name="a" value="b"/></Client></Dial>
<Dial><Conference muted="true" beep="onEnter" coach="CA00000000000000000000000000000000" waitUrl="" statusCallbackEvent="start end">r</Conference></Dial>
<Dial><Application customerId="c" copyParentTo="true"><ApplicationSid>AP1</ApplicationSid></Application></Dial>
</Response>"""


def test_elements_of_later_releases_are_known():
    assert lines(LATER) == []


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ('<Dial><Conference beep="loud">r</Conference></Dial>', 13235),
        ('<Dial><Conference maxParticipants="1">r</Conference></Dial>', 12200),
        ('<Enqueue waitUrlMethod="PUT">q</Enqueue>', 14206),
        ('<Start><Stream url="wss://a" track="left"/></Start>', 31941),
        ("<Start><Stream/></Start>", 12200),
        ("<Start><Say>a</Say></Start>", 14300),
        ('<Connect><ConversationRelay url="wss://a" dtmfDetection="x"/></Connect>', 64101),
        ('<Pay paymentMethod="cash"/>', 64013),
        ('<Pay chargeAmount="much"/>', 64003),
        ("<Leave>now</Leave>", 12200),
    ],
)
def test_elements_of_later_releases_are_checked(inside, code):
    assert [problem.code for problem in lint(f"<Response>{inside}</Response>")][:1] == [code]


@pytest.mark.skipif(not CONFORMANCE, reason="OFFHOOK_CONFORMANCE names no folder of documents")
def test_no_document_of_the_corpus_has_an_error():
    folder = Path(CONFORMANCE) / "twiml_corpus"
    kinds = {
        each["name"]: each["kind"]
        for each in json.loads((folder / "index.json").read_text())["documents"]
    }
    found = [
        as_line(name, problem)
        for name, kind in kinds.items()
        for channel in (None, kind)
        for problem in lint((folder / name).read_bytes(), channel)
        if problem.level == "error" or problem.code == 12200
    ]
    assert (found, len(kinds) > 100) == ([], True)
