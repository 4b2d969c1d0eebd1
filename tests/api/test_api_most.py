"""How many of a kind an account may have.  reference: REST voice, SIP; Usage triggers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from api_client import Api, Serving

from offhook import sids
from offhook.model.sip_domains import (
    MOST_ADDRESSES,
    MOST_CREDENTIALS,
    MOST_DOMAINS,
    MOST_LISTS,
)
from offhook.model.usage import MOST_TRIGGERS
from offhook.store import sip_domains
from offhook.store.store import Connection
from offhook.store.table import Records
from offhook.store.usage import triggers

PASSWORD = "IWasAtSignal2018"


async def at_account(api: Api) -> str:
    return ""


async def in_credential_list(api: Api) -> str:
    made = await api.post("SIP/CredentialLists.json", FriendlyName="Phones")
    return f"SIP/CredentialLists/{made.json['sid']}/"


async def in_address_list(api: Api) -> str:
    made = await api.post("SIP/IpAccessControlLists.json", FriendlyName="Office")
    return f"SIP/IpAccessControlLists/{made.json['sid']}/"


TRIGGER = {"CallbackUrl": "http://a.test/", "TriggerValue": "1", "UsageCategory": "calls"}
Place = Callable[[Api], Awaitable[str]]
KINDS: dict[str, tuple[Place, str, Records[Any], int, int, dict[str, str]]] = {
    "domains": (
        at_account, "SIP/Domains", sip_domains.domains, MOST_DOMAINS, 21230,
        {"DomainName": "desk-{}.sip.twilio.com"},
    ),
    "credential lists": (
        at_account, "SIP/CredentialLists", sip_domains.lists, MOST_LISTS, 21239,
        {"FriendlyName": "List {}"},
    ),
    "access lists": (
        at_account, "SIP/IpAccessControlLists", sip_domains.lists, MOST_LISTS, 21255,
        {"FriendlyName": "List {}"},
    ),
    "credentials": (
        in_credential_list, "Credentials", sip_domains.credentials, MOST_CREDENTIALS, 21242,
        {"Username": "phone-{}", "Password": PASSWORD},
    ),
    "addresses": (
        in_address_list, "IpAddresses", sip_domains.addresses, MOST_ADDRESSES, 21237,
        {"FriendlyName": "Desk {}", "IpAddress": "192.0.2.{}"},
    ),
    "triggers": (at_account, "Usage/Triggers", triggers, MOST_TRIGGERS, 20403, TRIGGER),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_there_may_be_so_many_and_no_more(serving: Serving, kind: str) -> None:
    place, path, table, most, code, form = KINDS[kind]

    def form_of(number: int) -> dict[str, str]:
        return {name: value.format(number) for name, value in form.items()}

    async with serving() as api:
        whole = await place(api) + path
        first = (await api.post(f"{whole}.json", **form_of(1))).json["sid"]
        original = await api.exchange.store.read(table.get, first)

        def fill(connection: Connection) -> None:
            for number in range(most - 2):
                table.insert(connection, copied(original, number))

        await api.exchange.store.write(fill)
        assert (await api.post(f"{whole}.json", **form_of(2))).status == 201
        assert (await api.post(f"{whole}.json", **form_of(3))).code == (400, code)


def copied(original: Any, number: int) -> Any:
    """Another one like it."""
    changes = {"sid": sids.new(original.sid[:2])}
    for field in ("domain_name", "username", "friendly_name"):
        if getattr(original, field, ""):
            changes[field] = f"copy-{number}"
    return replace(original, **changes)
