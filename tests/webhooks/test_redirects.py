"""Redirects.  reference: lifecycle section 5, webhooks section 3.2.  M11."""

from __future__ import annotations

import pytest
from twilio.request_validator import RequestValidator
from webhook_application import KEY, Inside, header, moved, reply, said

from offhook.errors import WebhookError
from offhook.webhooks.ask import Request, Webhooks

PARAMS = (("Digits", "1"), ("From", "+14155550100"))


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_post_becomes_a_get_without_the_form(opened, status: int):
    async with opened() as (application, webhooks):
        application.at("/there", reply())
        url = application.at("/here", moved("/there?x=1", status))
        answer = await webhooks.ask(Request(url, "POST", PARAMS))
        second = application.asked[1]
        assert answer.url == application.base + "/there?x=1"
    assert (second.method, second.path, second.body) == ("GET", "/there?x=1", b"")
    assert "content-type" not in second.headers


@pytest.mark.parametrize("status", [307, 308])
async def test_method_and_form_are_kept(opened, status: int):
    async with opened() as (application, webhooks):
        application.at("/there", reply())
        await webhooks.ask(Request(application.at("/here", moved("there", status)), "POST", PARAMS))
        second = application.asked[1]
    assert (second.method, second.path, second.form) == ("POST", "/there", dict(PARAMS))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_get_stays_one_and_its_parameters_are_not_added_again(opened, status: int):
    async with opened() as (application, webhooks):
        application.at("/there", reply())
        await webhooks.ask(Request(application.at("/here", moved("/there", status)), "GET", PARAMS))
    assert (application.asked[1].method, application.asked[1].path) == ("GET", "/there")


@pytest.mark.parametrize("status", [302, 307])
async def test_every_hop_is_signed_for_its_own_url_with_the_same_token(opened, status: int):
    async with opened() as (application, webhooks):
        application.at("/there", reply())
        url = application.at("/here", moved("/there?a=b", status))
        await webhooks.ask(Request(url, "POST", PARAMS, key=KEY, token="t"))
        for asked in application.asked:
            signed = asked.headers["x-twilio-signature"]
            where = application.base + asked.path
            assert RequestValidator(KEY).validate(where, asked.form, signed)
            assert asked.headers["i-twilio-idempotency-token"] == "t"


@pytest.mark.parametrize("where", ["http://[::1", "http://[nothing]/", "http://.../", "ftp://a/"])
async def test_one_to_what_is_no_url_is_11100(where: str):
    inside = Inside(lambda outgoing: said(302, Location=where))
    with pytest.raises(WebhookError) as failed:
        await Webhooks(inside.send).ask(Request("http://app.test/"))
    assert (failed.value.code, failed.value.url) == (11100, where)


async def test_ten_are_followed_and_an_eleventh_is_11215():
    def chain(length: int) -> Inside:
        def answer(outgoing):
            n = int(outgoing.url.rpartition("/")[2])
            return said(302, Location=f"/{n + 1}") if n < length else said()

        return Inside(answer)

    assert (await Webhooks(chain(10).send).ask(Request("http://app.test/0"))).status == 200
    too_long = chain(11)
    with pytest.raises(WebhookError) as failed:
        await Webhooks(too_long.send).ask(Request("http://app.test/0"))
    assert failed.value.code == 11215
    assert len(too_long.sent) == 11


@pytest.mark.parametrize("status", [300, 304, 305])
async def test_other_statuses_of_the_300s_are_failures(status: int):
    inside = Inside(lambda outgoing: said(status, Location="/there"))
    with pytest.raises(WebhookError) as failed:
        await Webhooks(inside.send).ask(Request("http://app.test/"))
    assert (failed.value.code, failed.value.status, len(inside.sent)) == (11200, status, 1)


async def test_a_redirect_to_nowhere_is_a_failure():
    inside = Inside(lambda outgoing: said(302))
    with pytest.raises(WebhookError) as failed:
        await Webhooks(inside.send).ask(Request("http://app.test/"))
    assert (failed.value.code, failed.value.status) == (11200, 302)


async def test_a_redirect_out_of_http_is_11100():
    inside = Inside(lambda outgoing: said(302, Location="ftp://app.test/"))
    with pytest.raises(WebhookError) as failed:
        await Webhooks(inside.send).ask(Request("http://app.test/"))
    assert failed.value.code == 11100


async def test_credentials_do_not_follow_to_another_host():
    def answer(outgoing):
        if "other" in outgoing.url:
            return said(401, WWW_Authenticate='Basic realm="x"')
        return said(302, Location="http://other.test/")

    inside = Inside(answer)
    with pytest.raises(WebhookError):
        await Webhooks(inside.send).ask(Request("http://me:pw@app.test/", jar="CA1"))
    assert [header(sent, "Authorization") for sent in inside.sent] == ["", ""]
