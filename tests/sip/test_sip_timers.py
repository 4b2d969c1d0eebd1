"""Every timer: its value over UDP and over a reliable transport, and what an endpoint does by it.

RFC 3261 (table 4 and section 13.3.1.4), RFC 6026, RFC 3262, RFC 4028, RFC 3515 with RFC 6665.
`TIMERS` is the table; behind `@proves` stands which rows a test is the proof of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest
from sip_ends import Talk, lose, word

from offhook.sip.core import Over
from offhook.sip.hop import Hop
from offhook.sip.inbound import Incoming
from offhook.sip.message import parse
from offhook.sip.outbound import Answered
from offhook.sip.referral import Referred, Transferred
from offhook.sip.session import Confirmed, Session


@dataclass(frozen=True)
class Timer:
    name: str
    section: str
    udp: str
    streams: str
    then: str


TIMERS = (
    Timer("A", "RFC 3261 17.1.1.2", "500 ms, doubling", "none", "INVITE again"),
    Timer("B", "RFC 3261 17.1.1.2", "32 s", "32 s", "503, no reply"),
    Timer("C", "RFC 3261 16.6", "none", "none", "for proxies: whoever calls gives up"),
    Timer("D", "RFC 3261 17.1.1.2", "32 s", "0", "refusals are acknowledged until then"),
    Timer("E", "RFC 3261 17.1.2.2", "500 ms, doubling to 4 s", "none", "request again"),
    Timer("F", "RFC 3261 17.1.2.2", "32 s", "32 s", "given up"),
    Timer("G", "RFC 3261 17.2.1", "500 ms, doubling to 4 s", "none", "refusal again"),
    Timer("H", "RFC 3261 17.2.1", "32 s", "32 s", "over without ACK"),
    Timer("I", "RFC 3261 17.2.1", "5 s", "0", "ACKs are absorbed until then"),
    Timer("J", "RFC 3261 17.2.2", "32 s", "0", "repeats get the same response"),
    Timer("K", "RFC 3261 17.1.2.2", "5 s", "0", "responses are absorbed until then"),
    Timer("L", "RFC 6026 7.1", "32 s", "32 s", "repeated INVITEs are absorbed"),
    Timer("M", "RFC 6026 7.2", "32 s", "32 s", "2xx of forks are acknowledged and ended"),
    Timer("100", "RFC 3261 17.2.1", "200 ms", "the same", "100 unless something was said"),
    Timer("2xx", "RFC 3261 13.3.1.4", "500 ms, doubling to 4 s", "the same", "2xx again"),
    Timer("2xx without ACK", "RFC 3261 13.3.1.4", "32 s", "32 s", "BYE"),
    Timer("ACK", "RFC 3261 13.2.2.4", "none", "none", "the same ACK for each 2xx"),
    Timer("Expires", "RFC 3261 13.3.1", "as said", "as said", "487 unless answered by then"),
    Timer("CANCEL", "RFC 3261 9.1", "32 s", "32 s", "counts as cancelled"),
    Timer("1xx", "RFC 3262 3", "500 ms, doubling", "the same", "numbered 1xx again"),
    Timer("1xx without PRACK", "RFC 3262 3", "32 s", "32 s", "504"),
    Timer("PRACK", "RFC 3262 4", "as E and F", "as F", "request again"),
    Timer("refresh", "RFC 4028 7.2", "half the interval", "the same", "UPDATE or re-INVITE"),
    Timer("session", "RFC 4028 10", "32 s or a third early", "the same", "BYE"),
    Timer("N", "RFC 6665 4.1.2.4", "32 s", "32 s", "no NOTIFY: the outcome is not known"),
    Timer("subscription", "RFC 3515 2.4.4", "180 s", "180 s", "terminated;reason=timeout"),
)

F = TypeVar("F", bound=Callable[..., None])
proved: set[str] = set()


def proves(*names: str) -> Callable[[F], F]:
    """Enters a test in the table."""
    proved.update(names)
    return lambda test: test


DOUBLING = [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
UP_TO_4 = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
BOTH = pytest.mark.parametrize("transport", ["UDP", "TCP"])
CALLER, CALLEE = "10.0.0.1", "10.0.0.2"


def silent(talk: Talk, host: str) -> None:
    """From now on nothing of this end arrives."""
    talk.line.fates[host] = lambda data: ()


def counted(transport: str, udp: list[float]) -> list[float]:
    """Seconds after the first: over a reliable transport there is no other."""
    return udp if transport == "UDP" else udp[:1]


def since(times: list[float]) -> list[float]:
    return [round(at - times[0], 3) for at in times]


def again(talk: Talk, start: str, at_caller: bool = False) -> list[str]:
    """The first message of the other end that begins so arrives once more; what is said to it."""
    sender, receiver = talk.callee, talk.caller
    if not at_caller:
        sender, receiver = receiver, sender
    data = next(data for _, data in sender.sent if word(parse(data)) == start)
    before = len(receiver.sent)
    origin = Hop(sender.hop.transport, sender.hop.host, sender.hop.port)
    receiver.endpoint.receive(data, origin, talk.now)
    talk.line.flush()
    return receiver.said()[before:]


def refused(transport: str, status: int = 486) -> Talk:
    talk = Talk(transport)
    talk.invite()
    talk.line.run()
    talk.incoming().reject(status, talk.now)
    talk.line.run()
    return talk


@proves("A", "B")
@BOTH
def test_an_invite_is_repeated_and_given_up(transport: str):
    talk = Talk(transport)
    silent(talk, CALLER)
    talk.invite()
    talk.line.run(31.9)
    assert talk.caller.all(Over) == []
    talk.line.run(0.2)
    over = talk.caller.one(Over)
    assert (over.by, over.code) == ("network", 503)
    assert talk.caller.when("INVITE") == counted(transport, DOUBLING)
    assert talk.caller.endpoint.transactions == 0


@proves("C")
@BOTH
def test_ringing_has_no_limit_of_its_own(transport: str):
    """Ten minutes of ringing are the callers' business: nothing is said, nothing is given up."""
    talk = Talk(transport)
    call = talk.invite()
    talk.line.run()
    talk.incoming().ring(talk.now)
    talk.line.run(600)
    assert talk.caller.all(Over) == talk.callee.all(Over) == []
    assert talk.caller.said() == ["INVITE"]
    call.cancel(talk.now)
    talk.line.run(1)
    assert talk.caller.one(Over).code == 487


@proves("D")
@pytest.mark.parametrize(("transport", "seconds"), [("UDP", 32), ("TCP", 0)])
def test_refusals_are_acknowledged_for_a_while(transport: str, seconds: int):
    talk = refused(transport)
    if seconds:
        talk.line.run(seconds - 0.3)
        assert again(talk, "486", at_caller=True) == ["ACK"]
        talk.line.run(0.4)
    assert talk.caller.endpoint.transactions == 0
    assert again(talk, "486", at_caller=True) == []
    assert talk.caller.endpoint.counts["stray"] == 1
    assert len(talk.caller.all(Over)) == 1


@proves("E", "F")
@BOTH
def test_a_request_is_repeated_and_given_up(transport: str):
    talk, told = Talk(transport), []
    silent(talk, CALLER)
    talk.caller.endpoint.options("sip:b", talk.callee.hop, lambda r, at: told.append((r, at)), 0.0)
    talk.line.run(31.9)
    assert told == []
    talk.line.run(0.2)
    assert told == [(None, 32.0)]
    assert talk.caller.when("OPTIONS") == counted(transport, UP_TO_4)
    assert talk.caller.endpoint.transactions == 0


@proves("G", "H")
@BOTH
def test_a_refusal_is_repeated_and_given_up(transport: str):
    talk = Talk(transport)
    talk.invite()
    talk.line.run()
    silent(talk, CALLER)
    talk.incoming().reject(486, talk.now)
    talk.line.run(31.9)
    assert talk.callee.all(Over) == []
    talk.line.run(0.2)
    assert since(talk.callee.when("486")) == counted(transport, UP_TO_4)
    assert (talk.callee.one(Over).by, talk.callee.one(Over).code) == ("near", 486)
    assert talk.callee.endpoint.transactions == 0


@proves("I")
@pytest.mark.parametrize(("transport", "seconds"), [("UDP", 5), ("TCP", 0)])
def test_acks_of_a_refusal_are_absorbed(transport: str, seconds: int):
    talk = refused(transport)
    if seconds:
        talk.line.run(seconds - 0.3)
        assert talk.callee.endpoint.transactions == 1
        assert again(talk, "ACK") == []
        assert talk.callee.endpoint.counts["stray"] == 0
        talk.line.run(0.4)
    assert talk.callee.endpoint.transactions == 0
    again(talk, "ACK")
    assert talk.callee.endpoint.counts["stray"] == 1


@proves("J")
@pytest.mark.parametrize(("transport", "seconds"), [("UDP", 32), ("TCP", 0)])
def test_a_repeated_request_gets_the_same_response(transport: str, seconds: int):
    talk = Talk(transport)
    talk.caller.endpoint.options("sip:b", talk.callee.hop, lambda response, at: None, 0.0)
    talk.line.run()
    [response] = talk.callee.sent
    if seconds:
        talk.line.run(seconds - 0.2)
        assert again(talk, "OPTIONS") == ["200"]
        assert talk.callee.sent[-1][1] == response[1]
        talk.line.run(0.2)
    assert talk.callee.endpoint.transactions == 0
    assert again(talk, "OPTIONS") == ["200"]
    assert talk.callee.sent[-1][1] != response[1]  # it was a new one: its tag is another


@proves("K")
@pytest.mark.parametrize(("transport", "seconds"), [("UDP", 5), ("TCP", 0)])
def test_a_repeated_response_is_absorbed(transport: str, seconds: int):
    talk, told = Talk(transport), []
    talk.caller.endpoint.options("sip:b", talk.callee.hop, lambda r, at: told.append(r), 0.0)
    talk.line.run()
    if seconds:
        talk.line.run(seconds - 0.2)
        again(talk, "200", at_caller=True)
        assert talk.caller.endpoint.counts["stray"] == 0
        talk.line.run(0.2)
    assert talk.caller.endpoint.transactions == 0
    again(talk, "200", at_caller=True)
    assert talk.caller.endpoint.counts["stray"] == 1
    assert len(told) == 1


@proves("L")
@BOTH
def test_an_invite_that_was_answered_is_absorbed(transport: str):
    talk = Talk(transport)
    talk.answered()
    talk.line.run(31.7)
    assert again(talk, "INVITE") == []
    assert talk.callee.endpoint.transactions == 1
    talk.line.run(0.3)
    assert talk.callee.endpoint.transactions == 0
    assert len(talk.callee.all(Incoming)) == 1


@proves("M")
@BOTH
def test_answers_of_forks_are_ended(transport: str):
    talk = Talk(transport)
    talk.answered()
    talk.line.run(31.5)
    data = next(data for _, data in talk.callee.sent if word(parse(data)) == "200")
    tag = parse(data).to.tag.encode()
    for fork, expected in ((b"fork1", ["ACK", "BYE"]), (b"fork2", [])):
        before = len(talk.caller.sent)
        talk.caller.endpoint.receive(data.replace(tag, fork), talk.callee.hop, talk.now)
        talk.line.flush()
        assert talk.caller.said()[before:] == expected
        talk.line.run(0.5)
    assert talk.caller.endpoint.counts["stray"] == 1
    assert len(talk.caller.all(Answered)) == 1


@proves("2xx", "2xx without ACK")
@BOTH
def test_an_answer_is_repeated_and_given_up(transport: str):
    """Over TCP as well: there may be proxies that go on by UDP."""
    talk = Talk(transport)
    talk.invite()
    talk.line.run()
    silent(talk, CALLER)
    talk.incoming().answer(b"answer", talk.now)
    talk.line.run(31.9)
    assert talk.callee.all(Over) == []
    assert "BYE" not in talk.callee.said()
    talk.line.run(0.2)
    assert since(talk.callee.when("200")) == UP_TO_4
    assert "BYE" in talk.callee.said()
    over = talk.callee.one(Over)
    assert (over.by, over.code) == ("network", 408)


@proves("ACK")
@BOTH
def test_each_answer_gets_the_same_ack(transport: str):
    talk = Talk(transport)
    talk.line.fates[CALLER] = lose(3, "ACK")
    talk.answered()
    talk.line.run(10)
    acks = [data for _, data in talk.caller.sent if word(parse(data)) == "ACK"]
    assert since(talk.callee.when("200")) == UP_TO_4[:4]
    assert since(talk.caller.when("ACK")) == UP_TO_4[:4]
    assert len(acks) == 4
    assert len(set(acks)) == 1
    assert len(talk.callee.all(Confirmed)) == 1


@proves("CANCEL")
@BOTH
def test_a_cancelled_call_is_over_in_time(transport: str):
    """The CANCEL is answered, the INVITE is not: after 64*T1 it counts as cancelled."""
    talk = Talk(transport)
    call = talk.invite()
    talk.line.run()
    talk.incoming().ring(talk.now)
    talk.line.run()
    talk.line.fates[CALLEE] = lambda data: () if b" 487 " in data else (0.01,)
    call.cancel(talk.now)
    talk.line.run(31.9)
    assert talk.caller.all(Over) == []
    talk.line.run(0.2)
    assert (talk.caller.one(Over).by, talk.caller.one(Over).code) == ("near", 487)
    talk.line.run(5)
    assert talk.caller.endpoint.transactions == 0
    assert not talk.caller.endpoint.busy


@proves("Expires")
@BOTH
@pytest.mark.parametrize(
    ("expires", "when"), [("40", [40]), ("0", [0]), ("soon", []), ("-1", []), ("9" * 11, [])]
)
def test_an_invitation_expires_when_its_caller_says_so(
    transport: str, expires: str, when: list[int]
):
    talk = Talk(transport)
    talk.invite(fields=(("Expires", expires),))
    talk.line.run(0.1)
    if expires != "0":
        talk.incoming().ring(talk.now)
    talk.line.run(100)
    assert [round(at) for at in since([0.0, *talk.callee.when("487")])[1:]][:1] == when
    assert len(talk.caller.all(Over)) == len(talk.callee.all(Over)) == len(when)
    session = talk.incoming().answer(b"answer", talk.now)
    assert (session is None) == bool(when)


@proves("100")
@BOTH
def test_a_caller_who_has_heard_nothing_is_told_to_be_patient(transport: str):
    talk = Talk(transport)
    talk.invite()
    talk.line.run(0)
    began = talk.now
    talk.line.run(0.05)
    talk.incoming().taken(began)
    talk.line.run(50)
    assert talk.callee.when("100") == [began + 0.2]
    assert talk.caller.said() == ["INVITE"]  # never again
    talk.incoming().ring(talk.now)
    talk.line.run(50)
    assert talk.callee.said() == ["100", "180"]


@proves("100")
@BOTH
@pytest.mark.parametrize("said", ["180", "200", "486"])
def test_a_caller_who_hears_anything_else_in_time_is_not(transport: str, said: str):
    talk = Talk(transport)
    talk.invite()
    talk.line.run(0.05)
    call = talk.incoming()
    call.taken(talk.now)
    talk.line.run(0.19)
    say = {"180": call.ring, "200": lambda now: call.answer(b"answer", now)}
    say.get(said, lambda now: call.reject(486, now))(talk.now)
    talk.line.run(50)
    assert talk.callee.said()[0] == said
    assert talk.callee.when("100") == []


@proves("100")
def test_a_caller_who_may_not_be_rung_yet_is_told_as_well():
    talk = Talk()
    talk.invite(fields=(("Require", "100rel"),), body=b"")
    talk.line.run(0.05)
    talk.incoming().taken(talk.now)
    talk.incoming().ring(talk.now)
    talk.line.run(1)
    assert talk.callee.said() == ["100"]


@proves("1xx", "1xx without PRACK")
@BOTH
def test_a_numbered_ringing_is_repeated_and_given_up(transport: str):
    talk = Talk(transport)
    talk.invite(fields=(("Require", "100rel"),))
    talk.line.run()
    silent(talk, CALLER)
    talk.incoming().ring(talk.now)
    talk.line.run(31.9)
    assert since(talk.callee.when("180")) == DOUBLING
    assert "504" not in talk.callee.said()
    talk.line.run(0.2)
    assert "504" in talk.callee.said()


@proves("PRACK")
@BOTH
def test_a_prack_is_repeated_as_any_request(transport: str):
    talk = Talk(transport)
    talk.line.fates[CALLER] = lose(100, "PRACK")
    talk.invite(fields=(("Require", "100rel"),))
    talk.line.run()
    talk.incoming().ring(talk.now)
    talk.line.run(33)
    assert since(talk.caller.when("PRACK")) == counted(transport, UP_TO_4)


@proves("refresh", "session")
@BOTH
def test_a_session_is_refreshed_or_ends(transport: str):
    """1800 s are refreshed at 900; unheard of, the session ends 32 s before its time."""
    talk = Talk(transport)
    caller, callee = talk.answered()
    began = talk.now
    talk.line.run(899)
    assert "UPDATE" not in talk.caller.said() + talk.callee.said()
    talk.line.run(2)
    refreshing = [end for end in (talk.caller, talk.callee) if "UPDATE" in end.said()]
    assert len(refreshing) == 1
    for host in (CALLER, CALLEE):
        silent(talk, host)
    talk.line.run(900 + 1800 - 32 - (talk.now - began) - 1.5)
    waiting = callee if refreshing == [talk.caller] else caller
    assert not waiting.over
    talk.line.run(3)
    assert waiting.over


def taken(transport: str = "UDP") -> tuple[Talk, Session, Referred]:
    """A REFER that was sent, and not yet answered."""
    talk = Talk(transport)
    caller, _ = talk.answered()
    assert caller.refer("<sip:carol@10.0.0.3>", (), talk.now)
    talk.line.run()
    return talk, caller, talk.callee.one(Referred)


@proves("N")
@BOTH
def test_a_transfer_nobody_speaks_of_is_over(transport: str):
    """202, and then nothing: whoever asked is told so, and may ask again."""
    talk, caller, event = taken(transport)
    talk.line.fates[CALLEE] = lose(1000, "NOTIFY")
    event.referral.take(talk.now)
    talk.line.run(31.9)
    assert [each.final for each in talk.caller.all(Transferred)] == [False]
    assert not caller.refer("<sip:dave@10.0.0.3>", (), talk.now)
    talk.line.run(0.2)
    last = talk.caller.all(Transferred)[-1]
    assert (last.status, last.final) == (0, True)
    assert caller.refer("<sip:dave@10.0.0.3>", (), talk.now)


@proves("subscription")
@BOTH
def test_news_of_a_transfer_end_in_time(transport: str):
    """Who was sent elsewhere and is still trying says so after 180 s, for the last time."""
    talk, _, event = taken(transport)
    event.referral.take(talk.now)
    talk.line.run(60)
    event.referral.tell(180, talk.now)
    talk.line.run(119)
    said = [each for each in talk.callee.messages() if word(each) == "NOTIFY"]
    states = [each.get("subscription-state") for each in said]
    assert states == ["active;expires=180", "active;expires=120"]
    talk.line.run(2)
    final = talk.callee.messages()[-1]
    assert final.get("subscription-state") == "terminated;reason=timeout"
    assert final.body == b"SIP/2.0 180 Ringing\r\n"
    told = talk.caller.all(Transferred)[-1]
    assert (told.status, told.final) == (180, True)
    event.referral.tell(200, talk.now)
    talk.line.run(1)
    assert talk.callee.said().count("NOTIFY") == 3


@proves("subscription")
@pytest.mark.parametrize(
    ("state", "seconds"),
    [("active;expires=50", 50), ("active", 180), ("active;expires=999999", 3600)],
)
def test_we_wait_for_news_as_long_as_was_said(state: str, seconds: int):
    """As long as they said, or as long as ours: then the outcome is not known."""
    talk, caller, event = taken()
    event.referral.take(talk.now)
    talk.line.fates[CALLEE] = lambda data: () if data.startswith(b"NOTIFY") else (0.01,)
    talk.line.flush()
    data = next(data for _, data in talk.callee.sent if word(parse(data)) == "NOTIFY")
    data = data.replace(b"active;expires=180", state.encode())
    talk.line.run(1)
    talk.caller.endpoint.receive(data, talk.callee.hop, talk.now)
    talk.line.run(seconds - 0.2)
    assert not talk.caller.all(Transferred)[-1].final
    talk.line.run(0.4)
    assert talk.caller.all(Transferred)[-1].final
    assert not caller.over


def test_a_subscription_ends_with_its_call():
    talk, caller, event = taken()
    event.referral.take(talk.now)
    talk.line.run(1)
    caller.bye(talk.now)
    talk.line.run(40)
    for end in (talk.caller, talk.callee):
        assert end.endpoint.wake_at is None
        assert not end.endpoint.busy


def test_every_timer_of_the_table_is_proved():
    assert {*"ABCDEFGHIJKLMN"} < proved
    assert proved == {timer.name for timer in TIMERS}
