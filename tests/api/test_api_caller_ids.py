"""OutgoingCallerIds, and the call that verifies one.  reference: section 4."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from api_client import OURS, Serving, furnish

from offhook import clock, sids
from offhook.model.owned import OutgoingCallerId
from offhook.store import owned
from offhook.testing.phones import PhoneCall
from offhook.testing.platform import Offhook

OWN, NUMBER = "+14155550100", "+14155550123"
HEARD = "verification code"


async def verified(api: Any, number: str = NUMBER, account_sid: str = "") -> OutgoingCallerId:
    now = clock.utc()
    made = OutgoingCallerId(
        sids.new("PN"), account_sid or api.account.sid, number, now, now, "Mine"
    )
    await api.exchange.store.write(owned.caller_ids.insert, made)
    return made


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"PhoneNumber": ""}, 21401),
        ({"PhoneNumber": "33"}, 21401),
        ({"PhoneNumber": "911"}, 21401),
        ({"CallDelay": "61"}, 21454),
        ({"Extension": "abc"}, 20001),
        ({"StatusCallback": "nowhere"}, 21402),
        ({"StatusCallbackMethod": "PUT"}, 21403),
        ({"FriendlyName": "x" * 65}, 20002),
        ({"PhoneNumber": OURS}, 21449),
    ],
)
async def test_a_request_that_is_wrong_has_its_code(
    serving: Serving, form: dict[str, str], code: int
) -> None:
    async with serving() as api:
        sent = {"PhoneNumber": NUMBER} | form
        assert (await api.post("OutgoingCallerIds.json", **sent)).code == (400, code)


async def test_a_number_is_verified_once(serving: Serving) -> None:
    async with serving() as api:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        await verified(api)
        await verified(api, "+14155550124", child.sid)
        for number, code in ((NUMBER, 21450), ("+14155550124", 21453)):
            reply = await api.post("OutgoingCallerIds.json", PhoneNumber=number)
            assert reply.code == (400, code)


async def test_the_answer_is_the_code_and_the_call(serving: Serving) -> None:
    async with serving() as api:
        reply = await api.post("OutgoingCallerIds.json", PhoneNumber="(415) 555-0123")
        asked = reply.json
        assert reply.status == 200
        assert (asked["phone_number"], asked["friendly_name"]) == (NUMBER, "(415) 555-0123")
        assert len(asked["validation_code"]) == 6
        assert asked["validation_code"].isdecimal()
        call = (await api.get(f"Calls/{asked['call_sid']}.json")).json
        assert (call["to"], call["from"], call["direction"]) == (NUMBER, OURS, "outbound-api")
        xml = await api.post("OutgoingCallerIds", PhoneNumber="+14155550125")
        assert [each.tag for each in xml.xml] == ["ValidationRequest"]


async def test_a_caller_id_is_renamed_found_and_deleted(serving: Serving) -> None:
    async with serving() as api:
        sid = (await verified(api)).sid
        await verified(api, "+14155550124")
        path = f"OutgoingCallerIds/{sid}.json"
        assert (await api.post(path, FriendlyName="Home")).json["friendly_name"] == "Home"
        for query in ({"PhoneNumber": NUMBER}, {"FriendlyName": "Home"}):
            listed = (await api.get("OutgoingCallerIds.json", **query)).json
            assert [each["sid"] for each in listed["outgoing_caller_ids"]] == [sid]
        assert (await api.post(path, FriendlyName="")).json["friendly_name"] == "(415) 555-0123"
        assert (await api.delete(path)).status == 204
        assert (await api.get(path)).code == (404, 20404)


async def test_a_verified_number_may_call_until_it_is_deleted(serving: Serving) -> None:
    async with serving() as api:
        sid = (await verified(api)).sid
        form = {"To": "+14155550199", "From": NUMBER, "Twiml": "<Response/>"}
        call = await api.post("Calls.json", **form)
        assert (call.status, call.json["phone_number_sid"]) == (201, sid)
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        of_child = await api.post(f"/2010-04-01/Accounts/{child.sid}/Calls.json", **form)
        assert of_child.code == (400, 21210)
        await api.delete(f"OutgoingCallerIds/{sid}.json")
        assert (await api.post("Calls.json", **form)).code == (400, 21210)


# The call itself


async def ask(offhook: Offhook, **form: str) -> tuple[dict[str, Any], PhoneCall]:
    """What the request answers, and the call that comes of it."""
    offhook.number(OWN)
    answer = await offhook.post(
        "OutgoingCallerIds.json", PhoneNumber=NUMBER,
        StatusCallback=offhook.url(lambda request: ""), **form,
    )  # fmt: skip
    return answer, await offhook.phone(NUMBER).rings(within=120)


async def outcome(offhook: Offhook) -> dict[str, str]:
    """What the status callback says, once it is there."""
    async with asyncio.timeout(600):
        while not offhook.webhooks:
            await asyncio.sleep(0.5)
    [callback] = offhook.webhooks
    return dict(callback.params)


async def numbers(offhook: Offhook) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await offhook.get("OutgoingCallerIds.json"))[
        "outgoing_caller_ids"
    ]
    return found


async def test_who_keys_in_the_code_has_verified_the_number(offhook: Offhook) -> None:
    asked, call = await ask(offhook, FriendlyName="Home")
    call.answer()
    await call.hears(HEARD)
    call.press(asked["validation_code"])
    await call.hears("is verified")
    await call.ended()
    [found] = await numbers(offhook)
    assert (found["phone_number"], found["friendly_name"]) == (NUMBER, "Home")
    told = await outcome(offhook)
    assert told["VerificationStatus"] == "success"
    assert told["OutgoingCallerIdSid"] == found["sid"]
    assert (told["CallSid"], told["CallStatus"]) == (asked["call_sid"], "completed")
    assert (told["To"], told["From"]) == (NUMBER, OWN)


async def test_a_wrong_code_is_asked_for_again(offhook: Offhook) -> None:
    asked, call = await ask(offhook)
    call.answer()
    await call.hears(HEARD)
    call.press("1#")
    await call.hears("That is not the code")
    call.press(asked["validation_code"])
    await call.hears("is verified")
    await call.ended()
    assert len(await numbers(offhook)) == 1


async def test_after_three_wrong_codes_the_number_is_not_verified(offhook: Offhook) -> None:
    _, call = await ask(offhook)
    call.answer()
    await call.hears(HEARD)
    for _ in range(2):
        call.press("12#")
        await call.hears("That is not the code")
    call.press("12#")
    await call.hears("could not be verified")
    await call.ended()
    assert await numbers(offhook) == []
    told = await outcome(offhook)
    assert told["VerificationStatus"] == "failed"
    assert "OutgoingCallerIdSid" not in told


async def test_who_hangs_up_has_verified_nothing(offhook: Offhook) -> None:
    _, call = await ask(offhook)
    call.answer()
    await call.hears(HEARD)
    await call.hang_up()
    assert (await outcome(offhook))["VerificationStatus"] == "failed"
    assert await numbers(offhook) == []


async def test_a_call_that_is_not_answered_verifies_nothing(offhook: Offhook) -> None:
    offhook.phone(NUMBER).behaves("busy")
    await ask(offhook)
    told = await outcome(offhook)
    assert (told["VerificationStatus"], told["CallStatus"]) == ("failed", "busy")


async def test_the_call_waits_and_then_dials_the_extension(offhook: Offhook) -> None:
    began = offhook.now
    _, call = await ask(offhook, CallDelay="30", Extension="12")
    assert offhook.now - began >= 30
    call.answer()
    await call.hears(HEARD)
    assert call.keys == "12"


async def test_a_call_that_waits_can_be_given_up(offhook: Offhook) -> None:
    asked = await offhook.post("OutgoingCallerIds.json", PhoneNumber=NUMBER, CallDelay="60")
    given_up = await offhook.post(f"Calls/{asked['call_sid']}.json", Status="canceled")
    assert given_up["status"] == "canceled"
    await asyncio.sleep(100)
    assert offhook.phone(NUMBER).calls == []


async def test_a_verified_number_is_shown_by_dial(offhook: Offhook) -> None:
    dial = f"<Response><Dial callerId='{NUMBER}'>+14155550188</Dial></Response>"
    asked, call = await ask(offhook)
    offhook.number(OWN, voice=lambda request: dial)
    call.answer()
    await call.hears(HEARD)
    call.press(asked["validation_code"])
    await call.ended()
    caller = await offhook.call(OWN)
    called = await offhook.phone("+14155550188").rings()
    assert called.handset.other == NUMBER
    await caller.hang_up()
