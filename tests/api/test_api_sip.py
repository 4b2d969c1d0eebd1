"""SIP domains, credential lists, access control lists, and their mappings.

reference: REST voice, SIP.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from api_client import Api, Serving, furnish

from offhook import sids
from offhook.model.sip_domains import REALM
from offhook.store.sip_domains import credentials

PASSWORD = "IWasAtSignal2018"
NAME = "front-desk.sip.twilio.com"


async def made(api: Api, path: str, **form: Any) -> Any:
    reply = await api.post(f"SIP/{path}.json", **form)
    assert reply.status == 201, reply.body
    return reply.json


async def credential_list(api: Api, name: str = "phones") -> str:
    sid: str = (await made(api, "CredentialLists", FriendlyName=name))["sid"]
    return sid


async def address_list(api: Api) -> str:
    sid: str = (await made(api, "IpAccessControlLists", FriendlyName="office"))["sid"]
    return sid


async def domain(api: Api, name: str = NAME) -> str:
    sid: str = (await made(api, "Domains", DomainName=name))["sid"]
    return sid


async def test_a_domain_is_made_with_its_defaults(serving: Serving) -> None:
    async with serving() as api:
        form = {
            "DomainName": NAME.upper(),
            "VoiceUrl": "http://a.test/v",
            "SipRegistration": "true",
        }
        found = await made(api, "Domains", **form)
        assert found["domain_name"] == NAME
        assert found["sip_registration"] is True
        assert found["secure"] is False
        assert (found["voice_url"], found["voice_method"]) == ("http://a.test/v", "POST")
        assert found["voice_fallback_url"] is None
        assert found["auth_type"] == ""
        assert found["subresource_uris"] == {
            "credential_list_mappings": (
                f"{api.base}/SIP/Domains/{found['sid']}/CredentialListMappings.json"
            ),
            "ip_access_control_list_mappings": (
                f"{api.base}/SIP/Domains/{found['sid']}/IpAccessControlListMappings.json"
            ),
        }
        assert (await api.get(found["uri"])).json == found
        assert (await api.get("SIP/Domains.json")).json["domains"] == [found]


@pytest.mark.parametrize(
    ("name", "is_fine"),
    [
        (NAME, True),
        ("phones.example.org", True),
        ("", False),
        ("sip.twilio.com", False),
        ("desk.twilio.com", False),
        ("under_score.sip.twilio.com", False),
        ("-dash.sip.twilio.com", False),
        ("one", False),
        ("a b.sip.twilio.com", False),
        ("x" * 64 + ".sip.twilio.com", False),
        ("below.nobody.sip.twilio.com", False),
        ("AC" + "1" * 32 + ".sip.twilio.com", False),
    ],
)
async def test_a_name_is_letters_digits_and_dashes(
    serving: Serving, name: str, is_fine: bool
) -> None:
    async with serving() as api:
        reply = await api.post("SIP/Domains.json", DomainName=name)
        assert reply.status == 201 if is_fine else reply.code == (400, 21232)


async def test_a_name_is_had_by_one_account_and_its_subdomains_by_the_same(
    serving: Serving,
) -> None:
    async with serving() as api:
        await domain(api)
        assert (await api.post("SIP/Domains.json", DomainName=NAME)).code == (400, 21232)
        assert await domain(api, f"berlin.{NAME}")
        other, _ = await furnish(api.exchange.store, number="+14155550177")
        theirs = f"/2010-04-01/Accounts/{other.sid}/SIP/Domains.json"
        form = {"DomainName": f"paris.{NAME}"}
        auth = (other.sid, other.auth_token)
        assert (await api.request("POST", theirs, form=form, auth=auth)).code == (400, 21232)


async def test_a_domain_with_subdomains_stays(serving: Serving) -> None:
    async with serving() as api:
        above = await domain(api)
        below = await domain(api, f"berlin.{NAME}")
        assert (await api.delete(f"SIP/Domains/{above}.json")).code == (400, 21233)
        assert (await api.delete(f"SIP/Domains/{below}.json")).status == 204
        assert (await api.delete(f"SIP/Domains/{above}.json")).status == 204
        assert (await api.get(f"SIP/Domains/{above}.json")).code == (404, 20404)


async def test_a_domain_is_changed(serving: Serving) -> None:
    async with serving() as api:
        sid = await domain(api)
        await domain(api, "taken.sip.twilio.com")
        path = f"SIP/Domains/{sid}.json"
        changed = await api.post(path, VoiceUrl="http://b.test/", DomainName="new.sip.twilio.com")
        assert changed.json["voice_url"] == "http://b.test/"
        assert changed.json["domain_name"] == "new.sip.twilio.com"
        assert (await api.post(path, DomainName="taken.sip.twilio.com")).code == (400, 21232)
        assert (await api.post(path, VoiceUrl="nonsense")).code == (400, 21231)
        assert (await api.post(path, VoiceUrl="")).json["voice_url"] is None


async def test_a_password_is_kept_as_digests_and_never_told(serving: Serving) -> None:
    async with serving() as api:
        list_sid = await credential_list(api)
        path = f"CredentialLists/{list_sid}/Credentials"
        reply = await api.post(f"SIP/{path}.json", Username="ann", Password=PASSWORD)
        assert list(reply.json) == [
            "sid", "account_sid", "credential_list_sid", "username", "date_created",
            "date_updated", "uri",
        ]  # fmt: skip
        kept = await api.exchange.store.read(credentials.get, reply.json["sid"])
        assert kept is not None
        secret = f"ann:{REALM}:{PASSWORD}".encode()
        assert kept.md5 == hashlib.md5(secret).hexdigest()
        assert kept.sha256 == hashlib.sha256(secret).hexdigest()
        changed = await api.post(reply.json["uri"], Password=PASSWORD + "x")
        assert changed.status == 200
        again = await api.exchange.store.read(credentials.get, kept.sid)
        assert again is not None
        assert again.md5 == hashlib.md5(secret + b"x").hexdigest()
        for body in (reply.body, changed.body, (await api.get(f"SIP/{path}.json")).body):
            assert PASSWORD.encode() not in body
            assert again.md5.encode() not in body


@pytest.mark.parametrize(
    "form",
    [
        {"Username": "bob"},
        {"Password": PASSWORD},
        {"Username": "x" * 33, "Password": PASSWORD},
        {"Username": "two words", "Password": PASSWORD},
        {"Username": "bob", "Password": "Short2018"},
        {"Username": "bob", "Password": "iwasatsignal2018"},
        {"Username": "bob", "Password": "IWASATSIGNAL2018"},
        {"Username": "bob", "Password": "IWasAtSignalOnce"},
        {"Username": "ann", "Password": PASSWORD},
    ],
)
async def test_a_weak_or_doubled_credential_is_refused(
    serving: Serving, form: dict[str, str]
) -> None:
    async with serving() as api:
        path = f"SIP/CredentialLists/{await credential_list(api)}/Credentials.json"
        assert (await api.post(path, Username="ann", Password=PASSWORD)).status == 201
        assert (await api.post(path, **form)).code == (400, 21243)
        assert len((await api.get(path)).json["credentials"]) == 1


async def test_addresses_are_ipv4_networks(serving: Serving) -> None:
    async with serving() as api:
        path = f"SIP/IpAccessControlLists/{await address_list(api)}/IpAddresses.json"
        made = await api.post(path, FriendlyName="desk", IpAddress="192.0.2.1")
        assert made.status == 201
        assert (made.json["ip_address"], made.json["cidr_prefix_length"]) == ("192.0.2.1", 32)
        for wrong in (
            {"IpAddress": "192.0.2.1"},
            {"FriendlyName": "desk"},
            {"FriendlyName": "desk", "IpAddress": "192.0.2.256"},
            {"FriendlyName": "desk", "IpAddress": "2001:db8::1"},
            {"FriendlyName": "desk", "IpAddress": "192.0.2.1", "CidrPrefixLength": "33"},
        ):
            assert (await api.post(path, **wrong)).code == (400, 21238), wrong
        changed = await api.post(made.json["uri"], IpAddress="198.51.100.0", CidrPrefixLength=24)
        assert changed.json["ip_address"] == "198.51.100.0"
        assert changed.json["cidr_prefix_length"] == 24
        assert changed.json["friendly_name"] == "desk"
        assert (await api.post(made.json["uri"], IpAddress="no")).code == (400, 21238)


@pytest.mark.parametrize(
    ("path", "code"), [("CredentialLists", 21240), ("IpAccessControlLists", 21235)]
)
async def test_lists_have_names(serving: Serving, path: str, code: int) -> None:
    async with serving() as api:
        assert (await api.post(f"SIP/{path}.json")).code == (400, code)
        assert (await api.post(f"SIP/{path}.json", FriendlyName="x" * 256)).code == (400, code)
        one = await made(api, path, FriendlyName="one")
        changed = await api.post(one["uri"], FriendlyName="two")
        assert changed.json["friendly_name"] == "two"
        other = {"CredentialLists": "IpAccessControlLists"}.get(path, "CredentialLists")
        assert (await api.get(f"SIP/{other}/{one['sid']}.json")).code == (404, 20404)
        assert (await api.get(f"SIP/{other}.json")).json["page_size"] == 50


MAPPINGS = [
    ("CredentialListMappings", "CredentialListSid", "credential_list_mappings", True),
    (
        "IpAccessControlListMappings", "IpAccessControlListSid",
        "ip_access_control_list_mappings", True,
    ),
    ("Auth/Calls/CredentialListMappings", "CredentialListSid", "contents", False),
    ("Auth/Calls/IpAccessControlListMappings", "IpAccessControlListSid", "contents", False),
    ("Auth/Registrations/CredentialListMappings", "CredentialListSid", "contents", False),
]  # fmt: skip


@pytest.mark.parametrize(("path", "parameter", "key", "is_older"), MAPPINGS)
async def test_a_list_is_mapped_to_a_domain(
    serving: Serving, path: str, parameter: str, key: str, is_older: bool
) -> None:
    async with serving() as api:
        domain_sid = await domain(api)
        is_credentials = parameter == "CredentialListSid"
        list_sid = await (credential_list(api) if is_credentials else address_list(api))
        base, bad = f"SIP/Domains/{domain_sid}/{path}", 21240 if is_credentials else 21235
        assert (await api.post(f"{base}.json")).code == (400, bad)
        assert (await api.post(f"{base}.json", **{parameter: "CL1"})).code == (400, bad)
        absent = sids.new(list_sid[:2])
        assert (await api.post(f"{base}.json", **{parameter: absent})).code == (404, 20404)
        mapped = await api.post(f"{base}.json", **{parameter: list_sid})
        assert mapped.status == 201
        assert mapped.json["sid"] == list_sid
        assert mapped.json["friendly_name"] == ("phones" if is_credentials else "office")
        assert ("domain_sid" in mapped.json) == ("uri" in mapped.json) == is_older
        assert (await api.post(f"{base}.json", **{parameter: list_sid})).code == (400, bad)
        assert (await api.get(f"{base}.json")).json[key] == [mapped.json]
        assert (await api.get(f"{base}/{list_sid}.json")).json == mapped.json
        lists = "CredentialLists" if is_credentials else "IpAccessControlLists"
        in_use = 21241 if is_credentials else 21236
        assert (await api.delete(f"SIP/{lists}/{list_sid}.json")).code == (400, in_use)
        assert (await api.delete(f"{base}/{list_sid}.json")).status == 204
        assert (await api.get(f"{base}/{list_sid}.json")).code == (404, 20404)
        assert (await api.delete(f"SIP/{lists}/{list_sid}.json")).status == 204


async def test_the_older_mappings_are_those_for_calls(serving: Serving) -> None:
    async with serving() as api:
        base = f"SIP/Domains/{await domain(api)}"
        list_sid = await credential_list(api)
        await api.post(f"{base}/CredentialListMappings.json", CredentialListSid=list_sid)
        calls = await api.get(f"{base}/Auth/Calls/CredentialListMappings/{list_sid}.json")
        assert calls.status == 200
        registrations = await api.get(f"{base}/Auth/Registrations/CredentialListMappings.json")
        assert registrations.json["contents"] == []


async def test_a_domain_says_how_it_tells_who_may_call(serving: Serving) -> None:
    async with serving() as api:
        sid = await domain(api)
        base = f"SIP/Domains/{sid}"
        form = {"CredentialListSid": await credential_list(api)}
        await api.post(f"{base}/Auth/Registrations/CredentialListMappings.json", **form)
        assert (await api.get(f"{base}.json")).json["auth_type"] == ""
        await api.post(f"{base}/CredentialListMappings.json", **form)
        assert (await api.get(f"{base}.json")).json["auth_type"] == "CREDENTIAL_LIST"
        form = {"IpAccessControlListSid": await address_list(api)}
        await api.post(f"{base}/IpAccessControlListMappings.json", **form)
        [listed] = (await api.get("SIP/Domains.json")).json["domains"]
        assert listed["auth_type"] == "IP_ACL,CREDENTIAL_LIST"


async def test_a_domain_takes_its_mappings_with_it(serving: Serving) -> None:
    async with serving() as api:
        sid, list_sid = await domain(api), await credential_list(api)
        mapping = f"SIP/Domains/{sid}/CredentialListMappings.json"
        await api.post(mapping, CredentialListSid=list_sid)
        assert (await api.delete(f"SIP/Domains/{sid}.json")).status == 204
        assert (await api.get(mapping)).code == (404, 20404)
        assert (await api.delete(f"SIP/CredentialLists/{list_sid}.json")).status == 204


async def test_a_list_takes_what_is_in_it_with_it(serving: Serving) -> None:
    async with serving() as api:
        list_sid, other = await credential_list(api), await credential_list(api)
        path = f"SIP/CredentialLists/{list_sid}/Credentials"
        one = (await api.post(f"{path}.json", Username="ann", Password=PASSWORD)).json["sid"]
        assert (await api.delete(f"SIP/CredentialLists/{other}/Credentials/{one}.json")).code == (
            404, 20404,
        )  # fmt: skip
        assert (await api.delete(f"SIP/CredentialLists/{list_sid}.json")).status == 204
        assert (await api.get(f"{path}/{one}.json")).code == (404, 20404)
        assert (await api.get(f"{path}.json")).code == (404, 20404)
        assert await api.exchange.store.read(credentials.get, one) is None
        assert (await api.delete(f"{path}/{one}.json")).status == 204
        never = sids.new("CR")
        assert (await api.delete(f"{path}/{never}.json")).code == (404, 20404)
