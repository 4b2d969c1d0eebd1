"""Cookies.  reference: webhooks section 6, RFC 6265.  M11."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from webhook_application import CALL, Inside, header, reply, said

from offhook.webhooks.ask import Request, Webhooks
from offhook.webhooks.cookies import Jar

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HERE = "http://app.test/voice/menu"


def sent_back(set_cookie: str, url: str = HERE, *, given_at: str = HERE, after: float = 0) -> str:
    jar = Jar()
    jar.keep(given_at, [set_cookie], NOW)
    return jar.header(url, NOW + timedelta(seconds=after))


async def test_a_call_gets_its_cookies_back_over_real_http(opened):
    async with opened() as (application, webhooks):
        url = application.at("/voice", reply(Set_Cookie="step=1; Path=/; HttpOnly"))
        for _ in range(2):
            await webhooks.ask(Request(url, jar=CALL))
    assert [asked.headers.get("cookie") for asked in application.asked] == [None, "step=1"]


async def test_media_fetches_and_redirects_share_the_calls_jar():
    def answer(outgoing):
        return said(302, Location="/two", Set_Cookie="a=b") if "one" in outgoing.url else said()

    inside = Inside(answer)
    webhooks = Webhooks(inside.send)
    await webhooks.ask(Request("http://app.test/one", jar=CALL))
    await webhooks.ask(Request("http://app.test/x.mp3", "GET", jar=CALL, kind="media"))
    assert [header(sent, "Cookie") for sent in inside.sent] == ["", "a=b", "a=b"]


async def test_calls_do_not_see_each_others_cookies():
    inside = Inside(lambda outgoing: said(Set_Cookie="a=b"))
    webhooks = Webhooks(inside.send)
    for jar in (CALL, "CA2", "", ""):
        await webhooks.ask(Request("http://app.test/", jar=jar))
    assert [header(sent, "Cookie") for sent in inside.sent] == ["", "", "", ""]


async def test_a_calls_cookies_last_as_long_as_it_and_for_its_last_callbacks():
    inside = Inside(lambda outgoing: said(Set_Cookie="a=b"))
    webhooks = Webhooks(inside.send)
    going_on = {CALL}
    webhooks.sessions.goes_on = going_on.__contains__
    for pause in (23 * 3600, 299, 300, 0):
        await webhooks.ask(Request("http://app.test/", jar=CALL))
        await asyncio.sleep(pause)
        going_on.clear()
    assert [header(sent, "Cookie") for sent in inside.sent] == ["", "a=b", "a=b", ""]


async def test_cookies_of_calls_that_are_over_are_not_kept():
    """Also when nobody is told of their ends."""
    inside = Inside(lambda outgoing: said(Set_Cookie="a=b"))
    webhooks = Webhooks(inside.send)
    for number in range(2000):
        await webhooks.ask(Request("http://app.test/", jar=f"CA{number}"))
        await asyncio.sleep(1)
    assert len(webhooks.sessions) < 500


async def test_a_conversations_cookies_last_four_hours_after_the_last_use():
    inside = Inside(lambda outgoing: said(Set_Cookie="a=b") if len(inside.sent) == 1 else said())
    webhooks = Webhooks(inside.send)
    for pause in (4 * 3600 - 1, 4 * 3600 - 1, 4 * 3600, 0):
        await webhooks.ask(Request("http://app.test/", jar="+14155550100|+14155550101"))
        await asyncio.sleep(pause)
    assert [header(sent, "Cookie") for sent in inside.sent] == ["", "a=b", "a=b", ""]


async def test_requests_of_one_call_at_the_same_time_fill_one_jar():
    async def answer(outgoing):
        await asyncio.sleep(1)
        return said(Set_Cookie=f"{outgoing.url[-1]}=1")

    inside = Inside(answer)
    webhooks = Webhooks(inside.send)
    async with asyncio.TaskGroup() as both:
        for name in "ab":
            both.create_task(webhooks.ask(Request(f"http://app.test/{name}", jar=CALL)))
    await webhooks.ask(Request("http://app.test/c", jar=CALL))
    assert header(inside.sent[2], "Cookie") == "a=1; b=1"


@pytest.mark.parametrize(
    ("attribute", "url", "sent"),
    [
        ("", "http://app.test/voice/x", True), ("", "http://app.test/other", False),
        ("", "http://app.test/voicemail", False), ("", "http://sub.app.test/voice/x", False),
        ("Path=/", "http://app.test/other", True), ("Path=voice", "http://app.test/voice/x", True),
        ("Path=/voice/", "http://app.test/voice", False),
        ("Path=/voice", "http://app.test/voice?x=1", True),
        ("Domain=app.test", "http://sub.app.test/voice/x", True),
        ("Domain=.app.test", "http://sub.app.test/voice/x", True),
        ("Domain=app.test", "http://notapp.test/voice/x", False),
        ("Secure", "http://app.test/voice/x", False), ("Secure", "https://app.test/voice/x", True),
        ("", "http://app.test:8080/voice/x", True),
    ],
)  # fmt: skip
def test_domain_path_and_secure(attribute: str, url: str, sent: bool):
    """Sections 5.1.3, 5.1.4 and 5.4."""
    assert sent_back(f"a=b; {attribute}", url) == ("a=b" if sent else "")


@pytest.mark.parametrize("domain", ["other.test", "test", "p.test", "sub.app.test"])
def test_a_domain_that_is_not_the_hosts_own_is_refused(domain: str):
    assert sent_back(f"a=b; Domain={domain}", f"http://{domain}/voice/x") == ""
    assert sent_back(f"a=b; Domain={domain}") == ""


def test_an_address_shares_with_no_other():
    at = "http://10.0.0.1/"
    assert sent_back("a=b; Domain=0.0.1", at, given_at=at) == ""


@pytest.mark.parametrize(
    ("attributes", "after", "sent"),
    [
        ("Max-Age=60", 59, True), ("Max-Age=60", 60, False), ("Max-Age=0", 0, False),
        ("Max-Age=-1", 0, False), ("Max-Age=x", 9e6, True),
        ("Expires=Mon, 02 Mar 2026 09:01:00 GMT", 59, True),
        ("Expires=Mon, 02 Mar 2026 09:01:00 GMT", 60, False),
        ("Expires=Monday, 02-Mar-26 09:01:00 GMT", 60, False),
        ("Expires=Mon Mar  2 09:01:00 2026", 59, True),
        ("Expires=Mon Mar  2 09:01:00 2026", 60, False),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0, False),
        ("Expires=soon", 9e6, True), ("Expires=Mon, 99 Mar 2026 09:01:00 GMT", 60, True),
        ("Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 59, True),
    ],
)  # fmt: skip
def test_expiry(attributes: str, after: float, sent: bool):
    """Sections 5.1.1, 5.2.1, 5.2.2 and 5.3."""
    assert sent_back(f"a=b; {attributes}", after=after) == ("a=b" if sent else "")


def test_a_later_cookie_replaces_the_earlier_and_one_that_is_over_removes_it():
    jar = Jar()
    jar.keep(HERE, ["a=1", "c=d", "a=2"], NOW)
    assert set(jar.header(HERE, NOW).split("; ")) == {"a=2", "c=d"}
    jar.keep(HERE, ["a=; Max-Age=0"], NOW)
    assert jar.header(HERE, NOW) == "c=d"


def test_longer_paths_come_first():
    jar = Jar()
    jar.keep(HERE, ["a=root; Path=/", "a=deep; Path=/voice"], NOW)
    assert jar.header(HERE, NOW) == "a=deep; a=root"


@pytest.mark.parametrize("text", ["", "nothing", "=x", "; Path=/", "a=" + "x" * 5000])
def test_what_is_no_cookie_is_ignored(text: str):
    assert sent_back(text) == ""


def test_a_value_is_kept_to_the_letter():
    assert sent_back('a="b=c, d"') == 'a="b=c, d"'


def test_a_jar_is_bounded():
    jar = Jar()
    jar.keep(HERE, [f"c{n}=1" for n in range(80)], NOW)
    kept = jar.header(HERE, NOW).split("; ")
    assert (len(kept), kept[-1]) == (50, "c79=1")


async def test_there_is_one_cookie_header_and_it_is_up_to_date():
    """A refusal may set a cookie, which goes along with the credentials."""

    def answer(outgoing):
        if header(outgoing, "Authorization"):
            return said()
        return said(401, WWW_Authenticate='Basic realm="a"', Set_Cookie="c=d")

    inside = Inside(answer)
    webhooks = Webhooks(inside.send)
    for url in ("http://me:pw@app.test/", "http://app.test/"):
        await webhooks.ask(Request(url, jar=CALL))
    cookies = [[value for name, value in sent.headers if name == "Cookie"] for sent in inside.sent]
    assert cookies == [[], ["c=d"], ["c=d"]]


async def test_a_conversation_ends_on_time_although_others_go_on():
    inside = Inside(lambda outgoing: said(Set_Cookie="a=b"))
    webhooks = Webhooks(inside.send)
    await webhooks.ask(Request("http://app.test/", jar="one|two"))
    await asyncio.sleep(4 * 3600 - 30)
    await webhooks.ask(Request("http://app.test/", jar="three|four"))
    await asyncio.sleep(30)
    await webhooks.ask(Request("http://app.test/", jar="one|two"))
    assert header(inside.sent[-1], "Cookie") == ""
