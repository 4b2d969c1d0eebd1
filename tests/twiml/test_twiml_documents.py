# ruff: noqa: E501
"""How an answer is read: reference pages "TwiML for voice" and "TwiML for messages"."""

from __future__ import annotations

import pytest

from offhook.errors import DocumentError
from offhook.twiml.document import parse
from offhook.twiml.markup import MAX_BYTES
from offhook.twiml.verbs.gather import Gather
from offhook.twiml.verbs.say import Say


def words(body: bytes | str, charset: str = "") -> str:
    [say] = parse(body, charset).verbs
    assert isinstance(say.verb, Say)
    return say.verb.text


def codes(twiml: str) -> list[int]:
    return [problem.code for problem in parse(twiml).problems]


def failure(body: bytes | str) -> tuple[int, int, int]:
    with pytest.raises(DocumentError) as caught:
        parse(body)
    return caught.value.code, caught.value.line, caught.value.column


def test_a_verb_knows_where_it_stands():
    [say] = parse("<Response>\n  <Say>Hello</Say>\n</Response>").verbs
    assert (say.name, say.line, say.column) == ("Say", 2, 3)


def test_verbs_are_in_the_order_of_the_document():
    document = parse("<Response><Say>a</Say><Pause/><Say>b</Say></Response>")
    assert [placed.name for placed in document.verbs] == ["Say", "Pause", "Say"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<Response><Say>a</Say>", (12100, 1, 23)),
        ("<Response><Play>welcome.php<Play></Response>", (12100, 1, 36)),
        ("<Response>\n <Say>a & b</Say></Response>", (12100, 2, 10)),
        ("hello", (12100, 1, 1)),
        (' <?xml version="1.0"?><Response/>', (12100, 1, 2)),
        ("<Response>&nbsp;</Response>", (12100, 1, 11)),
    ],
)
def test_what_is_not_xml_is_12100_with_its_place(body, expected):
    assert failure(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE Response [<!ENTITY a "b">]><Response><Say>&a;</Say></Response>',
        '<!DOCTYPE Response SYSTEM "http://example.test/x.dtd"><Response/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Response>&x;</Response>',
    ],
)
def test_document_types_and_their_entities_are_refused(body):
    assert failure(body)[0] == 12100


def test_elements_nested_beyond_reason_are_refused():
    assert failure("<Response>" + "<p>" * 60 + "</p>" * 60 + "</Response>")[0] == 12100


def test_another_version_of_xml_is_12101():
    assert failure('<?xml version="1.1"?><Response/>')[0] == 12101


@pytest.mark.parametrize("root", ["response", "Respond", "html"])
def test_another_root_is_12102(root):
    assert failure(f"<{root}/>") == (12102, 1, 1)


def test_attributes_of_the_root_are_nobodys_business():
    document = parse('<Response xmlns:xsi="http://x" version="3"><Pause/></Response>')
    assert (len(document.verbs), document.problems) == (1, ())


def test_64_kilobytes_are_read_and_one_more_byte_is_11750():
    shell = b"<Response><!--%s--></Response>"
    room = MAX_BYTES - len(shell) + 2
    assert parse(shell % (b"x" * room)).verbs == ()
    assert failure(shell % (b"x" * (room + 1)))[0] == 11750


def test_the_limit_counts_bytes_of_text_too():
    assert failure(f"<Response><!--{'é' * (MAX_BYTES // 2)}--></Response>")[0] == 11750


@pytest.mark.parametrize("body", [b"", b" \n", ""])
def test_an_empty_body_has_nothing_to_do_and_says_so(body):
    document = parse(body)
    assert document.verbs == ()
    assert [problem.code for problem in document.problems] == [11770]


def test_comments_and_processing_instructions_are_passed_over():
    twiml = "<Response><!-- a --><?php echo 1 ?><Say>b<!-- c -->d</Say></Response>"
    assert words(twiml) == "bd"
    assert codes(twiml) == []


def test_character_data_sections_are_words():
    assert words("<Response><Say><![CDATA[ fish & chips ]]></Say></Response>") == "fish & chips"


def test_blanks_around_and_between_words_become_one():
    assert words("<Response><Say>\n   one\n   two  </Say></Response>") == "one two"


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ("<Response><Say>é</Say></Response>".encode(), ""),
        ("<Response><Say>é</Say></Response>".encode("latin-1"), "iso-8859-1"),
        (
            '<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>é</Say></Response>'.encode(
                "latin-1"
            ),
            "utf-8",
        ),
        ("<Response><Say>é</Say></Response>".encode("utf-8-sig"), "latin-1"),
        ("<Response><Say>é</Say></Response>".encode("utf-16"), ""),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>é</Say></Response>', ""),
    ],
)
def test_the_mark_goes_before_the_declaration_before_the_header(body, charset):
    assert words(body, charset) == "é"


def test_bytes_of_another_encoding_are_12100_with_their_place():
    assert failure("<Response>\n<Say>é</Say></Response>".encode("latin-1")) == (12100, 2, 6)


def test_an_encoding_nobody_knows_is_12100():
    assert failure(b'<?xml version="1.0" encoding="klingon"?><Response/>')[0] == 12100


@pytest.mark.parametrize(
    ("twiml", "expected"),
    [
        ("<Response><Sya>a</Sya></Response>", "There is no <Sya>, did you mean Say?"),
        ("<Response><say>a</say></Response>", "There is no <say>, did you mean Say?"),
        ("<Response><Number>1</Number></Response>", "<Number> may not stand in <Response>"),
        ('<Response><Say loup="2">a</Say></Response>', "<Say> has no attribute loup, did you mean loop?"),
        ('<Response><Gather numdigits="1"/></Response>', "<Gather> has no attribute numdigits, did you mean numDigits?"),
        ("<Response>hello</Response>", "Words may not stand directly in <Response>"),
        ("<Response><Gather>hello</Gather></Response>", "Words may not stand directly in <Gather>"),
    ],
)  # fmt: skip
def test_what_the_language_does_not_have_is_a_12200_warning(twiml, expected):
    [problem] = parse(twiml).problems
    assert (problem.code, problem.level, problem.message) == (12200, "warning", expected)


def test_an_unknown_verb_is_skipped_and_the_others_stay():
    document = parse("<Response><Sing/><Say>a</Say></Response>")
    assert [placed.name for placed in document.verbs] == ["Say"]


def test_an_unknown_attribute_is_skipped_and_its_verb_stays():
    [gather] = parse('<Response><Gather speed="9" numDigits="4"/></Response>').verbs
    assert isinstance(gather.verb, Gather)
    assert gather.verb.num_digits == 4


def test_problems_are_sorted_by_their_place():
    twiml = '<Response>\n<Say loop="x">a</Say>\n<Pause length="x"/>words</Response>'
    assert codes(twiml) == [12200, 13510, 13910]


def test_a_hopeless_document_has_a_hundred_problems_at_most():
    assert len(codes("<Response>" + "<Sing/>" * 5000 + "</Response>")) == 100


@pytest.mark.parametrize(
    ("child", "code"), [("<Dial/>", 13320), ('<Play digits="1"/>', 13320), ("<Gether/>", 13320)]
)
def test_gather_holds_prompts_only(child, code):
    twiml = f"<Response><Gather>{child}<Say>a</Say></Gather></Response>"
    [gather] = parse(twiml).verbs
    assert isinstance(gather.verb, Gather)
    assert [prompt.name for prompt in gather.verb.prompts] == ["Say"]
    assert codes(twiml) == [code]


def test_a_prompt_inside_gather_has_codes_of_its_own():
    inside = '<Say voice="robot">a</Say><Say loop="x">a</Say>'
    twiml = f"<Response><Gather>{inside}</Gather>{inside}</Response>"
    assert codes(twiml) == [13321, 13322, 13511, 13510]


def test_attributes_that_belong_to_xml_itself_are_nobodys_business():
    assert codes('<Response><Say xml:lang="en" xmlns="http://a.test">a</Say></Response>') == []
