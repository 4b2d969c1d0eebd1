# ruff: noqa: E501
"""Every attribute of every verb that runs: what it is when left out, when good and when bad."""

from __future__ import annotations

import re

import pytest

from offhook.twiml import vocabulary
from offhook.twiml.document import parse
from offhook.twiml.nouns import Header, Number, Sip, Uri
from offhook.twiml.schema import Element, described

KEYS = "1234567890*#"
CALL_EVENTS = ("initiated", "answered")

# attribute, default, good text, its value, bad text, code, what stands in
SAY = """
voice     |     | Polly.Amy | Polly.Amy | robot   | 13511 |
voice     |     | alice     | alice     | Polly   | 13511 |
language  |     | en-GB     | en-GB     | english language | 13512 |
loop      | 1   | 3         | 3         | often   | 13510 | 1
loop      | 1   | 0         | 1000      | -1      | 13510 | 1
loop      | 1   | 5000      | 1000      | 1.5     | 13510 | 1
"""
PLAY = """
loop      | 1   | 0         | 1000      | x       | 13410 | 1
loop      | 1   | 7         | 7         | -1      | 13410 | 1
digits    |     | 1wW#*A    | 1wW#*A    | 12x     | 13430 | SKIPPED
"""
PAUSE = """
length    | 1   | 10        | 10        | 0       | 13910 | 1
length    | 1   | 86400     | 86400     | long    | 13910 | 1
"""
GATHER = """
input       | dtmf | dtmf         | dtmf        | voice  | 13326 | dtmf
input       | dtmf | speech       | speech      | keys   | 13326 | dtmf
input       | dtmf | speech dtmf  | dtmf speech | DTMF   | 13326 | dtmf
action      |      | /next        | /next       |        |       |
method      | POST | GET          | GET         | PUT    | 13312 | POST
timeout     | 5    | 10           | 10          | 0      | 13313 | 5
timeout     | 5    | auto         | 5           | soon   | 13313 | 5
speechTimeout | None | 3          | 3           | 0      | 13327 | None
speechTimeout | None | auto       | 0           | x      | 13327 | None
maxSpeechTime | 60 | 20           | 20          | 61     | 13328 | 60
numDigits   | None | 4            | 4           | 0      | 13314 | None
finishOnKey | #    | *            | *           | 12     | 13310 | #
finishOnKey | #    |              |             | x      | 13310 | #
actionOnEmptyResult | False | true | True       | yes    | 13338 | False
partialResultCallback | | /partial | /partial    |        |       |
partialResultCallbackMethod | POST | GET | GET   | X      | 13329 | POST
language    | en-US | de-DE       | de-DE       | a b    | 13331 | en-US
hints       |      | this, that   | this, that  | LONG   | 13330 |
profanityFilter | True | false    | False       | no     | 13333 | True
speechModel | default | phone_call | phone_call | best   | 13334 | default
enhanced    | False | true        | True        | x      | 12200 | False
bargeIn     | True | false        | False       | x      | 13332 | True
debug       | False | true        | True        | x      | 12200 | False
"""
RECORD = """
action      |      | /next        | /next       |        |       |
method      | POST | get          | GET         | PUT    | 13610 | POST
timeout     | 5    | 0            | 0           | -1     | 13611 | 5
finishOnKey | 1234567890*# | *#   | *#          | a      | 13613 | 1234567890*#
finishOnKey | 1234567890*# |      |             | 1 2    | 13613 | 1234567890*#
maxLength   | None | 14400        | 14400       | 14401  | 13612 | None
maxLength   | None | 2            | 2           | 1      | 13612 | None
playBeep    | True | false        | False       | x      | 13616 | True
trim        | True | do-not-trim  | False       | x      | 13699 | False
transcribe  | False | true        | True        | x      | 13614 | False
transcribeCallback | | /t         | /t          | ftp://x | 13257 |
recordingStatusCallback | | /cb   | /cb         | a b    | 13256 |
recordingStatusCallbackMethod | POST | GET | GET | x      | 12200 | POST
recordingStatusCallbackEvent | ('completed',) | in-progress absent | ('in-progress', 'absent') | x | 13621 | ('completed',)
recordingConfigurationId | | x    | x           |        |       |
"""
DIAL = """
action      |      | /next        | /next       |        |       |
method      | POST | GET          | GET         | x      | 13210 | POST
timeout     | 30   | 5            | 5           | 4      | 13212 | 30
timeout     | 30   | 600          | 600         | 601    | 13212 | 30
timeLimit   | 14400 | 60          | 60          | 0      | 13216 | 14400
hangupOnStar | False | true       | True        | x      | 13213 | False
callerId    |      | +15550001111 | +15550001111 |       |       |
answerOnBridge | False | true     | True        | x      | 13219 | False
record      | do-not-record | true | record-from-answer | x | 13217 | do-not-record
record      | do-not-record | record-from-ringing-dual | record-from-ringing-dual | x | 13217 | do-not-record
record      | do-not-record | false | do-not-record | dual | 13217 | do-not-record
recordingTrack | both | inbound   | inbound     | x      | 13622 | both
trim        | False | trim-silence | True       | x      | 12200 | False
recordingStatusCallback | | https://a.test | https://a.test | mailto:a@b | 13256 |
recordingStatusCallbackMethod | POST | GET | GET | x      | 12200 | POST
recordingStatusCallbackEvent | ('completed',) | completed absent | ('completed', 'absent') | x | 13621 | ('completed',)
ringTone    |      | us-old       | us-old      | xx     | 13220 |
sequential  | False | true        | True        | x      | 13218 | False
referUrl    |      | /refer       | /refer      |        |       |
referMethod | POST | GET          | GET         | x      | 12200 | POST
callReason  |      | We call back | We call back | LONG  | 12200 |
ifMachine   |      | Hangup       | Hangup      | x      | 13211 |
events      |      | x            | x           |        |       |
passports   |      | x            | x           |        |       |
recordingConfigurationId | | x    | x           |        |       |
"""
MACHINES = """
machineDetection | | Enable       | Enable      | x      | 12200 |
machineDetectionTimeout | 30 | 60 | 60          | 61     | 21263 | 30
machineDetectionSpeechThreshold | 2400 | 1000 | 1000 | 999 | 21263 | 2400
machineDetectionSpeechEndThreshold | 1200 | 500 | 500 | 499 | 21263 | 1200
machineDetectionSilenceTimeout | 5000 | 2000 | 2000 | 1999 | 21263 | 5000
amdStatusCallback | | /amd        | /amd        | a b    | 12200 |
amdStatusCallbackMethod | POST | GET | GET      | x      | 12200 | POST
"""
CALLED = """
statusCallback |   | /status      | /status     | a b    | 12200 |
statusCallbackMethod | POST | GET | GET         | x      | 12200 | POST
statusCallbackEvent | ('completed',) | initiated answered | ('initiated', 'answered') | x | 12200 | ('completed',)
"""
NUMBER = (
    """
sendDigits  |      | ww1          | ww1         | x      | 13222 |
url         |      | /whisper     | /whisper    |        |       |
method      | POST | GET          | GET         | x      | 13221 | POST
byoc        |      | BY1          | BY1         |        |       |
phoneNumberSid |   | PN1          | PN1         |        |       |
clientNotificationUrl | | /n      | /n          | a b    | 13806 |
"""
    + CALLED
    + MACHINES
)
SIP = (
    """
username    |      | ann          | ann         |        |       |
password    |      | secret       | secret      |        |       |
url         |      | /whisper     | /whisper    |        |       |
method      | POST | GET          | GET         | x      | 13241 | POST
sendDigits  |      | ww1          | ww1         | x      | 13242 |
"""
    + CALLED
    + MACHINES
)
URI = """
priority    | 0    | 2            | 2           | x      | 12200 | 0
weight      | 0    | 2            | 2           | x      | 12200 | 0
username    |      | ann          | ann         |        |       |
password    |      | secret       | secret      |        |       |
"""
HEADER = """
name        | X-A  | X-B          | X-B         |        |       |
value       |      | x            | x           |        |       |
"""
REDIRECT = "method | POST | GET | GET | PUT | 13710 | POST"
REJECT = "reason | rejected | busy | busy | tired | 13810 | rejected"
REFER = """
action      |      | /next        | /next       |        |       |
method      | POST | get          | GET         | PUT    | 12200 | POST
"""
SMS = """
to          |      | +15550001111 | +15550001111 | nobody | 14101 | SKIPPED
from        |      | 12345        | 12345       | a name too long | 14102 | SKIPPED
action      |      | /next        | /next       |        |       |
method      | POST | GET          | GET         | x      | 14104 | SKIPPED
statusCallback |   | /status      | /status     | a b    | 14105 | SKIPPED
"""

TABLES = {
    "Say": SAY, "Play": PLAY, "Pause": PAUSE, "Gather": GATHER, "Record": RECORD, "Dial": DIAL,
    "Number": NUMBER, "Sip": SIP, "Uri": URI, "Header": HEADER, "Redirect": REDIRECT,
    "Reject": REJECT, "Sms": SMS, "Hangup": "", "Refer": REFER,
}  # fmt: skip
AROUND = {
    "Say": "<Say {}>Hello</Say>",
    "Play": "<Play {}>a.wav</Play>",
    "Dial": "<Dial {}>+15550001111</Dial>",
    "Number": "<Dial><Number {}>+15550001111</Number></Dial>",
    "Sip": "<Dial><Sip {}>sip:a@b.test</Sip></Dial>",
    "Uri": "<Dial><Sip><Uri {}>sip:a@b.test</Uri></Sip></Dial>",
    "Header": '<Dial><Sip><Uri>sip:a@b.test</Uri><Headers><Header name="X-A" {}/></Headers></Sip></Dial>',
    "Sms": "<Sms {}>Hello</Sms>",
    "Refer": "<Refer {}><Sip>sip:a@b.test</Sip></Refer>",
}
NOUNS = {"Number": Number, "Sip": Sip, "Uri": Uri, "Header": Header}
LONG = "x" * 101
HALF_A_LOGIN, NOBODY_TO_TELL = 13249, 21262  # attributes that come in pairs


def rows():
    found = []
    for element, table in TABLES.items():
        for line in filter(str.strip, table.splitlines()):
            cells = [cell.strip() for cell in f"{line}|||".split("|")][:7]
            found.append(pytest.param(element, *cells, id=f"{element}-{cells[0]}-{cells[2]}"))
    return found


def read(element: str, attribute: str = "", text: str = ""):
    """The element as it was read, or SKIPPED, and the codes of its problems."""
    shell = AROUND.get(element, f"<{element} {{}}/>")
    given = f'{attribute}="{text.replace("LONG", LONG)}"' if attribute else ""
    if attribute and f'{attribute}="' in shell:
        shell, given = re.sub(f'{attribute}="[^"]*"', given, shell), ""
    document = parse(f"<Response>{shell.format(given)}</Response>")
    codes = [problem.code for problem in document.problems]
    return found(document.verbs, element), codes


def found(placed, element):
    for each in placed:
        if each.name == element:
            return each.verb
        inside = [getattr(each.verb, name, ()) for name in ("nouns", "inside", "headers")]
        for nested in inside:
            if (deeper := found(nested, element)) != "SKIPPED":
                return deeper
    return "SKIPPED"


def described_as(element: str) -> Element:
    return described(NOUNS.get(element) or vocabulary.verb_classes()[element])


def value(verb, element: str, attribute: str) -> str:
    return str(getattr(verb, described_as(element).field_of[attribute]))


@pytest.mark.parametrize(
    ("element", "attribute", "default", "good", "reads", "bad", "code", "instead"), rows()
)
def test_an_attribute_keeps_to_its_table(
    element, attribute, default, good, reads, bad, code, instead
):
    plain, codes = read(element)
    assert (value(plain, element, attribute), codes) == (default, [])

    given, codes = read(element, attribute, good)
    assert value(given, element, attribute) == reads
    assert set(codes) <= {HALF_A_LOGIN, NOBODY_TO_TELL}

    if code:
        spoilt, codes = read(element, attribute, bad)
        assert codes == [int(code)]
        if instead == "SKIPPED":
            assert spoilt == "SKIPPED"
        else:
            assert value(spoilt, element, attribute) == instead


@pytest.mark.parametrize("element", sorted({*vocabulary.verb_classes(), *NOUNS}))
def test_the_tables_name_every_attribute(element):
    named = {line.split("|")[0].strip() for line in TABLES[element].splitlines() if line.strip()}
    assert named == set(described_as(element).attributes)


def test_three_thousand_characters_are_the_most_for_a_polly_voice():
    [problem] = parse(f'<Response><Say voice="Polly.Amy">{"x" * 3001}</Say></Response>').problems
    assert problem.code == 13521
    assert parse(f"<Response><Say>{'x' * 3001}</Say></Response>").problems == ()


@pytest.mark.parametrize(
    ("attributes", "text"),
    [("", "x" * 4097), ('voice="Google.en-GB-Standard-A"', "é" * 2501)],
)
def test_a_text_that_is_too_long_is_13521_and_skipped(attributes, text):
    document = parse(f"<Response><Say {attributes}>{text}</Say><Pause/></Response>")
    assert [problem.code for problem in document.problems] == [13521]
    assert [placed.name for placed in document.verbs] == ["Pause"]


@pytest.mark.parametrize("say", ["<Say/>", "<Say>  \n </Say>"])
def test_nothing_to_say_is_13520_and_skipped(say):
    document = parse(f"<Response>{say}</Response>")
    assert (document.verbs, [problem.code for problem in document.problems]) == ((), [13520])


def test_a_speech_model_of_its_own_needs_seconds():
    twiml = '<Response><Gather speechTimeout="auto" speechModel="deepgram_nova-3"/></Response>'
    assert [problem.code for problem in parse(twiml).problems] == [13335]
    assert parse('<Response><Gather speechTimeout="auto"/></Response>').problems == ()


def test_what_is_too_long_to_transcribe_is_13615():
    twiml = '<Response><Record transcribe="true" maxLength="121"/></Response>'
    assert [problem.code for problem in parse(twiml).problems] == [13615]


def test_more_than_five_hundred_hints_are_13330():
    assert read("Gather", "hints", ",".join(["a"] * 500))[1] == []
    assert read("Gather", "hints", ",".join(["a"] * 501))[1] == [13330]


def test_play_without_anything_to_play_is_skipped():
    document = parse("<Response><Play/></Response>")
    assert (document.verbs, [problem.code for problem in document.problems]) == ((), [12200])


def test_blanks_around_a_value_do_not_count():
    assert read("Gather", "action", " /next\n ")[0].action == "/next"
