"""URIs and addresses.  RFC 3261 sections 19.1 and 20.10, RFC 3966."""

from __future__ import annotations

import pytest

from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, hop_of
from offhook.sip.uri import Address, Uri, parse_address, parse_uri

ODD = "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:host", Uri("sip", host="host")),
        ("SIP:bob@Host:5070", Uri("sip", "bob", "Host", 5070)),
        ("sips:bob:secret@h", Uri("sips", "bob", "h", password="secret")),
        (
            "sip:bob@h;transport=tcp;lr",
            Uri("sip", "bob", "h", params=(("transport", "tcp"), ("lr", ""))),
        ),
        (
            "sip:+1-555@h?X-A=b%20c&d=",
            Uri("sip", "+1-555", "h", headers=(("X-A", "b c"), ("d", ""))),
        ),
        ("sip:a%40b%3A@h", Uri("sip", "a@b:", "h")),
        ("sip:u;par=u%40example.net@h", Uri("sip", "u;par=u@example.net", "h")),
        (f"sip:{ODD}@h", Uri("sip", ODD, "h")),
        ("sip:bob@[2001:db8::9:1]:5070", Uri("sip", "bob", "[2001:db8::9:1]", 5070)),
        (
            "tel:+1-555-0100;phone-context=x",
            Uri("tel", "+1-555-0100", params=(("phone-context", "x"),)),
        ),
        ("mailto:a@b", Uri("mailto", "a@b")),
    ],
)
def test_a_uri_is_taken_apart(text: str, uri: Uri):
    assert parse_uri(text) == uri


@pytest.mark.parametrize(
    "text",
    [
        "", "sip:", "sip", "bob@h", "sip:@h", "sip:bob@", "sip:bob@h:0", "sip:bob@h:70000",
        "sip:bob@h:port", "sip:b ob@h", "sip:bob@h\r\n", "sip:bob@h>", '"sip:bob@h', "sip:a@b@c",
        "sip:bob@-h", "sip:bob@[::1", "sip:bob%zz@h", "sip:bob@h;x=%", "sip:" + "a" * 2000,
        "1sip:bob@h", "sip:bob@ho$st",
    ],
)  # fmt: skip
def test_what_is_not_one_uri_is_refused(text: str):
    with pytest.raises(BadSip):
        parse_uri(text)


@pytest.mark.parametrize(
    "text",
    [
        "sip:bob@h:5070;transport=tcp;lr?X-A=b%20c",
        "sip:h",
        "sips:bob:secret@[::1]",
        "tel:+1555;ext=2",
        "sip:a%40b@h",
    ],
)
def test_a_uri_is_written_as_it_was_read(text: str):
    assert str(parse_uri(text)) == text


def test_a_request_line_has_no_headers_and_no_method():
    uri = parse_uri("sip:b@h;method=BYE;user=phone;secure=true?Route=x")
    assert str(uri.bare()) == "sip:b@h;user=phone"


@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("sip:h", Hop("UDP", "h", 0)),
        ("sip:h:5070;transport=TCP", Hop("TCP", "h", 5070)),
        ("sips:h", Hop("TLS", "h", 0)),
        ("sips:h;transport=tcp", Hop("TLS", "h", 0)),
        ("sips:10.0.0.9", Hop("TLS", "10.0.0.9", 5061)),
        ("sips:10.0.0.9;transport=ws", Hop("WSS", "10.0.0.9", 5061)),
        ("sip:h;secure=true", Hop("TLS", "h", 0)),
        ("sip:h;secure=true;transport=udp", Hop("UDP", "h", 0)),
        ("sip:h;transport=tls", Hop("TLS", "h", 0)),
        ("sip:h;maddr=10.0.0.9", Hop("UDP", "10.0.0.9", 5060)),
        ("sip:u@[::1]:5070", Hop("UDP", "::1", 5070)),
    ],
)
def test_a_uri_leads_to_a_hop(text: str, hop: Hop):
    """RFC 3263 sections 4.1 and 4.2; port 0 is left to DNS."""
    assert hop_of(parse_uri(text)) == hop


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("<sip:b@h>", Address("sip:b@h")),
        ("Bob  <sip:b@h;lr>;tag=1", Address("sip:b@h;lr", "Bob", (("tag", "1"),))),
        ('"B \\"o\\" <b>, c" <sip:b@h>', Address("sip:b@h", 'B "o" <b>, c')),
        ("sip:b@h;tag=1", Address("sip:b@h", "", (("tag", "1"),))),
        ('""<sip:b@h> ; tag = 1', Address("sip:b@h", "", (("tag", "1"),))),
        ('<sip:b@h>;x="a;tag=no";tag=1', Address("sip:b@h", "", (("x", "a;tag=no"), ("tag", "1")))),
        ("caf\u00e9 <tel:112>", Address("tel:112", "caf\u00e9")),
    ],
)
def test_an_address_is_taken_apart(text: str, address: Address):
    assert parse_address(text) == address


def test_parameters_without_brackets_are_the_fields():
    assert parse_address("sip:b@h;lr").uri == "sip:b@h"
    assert parse_address("<sip:b@h;lr>").parsed.param("lr") == ""


@pytest.mark.parametrize(
    "text", ["", "<>", "Bob", '"Bob', '"Bob" sip:b@h', "<sip:b@h", "<sip:b h>"]
)
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(BadSip):
        parse_address(text)


def test_a_name_is_written_so_that_it_cannot_be_more():
    written = str(Address("sip:b@h", 'Bob" <sip:evil@h>;tag=x, "'))
    assert parse_address(written) == Address("sip:b@h", 'Bob" <sip:evil@h>;tag=x, "')
