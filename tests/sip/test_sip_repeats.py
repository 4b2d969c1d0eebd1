"""Requests inside a dialog, lost or doubled on their way.  RFC 3261 sections 17.1.2 and 17.2.2."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sip_ends import Talk, lose

from offhook.sip.referral import Referred


def prack(talk: Talk) -> None:
    talk.invite(fields=(("Require", "100rel"),))
    talk.line.run()
    talk.incoming().ring(talk.now)


def update(talk: Talk) -> None:
    """By whoever refreshes."""
    talk.answered()
    talk.line.run(890)


def refer(talk: Talk) -> None:
    caller, _ = talk.answered()
    assert caller.refer("<sip:carol@10.0.0.3>", (), talk.now)


def notify(talk: Talk) -> None:
    refer(talk)
    talk.line.run()
    talk.callee.one(Referred).referral.take(talk.now)


def bye(talk: Talk) -> None:
    caller, _ = talk.answered()
    caller.bye(talk.now)


EACH = pytest.mark.parametrize(
    ("method", "begin"),
    [("PRACK", prack), ("UPDATE", update), ("REFER", refer), ("NOTIFY", notify), ("BYE", bye)],
)
Begin = Callable[[Talk], None]


def times(talk: Talk, method: str) -> list[float]:
    """When it was sent, in seconds after the first."""
    at = talk.caller.when(method) + talk.callee.when(method)
    return [round(each - at[0], 3) for each in at]


def goes_on(talk: Talk, method: str, seconds: float) -> None:
    """Whoever was asked to call somebody says yes after so long; all else is answered at once."""
    talk.line.run(seconds)
    if method == "REFER":
        talk.callee.one(Referred).referral.take(talk.now)
    talk.line.run(30)


@EACH
def test_one_that_is_lost_is_said_again_until_it_is_answered(method: str, begin: Begin):
    talk = Talk()
    for end in (talk.caller, talk.callee):
        talk.line.fates[end.hop.host] = lose(3, method)
    begin(talk)
    goes_on(talk, method, 3.8)
    assert times(talk, method) == [0, 0.5, 1.5, 3.5]


@EACH
def test_one_that_comes_twice_is_answered_alike_and_counts_once(method: str, begin: Begin):
    talk = Talk()
    for end in (talk.caller, talk.callee):
        talk.line.fates[end.hop.host] = lambda data: (
            (0.01, 4.5) if data.startswith(method.encode()) else (0.01,)
        )
    begin(talk)
    goes_on(talk, method, 0.1)
    asked = talk.caller if talk.callee.when(method) else talk.callee
    cseq = f" {method}\r\n".encode()
    answers = [data for _, data in asked.sent if data.startswith(b"SIP/2.0 2") and cseq in data]
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert len(talk.callee.all(Referred)) == (method in ("REFER", "NOTIFY"))
    assert times(talk, method) == [0]
