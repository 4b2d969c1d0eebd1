"""What an account may do at a time, and requests that are sent again.  reference: sections 5, 6."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from api_client import OURS, THEIRS, Api, Reply, Serving, furnish

from offhook import clock
from offhook.api.app import api_app
from offhook.exchange.exchange import Route
from offhook.exchange.pace import Spacing
from offhook.line.leg import Leg, Ringing, Target

MESSAGE = {"To": THEIRS, "From": OURS, "Body": "Hi"}
CALL = {"To": THEIRS, "From": OURS, "Url": "http://application.test/voice"}


class Dialled:
    """A carrier that notes when it is asked to dial; nobody ever answers."""

    name = "dialled"

    def __init__(self) -> None:
        self.at: list[tuple[str, float]] = []

    async def dial(self, target: Target, ringing: Ringing) -> Leg:
        self.at.append((target.call_sid, clock.now()))
        return await asyncio.get_running_loop().create_future()

    async def send(self, *text: object) -> None:
        raise AssertionError("no text is sent here")


def per_second(api: Api, calls: float) -> Dialled:
    """The account may place so many calls a second, by this carrier."""
    carrier = Dialled()
    api.exchange.routes = [Route(carrier, lambda to: True)]
    api.exchange.calls = Spacing(calls)
    return carrier


async def placed(api: Api, count: int) -> list[str]:
    return [(await api.post("Calls.json", **CALL)).json["sid"] for _ in range(count)]


# Calls a second


async def test_calls_are_dialled_in_order_at_the_accounts_pace(serving: Serving) -> None:
    async with serving() as api:
        carrier = per_second(api, 2)
        sids = await placed(api, 4)
        began = clock.now()
        await asyncio.sleep(10)
        assert [sid for sid, _ in carrier.at] == sids
        assert [round(at - began, 1) for _, at in carrier.at] == [0, 0.5, 1, 1.5]


async def test_a_call_that_waits_is_queued_and_tells_how_long_it_waited(serving: Serving) -> None:
    async with serving() as api:
        per_second(api, 0.5)
        first, second = await placed(api, 2)
        await asyncio.sleep(1)
        waiting = (await api.get(f"Calls/{second}.json")).json
        assert (waiting["status"], waiting["queue_time"]) == ("queued", "0")
        await asyncio.sleep(3)
        for sid in (first, second):
            await api.post(f"Calls/{sid}.json", Status="canceled")
        times = [(await api.get(f"Calls/{sid}.json")).json["queue_time"] for sid in (first, second)]
        assert times == ["0", "2000"]


async def test_a_call_that_is_canceled_in_the_queue_takes_nobodys_turn(serving: Serving) -> None:
    """M28: it was never dialled."""
    async with serving() as api:
        carrier = per_second(api, 1)
        first, second, third = await placed(api, 3)
        began = clock.now()
        canceled = await api.post(f"Calls/{second}.json", Status="canceled")
        assert canceled.json["status"] == "canceled"
        await asyncio.sleep(10)
        assert [(sid, round(at - began)) for sid, at in carrier.at] == [(first, 0), (third, 1)]


async def test_accounts_wait_for_themselves_only(serving: Serving) -> None:
    async with serving() as api:
        carrier = per_second(api, 0.1)
        await placed(api, 2)
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        path = f"/2010-04-01/Accounts/{child.sid}/Calls.json"
        other = (await api.post(path, **CALL | {"From": "+14155550111"})).json["sid"]
        await asyncio.sleep(1)
        assert other in [sid for sid, _ in carrier.at]


# Requests at a time


@asynccontextmanager
async def at_most(api: Api, requests: int) -> AsyncIterator[Api]:
    api.exchange.rules = replace(api.exchange.rules, concurrent_requests=requests)
    limited = replace(api, app=api_app(api.exchange))
    await limited.get("Calls.json")  # so that no credentials must be looked up any more
    yield limited


async def together(api: Api, count: int) -> list[Reply]:
    return list(await asyncio.gather(*(api.get("Calls.json") for _ in range(count))))


async def test_more_requests_at_a_time_are_refused(serving: Serving) -> None:
    async with serving() as api, at_most(api, 3) as limited:
        replies = await together(limited, 5)
        assert sorted(reply.status for reply in replies) == [200, 200, 200, 429, 429]
        refused = next(reply for reply in replies if reply.status == 429)
        assert refused.json["code"] == 20429
        assert {reply.headers["twilio-concurrent-requests"] for reply in replies} == set("123")
        assert (await limited.get("Calls.json")).status == 200


async def test_what_was_refused_was_not_done(serving: Serving) -> None:
    async with serving() as api, at_most(api, 1) as limited:
        sent = [limited.post("Messages.json", **MESSAGE) for _ in range(3)]
        replies = await asyncio.gather(*sent)
        assert sorted(reply.status for reply in replies) == [201, 429, 429]
        assert len((await limited.get("Messages.json")).json["messages"]) == 1


async def test_one_accounts_crowd_is_not_anothers(serving: Serving) -> None:
    async with serving() as api, at_most(api, 1) as limited:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        path = f"/2010-04-01/Accounts/{child.sid}/Calls.json"
        replies = await asyncio.gather(limited.get("Calls.json"), limited.get(path))
        assert [reply.status for reply in replies] == [200, 200]


async def test_strangers_do_not_use_up_what_an_account_may_do(serving: Serving) -> None:
    async with serving() as api, at_most(api, 1) as limited:
        login = (api.account.sid, "guess")
        strangers = [limited.request("GET", "Calls.json", auth=login) for _ in range(3)]
        *refused, own = await asyncio.gather(*strangers, limited.get("Calls.json"))
        assert [reply.status for reply in refused] == [401] * 3
        assert own.status == 200
