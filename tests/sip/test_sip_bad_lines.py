"""A thousand calls over a line that loses, doubles and disorders what it carries.

RFC 3261 promises that both sides learn how a call ended; nothing of it may be left behind.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from random import Random

import pytest
from sip_ends import End, Talk, rough, word

from offhook.sip.core import Over, Registering
from offhook.sip.digest import Credentials
from offhook.sip.enrolment import Enrolment
from offhook.sip.inbound import Inbound, Incoming
from offhook.sip.message import Response
from offhook.sip.outbound import Answered, Outbound
from offhook.sip.registrar import Registrar
from offhook.sip.session import Offered, Reanswered, Session

CALLS = 1000
LOSS, DOUBLED, JITTER = 0.05, 0.05, 0.15  # seconds of jitter: many overtake the one before
EVERY = 0.05  # seconds between the beginnings of two calls
KINDS = (
    *(
        "caller hangs up",
        "callee hangs up",
        "both hang up",
        "cancelled",
        "cancelled while answered",
    ),
    *("busy", "no answer", "changed by the caller", "changed by the callee", "changed by both"),
)


class Call:
    """One of them, and what both sides think of it."""

    def __init__(self, number: int) -> None:
        self.number, self.kind = number, KINDS[number % len(KINDS)]
        self.out: Outbound | None = None
        self.in_: Inbound | None = None
        self.sessions: dict[str, Session] = {}  # by "caller" and "callee"
        self.over: dict[str, list[Over]] = {"caller": [], "callee": []}
        self.changes: list[Reanswered] = []


class Town:
    """Two ends, the calls between them, and what is to happen when."""

    def __init__(self, seed: int) -> None:
        self.talk, self.chance = Talk(), Random(seed)
        for n, host in enumerate(self.talk.line.ends):
            self.talk.line.fates[host] = rough(seed + n, LOSS, DOUBLED, JITTER)
        self.calls = [Call(number) for number in range(CALLS)]
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._by_serial: dict[tuple[str, int], Call] = {}
        self._seen = {"caller": 0, "callee": 0}

    @property
    def now(self) -> float:
        return self.talk.now

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._agenda, (self.now + seconds, next(self._order), do))

    def run(self) -> None:
        """Until everything has been done, and every timer has run out."""
        while self._agenda:
            at, _, do = heapq.heappop(self._agenda)
            while self.now < at:
                self.talk.line.run(min(0.05, at - self.now))
                self._look()
            do()
            self.talk.line.flush()
            self._look()
        for _ in range(400):
            self.talk.line.run(0.5)
            self._look()

    def _look(self) -> None:
        for side, end in (("caller", self.talk.caller), ("callee", self.talk.callee)):
            new = end.events[self._seen[side] :]
            self._seen[side] += len(new)
            for event in new:
                self._happened(side, end, event)

    def _happened(self, side: str, end: End, event: object) -> None:
        match event:
            case Incoming(inbound):
                call = self.calls[int(inbound.request.from_.parsed.user)]
                assert call.in_ is None, "one INVITE made two calls"
                call.in_ = inbound
                self._by_serial["callee", inbound.serial] = call
                self.rings(call, inbound)
            case Answered(serial, session):
                self._by_serial[side, serial].sessions[side] = session
            case Offered(session):
                session.accept(b"answer", self.now)
            case Reanswered(session):
                self._by_serial[side, session.serial].changes.append(event)
            case Over(serial):
                self._by_serial[side, serial].over[side].append(event)

    # What is done with a call

    def begins(self, call: Call) -> None:
        user = f"<sip:{call.number}@10.0.0.1>"
        call.out = out = self.talk.invite(from_=user)
        self._by_serial["caller", out.serial] = call
        if call.kind == "cancelled":
            self.later(self.chance.uniform(0, 2.5), lambda: self.gives_up(call, out))
        elif call.kind == "cancelled while answered":
            self.later(3 + self.chance.uniform(-0.3, 0.7), lambda: self.gives_up(call, out))
        elif call.kind == "no answer":
            self.later(20, lambda: self.gives_up(call, out))
        if call.kind in ("caller hangs up", "both hang up", "changed by the callee"):
            self.later(25, lambda: call.sessions["caller"].bye(self.now))
        if call.kind in ("callee hangs up", "both hang up", "changed by the caller"):
            self.later(25, lambda: call.sessions["callee"].bye(self.now))
        if call.kind == "changed by both":
            self.later(40, lambda: call.sessions["callee"].bye(self.now))
        for side in ("caller", "callee"):
            if call.kind in (f"changed by the {side}", "changed by both"):
                self.later(12, lambda side=side: call.sessions[side].reinvite(b"new", self.now))

    def gives_up(self, call: Call, out: Outbound) -> None:
        """As whoever puts the receiver down: what that is depends on what was heard so far."""
        if session := call.sessions.get("caller"):
            session.bye(self.now)
        else:
            out.cancel(self.now)

    def rings(self, call: Call, inbound: Inbound) -> None:
        inbound.trying(self.now)
        if call.kind == "busy":
            self.later(0.3, lambda: inbound.reject(486, self.now))
            return
        self.later(0.2, lambda: inbound.ring(self.now))
        if call.kind not in ("cancelled", "no answer"):
            self.later(3, lambda: self.answers(call, inbound))

    def answers(self, call: Call, inbound: Inbound) -> None:
        if session := inbound.answer(b"answer", self.now):
            call.sessions["callee"] = session


@pytest.fixture(scope="module", params=[1, 2])
def town(request: pytest.FixtureRequest) -> Town:
    town = Town(request.param)
    for call in town.calls:
        town.later(call.number * EVERY, lambda call=call: town.begins(call))
    town.run()
    return town


def how(call: Call) -> tuple[str, str]:
    """How both sides say that it ended: by whom, and the code."""
    return tuple(  # type: ignore[return-value]
        f"{call.over[side][0].by} {call.over[side][0].code}" for side in ("caller", "callee")
    )


def test_the_line_was_bad(town: Town):
    """The proof would be none on a good one: many an INVITE had to be said again."""
    invites = [each for each in town.talk.caller.messages() if word(each) == "INVITE"]
    assert len(invites) > 1.05 * len({each.via.branch for each in invites})
    assert town.talk.callee.endpoint.counts["malformed"] == 0


def test_every_call_is_over_once_at_either_end(town: Town):
    for call in town.calls:
        assert [len(call.over[side]) for side in ("caller", "callee")] == [1, 1], call.kind


def test_both_ends_agree_how(town: Town):
    """A CANCEL may cross the answer: then there was a call, and the caller hangs up."""
    hung_up_by = {"caller": {("near 200", "far 200")}, "callee": {("far 200", "near 200")}}
    expected = {
        "caller hangs up": hung_up_by["caller"],
        "callee hangs up": hung_up_by["callee"],
        "both hang up": {("near 200", "near 200")},
        "cancelled": {("near 487", "far 487")},
        "cancelled while answered": {("near 487", "far 487"), ("near 200", "far 200")},
        "busy": {("far 486", "near 486")},
        "no answer": {("near 487", "far 487")},
        "changed by the caller": hung_up_by["callee"],
        "changed by the callee": hung_up_by["caller"],
        "changed by both": hung_up_by["callee"],
    }
    for call in town.calls:
        assert how(call) in expected[call.kind], (call.number, call.kind)
    crossing = [call for call in town.calls if call.kind == "cancelled while answered"]
    assert {how(call) for call in crossing} == expected["cancelled while answered"]


def test_calls_that_were_changed_were(town: Town):
    for call in town.calls:
        expected = {"changed by both": 2}.get(call.kind, int(call.kind.startswith("changed")))
        statuses = [each.response.status for each in call.changes if each.response]
        assert statuses == [200] * expected, call.kind


def test_nothing_is_left_at_either_end(town: Town):
    for end in (town.talk.caller, town.talk.callee):
        assert end.endpoint.transactions == 0
        assert not end.endpoint.busy
        assert end.endpoint.wake_at is None
    for call in town.calls:
        assert all(session.over for session in call.sessions.values())


def test_registrations_come_and_go_on_the_same_line():
    """Each phone registers, refreshes and goes: nobody is known in the end, and all were before."""
    talk, chance = Talk(), Random(3)
    for host in talk.line.ends:
        talk.line.fates[host] = rough(chance.randrange(1000), LOSS, DOUBLED, JITTER)
    registrar = Registrar(lambda aor, contacts: None)
    heard: list[Response | None] = []
    login = Credentials("x", "y")
    orders = [
        Enrolment("sip:10.0.0.2", "10.0.0.2", f"u{n}", talk.callee.hop, login) for n in range(100)
    ]

    def serve(seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            talk.line.run(0.1)
            for asked in talk.callee.all(Registering):
                fields = registrar.register(
                    str(asked.request.to.parsed.user), asked.request, asked.source, talk.now
                )
                talk.callee.endpoint.reply(asked, 200, talk.now, *fields)
            talk.callee.events.clear()

    for seconds, known in ((600, 100), (600, 100), (0, 0)):
        for order in orders:
            talk.caller.endpoint.enrol(order, seconds, lambda r, at: heard.append(r), talk.now)
        serve(60)
        assert registrar.count(talk.now) == known
    assert [each.status for each in heard if each] == [200] * 300
    for end in (talk.caller, talk.callee):
        assert end.endpoint.transactions == 0
        assert end.endpoint.wake_at is None
