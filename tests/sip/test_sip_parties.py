"""What calls bring along, and what ours say.  Reference: request parameters, the Sip noun."""

from __future__ import annotations

import pytest
from sip_ends import sip

from offhook.carriers import sip_parties
from offhook.carriers.trunks import Trunk
from offhook.line.leg import Target
from offhook.sip.hop import Hop
from offhook.sip.message import Request, parse
from offhook.sip.uri import parse_uri

SOURCE = Hop("UDP", "198.51.100.1", 5060)


def invite(
    *fields: str, uri: str = "sip:+15550001111@pbx", from_: str = "<sip:+1222@h>"
) -> Request:
    lines = "\n".join(fields)
    message = parse(
        sip(f"""
INVITE {uri} SIP/2.0
Via: SIP/2.0/UDP h;branch=z9hG4bK1
From: {from_};tag=a
To: <sip:x@y>
Call-ID: call-1
CSeq: 1 INVITE
{lines}""")
    )
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("uri", "party"),
    [
        ("sip:+15550001111@pbx", "+15550001111"),
        ("sip:15550001111@pbx;user=phone", "15550001111"),
        ("sip:030123456;phone-context=%2B49@pbx", "030123456"),
        ("sip:(555)%20000-1111@pbx", "5550001111"),
        ("tel:+1-555-000-1111", "+15550001111"),
        ("sip:112@pbx", "112"),
        ("sip:alice@pbx:5070;transport=tcp?X-A=1", "sip:alice@pbx:5070"),
        ("sip:12@pbx", "sip:12@pbx"),
        ("sip:1234567890123456@pbx", "sip:1234567890123456@pbx"),
        ("sip:pbx", "sip:pbx"),
        ("sip:anonymous@anonymous.invalid", "anonymous"),
        ("sip:x@anonymous.invalid", "anonymous"),
    ],
)
def test_numbers_are_numbers_and_the_rest_are_uris(uri: str, party: str):
    """M18: the exchange makes E.164 of what can be it."""
    assert sip_parties.called(invite(uri=uri)) == party
    assert sip_parties.caller(invite(from_=f"<{uri}>"), None) == party


@pytest.mark.parametrize(
    ("user", "registers", "party"),
    [("us", True, "sip:x@y"), ("+15550001111", True, "+15550001111"), ("us", False, "sip:us@pbx")],
)
def test_to_counts_where_the_request_uri_is_only_the_name_we_registered_as(
    user: str, registers: bool, party: str
):
    trunk = Trunk("berlin", "pbx", username="us", register=registers)
    assert sip_parties.called(invite(uri=f"sip:{user}@pbx"), trunk) == party


@pytest.mark.parametrize("name", ["P-Asserted-Identity", "Remote-Party-ID"])
def test_a_trunk_may_state_the_caller_in_another_field(name: str):
    request = invite(f'{name}: "Ann" <sip:+1999@h>;party=calling')
    trunk = Trunk("t", caller_id_header=name)  # type: ignore[arg-type]
    assert sip_parties.caller(request, trunk) == "+1999"
    assert sip_parties.about_call(request, SOURCE, trunk).caller_name == "Ann"
    assert sip_parties.caller(request, Trunk("u")) == "+1222"
    assert sip_parties.caller(request, None) == "+1222"
    assert sip_parties.caller(invite(), trunk) == "+1222"
    assert sip_parties.caller(invite(f"{name}: nonsense"), trunk) == "+1222"
    both = invite(f'{name}: "Ann" <sip:ann@h>, <tel:+1999>')
    assert sip_parties.caller(both, trunk) == "+1999"
    assert sip_parties.about_call(both, SOURCE, trunk).caller_name == "Ann"
    assert sip_parties.caller(invite(f"{name}: <sip:ann@h>"), trunk) == "sip:ann@h"


def test_a_call_brings_its_sip_parameters():
    """M14: CallerName; the SipHeader_ parameters keep the case of their names."""
    request = invite(
        "X-Order-Id: 42",
        "x-lower: y",
        "User-to-User: 00ab",
        "Subject: no",
        from_='"Ann B" <sip:a@b>',
    )
    about = sip_parties.about_call(request, SOURCE, None)
    assert about.caller_name == "Ann B"
    assert about.params == (
        ("SipCallId", "call-1"),
        ("SipDomain", "pbx"),
        ("SipSourceIp", "198.51.100.1"),
        ("SipHeader_X-Order-Id", "42"),
        ("SipHeader_x-lower", "y"),
        ("SipHeader_User-to-User", "00ab"),
    )


@pytest.mark.parametrize(
    ("field", "forwarded_from"),
    [
        ("Diversion: <sip:+1333@h>;reason=busy, <sip:+1444@h>", "+1333"),
        ("History-Info: <sip:+1333@h>;index=1, <sip:+1444@h>;index=1.1", "+1333"),
        ("History-Info: <sip:+1333@h>;index=1", ""),
        ("History-Info: <sip:15550001111@h>;index=1, <sip:+15550001111@h>;index=1.1", ""),
        ("History-Info: <sip:+1333@h>, <sip:15550001111@h>, <sip:15550001111@h>", "+1333"),
        ("Diversion: nonsense", ""),
        ("Diversion: <sip:alice@h>", "sip:alice@h"),
        ("Subject: none", ""),
    ],
)
def test_who_sent_the_call_on_is_told(field: str, forwarded_from: str):
    """M14: ForwardedFrom."""
    assert sip_parties.about_call(invite(field), SOURCE, None).forwarded_from == forwarded_from


def target(**more: object) -> Target:
    given = {"to": "+1555", "from_": "+1222", "call_sid": "CA1", "account_sid": "AC1"}
    return Target(**given | more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "trunk", "from_"),
    [
        ({}, None, "<sip:+1222@h>"),
        ({"from_name": 'Ann "A"'}, None, '"Ann \\"A\\"" <sip:+1222@h>'),
        ({"from_name": "Ann\r\nX-Evil: 1"}, None, '"Ann X-Evil: 1" <sip:+1222@h>'),
        ({"from_": "client:tommy"}, None, "<sip:tommy@h>"),
        ({"from_": "sip:bob@elsewhere;x=1"}, None, "<sip:bob@h>"),
        ({"from_": "anonymous"}, None, '"Anonymous" <sip:anonymous@anonymous.invalid>'),
        ({"from_": ""}, None, '"Anonymous" <sip:anonymous@anonymous.invalid>'),
        ({"from_": "+266696687"}, None, '"Anonymous" <sip:anonymous@anonymous.invalid>'),
        ({"from_": "Restricted"}, None, '"Anonymous" <sip:anonymous@anonymous.invalid>'),
        ({"from_": "a>b<c\r\n"}, None, "<sip:abc@h>"),
        ({}, Trunk("t", shown=lambda own: "+1777"), "<sip:+1777@h>"),
        ({}, Trunk("t", shown=lambda own: own.removeprefix("+")), "<sip:1222@h>"),
    ],
)
def test_the_caller_id_that_is_shown(given: dict[str, object], trunk: Trunk | None, from_: str):
    assert sip_parties.from_field(target(**given), trunk, "h") == from_


def test_an_invite_says_which_call_it_is():
    uri = parse_uri("sip:bob@h?X-A=1&Route=%3Csip:evil%3E&User-to-User=00&x-b=a%0d%0aEvil:%201")
    fields = sip_parties.call_fields(
        target(headers=(("X-C", "3"), ("Via", "evil"))), None, uri, "h"
    )
    assert fields == (
        ("X-Twilio-CallSid", "CA1"),
        ("X-Twilio-AccountSid", "AC1"),
        ("X-Twilio-ApiVersion", "2010-04-01"),
        ("X-A", "1"),
        ("User-to-User", "00"),
        ("x-b", "a Evil: 1"),
        ("X-C", "3"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("P-Asserted-Identity", "<sip:+1222@h>"),
        ("Remote-Party-ID", "<sip:+1222@h>;party=calling;privacy=off"),
    ],
)
def test_a_trunk_is_told_the_caller_in_the_field_it_reads(name: str, value: str):
    trunk = Trunk("t", caller_id_header=name)  # type: ignore[arg-type]
    assert (name, value) in sip_parties.call_fields(target(), trunk, parse_uri("sip:h"), "h")


@pytest.mark.parametrize(
    ("trunk", "uri"),
    [
        (Trunk("t", address="gw.example"), "sip:+1555@gw.example"),
        (
            Trunk("t", address="gw.example:5070", transport="tcp"),
            "sip:+1555@gw.example:5070;transport=tcp",
        ),
        (Trunk("t", address="[2001:db8::1]", plus=False), "sip:1555@[2001:db8::1]"),
    ],
)
def test_a_number_at_a_trunk_is_a_uri(trunk: Trunk, uri: str):
    assert str(sip_parties.number_at(trunk, "+1555")) == uri


def test_answers_to_challenges_are_not_shown():
    data = (
        b"BYE sip:a SIP/2.0\r\nproxy-authorization:\r\n Digest x=1,\r\n\ty=2\r\nX: kept\r\n"
        b"Authorization: Digest response=secret\r\n\r\n"
    )
    shown = sip_parties.traced(data)
    assert "secret" not in shown
    assert "x=1" not in shown
    assert "y=2" not in shown
    assert "\r\nX: kept\r\n" in shown


@pytest.mark.parametrize("field", ["a=ice-pwd:", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"])
def test_nor_is_what_sound_is_sealed_with(field: str):
    assert sip_parties.traced(f"\r\n{field}c2VjcmV0\r\n".encode()) == (
        f"\r\n{field}(not shown)\r\n"
    )


@pytest.mark.parametrize("name", ["From", "P-Asserted-Identity", "Remote-Party-ID"])
def test_who_withholds_the_caller_id_asks_for_privacy_and_asserts_nothing(name: str):
    """RFC 3323, 3325."""
    trunk = Trunk("t", caller_id_header=name)  # type: ignore[arg-type]
    fields = sip_parties.call_fields(target(from_="anonymous"), trunk, parse_uri("sip:h"), "h")
    assert ("Privacy", "id") in fields
    assert {"P-Asserted-Identity", "Remote-Party-ID"}.isdisjoint(dict(fields))
    assert "Privacy" not in dict(sip_parties.call_fields(target(), trunk, parse_uri("sip:h"), "h"))


@pytest.mark.parametrize(
    ("believed", "fields"),
    [
        ("From", ("Privacy: id",)),
        ("From", ("Privacy: header;user",)),
        ("From", ("Privacy: header",)),
        ("From", ("Privacy: critical, id",)),
        ("P-Asserted-Identity", ("P-Asserted-Identity: Ann <sip:+1333@h>", "Privacy: id;critical")),
        ("Remote-Party-ID", ("Remote-Party-ID: Ann <sip:+1333@h>;privacy=full",)),
    ],
)
def test_a_caller_who_wants_to_be_nobody_is(believed: str, fields: tuple[str, ...]):
    trunk = Trunk("t", caller_id_header=believed)  # type: ignore[arg-type]
    request = invite(*fields)
    assert sip_parties.caller(request, trunk) == "anonymous"
    assert sip_parties.about_call(request, SOURCE, trunk).caller_name == ""


def test_what_a_stranger_asserts_is_not_believed():
    fields = (
        "P-Asserted-Identity: Ann <sip:+1333@h>",
        "Remote-Party-ID: <sip:+1444@h>;privacy=full",
    )
    request = invite(*fields, "Privacy: none")
    for trunk in (None, Trunk("t")):
        assert sip_parties.caller(request, trunk) == sip_parties.party(request.from_)
