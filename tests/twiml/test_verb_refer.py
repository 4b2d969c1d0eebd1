"""<Refer>, one test for each sentence of its page.  reference: Refer."""

from __future__ import annotations

import pytest
from scripted_call import ScriptedCall

from offhook.line.leg import HungUp, Transfer
from offhook.model.fetch import Fetch
from offhook.twiml.document import parse

END = "<Response/>"
ALICE = "<Sip>sip:alice@desk.test</Sip>"


async def action_params(fared: Transfer | None) -> dict[str, str]:
    call = ScriptedCall(refers=fared)
    [asked] = await call.runs(
        f'<Response><Refer action="/done">{ALICE}</Refer></Response>', done=END
    )
    assert (asked.url, asked.method) == ("/done", "POST")
    return dict(asked.params)


async def test_the_phone_is_answered_and_sent_to_the_uri():
    call = ScriptedCall(refers=Transfer(202, 200))
    await call.runs(f"<Response><Refer>{ALICE}</Refer></Response>")
    assert (call.answered_at, call.referred) == (0.0, ["sip:alice@desk.test"])


async def test_headers_of_the_uri_go_along_but_only_those_that_may():
    call = ScriptedCall(refers=Transfer(202, 200))
    uri = "sip:alice@desk.test?X-Case=a%20b%3Bc&amp;User-to-User=7b%3Bencoding%3Dhex&amp;Via=x"
    await call.runs(f"<Response><Refer><Sip>{uri}</Sip></Refer></Response>")
    sent = "sip:alice@desk.test?X-Case=a%20b%3Bc&User-to-User=7b%3Bencoding%3Dhex"
    assert (call.referred, call.notes) == ([sent], [13252])


async def test_the_action_is_told_how_the_call_to_the_target_went():
    assert await action_params(Transfer(202, 200)) == {
        "ReferCallStatus": "in-progress",
        "ReferSipResponseCode": "202",
        "NotifySipResponseCode": "200",
    }


@pytest.mark.parametrize(
    ("code", "status"),
    [(486, "busy"), (603, "busy"), (404, "failed"), (503, "failed"), (480, "no-answer"),
     (487, "canceled"), (180, "no-answer")],
)  # fmt: skip
async def test_refer_call_status_is_one_of_the_words_of_call_status(code: int, status: str):
    told = await action_params(Transfer(202, code))
    assert (told["ReferCallStatus"], told["NotifySipResponseCode"]) == (status, str(code))


async def test_status_and_notify_are_left_out_where_no_notify_came():
    assert await action_params(Transfer(405)) == {"ReferSipResponseCode": "405"}
    assert await action_params(Transfer(202)) == {"ReferSipResponseCode": "202"}


async def test_the_action_may_be_asked_by_get_and_takes_the_documents_place():
    call = ScriptedCall(refers=Transfer(405))
    twiml = f'<Response><Refer action="/a" method="GET">{ALICE}</Refer><Say>b</Say></Response>'
    [asked] = await call.runs(twiml, a=END)
    assert (asked.method, call.heard) == ("GET", [])


async def test_without_an_action_the_next_verb_follows():
    call = ScriptedCall(refers=Transfer(405))
    asked = await call.runs(f"<Response><Refer>{ALICE}</Refer><Say>b</Say></Response>")
    assert (asked, call.heard, call.heard_at) == ([], ["b"], [5.0])


async def test_the_action_of_a_caller_who_hung_up_before_is_told_canceled():
    call = ScriptedCall(refers=Transfer(202))
    call.hangs_up(at=2)
    with pytest.raises(HungUp):
        await call.runs(f'<Response><Refer action="/a">{ALICE}</Refer></Response>')
    params = {"ReferCallStatus": "canceled", "ReferSipResponseCode": "202"}
    assert call.told == [Fetch("/a", "POST", params)]


async def test_the_action_of_a_caller_who_hung_up_because_it_went_well_is_told_that():
    call = ScriptedCall(refers=Transfer(202, 200))
    call.hangs_up(at=2)
    with pytest.raises(HungUp):
        await call.runs(f'<Response><Refer action="/a">{ALICE}</Refer></Response>')
    assert call.told[0].params["ReferCallStatus"] == "in-progress"


async def test_a_phone_that_does_not_come_over_sip_is_13801_and_the_next_verb_follows():
    call = ScriptedCall(refers=None)
    twiml = f'<Response><Refer action="/a">{ALICE}</Refer><Say>b</Say></Response>'
    asked = await call.runs(twiml, a=END)
    assert (asked, call.notes, call.heard) == ([], [13801], ["b"])


@pytest.mark.parametrize(
    ("inside", "codes"),
    [
        ("<Sip>tel:+15550001111</Sip>", [12200, 13243]),
        (f"<Sip>sip:a@b.test?X-A={'a' * 1023}</Sip>", [12200, 13253]),
        ("", [12200]),
        ("<Number>+15550001111</Number>", [12200, 12200]),
    ],
)
async def test_one_that_leads_nowhere_is_skipped(inside: str, codes: list[int]):
    call = ScriptedCall(refers=Transfer(202, 200))
    await call.runs(f"<Response><Refer>{inside}</Refer><Say>b</Say></Response>")
    assert (call.referred, call.notes, call.heard) == ([], codes, ["b"])


def test_it_holds_one_sip():
    problems = parse(f"<Response><Refer>{ALICE}{ALICE}</Refer></Response>").problems
    assert [problem.code for problem in problems] == [12200]
