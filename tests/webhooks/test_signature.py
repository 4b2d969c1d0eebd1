"""X-Twilio-Signature: the published vectors, ours, and the official validator."""

from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator
from webhook_application import CALL, KEY, Asked, Inside, Reply, reply, said

from offhook.webhooks.ask import Request, Webhooks
from offhook.webhooks.sign import signature, with_body_hash

FIVE = (
    ("CallSid", CALL),
    ("CallStatus", "ringing"),
    ("Direction", "inbound"),
    ("From", "+15005550006"),
    ("To", "+15005550001"),
)
P = (
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
)
OTHER_P = (
    *(each for each in P if each[0] not in {"Caller", "From"}),
    ("Caller", "+14158675310"),
    ("From", "+14158675310"),
)
REPEATED = (
    ("Sid", "CA123"),
    ("SidAccount", "AC123"),
    ("Digits", "5678"),
    ("Digits", "1234"),
    ("Digits", "1234"),
)
TEXT = (
    ("Body", "Grüße 😀"),
    ("From", "+14155550100"),
    ("To", "+14155550101"),
    ("MessageSid", "SM00000000000000000000000000000001"),
    ("ToCity", ""),
)
APP, SHOP = "https://app.example.test", "https://mycompany.com/myapp.php?foo=1&bar=2"
SHA = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
SHOP_SHA = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
HELLO = "MessageSid=SM00000000000000000000000000000001&Body=Hello+World"

PATHS = [
    "/voice", "/voice?lang=en&x=%2F", "/a%20b/voice?", "/ü?q=é", "/x/../voice?a=1&", "/v?a[]=%zz|^",
    "/v;x=1?a=b+c%20d&a=b", "//v", "", "?x",
]  # fmt: skip
VECTORS = [
    (KEY, f"{APP}/voice?lang=en", FIVE, "ev6pKsCsO+qYhsHnbmpeAx00aqQ="),
    (KEY, f"{APP}/voice?lang=en&CallSid={CALL}", (), "gXpm0lhj+GIhVCl8auMr1lf2Wy8="),
    (KEY, f"{APP}:8443/voice", FIVE, "EBnIS7GTegLj05g9Fbzw3dJ74+E="),
    (KEY, f"{APP}/voice", FIVE, "YBLotzTGCUtuVAp1eyNAs52qgT4="),
    (KEY, f"{APP}/hook?bodySHA256={SHA}", (), "uivyu98lNg+UkAAWTrSHCbp1HKk="),
    ("12345", SHOP, P, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    (
        "12345",
        "http://mycompany.com:1234/myapp.php?foo=1&bar=2",
        P,
        "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
    ),
    (
        "12345",
        "https://mycompany.com:443/myapp.php?foo=1&bar=2",
        P,
        "kvajT1Ptam85bY51eRf/AJRuM3w=",
    ),
    ("12345", "http://mycompany.com:80/myapp.php?foo=1&bar=2", P, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    ("12345", "https://example.com/myapp.php?foo=1&bar=2", OTHER_P, "L/OH5YylLD5NRKLltdqwSvS0BnU="),
    ("12345", f"{SHOP}&bodySHA256={SHOP_SHA}", (), "a9nBmqA0ju/hNViExpshrM61xv4="),
    ("12345", SHOP, REPEATED, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
    (KEY, f"https://app.example.org/sms?tenant=7&{HELLO}", (), "JtcJShBbZoP0EaMUv+FP6QcztJY="),
    (KEY, "https://app.example.org/sms", TEXT, "u/m/LzY1BuF5fhVqdMNHMl78RN0="),
    (KEY, f"https://app.example.org/json?bodySHA256={SHA}", (), "+MEhAs4qzFMuNgf6XqQJ64ZhR54="),
]


@pytest.mark.parametrize(("key", "url", "params", "expected"), VECTORS)
def test_vectors(key: str, url: str, params: tuple[tuple[str, str], ...], expected: str):
    assert signature(key, url, params) == expected


def test_names_are_sorted_by_bytes_with_capitals_first():
    assert signature("k", "u", [("b", "1"), ("B", "2")]) == signature("k", "uB2b1")


def test_a_body_that_is_no_form_is_covered_by_its_hash():
    assert with_body_hash(f"{APP}/hook", b'{"a":1}') == f"{APP}/hook?bodySHA256={SHA}"
    body = b'{"property": "value", "boolean": true}'
    assert with_body_hash(SHOP, body) == f"{SHOP}&bodySHA256={SHOP_SHA}"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", PATHS)
async def test_the_official_validator_accepts_what_arrives(opened, method: str, path: str):
    """M14, M15: whatever is in the parameters."""
    params = (("Body", " Grüße & 😀 "), ("ToCity", ""), ("From", "+14155550100"), ("a b", "1=2"))
    async with opened() as (application, webhooks):
        application.otherwise = _fine
        await webhooks.ask(Request(application.base + path, method, params, key=KEY))
        (asked,) = application.asked

    url = application.base + asked.path
    assert RequestValidator(KEY).validate(url, asked.form, asked.headers["x-twilio-signature"])


async def test_without_a_key_nothing_is_signed(opened):
    async with opened() as (application, webhooks):
        await webhooks.ask(Request(application.at("/media", _fine), "GET", kind="media"))
        assert "x-twilio-signature" not in application.asked[0].headers


async def test_credentials_fragment_and_default_port_are_not_signed():
    inside = Inside(lambda outgoing: said())
    answer = await Webhooks(inside.send).ask(
        Request("https://me:secret@App.example.test:443/voice#rc=2", "POST", FIVE, key=KEY)
    )
    assert answer.signature == "YBLotzTGCUtuVAp1eyNAs52qgT4="
    assert answer.sent_url == inside.sent[0].url == f"{APP}/voice"


async def test_a_port_of_its_own_is_signed():
    inside = Inside(lambda outgoing: said())
    answer = await Webhooks(inside.send).ask(Request(f"{APP}:8443/voice", "POST", FIVE, key=KEY))
    assert answer.signature == "EBnIS7GTegLj05g9Fbzw3dJ74+E="


def _fine(asked: Asked) -> Reply:
    return reply()
