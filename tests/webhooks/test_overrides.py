"""Connection overrides in the fragment.  reference: webhooks section 3.1."""

from __future__ import annotations

import asyncio

import pytest
from webhook_application import Inside, header, said

from offhook import clock
from offhook.errors import WebhookError
from offhook.webhooks.ask import Request, Webhooks
from offhook.webhooks.overrides import Overrides, read
from offhook.webhooks.transport import TransportError


def test_the_defaults():
    assert read("") == (Overrides(5.0, 15.0, 15.0, 1, frozenset({"ct"}), True, ()), ())


def test_every_key():
    overrides, notes = read("ct=2000&rt=3000&tt=9000&rc=3&rp=5xx,rt&sni=n&e=dublin,ashburn")
    assert notes == ()
    assert overrides == Overrides(
        2.0, 3.0, 9.0, 3, frozenset({"5xx", "rt"}), False, ("dublin", "ashburn")
    )


@pytest.mark.parametrize(
    ("fragment", "field", "value"),
    [
        ("ct=1", "connect", 0.1), ("ct=99999", "connect", 10.0),
        ("rt=1", "read", 0.1), ("rt=99999", "read", 15.0),
        ("tt=1", "total", 0.1), ("tt=99999", "total", 15.0),
        ("rc=-1", "retries", 0), ("rc=6", "retries", 5), ("rc=0", "retries", 0),
        ("rp=all", "retry_on", frozenset({"4xx", "5xx", "ct", "rt"})),
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_clamped(fragment: str, field: str, value: object):
    overrides, notes = read(fragment)
    assert (getattr(overrides, field), notes) == (value, ())


@pytest.mark.parametrize(
    ("fragment", "code"),
    [
        ("rp=6xx", 11243), ("rp=", 11243), ("rc=two", 11243), ("ct=fast", 11243), ("sni=", 11243),
        ("e=", 11240), ("e=dublin,", 11240), ("e=New York", 11240),
    ],
)  # fmt: skip
async def test_a_bad_value_is_noted_and_the_request_made_without_it(fragment: str, code: int):
    inside = Inside(lambda outgoing: said())
    answer = await Webhooks(inside.send).ask(Request(f"http://app.test/#{fragment}&rt=3000"))
    assert [note.code for note in answer.notes] == [code]
    assert (inside.sent[0].connect, inside.sent[0].read) == (5.0, 3.0)


def test_an_ordinary_fragment_and_unknown_keys_mean_nothing():
    assert read("top") == read("/route?x") == read("color=red&Rc=9") == read("")


def failing(times: int, error: TransportError | int) -> Inside:
    def answer(outgoing):
        if len(inside.sent) > times:
            return said()
        if isinstance(error, int):
            return said(error)
        raise error

    inside = Inside(answer)
    return inside


REFUSED = TransportError(11202, "refused", "ct")
SILENT = TransportError(11205, "silent", "rt")


@pytest.mark.parametrize(
    ("fragment", "error", "attempts"),
    [
        ("", REFUSED, 2), ("rc=0", REFUSED, 1), ("rc=3", REFUSED, 4), ("rp=5xx", REFUSED, 1),
        ("", SILENT, 1), ("rp=rt", SILENT, 2), ("rp=all&rc=5", SILENT, 6),
        ("", 500, 1), ("rp=5xx", 500, 2), ("rp=4xx", 500, 1),
        ("", 404, 1), ("rp=4xx&rc=2", 404, 3), ("rp=5xx", 404, 1),
        ("rp=all", TransportError(11205, "broke off"), 1),
    ],
)  # fmt: skip
async def test_what_is_tried_again_and_how_often(fragment: str, error, attempts: int):
    inside = failing(99, error)
    with pytest.raises(WebhookError) as failed:
        await Webhooks(inside.send).ask(Request(f"http://app.test/#{fragment}"))
    assert len(inside.sent) == attempts
    assert failed.value.code == (11200 if isinstance(error, int) else error.code)


async def test_attempts_carry_the_same_token_and_the_one_that_succeeds_counts():
    inside = failing(1, REFUSED)
    assert (await Webhooks(inside.send).ask(Request("http://app.test/"))).status == 200
    tokens = [header(sent, "I-Twilio-Idempotency-Token") for sent in inside.sent]
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


@pytest.mark.parametrize(
    ("fragment", "seconds"), [("", 15.0), ("#tt=2500", 2.5), ("#tt=20000", 15)]
)
async def test_all_attempts_together_have_a_hard_limit(fragment: str, seconds: float):
    async def never(outgoing):
        await asyncio.sleep(3600)
        return said()

    began = clock.now()
    with pytest.raises(WebhookError) as failed:
        await Webhooks(Inside(never).send).ask(Request(f"http://app.test/{fragment}"))
    assert failed.value.code == 11203
    assert clock.now() - began == seconds


async def test_redirects_do_not_extend_the_limit():
    async def slow(outgoing):
        await asyncio.sleep(6)
        return said(302, Location="/again")

    began = clock.now()
    with pytest.raises(WebhookError) as failed:
        await Webhooks(Inside(slow).send).ask(Request("http://app.test/"))
    assert (failed.value.code, clock.now() - began) == (11203, 15.0)


async def test_the_answer_tells_how_long_it_took():
    async def slow(outgoing):
        await asyncio.sleep(1.25)
        return said()

    assert (await Webhooks(Inside(slow).send).ask(Request("http://app.test/"))).seconds == 1.25
