"""Logging in to targets.  reference: webhooks section 5, RFC 7617, RFC 7616."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from webhook_application import CALL, Asked, Inside, Reply, header, reply, said

from offhook.errors import WebhookError
from offhook.webhooks.ask import Request, Webhooks
from offhook.webhooks.login import Challenge, best, challenges, digest
from offhook.webhooks.target import Credentials

BASIC = 'Basic realm="app"'
DIGEST = 'Digest realm="app", nonce="n1", qop="auth", opaque="o", algorithm=MD5'


def with_credentials(url: str, who: str = "me:pw") -> str:
    return url.replace("://", f"://{who}@")


def locked(*offers: str):
    def answer(asked: Asked):
        if "authorization" in asked.headers:
            return reply()
        return Reply(401, tuple(("WWW-Authenticate", offer) for offer in offers), b"")

    return answer


async def test_the_first_request_goes_without_and_the_answer_to_401_with(opened):
    async with opened() as (application, webhooks):
        url = with_credentials(application.at("/voice", locked(BASIC)), "m%40e:p%3Aw%20")
        await webhooks.ask(Request(url, "POST", (("a", "b"),), token="t"))
        first, second = application.asked
    assert "authorization" not in first.headers
    said_ = second.headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(said_) == b"m@e:p:w "
    assert (second.method, second.form) == ("POST", {"a": "b"})
    assert second.headers["i-twilio-idempotency-token"] == "t"


@pytest.mark.parametrize("offers", [(BASIC, DIGEST), (f"{BASIC}, {DIGEST}",), (DIGEST, BASIC)])
async def test_digest_is_chosen_when_both_are_offered(opened, offers: tuple[str, ...]):
    async with opened() as (application, webhooks):
        await webhooks.ask(Request(with_credentials(application.at("/v", locked(*offers)))))
    assert application.asked[1].headers["authorization"].startswith("Digest ")


async def test_a_call_stays_logged_in_and_counts_the_nonce_up(opened):
    async with opened() as (application, webhooks):
        url = application.at("/voice", locked(DIGEST))
        await webhooks.ask(Request(with_credentials(url), jar=CALL))
        await webhooks.ask(Request(url + "?x=1", "GET", jar=CALL))
    sent = [asked.headers.get("authorization", "") for asked in application.asked]
    assert len(sent) == 3
    assert [re.findall(r"nc=(\w+)", each) for each in sent] == [[], ["00000001"], ["00000002"]]
    assert 'uri="/voice?x=1"' in sent[2]


async def test_another_call_is_not_logged_in(opened):
    async with opened() as (application, webhooks):
        url = application.at("/voice", locked(BASIC))
        await webhooks.ask(Request(with_credentials(url), jar=CALL))
        with pytest.raises(WebhookError) as failed:
            await webhooks.ask(Request(url, jar="CA2"))
    assert (failed.value.code, failed.value.status) == (11200, 401)


async def test_refused_credentials_are_sent_once():
    inside = Inside(lambda outgoing: said(401, WWW_Authenticate=BASIC))
    with pytest.raises(WebhookError) as failed:
        await Webhooks(inside.send).ask(Request("http://me:pw@app.test/"))
    assert (failed.value.code, failed.value.status, len(inside.sent)) == (11200, 401, 2)


async def test_a_scheme_that_nobody_can_meet_is_a_failure():
    inside = Inside(lambda outgoing: said(401, WWW_Authenticate="Negotiate"))
    with pytest.raises(WebhookError) as failed:
        await Webhooks(inside.send).ask(Request("http://me:pw@app.test/"))
    assert (failed.value.code, len(inside.sent)) == (11200, 1)


async def test_a_nonce_that_went_stale_is_renewed_within_the_call():
    nonce = ["n1"]

    def answer(outgoing):
        if f'nonce="{nonce[0]}"' in header(outgoing, "Authorization"):
            return said()
        return said(401, WWW_Authenticate=f'Digest realm="a", nonce="{nonce[0]}", qop="auth"')

    inside = Inside(answer)
    webhooks = Webhooks(inside.send)
    await webhooks.ask(Request("http://me:pw@app.test/", jar=CALL))
    nonce[0] = "n2"
    assert (await webhooks.ask(Request("http://app.test/", jar=CALL))).status == 200
    assert "nc=00000001" in header(inside.sent[-1], "Authorization")


async def test_a_server_that_checks_digests_is_satisfied():
    """The verifier is written from RFC 7616 section 3.4.1, not from the code under test."""
    seen: list[bool] = []

    def answer(outgoing):
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', header(outgoing, "Authorization")))
        if not given:
            return said(401, WWW_Authenticate=DIGEST)
        h = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
        a1, a2 = h("me:app:pw"), h("POST:/voice?a=b")
        middle = f"n1:{given['nc']}:{given['cnonce']}:auth"
        seen.append(given["response"] == h(f"{a1}:{middle}:{a2}") and given["opaque"] == "o")
        return said()

    await Webhooks(Inside(answer).send).ask(Request("http://me:pw@app.test/voice?a=b"))
    assert seen == [True]


RFC_7616 = {
    "realm": "http-auth@example.org",
    "qop": "auth, auth-int",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "opaque": "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
}


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, response: str):
    challenge = Challenge("digest", RFC_7616 | {"algorithm": algorithm})
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    who = Credentials("Mufasa", "Circle of Life")
    text = digest(who, challenge, "GET", "/dir/index.html", 1, cnonce)
    assert f'response="{response}"' in text
    assert f'nc=00000001, cnonce="{cnonce}"' in text


def test_without_qop_the_older_digest_is_made():
    """RFC 2617's example with the qop left out, as RFC 2069 has it."""
    fields = {"realm": "r", "nonce": "n"}
    text = digest(Credentials("u", "p"), Challenge("digest", fields), "GET", "/", 1, "c")
    h = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
    assert f'response="{h(h("u:r:p") + ":n:" + h("GET:/"))}"' in text
    assert "nc=" not in text


def test_challenges_are_told_apart_within_one_header():
    text = 'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"'
    assert list(challenges([text])) == [
        Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
        Challenge("basic", {"realm": "simple"}),
    ]


def test_sha_256_is_chosen_before_md5_and_unknown_ones_never():
    md5, sha = ({"nonce": "n", "algorithm": name} for name in ("MD5", "SHA-256"))
    odd = Challenge("digest", {"nonce": "n", "algorithm": "SHA-512-256"})
    only_int = Challenge("digest", {"nonce": "n", "qop": "auth-int"})
    assert best([odd, Challenge("digest", md5), Challenge("digest", sha)]) == Challenge(
        "digest", sha
    )
    assert best([odd, only_int]) is None
