"""REST steers calls that are under way.  reference: Calls, update; document execution model."""

from __future__ import annotations

import asyncio

import pytest
from exchange_app import AGENT, CALLER, OURS, App, codes, twiml

from offhook.model.call import Call
from offhook.testing import Offhook, PhoneCall, Response

TALK = '<Say>Hold on.</Say><Pause length="1000"/>'


async def talking(offhook: Offhook, app: App, fallback: str = "") -> PhoneCall:
    offhook.number(OURS, voice=app, fallback=fallback, status=offhook.url(app, "/status"))
    call = await offhook.call(OURS, from_=CALLER)
    await call.hears("Hold on.")
    return call


async def test_a_live_call_is_redirected_to_a_url(offhook: Offhook):
    """M28."""
    app = App(TALK, other="<Say>Elsewhere.</Say><Redirect>more</Redirect>", more="<Say>More.</Say>")
    call = await talking(offhook, app)
    answer = await offhook.post(
        f"Calls/{call.sid}.json", Url=offhook.url(app, "/other"), Method="GET"
    )
    assert answer["status"] == "in-progress"
    await call.hears("Elsewhere.", within=2)
    await call.hears("More.")
    assert app.requests("other")[0].method == "GET"
    await call.ended()
    assert app.paths.count("status") == 1


async def test_a_live_call_is_redirected_to_a_document(offhook: Offhook):
    """M28."""
    call = await talking(offhook, App(TALK))
    await offhook.post(f"Calls/{call.sid}.json", Twiml=twiml("<Say>Elsewhere.</Say>"))
    await call.hears("Elsewhere.", within=2)


async def test_a_redirect_interrupts_what_is_being_said(offhook: Offhook):
    call = await talking(offhook, App("<Say>Hold on.</Say><Say>A very long sentence.</Say>"))
    await call.hears("A very")
    await offhook.post(f"Calls/{call.sid}.json", Twiml=twiml("<Say>Stop.</Say>"))
    await call.hears("Stop.")
    assert "sentence." not in call.heard


async def test_of_two_redirects_in_a_row_the_second_counts(offhook: Offhook):
    call = await talking(offhook, App(TALK))
    for word in ("One.", "Two."):
        await offhook.post(f"Calls/{call.sid}.json", Twiml=twiml(f"<Say>{word}</Say><Pause/>"))
    await call.hears("Two.")
    await call.ended()
    assert codes(offhook) == []


async def test_a_call_that_rings_goes_where_it_was_redirected_when_it_is_answered(
    offhook: Offhook,
):
    app = App("<Say>Never.</Say>")
    offhook.number(OURS)
    posted = await offhook.post("Calls.json", To=AGENT, From=OURS, Url=offhook.url(app))
    path = f"Calls/{posted['sid']}.json"
    assert (await offhook.post(path, Twiml=twiml("<Say>This.</Say>")))["status"] != "in-progress"
    call = await offhook.phone(AGENT).rings()
    await call.hears("This.")
    await call.ended()
    assert app.asked == []


@pytest.mark.parametrize("replaced", [True, False])
async def test_the_fallback_stays_unless_the_request_brings_another(
    offhook: Offhook, replaced: bool
):
    app = App(TALK, bad=Response("", 500), old="<Say>Old.</Say>", new="<Say>New.</Say>")
    call = await talking(offhook, app, fallback=offhook.url(app, "/old"))
    form = {"Url": offhook.url(app, "/bad")}
    if replaced:
        form["FallbackUrl"] = offhook.url(app, "/new")
    await offhook.post(f"Calls/{call.sid}.json", **form)
    await call.hears("New." if replaced else "Old.")


async def test_a_live_call_is_ended(offhook: Offhook):
    """M28."""
    app = App(TALK)
    call = await talking(offhook, app)
    await asyncio.sleep(3)
    answer = await offhook.post(f"Calls/{call.sid}.json", Status="completed")
    assert (answer["status"], answer["duration"]) == ("completed", "4")
    assert (await call.ended()).by == "near"
    await offhook.platform.exchange.notifier.settled()
    assert app.statuses("status") == ["completed"]


@pytest.mark.parametrize("status", ["completed", "canceled"])
async def test_a_caller_who_still_hears_it_ring_is_let_go(offhook: Offhook, status: str):
    offhook.number(OURS, voice=App('<Pause length="100"/>'))
    call = await offhook.call(OURS)
    await asyncio.sleep(2)
    answer = await offhook.post(f"Calls/{call.sid}.json", Status=status)
    assert answer["status"] == "canceled"
    assert (await call.ended()).code == 487


@pytest.mark.parametrize(
    "form",
    [{"Status": "completed"}, {"Status": "canceled"}, {"Twiml": twiml("")}, {"TimeLimit": "5"}],
)
async def test_a_call_that_is_over_cannot_be_steered(offhook: Offhook, form: dict[str, str]):
    call = await talking(offhook, App(TALK))
    await call.hang_up()
    with pytest.raises(AssertionError, match=r"400.*21220"):
        await offhook.post(f"Calls/{call.sid}.json", **form)


async def test_who_has_hung_up_cannot_be_sent_elsewhere(offhook: Offhook):
    """Although the application still thinks about what to say."""
    offhook.number(OURS, voice=App("<Say>Too late.</Say>", late=9))
    call = await offhook.call(OURS)
    await asyncio.sleep(1)
    await call.hang_up()
    [record] = offhook.calls
    assert record.status == "ringing"
    with pytest.raises(AssertionError, match=r"400.*21220"):
        await offhook.post(f"Calls/{record.sid}.json", Twiml=twiml("<Say>Elsewhere.</Say>"))


async def test_a_new_status_callback_takes_the_place_of_the_old(offhook: Offhook):
    app = App(TALK)
    call = await talking(offhook, app)
    await offhook.post(f"Calls/{call.sid}.json", StatusCallback=offhook.url(app, "/new"))
    await call.hang_up()
    await offhook.platform.exchange.notifier.settled()
    assert "status" not in app.paths
    assert app.statuses("new") == ["completed"]
    assert call.record.status == "completed"


async def test_a_status_callback_given_while_it_rings_is_kept(offhook: Offhook):
    app = App("<Say>Hello.</Say>")
    offhook.number(OURS)
    posted = await offhook.post("Calls.json", To=AGENT, From=OURS, Url=offhook.url(app))
    callee = await offhook.phone(AGENT).rings()
    path = f"Calls/{posted['sid']}.json"
    await offhook.post(path, StatusCallback=offhook.url(app, "/status"))
    await callee.ended()
    await offhook.platform.exchange.notifier.settled()
    assert app.statuses("status") == ["completed"]


async def test_a_fallback_given_while_it_rings_is_kept(offhook: Offhook):
    app = App("<Say", help="<Say>The fallback.</Say>")
    offhook.number(OURS)
    posted = await offhook.post("Calls.json", To=AGENT, From=OURS, Url=offhook.url(app))
    path = f"Calls/{posted['sid']}.json"
    await offhook.post(path, FallbackUrl=offhook.url(app, "/help"))
    callee = await offhook.phone(AGENT).rings()
    await callee.hears("The fallback.")


async def test_who_is_redirected_while_it_rings_keeps_its_fallback(offhook: Offhook):
    app = App("<Say>Never.</Say>", broken="<Say", help="<Say>The fallback.</Say>")
    offhook.number(OURS)
    urls = {"Url": offhook.url(app), "FallbackUrl": offhook.url(app, "/help")}
    posted = await offhook.post("Calls.json", To=AGENT, From=OURS, **urls)
    await offhook.post(f"Calls/{posted['sid']}.json", Url=offhook.url(app, "/broken"))
    callee = await offhook.phone(AGENT).rings()
    await callee.hears("The fallback.")


async def test_a_time_limit_given_while_it_rings_counts_from_the_answer(offhook: Offhook):
    offhook.number(OURS)
    posted = await offhook.post("Calls.json", To=AGENT, From=OURS, Twiml=twiml(TALK))
    await offhook.post(f"Calls/{posted['sid']}.json", TimeLimit="9")
    callee = await offhook.phone(AGENT).rings()
    await callee.answered()
    began = offhook.now
    await callee.ended()
    assert round(offhook.now - began) == 9


async def test_a_new_time_limit_counts_from_now(offhook: Offhook):
    call = await talking(offhook, App(TALK))
    began = offhook.now
    await offhook.post(f"Calls/{call.sid}.json", TimeLimit="7")
    await call.ended()
    assert 7 <= round(offhook.now - began, 1) < 7.2
    assert codes(offhook) == [32015]


@pytest.mark.parametrize("limits", [("7", "60"), ("60", "7"), ("7", "9", "60")])
async def test_the_last_time_limit_is_the_one_that_counts(offhook: Offhook, limits: tuple[str]):
    offhook.number(OURS)
    placed = await offhook.post("Calls.json", To=AGENT, From=OURS, Twiml=twiml(TALK), TimeLimit="5")
    call = await offhook.phone(AGENT).rings()
    await call.hears("Hold on.")
    began = offhook.now
    for seconds in limits:
        await offhook.post(f"Calls/{placed['sid']}.json", TimeLimit=seconds)
    await call.ended()
    assert round(offhook.now - began) == int(limits[-1])
    assert codes(offhook) == [32015]


@pytest.mark.parametrize("limits", [("7",), ("7", "60"), ("60", "7")])
async def test_a_phone_that_was_dialled_is_limited_by_the_last_as_well(
    offhook: Offhook, limits: tuple[str]
):
    caller, callee, child = await bridged(offhook, App(f"<Dial>{AGENT}</Dial>{TALK}"))
    began = offhook.now
    for seconds in limits:
        await offhook.post(f"Calls/{child.sid}.json", TimeLimit=seconds)
    assert (await callee.ended()).by == "near"
    assert round(offhook.now - began) == int(limits[-1])
    await caller.hears("Hold on.")
    assert codes(offhook) == [32015]


async def test_a_time_limit_that_is_given_while_a_dialled_phone_rings_counts_from_its_answer(
    offhook: Offhook,
):
    offhook.number(OURS, voice=App(f"<Dial>{AGENT}</Dial>"))
    await offhook.call(OURS)
    callee = await offhook.phone(AGENT).rings()
    child = next(each for each in offhook.calls if each.parent_call_sid)
    await offhook.post(f"Calls/{child.sid}.json", TimeLimit="9")
    await callee.answered()
    began = offhook.now
    await callee.ended()
    assert round(offhook.now - began) == 9


async def test_a_time_limit_that_outlives_its_call_leaves_nothing_behind(offhook: Offhook):
    call = await talking(offhook, App(TALK))
    await offhook.post(f"Calls/{call.sid}.json", TimeLimit="600")
    await call.hang_up()
    await asyncio.sleep(1)
    assert offhook.platform.exchange.tasks == set()


# Two ends of a bridge


async def bridged(offhook: Offhook, app: App) -> tuple[PhoneCall, PhoneCall, Call]:
    """The caller, the phone that was dialled, and its record."""
    offhook.number(OURS, voice=app)
    caller = await offhook.call(OURS, from_=CALLER)
    callee = await offhook.phone(AGENT).rings()
    await callee.answered()
    await caller.says("Hello.")
    await callee.hears("Hello.")
    return caller, callee, next(each for each in offhook.calls if each.parent_call_sid)


async def test_a_redirected_parent_leaves_its_dial(offhook: Offhook):
    """The dial is over, its child completes, and no action is asked."""
    app = App(
        f'<Dial action="/after"><Number statusCallback="/child">{AGENT}</Number></Dial>'
        "<Say>Never.</Say>"
    )
    caller, callee, _ = await bridged(offhook, app)
    await offhook.post(f"Calls/{caller.sid}.json", Twiml=twiml("<Say>New.</Say><Pause/>"))
    await caller.hears("New.")
    assert (await callee.ended()).by == "near"
    await caller.ended()
    await offhook.platform.exchange.notifier.settled()
    assert "after" not in app.paths
    assert app.statuses("child") == ["completed"]
    assert offhook.calls[1].status == "completed"


async def test_a_redirected_child_goes_its_own_way(offhook: Offhook):
    """The parent goes on behind its dial, whose action has no duration."""
    app = App(f'<Dial action="/after">{AGENT}</Dial>', after="<Say>Parent goes on.</Say><Pause/>")
    caller, callee, child = await bridged(offhook, app)
    await offhook.post(
        f"Calls/{child.sid}.json",
        Twiml=twiml("<Say>Child goes on.</Say><Pause length='9'/>"),
    )
    await callee.hears("Child goes on.")
    await caller.hears("Parent goes on.")
    told = app.told("after")
    assert (told["DialCallStatus"], told["DialBridged"]) == ("completed", "true")
    assert told["DialCallSid"] == child.sid
    assert "DialCallDuration" not in told
    await caller.ended()
    assert callee.state == "answered"
    await callee.ended()
    assert callee.record.status == "completed"


async def test_a_child_that_is_redirected_while_it_rings_goes_its_own_way_once_answered(
    offhook: Offhook,
):
    app = App(f'<Dial action="/after">{AGENT}</Dial>', after="<Say>Parent goes on.</Say>")
    offhook.number(OURS, voice=app)
    caller = await offhook.call(OURS, from_=CALLER)
    callee = await offhook.phone(AGENT).rings()
    child = next(each for each in offhook.calls if each.parent_call_sid)
    await offhook.post(f"Calls/{child.sid}.json", Twiml=twiml("<Say>Alone.</Say>"))
    await callee.hears("Alone.")
    await caller.hears("Parent goes on.")


async def test_a_child_that_is_redirected_out_of_its_whisper_leaves_it_at_once(offhook: Offhook):
    noun = f'<Number url="/whisper">{AGENT}</Number>'
    app = App(
        f'<Dial action="/after">{noun}</Dial>',
        whisper='<Pause length="500"/>', after="<Say>Parent goes on.</Say>",
    )  # fmt: skip
    offhook.number(OURS, voice=app)
    caller = await offhook.call(OURS, from_=CALLER)
    callee = await offhook.phone(AGENT).rings()
    await callee.answered()
    await asyncio.sleep(1)
    child = next(each for each in offhook.calls if each.parent_call_sid)
    await offhook.post(f"Calls/{child.sid}.json", Twiml=twiml("<Say>Alone.</Say>"))
    await callee.hears("Alone.", within=3)
    await caller.hears("Parent goes on.")


async def test_a_child_is_ended_and_the_parent_goes_on(offhook: Offhook):
    app = App(f'<Dial action="/after">{AGENT}</Dial>', after="<Say>Parent goes on.</Say>")
    caller, _, child = await bridged(offhook, app)
    answer = await offhook.post(f"Calls/{child.sid}.json", Status="completed")
    assert answer["status"] == "completed"
    await caller.hears("Parent goes on.")
    assert app.told("after")["DialCallStatus"] == "completed"


async def test_a_child_that_rings_is_canceled_and_the_dial_says_so(offhook: Offhook):
    app = App(f'<Dial action="/after">{AGENT}</Dial>')
    offhook.phone(AGENT).behaves("no-answer")
    offhook.number(OURS, voice=app)
    caller = await offhook.call(OURS, from_=CALLER)
    await offhook.phone(AGENT).rings()
    child = next(each for each in offhook.calls if each.parent_call_sid)
    answer = await offhook.post(f"Calls/{child.sid}.json", Status="completed")
    assert answer["status"] == "canceled"
    await caller.ended()
    assert app.told("after")["DialCallStatus"] == "canceled"


# Caller ids


@pytest.mark.parametrize(
    ("shown", "code"), [("+14155550999", 13214), ("Bob", 13247), ("4" * 256, 13248)]
)
async def test_a_dial_may_not_show_what_is_not_ours(offhook: Offhook, shown: str, code: int):
    app = App(f'<Dial callerId="{shown}" action="/after">{AGENT}</Dial>')
    offhook.number(OURS, voice=app)
    await (await offhook.call(OURS, from_=CALLER)).ended()
    assert app.told("after")["DialCallStatus"] == "failed"
    assert codes(offhook) == [code]
    assert len(offhook.calls) == 1


@pytest.mark.parametrize("shown", ["", CALLER, OURS, "(555) 010-0123"])
async def test_a_dial_may_show_both_ends_of_the_call_and_our_numbers(offhook: Offhook, shown: str):
    offhook.number("+15550100123")
    offhook.number(OURS, voice=App(f'<Dial callerId="{shown}">{AGENT}</Dial>'))
    await offhook.call(OURS, from_=CALLER)
    callee = await offhook.phone(AGENT).rings()
    expected = {"": CALLER, "(555) 010-0123": "+15550100123"}.get(shown, shown)
    assert callee.handset.other == expected


async def test_a_whisper_that_cannot_be_had_is_left_out(offhook: Offhook):
    noun = f'<Number url="/whisper">{AGENT}</Number>'
    app = App(f"<Dial>{noun}</Dial>", whisper=Response("", 500))
    fallback = offhook.url(app, "/instead")
    offhook.number(OURS, voice=app, fallback=fallback)
    caller = await offhook.call(OURS, from_=CALLER)
    callee = await offhook.phone(AGENT).rings()
    await callee.answered()
    await asyncio.sleep(1)
    await caller.says("Hello.")
    await callee.hears("Hello.")
    assert callee.heard == "Hello."
    assert codes(offhook) == [11200]
    assert app.paths == ["", "whisper"]
