"""Every resource that is served, in JSON and in XML: the same values, property for property.

The walk fills an account by the API itself, then asks each GET route there is for both.
reference: REST conventions section 3.1.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from api_client import OURS, THEIRS, Api, Serving

from offhook.api.openapi import wire_path
from offhook.api.resource import Action
from offhook.api.resources import EVERY

ACCOUNT = "/2010-04-01/Accounts/{account_sid}"
URL = "http://application.test/"
MADE: list[tuple[str, dict[str, str]]] = [
    ("Calls", {"To": THEIRS, "From": OURS, "Url": URL}),
    ("Messages", {"To": THEIRS, "From": OURS, "Body": "<Hi> & bye"}),
    ("SMS/Messages", {"To": THEIRS, "From": OURS, "Body": "Hi"}),
    ("Applications", {"FriendlyName": "Menu", "VoiceUrl": URL}),
    ("Keys", {"FriendlyName": "k"}),
    ("SigningKeys", {"FriendlyName": "k"}),
    ("Queues", {"FriendlyName": "q"}),
    ("Usage/Triggers", {"CallbackUrl": URL, "TriggerValue": "1", "UsageCategory": "calls"}),
    ("SIP/CredentialLists", {"FriendlyName": "c"}),
    ("SIP/IpAccessControlLists", {"FriendlyName": "i"}),
    ("SIP/Domains", {"DomainName": "walk.sip.twilio.com"}),
    (
        "Addresses",
        {
            "CustomerName": "C", "Street": "2 Lane", "City": "Berkeley", "Region": "CA",
            "PostalCode": "94710", "IsoCountry": "US",
        },
    ),
]  # fmt: skip
# Paths whose resources the API cannot make, or that are not of records: lists of them are walked.
NAMES = {"country_code": "US", "country": "US"}


def flat(name: str) -> str:
    return name.replace("_", "").lower()


def same(value: Any, element: ElementTree.Element, where: str) -> None:
    """The element holds what the JSON value is."""
    if isinstance(value, dict):
        tags = [flat(each.tag) for each in element]
        assert tags == [flat(name) for name in value], where
        for (name, inner), each in zip(value.items(), element, strict=True):
            same(inner, each, f"{where}.{name}")
    elif isinstance(value, list):
        assert len(element) == len(value), where
        for inner, each in zip(value, element, strict=True):
            same(inner, each, where)
    else:
        text = element.text or ""
        written = "" if value is None else str(value)
        written = written.lower() if isinstance(value, bool) else written
        assert text in (written, written.replace(".json", "", 1)), where


async def fill(api: Api) -> dict[str, str]:
    """What was made, by the path of its list."""
    made = {}
    for path, form in MADE:
        reply = await api.post(f"{path}.json", **form)
        assert reply.status == 201, (path, reply.body)
        made[path] = reply.json["sid"]
    below = [
        (f"SIP/CredentialLists/{made['SIP/CredentialLists']}/Credentials",
         {"Username": "u", "Password": "Passw0rdPassw0rd"}),
        (f"SIP/IpAccessControlLists/{made['SIP/IpAccessControlLists']}/IpAddresses",
         {"FriendlyName": "ip", "IpAddress": "192.0.2.1"}),
    ]  # fmt: skip
    for path, form in below:
        reply = await api.post(f"{path}.json", **form)
        assert reply.status == 201, (path, reply.body)
        made[path] = reply.json["sid"]
    return made | {"IncomingPhoneNumbers": api.number.sid}


def concrete(api: Api, action: Action, made: dict[str, str]) -> str:
    """The path with names filled in from what was made; "" when there is no such thing."""
    parts = action.path.split("/")
    for n, part in enumerate(parts):
        if part == "{account_sid}":
            parts[n] = api.account.sid
        elif part.startswith("{"):
            parent = "/".join(parts[4:n])
            parts[n] = NAMES.get(part[1:-1]) or made.get(parent, "")
            if not parts[n]:
                return ""
    return "/".join(parts)


async def test_every_resource_is_the_same_in_json_and_xml(serving: Serving) -> None:
    async with serving() as api:
        made = await fill(api)
        await api.exchange.settle() if not api.exchange.attempts else None
        walked = []
        for action in (each for resource in EVERY for each in resource.actions):
            if action.method != "GET" or not {"json", "xml"} <= set(action.suffixes):
                continue
            if action.path.startswith("/v1/"):  # JSON alone
                continue
            path = concrete(api, action, made)
            if path:
                walked.append(wire_path(action))
                await compare(api, action, path)
        assert len(walked) >= 70, walked


async def compare(api: Api, action: Action, path: str) -> None:
    plain, xml = await api.get(f"{path}.json"), await api.get(path)
    assert (plain.status, xml.status) == (200, 200), (path, plain.body)
    assert xml.body.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<TwilioResponse>")
    [element] = xml.xml
    if action.key not in plain.json:
        assert element.tag == action.element
        return same(plain.json, element, path)
    items = plain.json[action.key]
    assert [each.tag for each in element] == [action.element] * len(items), path
    same(items, element, path)
    for name, value in plain.json.items():
        if flat(name) in element.attrib:
            written = "" if value is None else str(value).replace(".json", "", 1)
            assert element.attrib[flat(name)] == written, (path, name)
    return None


# Property order

CONTRACT = Path(os.environ.get("OFFHOOK_CONFORMANCE", "nowhere")) / "oai"


@pytest.mark.skipif(not CONTRACT.is_dir(), reason="OFFHOOK_CONFORMANCE names no contract")
async def test_properties_are_in_the_order_of_the_contract(serving: Serving) -> None:
    described = json.loads((CONTRACT / "twilio_api_v2010_core.json").read_text())
    async with serving() as api:
        made = await fill(api)
        walked = 0
        for action in (each for resource in EVERY for each in resource.actions):
            known = properties(described, action) if action.method == "GET" else []
            path = concrete(api, action, made)
            if not known or not path or "json" not in action.suffixes:
                continue
            body = (await api.get(f"{path}.json")).json
            items = body[action.key] if isinstance(body.get(action.key), list) else [body]
            for item in items:
                shown = [name for name in item if name in known]
                assert shown == [name for name in known if name in item], path
                walked += 1
        assert walked >= 60, walked


def properties(described: Any, action: Action) -> list[str]:
    """Those of a resource, alone or in a list, as the contract describes it."""
    path = shape(wire_path(action))
    paths = {shape(each): operations for each, operations in described["paths"].items()}
    get = paths.get(path, {}).get("get")
    if not get:
        return []
    answer = get["responses"]["200"]["content"]["application/json"]["schema"]
    found: dict[str, Any] = resolved(described, answer)["properties"]
    if items := found.get(action.key, {}).get("items"):
        found = resolved(described, items)["properties"]
    return list(found)


def shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "*", path)


def resolved(described: Any, schema: Any) -> Any:
    while "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema
