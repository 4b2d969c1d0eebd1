"""Test credentials and their magic numbers (M25).  reference: test credentials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from api_client import OURS, THEIRS, Api, Reply, Serving

from offhook.api.test_credentials import pair
from offhook.model.account import Account
from offhook.store import records

VALID = "+15005550006"
URL = "http://application.test/voice"


@dataclass
class Rehearsal:
    """A client with an account's test credentials."""

    api: Api
    account: Account

    async def request(self, method: str, path: str, **form: Any) -> Reply:
        whole = f"/2010-04-01/Accounts/{self.account.sid}{path}"
        login = (self.account.sid, self.account.auth_token)
        return await self.api.request(method, whole, form=form or None, auth=login)

    async def post(self, path: str, **form: Any) -> Reply:
        return await self.request("POST", path, **form)

    async def buy(self, **form: Any) -> Reply:
        return await self.post("/IncomingPhoneNumbers.json", **form)

    async def call(self, **form: Any) -> Reply:
        return await self.post(
            "/Calls.json", **{"To": "+5117084900", "From": VALID, "Url": URL} | form
        )

    async def text(self, path: str = "/Messages.json", **form: Any) -> Reply:
        return await self.post(path, **{"To": THEIRS, "From": VALID, "Body": "Hi"} | form)


async def rehearsal(api: Api) -> Rehearsal:
    return Rehearsal(api, await pair(api.exchange, api.account))


# Section 1: in general


async def test_an_account_keeps_its_test_pair(serving: Serving) -> None:
    async with serving() as api:
        first, second = [await pair(api.exchange, api.account) for _ in range(2)]
        assert first == second
        assert first.sid != api.account.sid
        assert first.auth_token != api.account.auth_token


async def test_a_test_account_is_not_listed_with_subaccounts(serving: Serving) -> None:
    async with serving() as api:
        await rehearsal(api)
        listed = (await api.get("/2010-04-01/Accounts.json")).json["accounts"]
        assert [each["sid"] for each in listed] == [api.account.sid]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ".json"),
        ("POST", ".json"),
        ("GET", "/Calls.json"),
        ("GET", "/Messages.json"),
        ("POST", "/Applications.json"),
        ("DELETE", f"/Messages/SM{'0' * 32}.json"),
    ],
)
async def test_everything_else_is_closed(serving: Serving, method: str, path: str) -> None:
    async with serving() as api:
        reply = await (await rehearsal(api)).request(method, path)
        assert reply.status == 403
        assert reply.json == {
            "code": 20008,
            "message": "Resource not accessible with Test Account Credentials",
            "more_info": "https://www.twilio.com/docs/errors/20008",
            "status": 403,
        }


async def test_each_pair_opens_its_own_path_only(serving: Serving) -> None:
    async with serving() as api:
        test = (await rehearsal(api)).account
        live = (api.account.sid, api.account.auth_token)
        form = {"To": THEIRS, "From": VALID, "Body": "Hi"}
        for path_sid, login in [
            (test.sid, (test.sid, "f" * 32)),
            (test.sid, (test.sid, api.account.auth_token)),
            (api.account.sid, (api.account.sid, test.auth_token)),
            (api.account.sid, (test.sid, test.auth_token)),
            (test.sid, live),
        ]:
            path = f"/2010-04-01/Accounts/{path_sid}/Messages.json"
            assert (await api.request("POST", path, form=form, auth=login)).code == (401, 20003)


async def test_nothing_is_stored_sent_or_asked(serving: Serving) -> None:
    async with serving() as api:
        test = await rehearsal(api)
        made = [
            await test.text(StatusCallback=URL),
            await test.call(StatusCallback=URL),
            await test.buy(PhoneNumber=VALID),
        ]
        await api.exchange.settle()
        assert [each.status for each in made] == [201, 201, 201]
        for table in (records.messages, records.calls):
            assert await api.exchange.store.read(table.count) == 0  # type: ignore[attr-defined]
        assert await api.exchange.store.read(records.numbers.by_number, VALID) is None
        assert api.asked == []


async def test_the_pair_of_a_suspended_account_is_suspended(serving: Serving) -> None:
    async with serving() as api:
        test = await rehearsal(api)
        suspended = replace(api.account, status="suspended")
        await api.exchange.store.write(records.accounts.save, suspended)
        api.exchange.accounts.clear()
        assert (await test.text()).code == (403, 20005)


async def test_what_is_missing_or_malformed_is_told_as_to_live_accounts(serving: Serving) -> None:
    async with serving() as api:
        test = await rehearsal(api)
        assert (await test.post("/Messages.json", To=THEIRS, From_=VALID)).code == (400, 21602)
        assert (await test.post("/Messages.json", From_=VALID, Body="x")).code == (400, 21604)
        assert (await test.post("/Messages.json", To=THEIRS, Body="x")).code == (400, 21603)
        assert (await test.text(Body="x" * 1601)).code == (400, 21617)
        assert (await test.text("/SMS/Messages.json", Body="x" * 161)).code == (400, 21605)
        assert (await test.post("/Calls.json", From_=VALID, Url=URL)).code == (400, 21201)
        assert (await test.post("/Calls.json", To=THEIRS, Url=URL)).code == (400, 21213)
        assert (await test.post("/Calls.json", To=THEIRS, From_=VALID)).code == (400, 21205)
        assert (await test.call(Url="nowhere")).code == (400, 21205)
        assert (await test.call(To="12")).code == (400, 21217)
        assert (await test.buy(PhoneNumber=VALID, VoiceUrl="nowhere")).code == (400, 21402)


# Section 2: buying numbers


@pytest.mark.parametrize(
    ("number", "code"),
    [("+15005550000", 21422), ("+15005550001", 21421), ("33", 21421), ("+351800207768", 21422)],
)
async def test_numbers_that_cannot_be_bought(serving: Serving, number: str, code: int) -> None:
    async with serving() as api:
        assert (await (await rehearsal(api)).buy(PhoneNumber=number)).code == (400, code)


async def test_a_number_is_bought(serving: Serving) -> None:
    async with serving() as api:
        reply = await (await rehearsal(api)).buy(PhoneNumber=VALID, VoiceUrl=URL)
        bought = reply.json
        assert reply.status == 201
        assert bought["phone_number"] == VALID
        assert bought["friendly_name"] == "(500) 555-0006"
        assert bought["voice_url"] == URL
        assert not any(bought["capabilities"].values())


@pytest.mark.parametrize(("area", "status"), [("500", 201), ("533", 400), ("415", 400)])
async def test_only_area_code_500_has_numbers(serving: Serving, area: str, status: int) -> None:
    async with serving() as api:
        reply = await (await rehearsal(api)).buy(AreaCode=area)
        assert reply.status == status
        assert reply.json.get("code") == (None if status == 201 else 21452)


async def test_portugal_is_tried_for_nothing(serving: Serving) -> None:
    """A number in Portugal (M25): its errors are seen without a cent."""
    async with serving() as api:
        reply = await (await rehearsal(api)).buy(PhoneNumber="+351308800000")
        assert reply.json["message"] == "+351308800000 is not available"


# Section 3: texts


@pytest.mark.parametrize("path", ["/Messages.json", "/SMS/Messages.json"])
@pytest.mark.parametrize(
    ("parameter", "number", "code"),
    [
        ("To", "+15005550001", 21211),
        ("To", "+15005550002", 21612),
        ("To", "+15005550003", 21408),
        ("To", "+15005550004", 21610),
        ("To", "+15005550009", 21614),
        ("To", "xyz", 21211),
        ("From", "+15005550001", 21212),
        ("From", "+15005550007", 21606),
        ("From", "+15005550008", 21611),
        ("From", OURS, 21606),
    ],
)
async def test_texts_that_fail(
    serving: Serving, path: str, parameter: str, number: str, code: int
) -> None:
    async with serving() as api:
        reply = await (await rehearsal(api)).text(path, **{parameter: number})
        assert reply.code == (400, code)


async def test_the_receiver_is_looked_at_first(serving: Serving) -> None:
    async with serving() as api:
        reply = await (await rehearsal(api)).text(To="+15005550009", From="+15005550007")
        assert reply.code == (400, 21614)


async def test_a_text_is_queued_for_ever(serving: Serving) -> None:
    async with serving() as api:
        text = (await (await rehearsal(api)).text()).json
        assert (text["status"], text["direction"]) == ("queued", "outbound-api")
        assert (text["date_sent"], text["price"]) == (None, None)
        assert (text["from"], text["api_version"]) == (VALID, "2010-04-01")


# Section 4: calls


@pytest.mark.parametrize(
    ("parameter", "number", "code"),
    [
        ("To", "+15005550001", 21217),
        ("To", "+15005550002", 21214),
        ("To", "+15005550003", 21215),
        ("To", "+15005550004", 21216),
        ("From", "+15005550001", 21212),
        ("From", OURS, 21210),
    ],
)
async def test_calls_that_fail(serving: Serving, parameter: str, number: str, code: int) -> None:
    async with serving() as api:
        reply = await (await rehearsal(api)).call(**{parameter: number})
        assert reply.code == (400, code)


async def test_peru_is_called_for_nothing(serving: Serving) -> None:
    """A call to Peru (M25)."""
    async with serving() as api:
        call = (await (await rehearsal(api)).call()).json
        assert (call["status"], call["to"]) == ("queued", "+5117084900")
        assert (call["direction"], call["api_version"]) == (None, None)
        assert call["subresource_uris"]["recordings"].endswith(f"{call['sid']}/Recordings.json")


# With live credentials, where the operator asked for it


async def test_magic_numbers_work_with_live_credentials_when_asked_for(serving: Serving) -> None:
    async with serving() as api:
        api.exchange.rules = replace(api.exchange.rules, magic_numbers=True)
        message = {"To": "+15005550009", "From": VALID, "Body": "Hi"}
        assert (await api.post("Messages.json", **message)).code == (400, 21614)
        sent = await api.post("Messages.json", **message | {"To": THEIRS}, StatusCallback=URL)
        assert sent.status == 201
        await api.exchange.settle()
        status = (await api.get(f"Messages/{sent.json['sid']}.json")).json["status"]
        assert status == "delivered"
        call = {"To": "+15005550002", "From": VALID, "Url": URL}
        assert (await api.post("Calls.json", **call)).code == (400, 21214)
        assert (await api.post("Calls.json", **call | {"To": THEIRS})).status == 201


async def test_magic_numbers_are_like_others_unless_asked_for(serving: Serving) -> None:
    async with serving() as api:
        message = {"To": "+15005550009", "From": OURS, "Body": "Hi"}
        assert (await api.post("Messages.json", **message)).status == 201
        assert (await api.post("Messages.json", **message | {"From": VALID})).code == (400, 21606)
