"""Restricted keys, and keys as IAM v1 has them.  reference: sections 2 and 8; Keys, v1."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_client import OURS, THEIRS, Api, Reply, Serving, furnish

from offhook.api.permissions import permission
from offhook.api.resource import Action
from offhook.api.resources import EVERY

READ = "/twilio/messaging/messages/read"


def policy(*allow: str) -> str:
    return json.dumps({"allow": list(allow)})


async def made(api: Api, *allow: str, **more: Any) -> Any:
    restricted = {"KeyType": "restricted", "Policy": policy(*allow)} if allow else {}
    form = {"AccountSid": api.account.sid, "FriendlyName": "Key"} | restricted | more
    reply = await api.post("/v1/Keys", **form)
    assert reply.status == 201, reply.body
    return reply.json


async def ask(api: Api, key: Any, method: str, path: str, **form: Any) -> Reply:
    login = (key["sid"], key["secret"])
    return await api.request(method, path, form=form or None, auth=login)


# Keys


async def test_a_restricted_key_tells_its_secret_once_and_its_policy(serving: Serving) -> None:
    async with serving() as api:
        key = await made(api, READ)
        names = ["sid", "friendly_name", "date_created", "date_updated", "secret", "policy"]
        assert list(key) == names
        assert (key["sid"][:2], key["policy"]) == ("SK", {"allow": [READ]})
        fetched = (await api.get(f"/v1/Keys/{key['sid']}")).json
        assert fetched == {name: value for name, value in key.items() if name != "secret"}


async def test_without_a_type_a_key_is_a_standard_one(serving: Serving) -> None:
    async with serving() as api:
        key = await made(api)
        assert key["policy"] is None
        assert (await ask(api, key, "GET", "Calls.json")).status == 200
        assert (await ask(api, key, "GET", "Keys.json")).code == (401, 20003)
        assert (await api.get(f"Keys/{key['sid']}.json")).json["friendly_name"] == "Key"


async def test_keys_are_listed_with_their_flags_page_by_page(serving: Serving) -> None:
    async with serving() as api:
        restricted, plain = await made(api, READ), await made(api)
        query = {"AccountSid": api.account.sid, "PageSize": "1"}
        first = (await api.get("/v1/Keys", **query)).json
        assert [each["sid"] for each in first["keys"]] == [plain["sid"]]
        assert first["keys"][0]["flags"] == ["rest_api", "signing"]
        meta = first["meta"]
        assert (meta["key"], meta["page"], meta["page_size"]) == ("keys", 0, 1)
        assert meta["previous_page_url"] is None
        root = "http://api.test"
        assert meta["url"] == f"{root}/v1/Keys?AccountSid={api.account.sid}&PageSize=1&Page=0"
        second = (await api.get(meta["next_page_url"].removeprefix(root))).json
        assert [each["sid"] for each in second["keys"]] == [restricted["sid"]]
        assert second["keys"][0]["flags"] == ["restricted", "rest_api"]
        assert second["meta"]["next_page_url"] is None


async def test_who_was_led_here_goes_on_by_the_platforms_host(serving: Serving) -> None:
    async with serving() as api:
        query = {"AccountSid": api.account.sid}
        host = {"host": "iam.twilio.com"}
        listed = await api.request("GET", "/v1/Keys", query, headers=host)
        assert listed.json["meta"]["url"].startswith("https://iam.twilio.com/v1/Keys?")


async def test_a_new_policy_takes_the_place_of_the_old_one(serving: Serving) -> None:
    async with serving() as api:
        key = await made(api, "/twilio/voice/calls/list")
        one, calls = f"/v1/Keys/{key['sid']}", "Calls.json"
        assert (await ask(api, key, "GET", calls)).status == 200
        named = (await api.post(one, FriendlyName="New")).json
        assert (named["friendly_name"], named["policy"]) == ("New", key["policy"])
        changed = (await api.post(one, Policy=policy(READ))).json
        assert changed["policy"] == {"allow": [READ]}
        assert (await ask(api, key, "GET", calls)).code == (401, 20003)


async def test_a_deleted_key_opens_nothing(serving: Serving) -> None:
    async with serving() as api:
        key = await made(api, "/twilio/voice/calls/*")
        assert (await api.delete(f"/v1/Keys/{key['sid']}")).status == 204
        assert (await ask(api, key, "GET", "Calls.json")).code == (401, 20003)
        assert (await api.get(f"/v1/Keys/{key['sid']}")).code == (404, 20404)


async def test_a_parent_makes_keys_for_its_subaccount_and_for_nobody_else(serving: Serving) -> None:
    async with serving() as api:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        other, _ = await furnish(api.exchange.store, number="+14155550112")
        key = await made(api, AccountSid=child.sid)
        path = f"/2010-04-01/Accounts/{child.sid}/Calls.json"
        assert (await ask(api, key, "GET", path)).status == 200
        assert (await api.post("/v1/Keys", AccountSid=other.sid)).code == (401, 20003)
        login = (other.sid, other.auth_token)
        foreign = await api.request("GET", f"/v1/Keys/{key['sid']}", auth=login)
        assert foreign.code == (404, 20404)


@pytest.mark.parametrize(
    "wrong",
    [
        "", "[]", "{}", "allow", policy(), '{"allow": "*"}', policy("*"), policy("/twilio/voice"),
        policy("/twilio/voice/calls/hear"), policy(*["/twilio/voice/calls/read"] * 101), "[" * 9999,
    ],
    ids=lambda each: each[:20],
)  # fmt: skip
async def test_a_policy_that_is_none_is_refused(serving: Serving, wrong: str) -> None:
    async with serving() as api:
        form = {"AccountSid": api.account.sid, "KeyType": "restricted", "Policy": wrong}
        assert (await api.post("/v1/Keys", **form)).code == (400, 20001)
        plain = await made(api)
        assert (await api.post(f"/v1/Keys/{plain['sid']}", Policy=wrong)).code == (400, 20001)


async def test_a_standard_key_has_no_policy(serving: Serving) -> None:
    async with serving() as api:
        plain = await made(api)
        refused = await api.post(f"/v1/Keys/{plain['sid']}", Policy=policy(READ))
        assert refused.code == (400, 20001)


async def test_a_key_belongs_to_somebody(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.post("/v1/Keys")).code == (400, 20001)
        assert (await api.get("/v1/Keys")).code == (400, 20001)


async def test_the_keys_of_2010_know_no_restricted_ones(serving: Serving) -> None:
    """There `KeyType` and `Policy` are parameters like any unknown one."""
    async with serving() as api:
        key = (await api.post("Keys.json", KeyType="restricted", Policy=policy(READ))).json
        assert (await ask(api, key, "GET", "Calls.json")).status == 200


# What they open

TEXT = {"To": THEIRS, "From": OURS, "Body": "Hello"}


async def test_a_permission_opens_one_action_of_one_resource(serving: Serving) -> None:
    async with serving() as api:
        key = await made(api, "/twilio/messaging/messages/create")
        sent = await ask(api, key, "POST", "Messages.json", **TEXT)
        assert sent.status == 201
        closed = [
            ("GET", "Messages.json"), ("GET", f"Messages/{sent.json['sid']}.json"),
            ("DELETE", f"Messages/{sent.json['sid']}.json"), ("GET", "Calls.json"),
            ("GET", ".json"), ("GET", "/2010-04-01/Accounts.json"), ("GET", "Keys.json"),
            ("GET", f"/v1/Keys/{key['sid']}"), ("GET", "Balance.json"),
        ]  # fmt: skip
        for method, path in closed:
            assert (await ask(api, key, method, path)).code == (401, 20003), path


async def test_to_read_is_not_to_list(serving: Serving) -> None:
    async with serving() as api:
        sid = (await api.post("Messages.json", **TEXT)).json["sid"]
        for verb, opened in (("read", f"Messages/{sid}.json"), ("list", "Messages.json")):
            key = await made(api, f"/twilio/messaging/messages/{verb}")
            paths = (f"Messages/{sid}.json", "Messages.json")
            found = [path for path in paths if (await ask(api, key, "GET", path)).status == 200]
            assert found == [opened]


async def test_a_star_opens_all_of_one_resource(serving: Serving) -> None:
    async with serving() as api:
        key = await made(api, "/twilio/voice/queues/*")
        queue = await ask(api, key, "POST", "Queues.json", FriendlyName="Wait")
        one = f"Queues/{queue.json['sid']}.json"
        assert (await ask(api, key, "POST", one, MaxSize="5")).json["max_size"] == 5
        members = one.replace(".json", "/Members.json")
        assert (await ask(api, key, "GET", members)).code == (401, 20003)
        assert (await ask(api, key, "DELETE", one)).status == 204


async def test_a_key_that_may_manage_keys_does(serving: Serving) -> None:
    async with serving() as api:
        key = await made(api, "/twilio/iam/api-keys/*")
        form = {"AccountSid": api.account.sid}
        assert (await ask(api, key, "POST", "/v1/Keys", **form)).status == 201
        assert (await ask(api, key, "GET", "Keys.json")).status == 200


PERMISSIONS = {
    ("POST", "/Calls"): "voice/calls/create",
    ("POST", "/Calls/{sid}"): "voice/calls/update",
    ("GET", "/Calls/{call_sid}/Recordings"): "voice/calls.recordings/list",
    ("GET", "/Calls/{call_sid}/Events"): "voice/request-inspector/read",
    ("POST", "/Applications"): "voice/twiml.apps/create",
    ("POST", "/IncomingPhoneNumbers/Local"): "phone-numbers/active-numbers/create",
    ("DELETE", "/IncomingPhoneNumbers/{sid}"): "phone-numbers/active-numbers/delete",
    ("GET", "/AvailablePhoneNumbers/{country}/Mobile"): "phone-numbers/available-numbers/list",
    ("GET", "/AvailablePhoneNumbers/{country}"): "phone-numbers/available-numbers/list",
    ("GET", "/Usage/Records/Today"): "billing/usage/read",
    ("GET", "/Addresses"): "phone-numbers/address-service/read",
    ("POST", "/SIP/CredentialLists/{list_sid}/Credentials"): (
        "voice/sip.credential-lists.credentials/create"
    ),
    ("POST", "/Messages/{message_sid}/Feedback"): "messaging/messages.feedback/create",
    ("GET", "/Messages/{message_sid}/Media"): "messaging/messages/list",
    ("POST", "/Queues/{queue_sid}/Members/{sid}"): "voice/queues.member/update",
    ("GET", "/Balance"): "",
    ("POST", "/Tokens"): "",
    ("POST", "/SigningKeys"): "",
    ("POST", "/Usage/Triggers"): "",
}


def test_which_permission_opens_what() -> None:
    base = "/2010-04-01/Accounts/{account_sid}"
    actions: dict[tuple[str, str], Action] = {
        (action.method, action.path): action for each in EVERY for action in each.actions
    }
    needed = {what: permission(actions[what[0], base + what[1]]) for what in PERMISSIONS}
    told = {what: f"/twilio/{name}" if name else "" for what, name in PERMISSIONS.items()}
    assert needed == told
    for path in ("/2010-04-01/Accounts", base):
        assert permission(actions["GET", path]) == ""
    assert permission(actions["POST", "/v1/AuthTokens/Promote"]) == ""
