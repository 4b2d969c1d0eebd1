"""Limits against toll fraud: where an account may call, and how many calls it may have at a time.

reference: error codes 10004, 13227, 21215, 21408.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from exchange_app import App, begun

from offhook.exchange import control
from offhook.model.fetch import Script
from offhook.testing import Offhook
from offhook.testing.platform import ACCOUNT_SID

OURS, OTHER = "+15550100", "+15550200"
BERLIN, PREMIUM = "+493012345678", "+449091234567"
LONG = "<Response><Say>Wait.</Say><Pause length='600'/></Response>"


@pytest.fixture
def offhook_settings() -> dict[str, Any]:
    return {"limits": {"destinations": ["+1", "+49"], "calls": 2}}


@pytest.fixture
def here(offhook: Offhook) -> Offhook:
    offhook.number(OURS, voice=lambda request: LONG)
    return offhook


def codes(offhook: Offhook) -> list[int]:
    return [each.error_code for each in offhook.notifications]


def refused(offhook: Offhook, why: str) -> int:
    return offhook.platform.exchange.counts["refused", why]


def answers_with(document: str) -> Any:
    return lambda request: document


class TestDestinations:
    async def test_the_api_refuses_a_call_to_anywhere_else(self, here: Offhook):
        with pytest.raises(AssertionError, match=r"400 .*21215"):
            await here.post("Calls.json", To=PREMIUM, From=OURS, Twiml=LONG)
        assert here.calls == []
        assert refused(here, "destination") == 1

    async def test_to_where_it_may_it_calls(self, here: Offhook):
        await here.post("Calls.json", To=BERLIN, From=OURS, Twiml=LONG)
        await here.phone(BERLIN).rings()
        assert refused(here, "destination") == 0

    async def test_a_number_inside_a_sip_uri_is_one(self, here: Offhook):
        with pytest.raises(AssertionError, match=r"400 .*21215"):
            await here.post("Calls.json", To=f"sip:{PREMIUM}@10.0.0.1", From=OURS, Twiml=LONG)

    async def test_dial_fails_with_13227_and_the_document_goes_on(self, here: Offhook):
        def after(request: Any) -> str:
            return f"<Response><Say>It {request.params['DialCallStatus']}.</Say></Response>"

        action = here.url(after)
        here.number(
            OTHER,
            voice=answers_with(f"<Response><Dial action='{action}'>{PREMIUM}</Dial></Response>"),
        )
        call = await here.call(OTHER)
        await call.hears("It failed.")
        assert codes(here) == [13227]
        assert [each.to for each in here.calls] == [OTHER], "the child is not created"

    async def test_a_sip_phone_that_is_not_called_has_no_response(self, here: Offhook):
        told: dict[str, str] = {}

        def after(request: Any) -> str:
            told.update(request.params)
            return "<Response/>"

        noun = f"<Sip>sip:{PREMIUM}@10.0.0.1</Sip>"
        dial = f"<Response><Dial action='{here.url(after)}'>{noun}</Dial></Response>"
        here.number(OTHER, voice=answers_with(dial))
        await (await here.call(OTHER)).ended()
        assert {name: told[name] for name in told if name.startswith("Dial")} == {
            "DialCallStatus": "failed", "DialBridged": "false",
        }  # fmt: skip

    async def test_of_several_targets_those_that_may_be_called_ring(self, here: Offhook):
        targets = f"<Number>{PREMIUM}</Number><Number>{BERLIN}</Number>"
        here.number(OTHER, voice=answers_with(f"<Response><Dial>{targets}</Dial></Response>"))
        await here.call(OTHER)
        await here.phone(BERLIN).rings()
        assert here.phone(PREMIUM).calls == []

    async def test_a_dial_that_is_left_while_its_targets_are_looked_at_leaves_no_call(
        self, here: Offhook
    ):
        exchange = here.platform.exchange
        targets = f"<Number>{BERLIN}</Number><Number>{PREMIUM}</Number>"
        here.number(OTHER, voice=App(f"<Dial>{targets}</Dial>", late=1))
        call = await here.call(OTHER)
        await begun(here, "Dial")
        while not exchange.attempts:
            await asyncio.sleep(0)
        [live] = exchange.live.values()
        away = Script(twiml="<Response><Say>Away.</Say></Response>")
        await control.redirect(exchange, live.record, away)
        await call.hears("Away.")
        assert exchange.attempts == {}

    async def test_an_emergency_is_no_destination(self, here: Offhook):
        with pytest.raises(AssertionError, match="21216"):
            await here.post("Calls.json", To="112", From=OURS, Twiml=LONG)

    async def test_a_number_of_ours_can_be_called_wherever_it_is(self, here: Offhook):
        here.number(PREMIUM, voice=lambda request: LONG)
        await here.post("Calls.json", To=PREMIUM, From=OURS, Twiml=LONG)
        await asyncio.sleep(1)
        assert [each.direction for each in here.calls] == ["outbound-api", "inbound"]

    async def test_verifying_a_caller_id_is_a_call_as_well(self, here: Offhook):
        with pytest.raises(AssertionError, match=r"400 .*21215"):
            await here.post("OutgoingCallerIds.json", PhoneNumber=PREMIUM)

    async def test_texts_go_nowhere_else_either(self, here: Offhook):
        with pytest.raises(AssertionError, match=r"400 .*21408"):
            await here.post("Messages.json", To=PREMIUM, From=OURS, Body="Hi")
        assert here.messages == []
        await here.post("Messages.json", To=BERLIN, From=OURS, Body="Hi")
        await here.phone(BERLIN).reads("Hi")

    async def test_a_reply_is_a_text(self, here: Offhook):
        here.number(OTHER, sms=lambda request: "<Response><Message>Yes</Message></Response>")
        await here.text(PREMIUM, OTHER, "Hello?")
        await asyncio.sleep(1)
        assert codes(here) == [21408]
        assert here.phone(PREMIUM).inbox == []


class TestCallsAtATime:
    async def test_the_api_refuses_one_too_many(self, here: Offhook):
        for number in ("+15550007771", "+15550007772"):
            await here.post("Calls.json", To=number, From=OURS, Twiml=LONG)
        with pytest.raises(AssertionError, match=r"429 .*10004"):
            await here.post("Calls.json", To="+15550007773", From=OURS, Twiml=LONG)
        assert refused(here, "calls at a time") == 1
        await here.phone("+15550007771").calls[0].hang_up()
        await asyncio.sleep(1)
        await here.post("Calls.json", To="+15550007773", From=OURS, Twiml=LONG)

    async def test_of_many_requests_at_once_no_more_are_taken(self, here: Offhook):
        asked = [
            here.post("Calls.json", To=f"+1555000777{number}", From=OURS, Twiml=LONG)
            for number in range(5)
        ]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(each, AssertionError) for each in answers) == 3
        assert len(here.calls) == 2

    async def test_a_call_in_that_is_one_too_many_is_turned_away(self, here: Offhook):
        calls = [await here.call(OURS, from_=f"+1555000888{number}") for number in range(3)]
        await calls[2].ended()
        await asyncio.sleep(1)
        assert [each.status for each in here.calls] == ["in-progress", "in-progress", "failed"]
        assert codes(here) == [10004]

    async def test_a_child_of_dial_counts(self, here: Offhook):
        here.number(OTHER, voice=answers_with(f"<Response><Dial>{BERLIN}</Dial></Response>"))
        await here.call(OTHER)
        await here.phone(BERLIN).rings()
        second = await here.call(OTHER, from_="+15550007779")
        await second.ended()
        await asyncio.sleep(1)
        assert codes(here) == [10004]
        assert len(here.phone(BERLIN).calls) == 1

    async def test_a_dial_that_is_one_too_many_has_failed(self, here: Offhook):
        here.number(OTHER, voice=answers_with(f"<Response><Dial>{BERLIN}</Dial></Response>"))
        await here.call(OURS)
        call = await here.call(OTHER, from_="+15550007779")
        await call.ended()
        assert codes(here) == [10004]
        assert here.phone(BERLIN).calls == []


class TestAccountsOfTheirOwn:
    @pytest.fixture
    def offhook_settings(self) -> dict[str, Any]:
        own = {"destinations": ["+44"]}
        return {"limits": {"destinations": ["+1"], "calls": 1, "accounts": {ACCOUNT_SID: own}}}

    async def test_what_is_said_of_an_account_goes_before_what_holds_for_all(self, here: Offhook):
        with pytest.raises(AssertionError, match="21215"):
            await here.post("Calls.json", To="+15550007771", From=OURS, Twiml=LONG)
        await here.post("Calls.json", To=PREMIUM, From=OURS, Twiml=LONG)

    async def test_what_is_not_said_of_it_is_as_for_all(self, here: Offhook):
        await here.post("Calls.json", To=PREMIUM, From=OURS, Twiml=LONG)
        with pytest.raises(AssertionError, match="10004"):
            await here.post("Calls.json", To=PREMIUM, From=OURS, Twiml=LONG)

    async def test_other_accounts_have_what_is_for_all(self, here: Offhook):
        other = await here.post("/2010-04-01/Accounts.json", FriendlyName="Another")
        allowances = here.platform.exchange.rules.allowances
        assert allowances.of(other["sid"]).reaches("+15550007771")
        assert not allowances.of(other["sid"]).reaches(PREMIUM)
