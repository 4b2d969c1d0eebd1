"""The demo application, page by page: what comes in, and the TwiML that goes out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import pytest

from offhook import demo
from offhook.testing.applications import ThreadedServer
from offhook.twiml.lint import lint

NOON = datetime(2024, 5, 1, 12, 5, tzinfo=UTC)


def verbs(twiml: str) -> list[tuple[str, str]]:
    return [(verb.tag, verb.text or "") for verb in ElementTree.fromstring(twiml)]


def test_the_menu_gathers_one_digit_while_it_speaks() -> None:
    """M22: Gather with numDigits, a relative action and a nested Say."""
    gather = ElementTree.fromstring(demo.voice({}))[0]
    assert (gather.tag, gather.get("numDigits"), gather.get("action")) == ("Gather", "1", "menu")
    for key in "123":
        assert f"press {key}" in gather.findtext("Say", "")


def test_1_says_the_time_and_the_callers_number_digit_by_digit() -> None:
    said = demo.menu({"Digits": "1", "From": "+15550001111"}, NOON)
    assert verbs(said) == [
        ("Say", "It is 12:05, universal time. You are calling from 1 5 5 5 0 0 0 1 1 1 1."),
        ("Redirect", "voice"),
    ]


@pytest.mark.parametrize(
    ("caller", "told"),
    [("sip:a&b@example.com", "from sip:a&b@example.com."), ("", "Your number is not shown.")],
)
def test_callers_without_a_number_are_told_what_is_known(caller: str, told: str) -> None:
    assert told in verbs(demo.menu({"Digits": "1", "From": caller}, NOON))[0][1]


def test_2_records_a_message() -> None:
    record = ElementTree.fromstring(demo.menu({"Digits": "2"}, NOON)).find("Record")
    assert record is not None
    assert record.attrib == {"action": "recorded", "maxLength": "60", "finishOnKey": "#"}


def test_the_message_is_played_back() -> None:
    url = "http://127.0.0.1:8080/2010-04-01/Accounts/AC1/Recordings/RE1"
    played = demo.recorded({"RecordingUrl": url, "RecordingDuration": "4"})
    assert verbs(played)[1:] == [("Play", url), ("Redirect", "voice")]
    assert "4 seconds" in played


def test_without_a_recording_nothing_is_played() -> None:
    assert [tag for tag, _ in verbs(demo.recorded({}))] == ["Say", "Redirect"]


def test_3_dials_the_echo() -> None:
    dial = ElementTree.fromstring(demo.menu({"Digits": "3"}, NOON)).find("Dial")
    assert dial is not None
    assert (dial.get("action"), dial.findtext("Number")) == ("dialled", demo.ECHO_NUMBER)


@pytest.mark.parametrize(
    ("status", "said"), [("completed", "Welcome back"), ("busy", "not answer")]
)
def test_the_caller_comes_back_from_the_echo(status: str, said: str) -> None:
    first, second = verbs(demo.dialled({"DialCallStatus": status}))
    assert said in first[1]
    assert second == ("Redirect", "voice")


def test_any_other_key_leads_back_to_the_menu() -> None:
    first, second = verbs(demo.menu({"Digits": "9"}, NOON))
    assert "9" in first[1]
    assert second == ("Redirect", "voice")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("hi <there> & you", '"hi <there> & you"'),
        ("  ", "nothing at all"),
        ("x" * 1600, "x" * 1000),
    ],
)
def test_a_text_is_answered_with_what_it_said(body: str, told: str) -> None:
    [(tag, reply)] = verbs(demo.sms({"Body": body}))
    assert tag == "Message"
    assert told in reply
    assert len(reply) <= 1600


@pytest.mark.parametrize(
    "document",
    [
        demo.voice({}),
        *(demo.menu({"Digits": key}, NOON) for key in ("1", "2", "3", "4", "")),
        demo.recorded({"RecordingUrl": "http://a/b?c&d"}),
        demo.dialled({}),
        demo.sms({"Body": "hello"}),
    ],
)
def test_the_linter_finds_nothing_in_its_documents(document: str) -> None:
    assert lint(document) == []


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The application's URL."""
    server = ThreadedServer(demo.application())
    yield server.url
    server.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("path", "says"),
    [("voice", "press 1"), ("menu", "5 5 5"), ("recorded", "http://a/b"), ("dialled", "not answer"),
     ("sms", "hello")],
)  # fmt: skip
def test_every_page_is_served_by_either_method(
    served: str, method: str, path: str, says: str
) -> None:
    """M08: requests are GET or POST."""
    form = urlencode(
        {"Digits": "1", "From": "+15550001111", "Body": "hello", "RecordingUrl": "http://a/b"}
    )
    query, body = (f"?{form}", None) if method == "GET" else ("", form.encode())
    with urlopen(Request(f"{served}/{path}{query}", body, method=method), timeout=30) as answer:
        assert answer.headers.get_content_type() == "text/xml"
        assert says in "".join(ElementTree.fromstring(answer.read()).itertext())


def test_no_more_of_strangers_is_read_than_a_call_or_a_text_sends(served: str) -> None:
    with pytest.raises(HTTPError, match="413"):
        urlopen(Request(f"{served}/sms", b"Body=" + b"x" * demo.LARGEST), timeout=30)
