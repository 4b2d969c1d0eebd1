"""API keys and signing keys.  reference: section 8."""

from __future__ import annotations

from dataclasses import replace

import pytest
from api_client import Api, Reply, Serving, furnish

from offhook.store.owned import api_keys

BOTH = pytest.mark.parametrize("path", ["Keys", "SigningKeys"])


async def with_key(api: Api, key: dict[str, str], method: str, path: str) -> Reply:
    form = {} if method == "POST" else None
    return await api.request(method, path, form=form, auth=(key["sid"], key["secret"]))


async def made(api: Api, path: str = "Keys") -> dict[str, str]:
    reply = await api.post(f"{path}.json", FriendlyName="Login")
    assert reply.status == 201
    key: dict[str, str] = reply.json
    return key


@BOTH
async def test_a_key_tells_its_secret_once(serving: Serving, path: str) -> None:
    async with serving() as api:
        key = await made(api, path)
        assert list(key) == ["sid", "friendly_name", "date_created", "date_updated", "secret"]
        assert (key["sid"][:2], len(key["secret"]), key["friendly_name"]) == ("SK", 32, "Login")
        fetched = (await api.get(f"{path}/{key['sid']}.json")).json
        assert fetched == {name: value for name, value in key.items() if name != "secret"}
        listed = (await api.get(f"{path}.json")).json["keys" if path == "Keys" else "signing_keys"]
        assert listed == [fetched]


@BOTH
async def test_a_key_is_renamed_and_deleted(serving: Serving, path: str) -> None:
    async with serving() as api:
        one = f"{path}/{(await made(api, path))['sid']}.json"
        assert (await api.post(one, FriendlyName="Two")).json["friendly_name"] == "Two"
        assert (await api.get(one)).json["friendly_name"] == "Two"
        assert (await api.post(one, FriendlyName="x" * 65)).code == (400, 20002)
        assert (await api.delete(one)).status == 204
        assert (await api.get(one)).code == (404, 20404)


async def test_a_key_is_a_login_until_it_is_deleted(serving: Serving) -> None:
    async with serving() as api:
        key = await made(api)
        assert (await with_key(api, key, "GET", "Calls.json")).status == 200
        wrong = await with_key(api, key | {"secret": "f" * 32}, "GET", "Calls.json")
        assert wrong.code == (401, 20003)
        await api.delete(f"Keys/{key['sid']}.json")
        assert (await with_key(api, key, "GET", "Calls.json")).code == (401, 20003)


async def test_a_standard_key_manages_neither_accounts_nor_keys(serving: Serving) -> None:
    async with serving() as api:
        key = await made(api)
        for method, path in (
            ("GET", "/2010-04-01/Accounts.json"), ("POST", "/2010-04-01/Accounts.json"),
            ("GET", ".json"), ("POST", ".json"), ("GET", "Keys.json"), ("POST", "Keys.json"),
            ("GET", "SigningKeys.json"), ("DELETE", f"Keys/{key['sid']}.json"),
            ("POST", "/v1/AuthTokens/Secondary"),
        ):  # fmt: skip
            assert (await with_key(api, key, method, path)).code == (401, 20003)


async def test_a_main_key_manages_both(serving: Serving) -> None:
    async with serving() as api:
        key = await made(api)
        stored = await api.exchange.store.read(api_keys.get, key["sid"])
        assert stored
        await api.exchange.store.write(api_keys.save, replace(stored, role="main"))
        for path in ("/2010-04-01/Accounts.json", ".json", "Keys.json"):
            assert (await with_key(api, key, "GET", path)).status == 200


async def test_a_parents_key_acts_for_its_subaccount_alone(serving: Serving) -> None:
    async with serving() as api:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        other, _ = await furnish(api.exchange.store, number="+14155550112")
        key = await made(api)
        for account, status in ((child, 200), (other, 401)):
            path = f"/2010-04-01/Accounts/{account.sid}/Calls.json"
            assert (await with_key(api, key, "GET", path)).status == status


async def test_another_accounts_key_is_missing(serving: Serving) -> None:
    async with serving() as api:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        key = await made(api)
        path = f"/2010-04-01/Accounts/{child.sid}/Keys/{key['sid']}.json"
        assert (await api.get(path)).code == (404, 20404)
