"""Messages: what is read, what is refused, what is never written.  RFC 3261 sections 7 and 20."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sip_ends import sip

from offhook.sip.grammar import BadSip, split_list, split_params
from offhook.sip.message import Request, Response, fault, parse, respond
from offhook.sip.via import parse_via

INVITE = sip("""
INVITE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1
From: Ann <sip:ann@example.com>;tag=a
To: <sip:bob@example.com>
Call-ID: 1@10.0.0.1
CSeq: 7 INVITE
Contact: <sip:ann@10.0.0.1>
Max-Forwards: 70
Content-Length: 4

abcd""")


def invite(*changes: tuple[str, str]) -> bytes:
    data = INVITE.decode()
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    return data.encode("utf-8", "surrogateescape")


def read(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    assert fault(message) is None
    return message


def test_a_request_is_taken_apart():
    request = read(INVITE)
    assert (request.method, request.uri, request.body) == (
        "INVITE",
        "sip:bob@example.com",
        b"abcd",
    )
    assert request.from_.tag == "a"
    assert request.from_.display == "Ann"
    assert request.cseq == (7, "INVITE")
    assert request.via.branch == "z9hG4bK1"


def test_a_response_is_taken_apart():
    data = sip("""
SIP/2.0 486 Busy  Here
Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1
From: <sip:a@b>;tag=a
To: <sip:c@d>;tag=b
Call-ID: 1
CSeq: 1 INVITE
""")
    response = parse(data)
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (486, "Busy  Here")
    assert fault(response) is None


@pytest.mark.parametrize("reason", ["", " ", " \u4f60\u597d", " OK"])
def test_a_reason_may_be_anything_or_nothing(reason: str):
    message = parse(f"SIP/2.0 200{reason}\r\nCall-ID: 1\r\n\r\n".encode())
    assert isinstance(message, Response)
    assert message.status == 200


class TestForms:
    """Section 7.3.1: one field has many spellings."""

    def test_compact_names_are_the_long_ones(self):
        data = invite(
            ("Via:", "v:"), ("From:", "f:"), ("To:", "t:"), ("Call-ID:", "i:"), ("Contact:", "m:"),
            ("Content-Length:", "l:"),
        )  # fmt: skip
        request = read(data)
        assert request.call_id == "1@10.0.0.1"
        assert request.contact
        assert request.contact.uri == "sip:ann@10.0.0.1"
        assert request.body == b"abcd"

    def test_case_and_blanks_around_the_colon_do_not_matter(self):
        request = read(invite(("Call-ID: ", "cAlL-iD \t:    ")))
        assert request.call_id == "1@10.0.0.1"

    def test_a_folded_line_is_one_line(self):
        request = read(invite(("From: Ann <", "From:\r\n  Ann\r\n\t<")))
        assert request.from_.display == "Ann"
        assert request.from_.tag == "a"

    def test_several_lines_and_a_list_on_one_line_are_the_same(self):
        route = '<sip:p1;lr>, "a, b\\"," <sip:p2,x@h;lr>,<sip:p3;lr>'
        listed = read(invite(("Max-Forwards: 70", f"Route: {route}")))
        lines = "\r\n".join(f"Route: {one}" for one in listed.all("route"))
        assert listed.all("route") == [
            "<sip:p1;lr>",
            '"a, b\\"," <sip:p2,x@h;lr>',
            "<sip:p3;lr>",
        ]
        assert read(invite(("Max-Forwards: 70", lines))).all("route") == listed.all("route")

    def test_unknown_headers_keep_their_spelling_and_their_bytes(self):
        request = read(invite(("Max-Forwards: 70", "X-MiXed: caf\u00e9 \udcff;;,,=")))
        assert dict(request.fields)["X-MiXed"] == "caf\u00e9 \udcff;;,,="
        assert b"X-MiXed: caf\xc3\xa9 \xff;;,,=" in request.encode()

    def test_a_parameter_has_no_quotation_in_its_name(self):
        with pytest.raises(BadSip):
            split_params(';a;"b"=c')

    @pytest.mark.parametrize(
        ("via", "branch", "sent_by"),
        [
            ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa", "z9hG4bKa", "10.0.0.1:5060"),
            ("SIP / 2.0 / TCP  h.example : 5070 ; branch = z9hG4bKb", "z9hG4bKb", "h.example:5070"),
            ("SIP/2.0/UDP [2001:db8::1]:5061;rport;branch=c", "c", "[2001:db8::1]:5061"),
            ('SIP/2.0/TLS h;x="a;branch=no";branch=d', "d", "h:5060"),
            ("SIP/2.0/UDP h", "", "h:5060"),
            ("sip/2.0/UDP H;Branch=e", "e", "h:5060"),
        ],
    )
    def test_via_is_read_in_all_its_shapes(self, via: str, branch: str, sent_by: str):
        read = parse_via(via)
        assert (read.branch, read.sent_by) == (branch, sent_by)

    def test_line_ends_before_the_start_line_are_skipped(self):
        assert read(b"\r\n\r\n" + INVITE).method == "INVITE"

    def test_methods_and_headers_nobody_knows_are_read(self):
        data = invite(("INVITE sip:", "NEW!%*_+`'~ sip:"), ("7 INVITE", "7 NEW!%*_+`'~"))
        assert read(data).method == "NEW!%*_+`'~"


class TestLength:
    """Section 18.3: where a body ends."""

    def test_what_follows_the_body_in_a_datagram_is_cut(self):
        assert read(INVITE + b"INVITE sip:another").body == b"abcd"

    def test_without_content_length_the_datagram_is_the_limit(self):
        assert read(invite(("Content-Length: 4\r\n", ""))).body == b"abcd"

    @pytest.mark.parametrize("length", ["5", "-4", "four", "4 4", "99999999999999", "0x4"])
    def test_a_length_that_cannot_be_is_400(self, length: str):
        wrong = fault(parse(invite(("Content-Length: 4", f"Content-Length: {length}"))))
        assert wrong
        assert wrong.status == 400


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), 505),
        (("7 INVITE", "7 BYE"), 400),
        (("7 INVITE", "INVITE"), 400),
        (("7 INVITE", "2147483648 INVITE"), 400),
        (("7 INVITE", "-1 INVITE"), 400),
        (("CSeq: 7 INVITE\r\n", ""), 400),
        (("Call-ID: 1@10.0.0.1\r\n", ""), 400),
        (("Call-ID: 1@10.0.0.1", "Call-ID: 1\r\nCall-ID: 2"), 400),
        (("From: Ann <sip:ann@example.com>;tag=a\r\n", ""), 400),
        (("To: <sip:bob@example.com>", "To: <sip:b>\r\nt: <sip:c>"), 400),
        (("To: <sip:bob@example.com>", 'To: "Bob <sip:bob@example.com>'), 400),
        (("To: <sip:bob@example.com>", "To: <sip:bob@example.com"), 400),
        (("To: <sip:bob@example.com>", "To: "), 400),
        (("Max-Forwards: 70", "Max-Forwards: 300"), 400),
        (("Max-Forwards: 70", "Max-Forwards: many"), 400),
        (("Via: SIP/2.0/UDP 10.0.0.1:5060", "Via: nonsense"), 400),
        (("INVITE sip:bob@example.com ", "INVITE <sip:bob@example.com> "), 400),
        (("INVITE sip:bob@example.com ", "INVITE  sip:bob@example.com "), 400),
        (("INVITE sip:bob@example.com ", "INVITE sip:b ob@example.com "), 400),
        (("INVITE sip:bob@example.com ", "INVITE sip: "), 400),
        (("INVITE sip:bob@example.com ", "INVITE nobodyKnowsThisScheme:x "), 416),
        (("INVITE sip:bob@example.com ", "INVITE http://example.com/ "), 416),
        (("Contact: <sip:ann@10.0.0.1>", "Contact: <sip:ann@10.0.0.1"), 400),
        (("Contact: <sip:ann@10.0.0.1>", 'Contact: "Ann" sip:ann@10.0.0.1'), 400),
    ],
)  # fmt: skip
def test_a_request_that_is_wrong_is_judged_by_its_meaning(change: tuple[str, str], status: int):
    wrong = fault(parse(invite(change)))
    assert wrong
    assert wrong.status == status


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\x00\x01\x02\x03",
        b"INVITE sip:a SIP/2.0\r\n",
        b"INVITE sip:a SIP/2.0\n\n",
        b"INVITE\r\n\r\n",
        b"INVITE sip:a\r\n\r\n",
        b"SIP/2.0 abc OK\r\n\r\n",
        b"SIP/2.0 99 OK\r\n\r\n",
        b"SIP/2.0 700 OK\r\n\r\n",
        b"SIP/3.0 200 OK\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nno colon\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\n: no name\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nBad Name: x\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nX: a\0b\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nX: a\nb\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nX: a\rb\r\n\r\n",
        b"(INVITE) sip:a SIP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"INVITE sip:a SIP/2.0\r\nX: " + b"y" * 40000 + b"\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\n\r\n" + b"y" * 70000,
    ],
)
def test_what_is_no_sip_is_no_message(data: bytes):
    with pytest.raises(BadSip):
        parse(data)


@pytest.mark.parametrize("text", ['"open', 'a, "open', "<open", 'x="a\\"'])
def test_an_open_quotation_is_an_error_and_not_a_guess(text: str):
    with pytest.raises(BadSip):
        split_list(f"{text}, b")


def test_parameters_keep_semicolons_in_their_quotations():
    assert split_params(';a="1;2,\\"3";b; c = 4 ;;') == (("a", '1;2,"3'), ("b", ""), ("c", "4"))


class TestWriting:
    def test_what_is_written_reads_the_same(self):
        request = read(INVITE)
        again = read(request.encode())
        assert again.method == request.method
        assert again.get("contact") == request.get("contact")
        assert again.body == b"abcd"

    @pytest.mark.parametrize("evil", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\r\n\r\nbody"])
    def test_no_field_can_break_out_of_its_line(self, evil: str):
        for request in (
            Request((("X", evil),), b"", "INVITE", "sip:a"),
            Request(((evil, "x"),), b"", "INVITE", "sip:a"),
            Request((), b"", "INVITE", f"sip:{evil}"),
            Request((), b"", evil, "sip:a"),
        ):
            with pytest.raises(ValueError, match="line"):
                request.encode()
        with pytest.raises(ValueError, match="line"):
            Response((), b"", 200, evil).encode()

    def test_a_blank_cannot_end_the_uri_early(self):
        with pytest.raises(ValueError, match="request line"):
            Request((), b"", "INVITE", "sip:a SIP/2.0").encode()

    def test_content_length_is_that_of_the_body(self):
        data = Request((("Content-Length", "99"),), b"\xff\xfe", "INFO", "sip:a").encode()
        assert data.endswith(b"Content-Length: 2\r\n\r\n\xff\xfe")
        assert data.count(b"Content-Length") == 1


class TestResponding:
    """Section 8.2.6."""

    def test_the_ways_back_the_parties_and_the_number_are_copied(self):
        request = read(invite(("Max-Forwards: 70", "Via: SIP/2.0/UDP p2\r\nRecord-Route: <sip:p>")))
        response = respond(request, 180, tag="mine")
        assert response.values("via") == request.values("via")
        assert response.get("to") == "<sip:bob@example.com>;tag=mine"
        assert response.get("record-route") == "<sip:p>"
        assert (response.get("from"), response.call_id) == (request.get("from"), request.call_id)
        assert response.cseq == request.cseq

    def test_a_tag_that_is_there_is_kept(self):
        request = read(invite(("To: <sip:bob@example.com>", "To: <sip:b>;tag=theirs")))
        assert respond(request, 200, tag="mine").to.tag == "theirs"

    def test_only_what_makes_a_dialog_repeats_the_recorded_route(self):
        request = read(invite(("Max-Forwards: 70", "Record-Route: <sip:p>")))
        assert respond(request, 100).get("record-route") == ""
        assert respond(request, 486).get("record-route") == ""

    def test_a_100_says_when_its_request_was_sent(self):
        request = read(invite(("Max-Forwards: 70", "Timestamp: 54.1")))
        assert respond(request, 100).get("timestamp") == "54.1"
        assert respond(request, 180).get("timestamp") == ""


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, len(INVITE)), st.integers(0, 60))
def test_bytes_from_a_stranger_are_a_message_or_badsip_and_nothing_else(
    noise: bytes, start: int, length: int
):
    for data in (noise, INVITE[:start] + noise + INVITE[start + length :]):
        try:
            message = parse(data)
        except BadSip:
            continue
        wrong = fault(message)
        assert wrong is None or 400 <= wrong.status < 600


def test_what_was_known_of_a_request_holds_with_another_via():
    below = "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKb"
    asked = parse(
        f"OPTIONS sip:a@example.com SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
        f"Via: {below}\r\nf: <sip:b@example.com>;tag=1\r\nTo: <sip:a@example.com>\r\n"
        "Call-ID: c\r\nCSeq: 7 OPTIONS\r\n\r\n".encode()
    )
    assert isinstance(asked, Request)
    assert fault(asked) is None
    other = asked.from_via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa;received=192.0.2.9")
    assert other.values("via") == [other.fields[0][1], below]
    assert other.fields[0][0] == "v"
    assert other.via.param("received") == "192.0.2.9"
    assert asked.via.param("received") is None
    assert asked.values("via")[0] == asked.fields[0][1]
    assert (other.from_, other.cseq, other.fields[1:]) == (
        asked.from_,
        asked.cseq,
        asked.fields[1:],
    )
