"""JSON and XML carry the same values, property for property.  reference: section 3."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from api_client import OURS, THEIRS, Api, Serving

NAMES = {"sms": "SMS", "mms": "MMS"}


def camel(name: str) -> str:
    return NAMES.get(name) or "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def same(value: Any, element: ElementTree.Element) -> None:
    """The element holds what the JSON value is."""
    if isinstance(value, dict):
        assert [each.tag for each in element] == [camel(name) for name in value]
        for each, inner in zip(element, value.values(), strict=True):
            same(inner, each)
    elif value is None:
        assert element.text is None
    elif isinstance(value, bool):
        assert element.text == str(value).lower()
    else:
        text = element.text or ""
        assert text == str(value).removesuffix(".json") or text == str(value)


async def path_of(api: Api, resource: str) -> str:
    form = {
        "Calls": {"To": THEIRS, "From": OURS, "Url": "http://application.test/"},
        "Messages": {"To": THEIRS, "From": OURS, "Body": "<Hi> & bye"},
        "SMS/Messages": {"To": THEIRS, "From": OURS, "Body": "Hi"},
        "Applications": {"FriendlyName": "Menu"},
        "IncomingPhoneNumbers": {"PhoneNumber": "+15105647903"},
    }[resource]
    created = (await api.post(f"{resource}.json", **form)).json
    path: str = created["uri"]
    return path


@pytest.mark.parametrize(
    ("resource", "element"),
    [
        ("Calls", "Call"),
        ("Messages", "Message"),
        ("SMS/Messages", "SMSMessage"),
        ("Applications", "Application"),
        ("IncomingPhoneNumbers", "IncomingPhoneNumber"),
    ],
)
async def test_a_resource_is_the_same_in_both(
    serving: Serving, resource: str, element: str
) -> None:
    async with serving() as api:
        path = await path_of(api, resource)
        if "Messages" in resource:
            await api.exchange.settle()
        json = (await api.get(path)).json
        [found] = (await api.get(path.removesuffix(".json"))).xml
        assert found.tag == element
        same(json, found)
        [listed] = (await api.get(resource)).xml
        assert listed.tag == element + "s"
        assert found.tag in [each.tag for each in listed]


async def test_uris_have_a_suffix_in_json_only(serving: Serving) -> None:
    async with serving() as api:
        json = (await api.get(".json")).json
        [account] = (await api.get(api.base)).xml
        assert json["uri"] == api.base + ".json"
        assert account.findtext("Uri") == api.base
        assert account.findtext("SubresourceUris/Calls") == f"{api.base}/Calls"
        same(json, account)
