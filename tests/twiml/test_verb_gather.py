"""<Gather>, one test for each sentence of its page."""

from __future__ import annotations

import pytest
from scripted_call import FILE_SECONDS, ScriptedCall, now

from offhook.line.leg import HungUp
from offhook.model.fetch import Fetch

MENU = """<Response>
  <Gather {}><Say>press one for sales</Say></Gather>
  <Say>Goodbye</Say>
</Response>"""  # the prompt takes four seconds
END = "<Response/>"


async def gathers(attributes: str, script, **answers: str):
    """What was asked after the menu, with the call; `script` has the caller act."""
    call = ScriptedCall()
    script(call)
    asked = await call.runs(MENU.format(attributes), **answers)
    return call, asked


async def test_the_digits_go_to_the_action_url():
    """M22: the application gets the digits and decides."""
    call, asked = await gathers(
        'numDigits="1" action="/menu"', lambda call: call.presses("7", at=6), menu=END
    )
    params = {"Digits": "7", "FinishedOnKey": "", "msg": "Gather End"}
    assert asked == [Fetch("/menu", "POST", params)]
    assert call.answered_at == 0.0


async def test_the_action_is_the_current_document_by_default_and_method_is_obeyed():
    """M08: the method of each later request is the verb's."""
    _, asked = await gathers('numDigits="1" method="GET"', lambda call: call.presses("1", at=1))
    assert [(fetch.url, fetch.method) for fetch in asked] == [("", "GET")]


async def test_it_answers_even_without_a_prompt():
    call = ScriptedCall()
    await call.runs("<Response><Gather/></Response>")
    assert call.answered_at == 0.0


async def test_the_first_key_silences_the_prompt():
    await gathers('numDigits="1" action="/menu"', lambda call: call.presses("7", at=2), menu=END)
    assert now() == 2.0


async def test_the_first_key_silences_all_prompts_that_follow():
    call = ScriptedCall()
    call.presses("1", at=1)
    twiml = (
        '<Response><Gather numDigits="1" action="/menu"><Play>a.wav</Play><Pause length="5"/>'
        "<Say>never heard</Say></Gather></Response>"
    )
    await call.runs(twiml, menu=END)
    assert (call.heard, now()) == (["a.wav"], 1.0)


async def test_the_action_is_asked_as_soon_as_num_digits_are_there():
    _, asked = await gathers(
        'numDigits="3" action="/menu"', lambda call: call.presses("12345", at=5), menu=END
    )
    assert (asked[0].params["Digits"], now()) == ("123", 5.0)


async def test_the_finish_key_ends_it_and_is_not_among_the_digits():
    _, asked = await gathers('action="/menu"', lambda call: call.presses("123#", at=5), menu=END)
    assert (asked[0].params["Digits"], asked[0].params["FinishedOnKey"]) == ("123", "#")
    assert now() == 5.0


async def test_another_finish_key_leaves_the_hash_among_the_digits():
    _, asked = await gathers(
        'finishOnKey="*" action="/menu"', lambda call: call.presses("1#2*", at=5), menu=END
    )
    assert asked[0].params["Digits"] == "1#2"


async def test_no_finish_key_collects_until_it_is_quiet():
    _, asked = await gathers(
        'finishOnKey="" action="/menu"', lambda call: call.presses("1#*", at=5), menu=END
    )
    assert (asked[0].params["Digits"], now()) == ("1#*", 10.0)


async def test_quiet_after_the_last_key_ends_it():
    def script(call):
        call.presses("1", at=5)
        call.presses("2", at=8)

    _, asked = await gathers('timeout="4" action="/menu"', script, menu=END)
    assert (asked[0].params["Digits"], now()) == ("12", 12.0)


async def test_quiet_is_counted_from_the_end_of_the_prompts():
    call, asked = await gathers('timeout="5"', lambda call: None)
    assert call.heard_at == [0.0, 4.0 + 5.0]
    assert (call.heard[-1], asked) == ("Goodbye", [])


async def test_five_seconds_of_quiet_are_the_default():
    call, _ = await gathers("", lambda call: None)
    assert call.heard_at == [0.0, 9.0]


async def test_the_finish_key_alone_is_nothing_and_the_next_verb_follows():
    call, asked = await gathers('action="/menu"', lambda call: call.presses("#", at=1))
    assert (call.heard[-1], asked) == ("Goodbye", [])


async def test_nothing_goes_to_the_action_too_when_asked_for():
    call, asked = await gathers(
        'action="/menu" actionOnEmptyResult="true"', lambda call: None, menu=END
    )
    assert asked[0].params["Digits"] == ""
    assert "Goodbye" not in call.heard


async def test_without_barge_in_prompts_are_heard_out_and_keys_kept():
    _, asked = await gathers(
        'bargeIn="false" numDigits="2" action="/menu"',
        lambda call: call.presses("12", at=1),
        menu=END,
    )
    assert (asked[0].params["Digits"], now()) == ("12", 4.0)


async def test_keys_pressed_before_it_are_forgotten():
    call = ScriptedCall()
    call.presses("9", at=1)
    call.presses("1", at=6)
    twiml = '<Response><Say>one two three</Say><Gather numDigits="1" action="/menu"/></Response>'
    [asked] = await call.runs(twiml, menu=END)
    assert asked.params["Digits"] == "1"


async def test_the_answer_takes_the_documents_place():
    """M04: documents link to each other."""
    call, _ = await gathers(
        'numDigits="1" action="/menu"',
        lambda call: call.presses("1", at=1),
        menu="<Response><Say>sales</Say></Response>",
    )
    assert call.heard == ["press one for sales", "sales"]


async def test_a_caller_who_hangs_up_half_way_leaves_no_request():
    call = ScriptedCall()
    call.presses("12", at=1)
    call.hangs_up(at=3)
    with pytest.raises(HungUp):
        await call.runs(MENU.format('action="/menu"'), menu=END)
    assert call.told == []


async def test_files_may_be_prompts():
    call = ScriptedCall()
    await call.runs("<Response><Gather><Play>a.wav</Play></Gather></Response>")
    assert (call.heard, now()) == (["a.wav"], FILE_SECONDS + 5)


async def test_speech_is_noted_as_missing_and_keys_still_work():
    call, asked = await gathers(
        'input="dtmf speech" numDigits="1" action="/menu"',
        lambda call: call.presses("1", at=1),
        menu=END,
    )
    assert (call.notes, asked[0].params["Digits"]) == ([13340], "1")


async def test_speech_alone_hears_nobody_and_goes_on_after_the_quiet():
    call, asked = await gathers('input="speech"', lambda call: call.presses("1", at=1))
    assert (call.notes, asked) == ([13340], [])
    assert call.heard_at == [0.0, 9.0]
