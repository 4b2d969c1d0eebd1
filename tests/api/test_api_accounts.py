"""Accounts and subaccounts, and the second auth token.  reference: sections 7 and 15."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from api_client import OURS, THEIRS, Api, Reply, Serving, furnish, line
from test_live_calls import answered, until

from offhook import clock
from offhook.config.settings import Settings
from offhook.exchange import standing, texting
from offhook.exchange.texting import MessageOrder
from offhook.model.account import Account
from offhook.store import records

ROOT = "/2010-04-01/Accounts"


async def child_of(api: Api, name: str = "Shop") -> Account:
    created = (await api.post(f"{ROOT}.json", FriendlyName=name)).json
    found = await api.exchange.store.read(records.accounts.get, created["sid"])
    assert found
    return found


def uri(account: Account, path: str = "") -> str:
    return f"{ROOT}/{account.sid}{path}.json"


async def as_(api: Api, account: Account, method: str, path: str, **form: str) -> Reply:
    auth = (account.sid, account.auth_token)
    return await api.request(method, path, form=form if method == "POST" else None, auth=auth)


async def test_a_subaccount_is_its_parents(serving: Serving) -> None:
    async with serving() as api:
        created = await api.post(f"{ROOT}.json", FriendlyName="Shop")
        assert created.status == 201
        account = created.json
        expected = {
            "friendly_name": "Shop", "owner_account_sid": api.account.sid, "status": "active",
            "type": "Full", "uri": f"{ROOT}/{account['sid']}.json",
        }  # fmt: skip
        assert {name: account[name] for name in expected} == expected
        assert len(account["auth_token"]) == 32
        assert (await api.get(account["uri"])).json == account
        own = await api.request("GET", account["uri"], auth=(account["sid"], account["auth_token"]))
        assert own.json == account


async def test_a_subaccount_without_a_name_is_called_by_its_date(serving: Serving) -> None:
    async with serving() as api:
        name = (await api.post(f"{ROOT}.json")).json["friendly_name"]
        now = clock.utc()
        assert name.startswith(f"SubAccount Created at {now:%Y-%m-%d}")
        assert name.endswith("am" if now.hour < 12 else "pm")


async def test_a_subaccount_has_none_of_its_own(serving: Serving) -> None:
    async with serving() as api:
        child = await child_of(api)
        assert (await as_(api, child, "POST", f"{ROOT}.json")).code == (400, 21101)


async def test_a_trial_account_has_one_subaccount(serving: Serving) -> None:
    async with serving() as api:
        await api.exchange.store.write(records.accounts.save, replace(api.account, type="Trial"))
        api.exchange.accounts = {}
        assert (await api.post(f"{ROOT}.json")).json["type"] == "Trial"
        assert (await api.post(f"{ROOT}.json")).code == (400, 21480)


async def test_the_list_is_the_account_and_its_own(serving: Serving) -> None:
    async with serving() as api:
        await furnish(api.exchange.store, number="+14155550111")
        child = await child_of(api)
        listed = (await api.get(f"{ROOT}.json")).json["accounts"]
        assert [each["sid"] for each in listed] == [child.sid, api.account.sid]
        for query, found in (
            ({"FriendlyName": "Shop"}, [child.sid]),
            ({"FriendlyName": "Sho"}, []),
            ({"Status": "closed"}, []),
            ({"Status": "active"}, [child.sid, api.account.sid]),
        ):
            listed = (await api.get(f"{ROOT}.json", **query)).json["accounts"]
            assert [each["sid"] for each in listed] == found
        of_child = (await as_(api, child, "GET", f"{ROOT}.json")).json["accounts"]
        assert [each["sid"] for each in of_child] == [child.sid]


async def test_an_account_is_renamed(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.post(".json", FriendlyName="Main 2")).json["friendly_name"] == "Main 2"
        assert (await api.get(".json")).json["friendly_name"] == "Main 2"
        assert (await api.post(".json", FriendlyName="")).code == (400, 20002)
        assert (await api.post(".json", FriendlyName="x" * 65)).code == (400, 20002)
        assert (await api.delete(".json")).code == (405, 20004)


# Status


async def test_words_and_accounts_that_do_not_go_together(serving: Serving) -> None:
    async with serving() as api:
        child = await child_of(api)
        assert (await api.post(uri(child), Status="sleeping")).code == (400, 21475)
        assert (await api.post(".json", Status="suspended")).code == (400, 21477)


@pytest.mark.parametrize("status", ["suspended", "closed"])
async def test_a_subaccount_has_its_status_from_its_parent(serving: Serving, status: str) -> None:
    async with serving() as api:
        child = await child_of(api)
        itself = await as_(api, child, "POST", uri(child), Status=status)
        assert itself.code == (401, 20003)
        named = await as_(api, child, "POST", uri(child), FriendlyName="Corner shop")
        assert (named.json["friendly_name"], named.json["status"]) == ("Corner shop", "active")


async def test_a_suspended_account_is_refused_at_once_and_let_in_again(serving: Serving) -> None:
    async with serving() as api:
        child = await child_of(api)
        assert (await as_(api, child, "GET", uri(child, "/Calls"))).status == 200
        assert (await api.post(uri(child), Status="suspended")).json["status"] == "suspended"
        assert (await as_(api, child, "GET", uri(child, "/Calls"))).code == (403, 20005)
        assert (await as_(api, child, "GET", uri(child))).code == (403, 20005)
        assert (await api.get(uri(child, "/Calls"))).code == (403, 20005)
        assert (await api.get(uri(child))).json["status"] == "suspended"
        assert (await api.post(uri(child), Status="active")).json["status"] == "active"
        assert (await as_(api, child, "GET", uri(child, "/Calls"))).status == 200


async def test_a_closed_account_has_no_numbers_and_stays_closed(serving: Serving) -> None:
    async with serving() as api:
        child = await child_of(api)
        bought = await api.post(uri(child, "/IncomingPhoneNumbers"), PhoneNumber="+15105647903")
        assert bought.status == 201
        assert (await api.post(uri(child), Status="closed")).json["status"] == "closed"
        assert (await api.post(uri(child), Status="active")).code == (400, 21479)
        assert (await as_(api, child, "GET", uri(child))).code == (403, 20005)
        taken = await api.post("IncomingPhoneNumbers.json", PhoneNumber="+15105647903")
        assert taken.status == 201


async def test_what_the_operator_suspended_only_the_operator_activates(serving: Serving) -> None:
    async with serving() as api:
        child = await child_of(api)
        await standing.hold(api.exchange, child.sid, clock.utc())
        assert (await as_(api, child, "GET", uri(child, "/Calls"))).code == (403, 20005)
        assert (await api.post(uri(child), Status="active")).code == (400, 21478)
        await standing.let_go(api.exchange, child.sid, clock.utc())
        assert (await as_(api, child, "GET", uri(child, "/Calls"))).status == 200


async def test_with_their_parent_all_subaccounts_are_suspended(serving: Serving) -> None:
    async with serving() as api:
        child = await child_of(api)
        await standing.hold(api.exchange, api.account.sid, clock.utc())
        assert (await api.get(".json")).code == (403, 20005)
        assert (await as_(api, child, "GET", uri(child, "/Calls"))).code == (403, 20005)
        await standing.let_go(api.exchange, api.account.sid, clock.utc())
        assert (await as_(api, child, "GET", uri(child, "/Calls"))).status == 200


async def test_a_text_that_waits_fails_when_its_account_is_suspended(serving: Serving) -> None:
    async with serving() as api:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        await api.post(uri(child), Status="suspended")
        waiting = MessageOrder(child.sid, THEIRS, "+14155550111", "Hi")
        sid = (await texting.queue(api.exchange, waiting)).sid
        await api.exchange.settle()
        await api.post(uri(child), Status="active")
        message = (await api.get(uri(child, f"/Messages/{sid}"))).json
        assert (message["status"], message["error_code"]) == ("failed", 30002)


async def test_an_account_that_is_suspended_loses_its_calls(tmp_path: Path) -> None:
    async with line(Settings(data=tmp_path)) as api:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        family = replace(api, account=child)
        path = await answered(family, From="+14155550111")
        other = await answered(api)
        await api.post(uri(child), Status="suspended")
        await api.exchange.live[path.rpartition("/")[2].removesuffix(".json")].over.wait()
        await api.post(uri(child), Status="active")
        assert (await until(family, path, "completed"))["end_time"]
        assert (await api.get(other)).json["status"] == "in-progress"


async def test_a_call_that_rings_is_given_up_when_its_account_is_suspended(
    serving: Serving,
) -> None:
    async with serving() as api:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        form = {"To": THEIRS, "From": OURS, "Url": "http://application.test/"}
        own = (await api.post("Calls.json", **form)).json
        call = await as_(
            api, child, "POST", uri(child, "/Calls"), **form | {"From": "+14155550111"}
        )
        await asyncio.sleep(1)
        await api.post(uri(child), Status="suspended")
        await asyncio.sleep(1)
        await api.post(uri(child), Status="active")
        assert (await api.get(call.json["uri"])).json["status"] == "canceled"
        assert (await api.get(own["uri"])).json["status"] == "queued"


async def test_with_their_parent_subaccounts_lose_their_calls(tmp_path: Path) -> None:
    async with line(Settings(data=tmp_path)) as api:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        path = await answered(replace(api, account=child), From="+14155550111")
        live = api.exchange.live[path.rpartition("/")[2].removesuffix(".json")]
        await standing.hold(api.exchange, api.account.sid, clock.utc())
        async with asyncio.timeout(5):
            await live.over.wait()
        assert live.record.status == "completed"


async def test_a_number_that_is_released_loses_its_calls(tmp_path: Path) -> None:
    async with line(Settings(data=tmp_path)) as api:
        path = await answered(api)
        assert (await api.delete(f"IncomingPhoneNumbers/{api.number.sid}.json")).status == 204
        assert (await until(api, path, "completed"))["end_time"]


# 15: the second auth token


@pytest.mark.parametrize("path", ["Secondary", "Promote"])
async def test_the_paths_of_the_second_token_are_json(serving: Serving, path: str) -> None:
    async with serving() as api:
        refused = await api.request(
            "POST", f"/v1/AuthTokens/{path}", form={}, auth=(api.account.sid, "f" * 32)
        )
        assert refused.code == (401, 20003)


async def test_a_second_token_is_as_good_as_the_first_until_it_takes_its_place(
    serving: Serving,
) -> None:
    async with serving() as api:
        made = await api.post("/v1/AuthTokens/Secondary")
        assert made.status == 201
        assert made.json["account_sid"] == api.account.sid
        second = replace(api.account, auth_token=made.json["secondary_auth_token"])
        assert (await as_(api, second, "GET", uri(second))).status == 200
        assert (await api.get(".json")).status == 200
        assert (await api.post("/v1/AuthTokens/Secondary")).code == (409, 20409)
        promoted = await api.post("/v1/AuthTokens/Promote")
        assert (promoted.status, promoted.json["auth_token"]) == (200, second.auth_token)
        assert (await api.get(".json")).code == (401, 20003)
        assert (await as_(api, second, "GET", uri(second))).json["auth_token"] == second.auth_token
        assert await api.exchange.key(api.account.sid) == second.auth_token
        assert (await as_(api, second, "POST", "/v1/AuthTokens/Promote")).code == (404, 20404)


async def test_a_second_token_that_is_deleted_is_nobodys(serving: Serving) -> None:
    async with serving() as api:
        made = (await api.post("/v1/AuthTokens/Secondary")).json
        second = replace(api.account, auth_token=made["secondary_auth_token"])
        assert (await api.delete("/v1/AuthTokens/Secondary")).status == 204
        assert (await as_(api, second, "GET", uri(second))).code == (401, 20003)
        assert (await api.delete("/v1/AuthTokens/Secondary")).code == (404, 20404)
