"""A request that is sent again with its `Idempotency-Key` is done once, crash or not.

reference: REST conventions section 5.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from api_client import OURS, THEIRS, Api, Reply, Serving
from starlette.responses import Response

from offhook import clock
from offhook.api.app import api_app
from offhook.api.repeats import Repeats
from offhook.api.resource import Answer, At, Resource, Run
from offhook.api.resources import EVERY
from offhook.store import records

TEXT = {"To": THEIRS, "From": OURS, "Body": "Hello"}
HOOK = "http://app.test/hook"


async def again(api: Api, key: str, **changes: str) -> Reply:
    headers = {"idempotency-key": key}
    return await api.request("POST", "Messages.json", form=TEXT | changes, headers=headers)


async def test_a_request_that_is_sent_again_is_done_once(serving: Serving) -> None:
    async with serving() as api:
        first, second = [await again(api, "one") for _ in range(2)]
        assert first.status == second.status == 201
        assert first.json == second.json
        assert first.headers["twilio-request-id"] != second.headers["twilio-request-id"]
        assert len((await api.get("Messages.json")).json["messages"]) == 1


async def test_a_repeat_waits_for_the_one_under_way(serving: Serving) -> None:
    async with serving() as api:
        replies = await asyncio.gather(*(again(api, "one") for _ in range(3)))
        assert len({reply.json["sid"] for reply in replies}) == 1


async def test_a_repeat_of_what_is_refused_is_refused(serving: Serving) -> None:
    async with serving() as api:
        replies = await asyncio.gather(*(again(api, "one", To="nobody") for _ in range(3)))
        assert [reply.code for reply in replies] == [(400, 21211)] * 3


async def test_each_format_is_asked_for_anew(serving: Serving) -> None:
    async with serving() as api:
        await again(api, "one")
        headers = {"idempotency-key": "one"}
        xml = await api.request("POST", "Messages", form=TEXT, headers=headers)
        assert xml.xml[0].tag == "Message"


async def test_another_key_and_no_key_are_other_requests(serving: Serving) -> None:
    async with serving() as api:
        replies = [await again(api, key) for key in ("one", "two", "", "")]
        assert len({reply.json["sid"] for reply in replies}) == 4


async def test_a_request_that_was_refused_may_be_corrected(serving: Serving) -> None:
    async with serving() as api:
        assert (await again(api, "one", To="nobody")).status == 400
        assert (await again(api, "one")).status == 201


async def test_a_day_later_a_key_is_new(serving: Serving) -> None:
    async with serving() as api:
        first = await again(api, "one")
        await asyncio.sleep(24 * 3600 + 1)
        assert (await again(api, "one")).json["sid"] != first.json["sid"]


async def test_what_is_remembered_is_for_who_may_see_it(serving: Serving) -> None:
    async with serving() as api:
        await again(api, "one")
        stranger = await api.request(
            "POST", "Messages.json", form=TEXT, headers={"idempotency-key": "one"},
            auth=(api.account.sid, "guess"),
        )  # fmt: skip
        assert stranger.code == (401, 20003)
        assert await api.exchange.store.read(records.messages.count) == 1


async def test_a_repeat_of_one_whose_client_has_gone_is_done(serving: Serving) -> None:
    async def answer() -> Response:
        await asyncio.sleep(5)
        return Response(b"done")

    async with serving() as api:
        repeats = Repeats(api.exchange.store)
        asked = [repeats.once(("one",), answer, nothing_made) for _ in range(3)]
        first, *others = map(asyncio.ensure_future, asked)
        await asyncio.sleep(1)
        first.cancel()
        assert [(await other).body for other in others] == [b"done"] * 2


async def nothing_made(sid: str) -> Response | None:
    raise AssertionError(f"nothing was made, least of all {sid}")


async def test_what_we_failed_at_is_tried_again(serving: Serving) -> None:
    tries = []

    async def answer() -> Response:
        tries.append("once more")
        return Response(b"", 500 if len(tries) == 1 else 201)

    async with serving() as api:
        repeats = Repeats(api.exchange.store)
        given = [await repeats.once(("one",), answer, nothing_made) for _ in range(3)]
        assert [each.status_code for each in given] == [500, 201, 201]


async def test_answers_are_forgotten_when_they_are_a_day_old(serving: Serving) -> None:
    async with serving() as api:
        await again(api, "one")
        await asyncio.sleep(24 * 3600 + 1)
        assert await api.exchange.store.write(records.facts.forget, clock.utc()) == 1


# A crash


class Crash(BaseException):
    """Everything stops here."""


def crashing(api: Api, lost: list[str]) -> Api:
    """The same API, which crashes when something is made and stored, and before its answer is."""

    def dying(run: Run) -> Run:
        async def until_it_is_made(at: At, *form: Any) -> Answer:
            made = await run(at, *form)
            lost.append(made["sid"])  # type: ignore[index, call-overload]
            raise Crash

        return until_it_is_made

    copies = []
    for each in EVERY:
        copy = Resource(each.path, element=each.element, key=each.key)
        copy.actions = [
            replace(action, run=dying(action.run)) if action.method == "POST" else action
            for action in each.actions
        ]
        copies.append(copy)
    return replace(api, app=api_app(api.exchange, copies))


async def test_a_restart_forgets_no_answer(serving: Serving) -> None:
    async with serving() as api:
        first = await again(api, "one")
        second = await again(replace(api, app=api_app(api.exchange)), "one")
        assert (second.status, second.json) == (201, first.json)
        assert second.headers["content-type"] == "application/json"


CREATIONS = {
    "Calls": {"To": THEIRS, "From": OURS, "Url": HOOK},
    "Messages": TEXT,
    "SMS/Messages": TEXT,
    "IncomingPhoneNumbers": {"PhoneNumber": "+14155550123"},
    "IncomingPhoneNumbers/Local": {"PhoneNumber": "+14155550123"},
    "Applications": {"FriendlyName": "Shop"},
    "Keys": {"FriendlyName": "Key"},
    "Queues": {"FriendlyName": "Wait"},
    "Usage/Triggers": {"CallbackUrl": HOOK, "TriggerValue": "1", "UsageCategory": "calls"},
    "SIP/Domains": {"DomainName": "shop.sip.twilio.com"},
    "SIP/CredentialLists": {"FriendlyName": "List"},
    "/2010-04-01/Accounts": {"FriendlyName": "Child"},
}


@pytest.mark.parametrize("path", CREATIONS)
async def test_what_a_crash_left_without_an_answer_is_found(serving: Serving, path: str) -> None:
    async with serving() as api:
        lost: list[str] = []

        async def post(there: Api) -> Reply:
            headers = {"idempotency-key": "one"}
            return await there.request(
                "POST", f"{path}.json", form=CREATIONS[path], headers=headers
            )

        await asyncio.sleep(1)
        with pytest.raises(Crash):
            await post(crashing(api, lost))
        found = [await post(api) for _ in range(2)]
        assert [(each.status, each.json["sid"]) for each in found] == [(201, lost[0])] * 2


async def test_what_a_crash_prevented_is_done(serving: Serving) -> None:
    """A refusal leaves a debugger entry behind, which is nothing that was asked for."""
    async with serving() as api:
        form = CREATIONS["Calls"] | {"MachineDetection": "Enable"}
        headers = {"idempotency-key": "one"}
        refused = await api.request("POST", "Calls.json", form=form | {"To": ""}, headers=headers)
        assert refused.status == 400
        made = await api.request("POST", "Calls.json", form=form, headers=headers)
        assert (made.status, made.json["sid"][:2]) == (201, "CA")
