"""Documents that answer a message: reference page "TwiML for messages"."""

from __future__ import annotations

import pytest

from offhook.model.fetch import Fetch
from offhook.twiml.document import parse
from offhook.twiml.messaging import Reply, converse


def steps(inside: str) -> list[Reply | Fetch]:
    document = parse(f"<Response>{inside}</Response>", channel="messaging")
    return [placed.verb for placed in document.verbs]


def codes(inside: str) -> list[int]:
    document = parse(f"<Response>{inside}</Response>", channel="messaging")
    return [problem.code for problem in document.problems]


def test_message_replies_with_its_words():
    """M02: the application answers a text with XML."""
    assert steps("<Message>\n  Hello, Monkey\n</Message>") == [Reply(body="Hello, Monkey")]


def test_sms_does_the_same():
    """M21: <Sms> replies."""
    sms = '<Sms to="+15550001111" statusCallback="/s">Hello</Sms>'
    assert steps(sms) == [Reply(to="+15550001111", body="Hello", status_callback="/s")]


def test_line_breaks_inside_stay_and_indentation_goes():
    assert steps("<Message>\n    one\n      two\n\n  three </Message>") == [
        Reply(body="one\ntwo\n\nthree")
    ]


def test_body_and_media_may_stand_in_elements():
    message = "<Message><Body> Hi </Body><Media> /a.png </Media><Media>b.png</Media></Message>"
    assert steps(message) == [Reply(body="Hi", media=("/a.png", "b.png"))]


def test_media_alone_is_a_message():
    assert steps("<Message><Media>/a.png</Media></Message>") == [Reply(media=("/a.png",))]


def test_attributes_say_where_it_goes_and_who_is_told():
    message = (
        '<Message to="(415) 555-4345" from="Offhook" action="/sent" method="GET"'
        ' statusCallback="https://a.test/s">Hi</Message>'
    )
    assert steps(message) == [
        Reply("(415) 555-4345", "Offhook", "Hi", (), "/sent", "GET", "https://a.test/s")
    ]


@pytest.mark.parametrize("to", ["+15550001111", "12345", "whatsapp:+15550001111", "4155554345"])
def test_to_is_a_number_or_the_address_of_a_channel(to):
    assert codes(f'<Message to="{to}">Hi</Message>') == []


@pytest.mark.parametrize(
    ("attribute", "value", "code"),
    [
        ("to", "ann", 14101), ("to", "+1", 14101), ("from", "a name too long", 14102),
        ("from", "n@me", 14102), ("method", "PUT", 14104), ("statusCallback", "a b", 14105),
    ],
)  # fmt: skip
def test_a_bad_attribute_has_its_code_and_the_message_is_not_sent(attribute, value, code):
    message = f'<Message {attribute}="{value}">Hi</Message>'
    assert (steps(message), codes(message)) == ([], [code])


@pytest.mark.parametrize(
    "message",
    [
        "<Message/>", "<Message> \n </Message>", "<Message><Body/></Message>",
        f"<Message>{'x' * 1601}</Message>", f"<Message><Body>{'😀' * 801}</Body></Message>",
        f"<Message>Hi{'<Media>/a.png</Media>' * 11}</Message>",
    ],
)  # fmt: skip
def test_nothing_or_too_much_to_send_is_14103_and_not_sent(message):
    assert (steps(message), codes(message)) == ([], [14103])


def test_sixteen_hundred_units_and_ten_media_are_sent():
    assert codes(f"<Message>{'😀' * 800}{'<Media>/a.png</Media>' * 10}</Message>") == []


@pytest.mark.parametrize("verb", ["<Say>a</Say>", "<Dial>+15550001111</Dial>", "<Sing/>"])
def test_a_verb_that_is_not_for_messages_is_14110_and_ignored(verb):
    inside = f"{verb}<Message>Hi</Message>"
    assert (steps(inside), codes(inside)) == ([Reply(body="Hi")], [14110])


def test_an_unknown_attribute_is_12200_and_the_message_goes_out():
    assert codes('<Message too="+15550001111">Hi</Message>') == [12200]
    assert steps('<Message too="+15550001111">Hi</Message>') == [Reply(body="Hi")]


def test_redirect_leads_on():
    assert steps("<Redirect> ../next </Redirect>") == [Fetch("../next")]
    assert steps('<Redirect method="GET">/a</Redirect>') == [Fetch("/a", "GET")]


@pytest.mark.parametrize("body", ["", "<Response/>", "<Response></Response>"])
def test_no_verbs_are_no_reply(body):
    assert parse(body, channel="messaging").verbs == ()


class Application:
    """Documents by URL; keeps what was asked, sent and noted."""

    def __init__(self, **documents: str) -> None:
        self.documents = {f"/{name}": inside for name, inside in documents.items()}
        self.asked: list[Fetch] = []
        self.sent: list[Reply] = []
        self.notes: list[int] = []

    async def answers(self) -> None:
        await converse(Fetch("/first"), self.fetch, self.send, self.note)

    async def fetch(self, wanted: Fetch):
        self.asked.append(wanted)
        return parse(f"<Response>{self.documents[wanted.url]}</Response>", channel="messaging")

    async def send(self, reply: Reply) -> tuple[str, str]:
        self.sent.append(reply)
        return f"SM{len(self.sent)}", "queued"

    def note(self, code: int, message: str) -> None:
        self.notes.append(code)

    @property
    def bodies(self) -> list[str]:
        return [reply.body for reply in self.sent]


async def test_several_messages_are_several_texts_in_order():
    application = Application(first="<Message>a</Message><Message>b</Message>")
    await application.answers()
    assert application.bodies == ["a", "b"]


async def test_nothing_is_reached_after_a_redirect():
    application = Application(
        first="<Message>a</Message><Redirect>/next</Redirect><Message>b</Message>",
        next="<Message>c</Message>",
    )
    await application.answers()
    assert application.bodies == ["a", "c"]


async def test_the_action_is_asked_right_after_sending_and_takes_the_documents_place():
    application = Application(
        first='<Message action="/sent" method="GET">a</Message><Message>b</Message>',
        sent="<Message>c</Message>",
    )
    await application.answers()
    told = {"MessageSid": "SM1", "SmsSid": "SM1", "MessageStatus": "queued", "SmsStatus": "queued"}
    assert application.asked[1:] == [Fetch("/sent", "GET", told)]
    assert application.bodies == ["a", "c"]


async def test_ten_replies_are_the_most_and_the_eleventh_is_14109():
    application = Application(
        first="<Message>a</Message>" * 6 + "<Redirect>/next</Redirect>",
        next="<Message>b</Message>" * 6,
    )
    await application.answers()
    assert application.bodies == ["a"] * 6 + ["b"] * 4
    assert application.notes == [14109]


async def test_fifty_documents_are_the_most_and_a_circle_ends_with_14106():
    application = Application(first="<Redirect>/first</Redirect>")
    await application.answers()
    assert (len(application.asked), application.notes) == (50, [14106])


async def test_what_is_wrong_with_a_document_is_noted():
    application = Application(first="<Say>a</Say>")
    await application.answers()
    assert application.notes == [14110]
