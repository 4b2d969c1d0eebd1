"""<Redirect>, <Reject>, <Hangup>, <Sms>, verbs of later releases, and how documents follow."""

from __future__ import annotations

import pytest
from scripted_call import ScriptedCall, now

from offhook.line.leg import HungUp
from offhook.model.fetch import Fetch
from offhook.twiml.document import parse
from offhook.twiml.interpreter import interpret

END = "<Response/>"


async def test_redirect_passes_control_and_what_follows_is_not_reached():
    """M21: control passes to another endpoint."""
    call = ScriptedCall()
    asked = await call.runs(
        "<Response><Say>a</Say><Redirect> /next\n</Redirect><Say>b</Say></Response>",
        next="<Response><Say>c</Say></Response>",
    )
    assert (asked, call.heard) == ([Fetch("/next")], ["a", "c"])


async def test_redirect_does_not_answer():
    call = ScriptedCall()
    await call.runs("<Response><Redirect>/next</Redirect></Response>", next=END)
    assert not call.answered


async def test_redirect_obeys_its_method():
    call = ScriptedCall()
    asked = await call.runs(
        '<Response><Redirect method="GET">/next</Redirect></Response>', next=END
    )
    assert asked == [Fetch("/next", "GET")]


async def test_an_empty_redirect_is_the_current_document_and_a_circle_has_an_end():
    call = ScriptedCall()
    asked = await call.runs("<Response><Redirect/></Response>")
    assert {fetch.url for fetch in asked} == {""}
    assert (len(asked), call.notes) == (999, [14106])


@pytest.mark.parametrize(
    ("reject", "refused"),
    [
        ("<Reject/>", "rejected"),
        ('<Reject reason="rejected"/>', "rejected"),
        ('<Reject reason="busy"/>', "busy"),
        ('<Reject reason="tired"/>', "rejected"),
    ],
)
async def test_reject_refuses_without_answering(reject, refused):
    call = ScriptedCall()
    with pytest.raises(HungUp):
        await call.runs(f"<Response>{reject}<Say>a</Say></Response>")
    assert (call.refused_with, call.answered, call.heard) == (refused, False, [])


async def test_reject_is_a_hangup_once_answered():
    call = ScriptedCall()
    with pytest.raises(HungUp):
        await call.runs('<Response><Say>a</Say><Reject reason="busy"/></Response>')
    assert (call.refused_with, call.gone) == ("", True)


async def test_hangup_ends_the_call_and_what_follows_is_not_reached():
    call = ScriptedCall()
    with pytest.raises(HungUp):
        await call.runs("<Response><Say>a</Say><Hangup/><Say>b</Say></Response>")
    assert (call.heard, call.gone) == (["a"], True)


async def test_hangup_as_the_first_verb_answers_first():
    call = ScriptedCall()
    with pytest.raises(HungUp):
        await call.runs("<Response><Hangup/></Response>")
    assert call.answered


async def test_sms_sends_a_text_and_the_next_verb_follows():
    """M03, M21: a text is sent during a call."""
    call = ScriptedCall()
    await call.runs(
        "<Response><Sms>\n  Store Location:\n  123 Easy St.\n</Sms><Say>sent</Say></Response>"
    )
    assert call.texts == [("", "", "Store Location:\n123 Easy St.", "")]
    assert call.heard == ["sent"]


async def test_sms_answers():
    call = ScriptedCall()
    await call.runs("<Response><Sms>a</Sms></Response>")
    assert call.answered_at == 0.0


async def test_sms_goes_where_its_attributes_say():
    call = ScriptedCall()
    await call.runs(
        '<Response><Sms to="+15550001111" from="+15550002222" statusCallback="/s">a</Sms>'
        "</Response>"
    )
    assert call.texts == [("+15550001111", "+15550002222", "a", "/s")]


@pytest.mark.parametrize("status", ["sent", "invalid"])
async def test_the_action_of_sms_is_told_how_it_went(status):
    call = ScriptedCall(text_status=status)
    asked = await call.runs(
        '<Response><Sms action="/done" method="GET">a</Sms><Say>b</Say></Response>', done=END
    )
    params = {"SmsSid": "SM" + "1" * 32, "SmsStatus": status}
    assert (asked, call.heard) == ([Fetch("/done", "GET", params)], [])


@pytest.mark.parametrize("body", ["", "x" * 1601, "\U0001f600" * 801])
async def test_a_text_that_is_empty_or_over_1600_units_is_14103_and_skipped(body):
    call = ScriptedCall()
    await call.runs(f"<Response><Sms>{body}</Sms></Response>")
    assert (call.texts, call.notes) == ([], [14103])


@pytest.mark.parametrize(
    "verb",
    [
        "<Enqueue>support</Enqueue>", "<Queue>support</Queue>", "<Leave/>", "<Echo/>",
        '<Connect><Stream url="wss://a.test"/></Connect>', "<Start><Recording/></Start>",
        '<Stop><Stream name="a"/></Stop>', "<Pay/>", '<Prompt for="postal-code"/>',
        "<Message>a</Message>",
    ],
)  # fmt: skip
async def test_a_verb_of_a_later_release_is_noted_and_the_next_one_follows(verb):
    call = ScriptedCall()
    await call.runs(f"<Response>{verb}<Say>a</Say></Response>")
    assert (call.notes, call.heard) == ([13750], ["a"])
    name = verb[1:].split(">")[0].split(" ")[0].strip("/")
    assert f"<{name}>" in call.notes_said[0]


async def test_one_document_is_run_at_a_time_and_the_last_one_ends_it():
    """M04: documents lead from one to the next."""
    call = ScriptedCall()
    await call.runs(
        "<Response><Say>a</Say><Redirect>/b</Redirect></Response>",
        b="<Response><Say>b</Say><Redirect>/c</Redirect></Response>",
        c="<Response><Say>c</Say></Response>",
    )
    assert (call.heard, call.gone) == (["a", "b", "c"], False)


async def test_the_call_knows_which_verb_runs():
    call = ScriptedCall()
    await call.runs("<Response>\n<Gather>\n<Say>a</Say></Gather>\n <Pause/></Response>")
    assert call.positions == [("Gather", 2, 1), ("Say", 3, 1), ("Pause", 4, 2)]


async def test_what_is_wrong_with_a_document_is_noted_with_its_place():
    call = ScriptedCall()
    await call.runs('<Response><Say>a</Say>\n <Pause length="long"/></Response>')
    assert (call.notes, call.notes_at) == ([13910], [("", 2, 2)])
    assert call.notes_said == ['<Pause length="long"> must be a whole number from 1']


async def test_what_a_verb_notes_stands_where_the_verb_stands():
    call = ScriptedCall()
    await call.runs("<Response>\n <Echo/></Response>")
    assert call.notes_at == [("Echo", 2, 2)]


async def test_a_failure_to_get_a_document_is_the_callers_to_handle():
    async def fetch(wanted):
        raise ConnectionError(wanted.url)

    with pytest.raises(ConnectionError):
        await interpret(ScriptedCall(), Fetch("https://app.test"), fetch)


async def test_a_day_of_pause_costs_nothing():
    async def fetch(wanted):
        return parse('<Response><Pause length="86400"/></Response>')

    await interpret(ScriptedCall(), Fetch("https://app.test"), fetch)
    assert now() == 86400
