"""What a request looks like.  reference: lifecycle sections 4 and 5, webhooks section 2."""

from __future__ import annotations

import gzip
from urllib.parse import parse_qsl, urlsplit

import pytest
from webhook_application import CALL, KEY, Inside, reply, said

from offhook.errors import WebhookError
from offhook.webhooks.ask import Request, Webhooks, error_params
from offhook.webhooks.target import resolve

PARAMS = (("CallSid", CALL), ("From", "+14155550100"), ("City", "SAN FRANCISCO"), ("Zip", ""))


async def test_post_sends_a_form_in_the_body_and_leaves_the_query_alone(opened):
    """M09"""
    async with opened() as (application, webhooks):
        await webhooks.ask(Request(application.at("/voice", reply()) + "?lang=en", "POST", PARAMS))
        (asked,) = application.asked

    assert (asked.method, asked.path) == ("POST", "/voice?lang=en")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded; charset=utf-8"
    assert asked.body == (f"CallSid={CALL}&From=%2B14155550100&City=SAN+FRANCISCO&Zip=".encode())


async def test_get_puts_the_parameters_behind_the_query_that_is_there(opened):
    """M10"""
    async with opened() as (application, webhooks):
        await webhooks.ask(Request(application.at("/voice", reply()) + "?lang=en", "GET", PARAMS))
        (asked,) = application.asked

    query = urlsplit(asked.path).query
    assert query.startswith("lang=en&CallSid=")
    assert tuple(parse_qsl(query, keep_blank_values=True)) == (("lang", "en"), *PARAMS)
    assert asked.body == b""
    assert "content-type" not in asked.headers


async def test_the_headers_are_those_of_the_table(opened):
    async with opened(user_agent="Exchange/9", home_region="de1") as (application, webhooks):
        await webhooks.ask(
            Request(application.at("/voice", reply()), "POST", PARAMS, key=KEY, token="one-token")
        )
        headers = application.asked[0].headers

    assert {name: headers[name] for name in sorted(set(headers) - {"host", "content-length"})} == {
        "accept": "*/*",
        "accept-encoding": "gzip",
        "cache-control": "max-age=259200",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "i-twilio-idempotency-token": "one-token",
        "user-agent": "Exchange/9",
        "x-home-region": "de1",
        "x-twilio-signature": headers["x-twilio-signature"],
    }


async def test_each_request_without_a_token_of_its_own_gets_a_new_one():
    inside = Inside(lambda outgoing: said())
    webhooks = Webhooks(inside.send)
    for _ in range(2):
        await webhooks.ask(Request("http://app.test/"))
    tokens = {dict(sent.headers)["I-Twilio-Idempotency-Token"] for sent in inside.sent}
    assert len(tokens) == 2
    assert all(len(token) == 36 for token in tokens)


async def test_a_gzipped_answer_is_unpacked(opened):
    async with opened() as (application, webhooks):
        packed = reply(gzip.compress(b"<Response/>"), Content_Encoding="gzip")
        answer = await webhooks.ask(Request(application.at("/voice", packed)))
    assert answer.body == b"<Response/>"
    assert not {"content-encoding", "content-length"} & {n.lower() for n, _ in answer.headers}


async def test_the_connection_is_kept(opened):
    async with opened() as (application, webhooks):
        url = application.at("/voice", reply())
        for _ in range(2):
            await webhooks.ask(Request(url))
        assert {asked.headers.get("connection", "kept") for asked in application.asked} == {"kept"}


async def test_the_answer_tells_its_type_charset_and_what_was_sent():
    inside = Inside(lambda outgoing: said(Content_Type='Text/XML; Charset="ISO-8859-1"'))
    answer = await Webhooks(inside.send).ask(
        Request("http://app.test/a?b=c", "GET", (("d", "e"),), key=KEY)
    )
    assert (answer.media_type, answer.charset) == ("text/xml", "iso-8859-1")
    assert (answer.url, answer.sent_url) == ("http://app.test/a?b=c", "http://app.test/a?b=c&d=e")
    assert answer.sent_headers == inside.sent[0].headers
    assert answer.from_cache is False


async def test_the_answer_tells_that_it_has_no_type():
    inside = Inside(lambda outgoing: said(Content_Type=""))
    answer = await Webhooks(inside.send).ask(Request("http://app.test/"))
    assert (answer.media_type, answer.charset) == ("", "")


@pytest.mark.parametrize(
    "url",
    [
        "", "voice.php", "/voice", "ftp://app.test/", "http://", "http://:80/", "http://app..test/",
        "http://app.test:99999/", "http://app.test:x/", "http://-app.test/", "http://[::1/",
        "http://2130706433/", "http://0x7f.1/", "javascript:alert(1)",
    ],
)  # fmt: skip
async def test_what_is_no_absolute_http_url_is_11100(url: str):
    inside = Inside(lambda outgoing: said())
    with pytest.raises(WebhookError) as refused:
        await Webhooks(inside.send).ask(Request(url))
    assert (refused.value.code, inside.sent) == (11100, [])


async def test_an_underscore_in_the_host_is_refused_for_callbacks_only():
    inside = Inside(lambda outgoing: said())
    webhooks = Webhooks(inside.send)
    with pytest.raises(WebhookError) as refused:
        await webhooks.ask(Request("http://my_app.test/", kind="callback"))
    assert refused.value.code == 11100
    assert (await webhooks.ask(Request("http://my_app.test/"))).status == 200


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (" http://app.test \n", "http://app.test/"),
        ("HTTP://APP.test:80?a=b", "http://app.test/?a=b"),
        ("https://app.test:443/x", "https://app.test/x"),
        ("https://app.test:80/x", "https://app.test:80/x"),
        ("http://app.test/x#top", "http://app.test/x"),
        ("http://bücher.test/ä b", "http://xn--bcher-kva.test/%C3%A4%20b"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
    ],
)
async def test_the_url_is_sent_as_written_without_what_is_ours(written: str, sent: str):
    inside = Inside(lambda outgoing: said())
    await Webhooks(inside.send).ask(Request(written))
    assert inside.sent[0].url == sent


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("foo.php", "http://app.test/a/foo.php"),
        ("\n  /foo.php?x=1\n", "http://app.test/foo.php?x=1"),
        ("?x=1", "http://app.test/a/b?x=1"),
        ("", "http://app.test/a/b?lang=en"),
        ("https://other.test/", "https://other.test/"),
    ],
)
def test_relative_urls_resolve_against_the_document(reference: str, url: str):
    """M04, M22"""
    assert resolve("http://app.test/a/b?lang=en", reference) == url


async def test_the_fallback_is_told_what_failed_without_credentials():
    inside = Inside(lambda outgoing: said(404))
    with pytest.raises(WebhookError) as failed:
        await Webhooks(inside.send).ask(Request("http://me:pw@app.test/voice#rc=1", "GET", PARAMS))
    error = failed.value
    assert error_params(error.code, error.url) == (
        ("ErrorCode", "11200"), ("ErrorUrl", "http://app.test/voice"),
    )  # fmt: skip
    assert error_params(11100, "http://me:pw@app..test/")[1] == ("ErrorUrl", "http://app..test/")
