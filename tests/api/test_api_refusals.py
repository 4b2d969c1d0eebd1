"""Whatever is refused has the platform's body, in both formats and both versions.

reference: REST conventions sections 6 and 8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from api_client import OURS, THEIRS, Api, Reply, Serving, furnish

from offhook.api.app import LARGEST_BODY, api_app
from offhook.exchange import standing
from offhook.store import records

NOBODY = "0" * 32
TEXT = {"To": THEIRS, "From": OURS, "Body": "Hello"}


async def missing_parameter(api: Api, base: str, suffix: str) -> Reply:
    return await api.post(f"{base}/Messages{suffix}")


async def no_credentials(api: Api, base: str, suffix: str) -> Reply:
    return await api.request("GET", f"{base}/Messages{suffix}", auth=(api.account.sid, "guess"))


async def suspended(api: Api, base: str, suffix: str) -> Reply:
    child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
    resting = replace(child, status="suspended")
    await api.exchange.store.write(records.accounts.save, resting)
    await standing.change(api.exchange, resting)
    login = (child.sid, child.auth_token)
    return await api.request(
        "GET", f"{base.replace(api.account.sid, child.sid)}/Messages{suffix}", auth=login
    )


async def unknown_resource(api: Api, base: str, suffix: str) -> Reply:
    return await api.get(f"{base}/Messages/SM{NOBODY}{suffix}")


async def unknown_path(api: Api, base: str, suffix: str) -> Reply:
    return await api.get(f"{base}/Massages{suffix}")


async def unknown_account(api: Api, base: str, suffix: str) -> Reply:
    return await api.get(f"{base.replace(api.account.sid, 'AC' + NOBODY)}/Messages{suffix}")


async def other_method(api: Api, base: str, suffix: str) -> Reply:
    return await api.delete(f"{base}/Messages{suffix}")


async def wrong_state(api: Api, base: str, suffix: str) -> Reply:
    call = (await api.post("Calls.json", To=THEIRS, From=OURS, Url="http://app.test/")).json
    return await api.delete(f"{base}/Calls/{call['sid']}{suffix}")


async def large_body(api: Api, base: str, suffix: str) -> Reply:
    return await api.post(f"{base}/Messages{suffix}", Body="x" * LARGEST_BODY)


async def many_parameters(api: Api, base: str, suffix: str) -> Reply:
    return await api.post(f"{base}/Messages{suffix}", MediaUrl=["http://app.test/"] * 1001)


async def no_form(api: Api, base: str, suffix: str) -> Reply:
    json = {"content-type": "application/json"}
    return await api.request("POST", f"{base}/Messages{suffix}", headers=json, body=b"{}")


async def too_many(api: Api, base: str, suffix: str) -> Reply:
    rules = replace(api.exchange.rules, concurrent_requests=1)
    api.exchange.rules = rules
    limited = replace(api, app=api_app(api.exchange))
    path = f"{base}/Messages{suffix}"
    await limited.get(path)
    _, refused = await asyncio.gather(limited.get(path), limited.get(path))
    return refused


async def guessing(api: Api, base: str, suffix: str) -> Reply:
    for _ in range(5):
        await no_credentials(api, base, suffix)
    return await no_credentials(api, base, suffix)


async def stopping(api: Api, base: str, suffix: str) -> Reply:
    api.exchange.open = False
    form = {"To": THEIRS, "From": OURS, "Url": "http://app.test/"}
    return await api.post(f"{base}/Calls{suffix}", **form)


Refused = Callable[[Api, str, str], Awaitable[Reply]]
REFUSALS: dict[Refused, tuple[int, int]] = {
    missing_parameter: (400, 21604),
    many_parameters: (400, 20001),
    no_credentials: (401, 20003),
    suspended: (403, 20005),
    unknown_resource: (404, 20404),
    unknown_path: (404, 20404),
    unknown_account: (404, 20404),
    other_method: (405, 20004),
    wrong_state: (409, 20009),
    large_body: (413, 20413),
    no_form: (415, 20415),
    too_many: (429, 20429),
    guessing: (429, 20429),
    stopping: (503, 20503),
}


@pytest.mark.parametrize("version", ["2010-04-01", "2008-08-01"])
@pytest.mark.parametrize("suffix", ["", ".xml", ".json"])
@pytest.mark.parametrize("refused", REFUSALS, ids=lambda each: each.__name__)
async def test_a_refusal_has_its_body(
    serving: Serving, refused: Refused, suffix: str, version: str
) -> None:
    status, code = REFUSALS[refused]
    async with serving() as api:
        reply = await refused(api, f"/{version}/Accounts/{api.account.sid}", suffix)
        told = properties(reply, suffix)
        assert (reply.status, told.pop("status")) == (status, str(status))
        assert told.pop("message")
        if status == 401:
            assert told.pop("detail")
            assert reply.headers["www-authenticate"] == 'Basic realm="Twilio API"'
        if (status, version) == (404, "2008-08-01"):
            assert told == {}
        else:
            more = f"https://www.twilio.com/docs/errors/{code}"
            assert told == {"code": str(code), "more_info": more}


def properties(reply: Reply, suffix: str) -> dict[str, str]:
    """Those of the error, under JSON's names; they are in alphabetical order."""
    if suffix == ".json":
        assert reply.headers["content-type"] == "application/json"
        told = {name: str(value) for name, value in reply.json.items()}
    else:
        assert reply.headers["content-type"].startswith("application/xml")
        root = reply.xml
        [error] = root
        assert (root.tag, error.tag) == ("TwilioResponse", "RestException")
        told = {each.tag: each.text or "" for each in error}
        told = {name.replace("MoreInfo", "more_info").lower(): text for name, text in told.items()}
    assert list(told) == sorted(told)
    return told


async def test_a_404_names_the_path_with_its_suffix(serving: Serving) -> None:
    async with serving() as api:
        for path in ("Massages", "Massages.json", "Massages.xml", f"Messages/SM{NOBODY}.json"):
            reply = await api.get(path)
            told = f"The requested resource {api.base}/{path} was not found"
            assert told in reply.body.decode()


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE", "TRACE"])
async def test_a_method_that_no_list_has_is_refused(serving: Serving, method: str) -> None:
    """RFC 9110 section 15.5.6."""
    async with serving() as api:
        refused = await api.request(method, "Messages.json")
        assert refused.code == (405, 20004)
        assert refused.headers["allow"] == "GET, POST"
