"""Addresses, balance, ICE servers, short codes, connect apps and add-ons.

reference: numbers and accounts sections 1, 3, 5, 9, 10 and 14; messaging section 11.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from api_client import Api, Serving, furnish

from offhook import app, clock, sids
from offhook.config.settings import Inventory, Settings
from offhook.exchange import messages
from offhook.exchange.exchange import Ice
from offhook.media.plane import MediaPlane
from offhook.model.owned import AuthorizedConnectApp, ConnectApp, ShortCode
from offhook.store import owned
from offhook.testing.speech import TestVoice

HOME = {
    "CustomerName": "Ann", "Street": "2 Hasselhoff Lane", "City": "Berkeley", "Region": "CA",
    "PostalCode": "94710", "IsoCountry": "us",
}  # fmt: skip
URL = "http://application.test/sms"


# 3: Addresses


async def home(api: Api, **more: str) -> dict[str, Any]:
    reply = await api.post("Addresses.json", **HOME, **more)
    assert reply.status == 201
    made: dict[str, Any] = reply.json
    return made


async def test_an_address_is_kept_as_it_was_sent(serving: Serving) -> None:
    async with serving() as api:
        address = await home(api, FriendlyName="Home", StreetSecondary="Attic")
        expected = {
            "account_sid": api.account.sid, "city": "Berkeley", "customer_name": "Ann",
            "friendly_name": "Home", "iso_country": "US", "postal_code": "94710", "region": "CA",
            "street": "2 Hasselhoff Lane", "uri": f"{api.base}/Addresses/{address['sid']}.json",
            "emergency_enabled": False, "validated": False, "verified": False,
            "street_secondary": "Attic",
        }  # fmt: skip
        assert {name: address[name] for name in expected} == expected
        assert (await api.get(address["uri"])).json == address


@pytest.mark.parametrize("name", list(HOME))
async def test_an_address_has_all_its_parts(serving: Serving, name: str) -> None:
    async with serving() as api:
        form = {each: value for each, value in HOME.items() if each != name}
        assert (await api.post("Addresses.json", **form)).code == (400, 21238)
        address = await home(api)
        if name != "IsoCountry":
            assert (await api.post(address["uri"], **{name: ""})).code == (400, 21238)


async def test_a_country_that_does_not_exist_has_no_addresses(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.post("Addresses.json", **HOME | {"IsoCountry": "XY"})).code == (
            400,
            21238,
        )


async def test_an_address_is_changed_but_for_its_country(serving: Serving) -> None:
    async with serving() as api:
        address = await home(api)
        form = {"Street": "3 Lane", "IsoCountry": "DE", "EmergencyEnabled": "true"}
        changed = (await api.post(address["uri"], **form)).json
        assert (changed["street"], changed["iso_country"]) == ("3 Lane", "US")
        assert changed["emergency_enabled"] is True
        assert changed["customer_name"] == "Ann"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"CustomerName": "Ann"}, 2), ({"CustomerName": "An"}, 0), ({"FriendlyName": "Home"}, 1),
        ({"IsoCountry": "US"}, 2), ({"EmergencyEnabled": "true"}, 1),
        ({"EmergencyEnabled": "false"}, 1),
    ],
)  # fmt: skip
async def test_addresses_are_filtered(serving: Serving, query: dict[str, str], count: int) -> None:
    async with serving() as api:
        await home(api, FriendlyName="Home")
        await home(api, EmergencyEnabled="true")
        assert len((await api.get("Addresses.json", **query)).json["addresses"]) == count


async def test_an_address_stays_as_long_as_a_number_stands_on_it(serving: Serving) -> None:
    async with serving() as api:
        address = await home(api)
        path = f"IncomingPhoneNumbers/{api.number.sid}.json"
        assert (await api.post(path, AddressSid=address["sid"])).status == 200
        dependents = f"Addresses/{address['sid']}/DependentPhoneNumbers.json"
        [found] = (await api.get(dependents)).json["dependent_phone_numbers"]
        assert (found["sid"], found["phone_number"]) == (api.number.sid, api.number.phone_number)
        assert (await api.delete(address["uri"])).code == (400, 21628)
        await api.post(path, AddressSid="")
        assert (await api.get(dependents)).json["dependent_phone_numbers"] == []
        assert (await api.delete(address["uri"])).status == 204
        assert (await api.get(address["uri"])).code == (404, 20404)
        assert (await api.get(dependents)).code == (404, 20404)


async def test_a_number_stands_on_the_accounts_own_addresses_alone(serving: Serving) -> None:
    async with serving() as api:
        path = f"IncomingPhoneNumbers/{api.number.sid}.json"
        unknown = "AD" + "0" * 32
        assert (await api.post(path, AddressSid=unknown)).code == (400, 20001)
        address = await home(api)
        changed = (await api.post(path, EmergencyAddressSid=address["sid"])).json
        assert changed["emergency_address_status"] == "registered"
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        menu = (await api.post("Applications.json")).json["sid"]
        await api.post(path, VoiceApplicationSid=menu)
        moved = (await api.post(path, AccountSid=child.sid)).json
        assert moved["voice_application_sid"] is None
        assert moved["emergency_address_sid"] is None
        assert moved["emergency_address_status"] == "unregistered"


# 9 and 10: Tokens and Balance


async def test_ice_servers_come_with_credentials_for_a_time(serving: Serving) -> None:
    async with serving() as api:
        ice = Ice(("stun:turn.test:3478",), ("turn:turn.test:3478?transport=udp",), "shared")
        api.exchange.rules = replace(api.exchange.rules, ice=ice)
        reply = await api.post("Tokens.json", Ttl="3600")
        token = reply.json
        assert (reply.status, token["ttl"], token["account_sid"]) == (201, "3600", api.account.sid)
        ends = int(token["username"].partition(":")[0])
        assert 3590 <= ends - clock.utc().timestamp() <= 3601
        signed = hmac.new(b"shared", token["username"].encode(), hashlib.sha1).digest()
        assert base64.b64decode(token["password"]) == signed
        login = {"username": token["username"], "credential": token["password"]}
        assert token["ice_servers"] == [
            {"url": "stun:turn.test:3478", "urls": "stun:turn.test:3478"},
            {"url": ice.turn[0], "urls": ice.turn[0]} | login,
        ]
        assert (await api.post("Tokens.json")).json["ttl"] == "86400"
        assert (await api.post("Tokens.json", Ttl="0")).code == (400, 20001)


async def test_only_a_parent_has_a_balance(serving: Serving) -> None:
    async with serving() as api:
        balance = (await api.get("Balance.json")).json
        assert list(balance) == ["account_sid", "balance", "currency"]
        assert isinstance(balance["balance"], str)
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        of_child = await api.get(f"/2010-04-01/Accounts/{child.sid}/Balance.json")
        assert of_child.code == (404, 20404)


# Messaging 11: short codes


async def code_of(api: Api, code: str = "12345") -> ShortCode:
    now = clock.utc()
    made = ShortCode(sids.new("SC"), api.account.sid, code, now, now, code)
    await api.exchange.store.write(owned.short_codes.insert, made)
    return made


async def test_a_short_code_is_found_and_changed(serving: Serving) -> None:
    async with serving() as api:
        code = await code_of(api)
        await code_of(api, "67890")
        for query in ({"ShortCode": "12345"}, {"FriendlyName": "12345"}):
            [found] = (await api.get("SMS/ShortCodes.json", **query)).json["short_codes"]
            assert found["sid"] == code.sid
        path = f"SMS/ShortCodes/{code.sid}.json"
        changed = (await api.post(path, FriendlyName="Shop", SmsUrl=URL, SmsMethod="GET")).json
        assert (changed["friendly_name"], changed["sms_url"]) == ("Shop", URL)
        assert (await api.get(path)).json == changed
        assert (await api.post(path, SmsUrl="nowhere")).code == (400, 21402)
        assert (await api.post(path, SmsMethod="PUT")).code == (400, 21403)
        assert (await api.delete(path)).code == (405, 20004)


async def test_a_short_code_texts_and_is_texted(serving: Serving) -> None:
    async with serving() as api:
        code = await code_of(api)
        await api.post(f"SMS/ShortCodes/{code.sid}.json", SmsUrl=URL)
        sent = await api.post("Messages.json", To="+14155550199", From_="12345", Body="Hi")
        assert (sent.status, sent.json["from"]) == (201, "12345")
        got = await messages.on_text(api.exchange, "12345", "+14155550199", "Hello")
        assert got is not None
        await api.exchange.settle()
        assert (got.account_sid, got.to) == (api.account.sid, "12345")
        assert [each.url for each in api.asked] == [URL]
        call = {"To": "+14155550199", "From": "12345", "Url": URL}
        assert (await api.post("Calls.json", **call)).status == 400


@pytest.mark.parametrize("after", [("12345", "54321"), ()])
async def test_short_codes_are_those_of_the_settings(
    tmp_path: Path, after: tuple[str, ...]
) -> None:
    for listed in (("12345", "67890"), after):
        settings = Settings(data=tmp_path, inventory=Inventory(short_codes=listed))
        parts = app.Parts(await MediaPlane.local(range(20000, 20200)), TestVoice())
        async with app.running(settings, parts) as running:
            kept = await running.exchange.store.read(owned.short_codes.all)
            assert {each.short_code for each in kept} == set(listed)
            assert {each.account_sid for each in kept} <= {running.account.sid}


# 14: connect apps


async def app_of(api: Api) -> ConnectApp:
    now = clock.utc()
    made = ConnectApp(sids.new("CN"), api.account.sid, now, now, "Shop", permissions=("get-all",))
    await api.exchange.store.write(owned.connect_apps.insert, made)
    return made


async def test_a_connect_app_is_changed_and_deleted(serving: Serving) -> None:
    async with serving() as api:
        shop = await app_of(api)
        path = f"ConnectApps/{shop.sid}.json"
        [listed] = (await api.get("ConnectApps.json")).json["connect_apps"]
        assert (listed["permissions"], listed["company_name"]) == (["get-all"], None)
        form = {"CompanyName": "Ann's", "Permissions": ["get-all", "post-all"]}
        changed = (await api.post(path, **form)).json
        assert (changed["company_name"], changed["permissions"]) == (
            "Ann's",
            ["get-all", "post-all"],
        )
        assert (await api.get(path)).json == changed
        assert (await api.post(path, Permissions="own-all")).code == (400, 20001)
        assert (await api.post(path, HomepageUrl="nowhere")).code == (400, 21402)
        assert (await api.delete(path)).status == 204
        assert (await api.get(path)).code == (404, 20404)


async def test_an_app_that_was_let_in_is_listed_until_it_is_gone(serving: Serving) -> None:
    async with serving() as api:
        shop, now = await app_of(api), clock.utc()
        let_in = AuthorizedConnectApp(
            sids.new("CN"), api.account.sid, shop.sid, now, now, "Shop", permissions=("get-all",)
        )
        await api.exchange.store.write(owned.authorized_apps.insert, let_in)
        path = f"AuthorizedConnectApps/{shop.sid}.json"
        found = (await api.get(path)).json
        assert (found["connect_app_sid"], found["connect_app_friendly_name"]) == (shop.sid, "Shop")
        listed = (await api.get("AuthorizedConnectApps.json")).json
        assert listed["authorized_connect_apps"] == [found]
        await api.delete(f"ConnectApps/{shop.sid}.json")
        assert (await api.get(path)).code == (404, 20404)


# 1: add-ons


async def test_there_are_no_add_ons(serving: Serving) -> None:
    async with serving() as api:
        path = f"IncomingPhoneNumbers/{api.number.sid}/AssignedAddOns"
        assert (await api.get(f"{path}.json")).json["assigned_add_ons"] == []
        add_on = "XE" + "0" * 32
        for method, more in (("POST", ""), ("GET", f"/{add_on}"), ("DELETE", f"/{add_on}")):
            form = {"InstalledAddOnSid": add_on} if method == "POST" else None
            assert (await api.request(method, f"{path}{more}.json", form=form)).code == (
                404,
                20404,
            )
        unknown = f"IncomingPhoneNumbers/PN{'0' * 32}/AssignedAddOns.json"
        assert (await api.get(unknown)).code == (404, 20404)


# 1.3: transfers


async def test_a_transfer_needs_an_account(serving: Serving) -> None:
    async with serving() as api:
        path = f"IncomingPhoneNumbers/{api.number.sid}.json"
        assert (await api.post(path, AccountSid="")).code == (400, 21471)
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        await api.post(f"/2010-04-01/Accounts/{child.sid}.json", Status="suspended")
        assert (await api.post(path, AccountSid=child.sid)).code == (400, 21472)
