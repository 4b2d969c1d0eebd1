"""Caching of GETs.  reference: webhooks section 7, RFC 9111.  M10.

Freshness goes by the wall clock, so expiry is brought about with Date and Age, in real time.
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from pathlib import Path

import pytest
from webhook_application import CALL, KEY, Asked, Inside, Reply, reply, said

from offhook.webhooks.ask import Request, Webhooks
from offhook.webhooks.cache import Cache

SOUND = "audio/mpeg"


def media(url: str, **more: str) -> Request:
    return Request(url, "GET", kind="media", **more)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "http")


async def asks_twice(opened, cache: Cache, answer, request=media) -> tuple[list[Asked], list[bool]]:
    """What the application was asked in two requests, and which answers were stored ones."""
    async with opened(cache=cache) as (application, webhooks):
        url = application.at("/a", answer)
        answers = [await webhooks.ask(request(url)) for _ in range(2)]
        assert answers[0].body == answers[1].body
        return application.asked, [answer.from_cache for answer in answers]


FRESH = [
    {"Cache_Control": "max-age=60"},
    {"Cache_Control": "public, s-maxage=60"},
    {"Cache_Control": "max-age=60", "Age": "59"},
    {"Cache_Control": "max-age=60, max-stale=x"},
    {"Expires": "Thu, 01 Jan 2099 00:00:00 GMT"},
    {"Last_Modified": "Thu, 01 Jan 2015 00:00:00 GMT"},  # a tenth of its age
]


@pytest.mark.real_time
@pytest.mark.parametrize("headers", FRESH)
async def test_a_fresh_answer_is_used_again(opened, cache: Cache, headers: dict[str, str]):
    asked, stored = await asks_twice(opened, cache, reply(b"sound", type_=SOUND, **headers))
    assert (len(asked), stored) == (1, [False, True])


@pytest.mark.real_time
async def test_many_who_ask_for_the_same_at_once_all_get_it(cache: Cache):
    sound = bytes(2_000_000)
    inside = Inside(
        lambda outgoing: said(body=sound, Cache_Control="max-age=60", Content_Type=SOUND)
    )
    webhooks = Webhooks(inside.send, cache=cache)
    answers = await asyncio.gather(
        *(webhooks.ask(media("http://app.test/a.mp3", max_bytes=3_000_000)) for _ in range(30))
    )
    assert {answer.body for answer in answers} == {sound}
    assert (await webhooks.ask(media("http://app.test/a.mp3", max_bytes=3_000_000))).body == sound


@pytest.mark.real_time
async def test_what_cannot_be_stored_is_used_all_the_same(cache: Cache, tmp_path: Path):
    (tmp_path / "http").rmdir()  # as good as a full disk
    inside = Inside(lambda outgoing: said(Cache_Control="max-age=60", Content_Type=SOUND))
    webhooks = Webhooks(inside.send, cache=cache)
    for _ in range(2):
        answer = await webhooks.ask(media("http://app.test/a.mp3"))
        assert (answer.status, answer.from_cache) == (200, False)


NOT_KEPT = [
    {},
    {"Cache_Control": "no-store, max-age=60"},
    {"Cache_Control": "private, max-age=60"},
    {"Cache_Control": "max-age=0"},
    {"Cache_Control": "max-age=60", "Age": "60"},
    {"Cache_Control": "max-age=60", "Date": formatdate(0, usegmt=True)},
    {"Cache_Control": "max-age=60", "Vary": "*"},
    {"Cache_Control": "max-age=60", "Set_Cookie": "session=of-one-call"},
    {"Expires": "0"},
    {"Expires": "Thu, 01 Jan 2015 00:00:00 GMT"},
]


@pytest.mark.real_time
@pytest.mark.parametrize("headers", NOT_KEPT)
async def test_others_are_asked_for_again(opened, cache: Cache, headers: dict[str, str]):
    asked, stored = await asks_twice(opened, cache, reply(b"sound", type_=SOUND, **headers))
    assert (len(asked), stored) == (2, [False, False])


@pytest.mark.parametrize(
    ("validator", "condition"),
    [
        ({"ETag": '"v1"'}, ("if-none-match", '"v1"')),
        ({"ETag": 'W/"v1"'}, ("if-none-match", 'W/"v1"')),
        (
            {"Last_Modified": "Thu, 01 Jan 2015 00:00:00 GMT"},
            ("if-modified-since", "Thu, 01 Jan 2015 00:00:00 GMT"),
        ),
    ],
)
@pytest.mark.parametrize("control", ["no-cache", "max-age=0"])
async def test_a_stale_one_is_revalidated(opened, cache: Cache, validator, condition, control: str):
    headers = {**validator, "Cache_Control": control}

    def answer(asked: Asked) -> Reply:
        if condition[0] in asked.headers:
            return reply(b"", 304, **headers)
        return reply(b"sound", type_=SOUND, **headers)

    asked, stored = await asks_twice(opened, cache, answer)
    assert [each.headers.get(condition[0]) for each in asked] == [None, condition[1]]
    assert stored == [False, True]


async def test_a_changed_one_replaces_what_was_stored(opened, cache: Cache):
    versions = iter("123")

    def answer(asked: Asked) -> Reply:
        version = next(versions)
        control = "max-age=60" if version == "2" else "no-cache"
        return reply(version, ETag=f'"{version}"', Cache_Control=control)

    async with opened(cache=cache) as (application, webhooks):
        url = application.at("/a", answer)
        bodies = [(await webhooks.ask(media(url))).body for _ in range(3)]
    assert bodies == [b"1", b"2", b"2"]


async def test_a_revalidated_one_is_fresh_again(opened, cache: Cache):
    def answer(asked: Asked) -> Reply:
        if "if-none-match" in asked.headers:
            return reply(b"", 304, ETag='"v"', Cache_Control="max-age=60")
        return reply(b"sound", ETag='"v"', Cache_Control="no-cache")

    async with opened(cache=cache) as (application, webhooks):
        url = application.at("/a", answer)
        for _ in range(3):
            assert (await webhooks.ask(media(url))).body == b"sound"
    assert len(application.asked) == 2


async def test_an_error_at_revalidation_is_an_error_and_what_is_stored_stays(opened, cache: Cache):
    statuses = iter([200, 500, 304])

    def answer(asked: Asked) -> Reply:
        return reply(b"sound", next(statuses), ETag='"v"', Cache_Control="no-cache")

    async with opened(cache=cache) as (application, webhooks):
        url = application.at("/a", answer)
        await webhooks.ask(media(url))
        with pytest.raises(Exception, match="500"):
            await webhooks.ask(media(url))
        assert (await webhooks.ask(media(url))).body == b"sound"


KEPT = reply(b"<Response/>", Cache_Control="max-age=60")


async def test_documents_are_cached_by_their_whole_url(opened, cache: Cache):
    async with opened(cache=cache) as (application, webhooks):
        url = application.at("/voice", KEPT)
        for sid in (CALL, CALL, "CA2"):
            await webhooks.ask(Request(url, "GET", (("CallSid", sid),), key=KEY))
    assert [asked.path for asked in application.asked] == [
        f"/voice?CallSid={CALL}", "/voice?CallSid=CA2",
    ]  # fmt: skip


async def test_a_post_is_never_served_from_the_cache(opened, cache: Cache):
    """M09"""
    asked, stored = await asks_twice(opened, cache, KEPT, lambda url: Request(url, "POST"))
    assert (len(asked), stored) == (2, [False, False])


async def test_a_post_makes_the_stored_answer_of_its_url_invalid(opened, cache: Cache):
    async with opened(cache=cache) as (application, webhooks):
        url = application.at("/voice", KEPT)
        for method in ("GET", "POST", "GET"):
            assert not (await webhooks.ask(Request(url, method))).from_cache


async def test_a_callback_by_get_always_reaches_the_application(opened, cache: Cache):
    asked, stored = await asks_twice(
        opened, cache, KEPT, lambda url: Request(url, "GET", kind="callback")
    )
    assert (len(asked), stored) == (2, [False, False])


async def test_what_varies_is_kept_apart(opened, cache: Cache):
    answer = reply(b"x", Cache_Control="max-age=60", Vary="Cookie, Accept")
    async with opened(cache=cache) as (application, webhooks):
        url = application.at("/a", answer)
        login = application.at("/login", reply(Set_Cookie="who=me; Path=/"))
        await webhooks.ask(Request(login, jar=CALL))
        stored = [(await webhooks.ask(media(url, jar=jar))).from_cache for jar in (CALL, "CA2")]
        again = [(await webhooks.ask(media(url, jar=jar))).from_cache for jar in (CALL, "CA2")]
    assert (stored, again) == ([False, False], [True, True])


async def test_only_the_newest_answer_to_a_request_is_kept(opened, tmp_path: Path):
    varying = iter([{"Vary": "Accept"}, {}, {"Vary": "Cookie"}])

    def answer(asked: Asked) -> Reply:
        return reply(b"x", Cache_Control="no-cache", ETag='"v"', **next(varying))

    async with opened(cache=Cache(tmp_path)) as (application, webhooks):
        url = application.at("/a", answer)
        for _ in range(3):
            await webhooks.ask(media(url))
    assert len(list(tmp_path.iterdir())) == 1


def locked(asked: Asked) -> Reply:
    if "authorization" not in asked.headers:
        return reply(b"", 401, WWW_Authenticate='Basic realm="a"')
    return reply(asked.headers["authorization"].encode(), Cache_Control="private, max-age=60")


async def test_what_needs_credentials_is_kept_for_the_same_account_and_credentials(
    opened, cache: Cache
):
    async with opened(cache=cache) as (application, webhooks):
        url = application.at("/a", locked)
        mine = url.replace("://", "://me:pw@")
        answers = [
            await webhooks.ask(media(each, key=key))
            for each, key in ((mine, KEY), (mine, KEY), (mine, "other account"))
        ]
        assert [answer.from_cache for answer in answers] == [False, True, False]
        with pytest.raises(Exception, match="401"):
            await webhooks.ask(media(url, key=KEY))
        theirs = await webhooks.ask(media(url.replace("://", "://you:pw@"), key=KEY))
    assert theirs.body != answers[0].body


async def test_a_stored_answer_survives_a_restart(opened, tmp_path: Path):
    sound = reply(b"a\nb\r\n\x00", type_=SOUND, Cache_Control="max-age=60")
    async with opened(cache=Cache(tmp_path)) as (application, webhooks):
        url = application.at("/a", sound)
        first = await webhooks.ask(media(url))
        restarted = Webhooks(webhooks.send, cache=Cache(tmp_path))
        second = await restarted.ask(media(url))
    assert (second.from_cache, second.body, second.media_type) == (True, first.body, SOUND)
    assert len(application.asked) == 1


@pytest.mark.parametrize("bound", [{"max_bytes": 35_000}, {"most": 3}], ids=["bytes", "answers"])
async def test_the_least_recently_used_gives_way(opened, tmp_path: Path, bound: dict[str, int]):
    async with opened(cache=Cache(tmp_path, **bound)) as (application, webhooks):
        answer = reply(b"x" * 10_000, Cache_Control="max-age=60")
        a, b, c, d = (application.at(f"/{name}", answer) for name in "abcd")
        for url in (a, b, c, a, d):
            await webhooks.ask(media(url))
        stored = {url: (await webhooks.ask(media(url))).from_cache for url in (a, c, d)}
        assert stored == dict.fromkeys((a, c, d), True)
        assert not (await webhooks.ask(media(b))).from_cache
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 35_000
        Cache(tmp_path, most=2)
        assert len(list(tmp_path.iterdir())) == 2


async def test_the_order_of_use_survives_a_restart_within_the_bound(opened, tmp_path: Path):
    async with opened(cache=Cache(tmp_path, max_bytes=25_000)) as (application, webhooks):
        answer = reply(b"x" * 10_000, Cache_Control="max-age=60")
        a, b, c = (application.at(f"/{name}", answer) for name in "abc")
        for url in (a, b, *[a] * 100):  # the file system's clock ticks in milliseconds
            await webhooks.ask(media(url))
        restarted = Webhooks(webhooks.send, cache=Cache(tmp_path, max_bytes=25_000))
        await restarted.ask(media(c))
        assert (await restarted.ask(media(a))).from_cache
        assert not (await restarted.ask(media(b))).from_cache


async def test_what_is_larger_than_the_whole_cache_is_not_stored(opened, tmp_path: Path):
    answer = reply(b"x" * 10_000, Cache_Control="max-age=60")
    asked, stored = await asks_twice(opened, Cache(tmp_path, max_bytes=9_000), answer)
    assert (len(asked), stored) == (2, [False, False])


async def test_a_damaged_or_missing_file_is_fetched_anew(opened, tmp_path: Path):
    async with opened(cache=Cache(tmp_path)) as (application, webhooks):
        url = application.at("/a", KEPT)
        await webhooks.ask(media(url))
        for file in tmp_path.iterdir():
            file.unlink()
        assert (await webhooks.ask(media(url))).body == b"<Response/>"
        for file in tmp_path.iterdir():
            file.write_bytes(b"{")
        restarted = Webhooks(webhooks.send, cache=Cache(tmp_path))
        assert not (await restarted.ask(media(url))).from_cache


async def test_a_redirect_that_says_it_lasts_is_remembered(opened, cache: Cache):
    async with opened(cache=cache) as (application, webhooks):
        application.at("/there", KEPT)
        url = application.at("/a", reply("", 301, Location="/there", Cache_Control="max-age=60"))
        for _ in range(2):
            answer = await webhooks.ask(media(url))
            assert answer.url == application.base + "/there"
    assert [asked.path for asked in application.asked] == ["/a", "/there"]


@pytest.mark.real_time
@pytest.mark.parametrize(("age", "stored"), [("", True), ("59", True), ("60", False)])
async def test_an_answer_without_a_date_ages_from_its_arrival(cache: Cache, age: str, stored: bool):
    inside = Inside(lambda outgoing: said(Cache_Control="max-age=60", Age=age))
    webhooks = Webhooks(inside.send, cache=cache)
    answers = [await webhooks.ask(media("http://app.test/")) for _ in range(2)]
    assert [answer.from_cache for answer in answers] == [False, stored]
