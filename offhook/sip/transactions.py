"""The four transaction machines of RFC 3261 section 17, as changed by RFC 6026.

No sockets and no clock: what happens is fed in with the time, what is to be done comes out as words
("send", "ack", "up", "timeout"), and `wake_at` says when to call `fire` next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from offhook.sip.hop import Hop
from offhook.sip.message import Request

T1, T2, T4 = 0.5, 4.0, 5.0

Step = tuple[str, tuple[str, ...]]
KEPT = -1.0  # a timer that goes on running when the state is entered

DONE = "terminated"


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """`steps`: (state, what happened) -> (next state, what to do); anything absent is ignored.

    `timers`: those that run in a state, with the seconds after which they fire first.
    """

    name: str
    start: str
    steps: Mapping[tuple[str, str], Step]
    timers: Mapping[str, Mapping[str, float]]


# RFC 3261 section 17.1.1.2; the accepted state is RFC 6026 section 7.2.
INVITE_CLIENT = Machine(
    "INVITE client",
    "calling",
    {
        ("calling", "A"): ("calling", ("send",)),
        ("calling", "B"): (DONE, ("timeout",)),
        ("calling", "1xx"): ("proceeding", ("up",)),
        ("calling", "2xx"): ("accepted", ("up",)),
        ("calling", "3xx-6xx"): ("completed", ("ack", "up")),
        ("calling", "undeliverable"): (DONE, ("timeout",)),
        ("proceeding", "1xx"): ("proceeding", ("up",)),
        ("proceeding", "2xx"): ("accepted", ("up",)),
        ("proceeding", "3xx-6xx"): ("completed", ("ack", "up")),
        ("completed", "3xx-6xx"): ("completed", ("ack",)),
        ("completed", "D"): (DONE, ()),
        ("accepted", "2xx"): ("accepted", ("up",)),
        ("accepted", "M"): (DONE, ()),
    },
    {
        "calling": {"A": T1, "B": 64 * T1},
        "completed": {"D": 64 * T1},
        "accepted": {"M": 64 * T1},
    },
)

# RFC 3261 section 17.1.2.2.
CLIENT = Machine(
    "client",
    "trying",
    {
        ("trying", "E"): ("trying", ("send",)),
        ("trying", "F"): (DONE, ("timeout",)),
        ("trying", "1xx"): ("proceeding", ("up",)),
        ("trying", "2xx"): ("completed", ("up",)),
        ("trying", "3xx-6xx"): ("completed", ("up",)),
        ("trying", "undeliverable"): (DONE, ("timeout",)),
        ("proceeding", "E"): ("proceeding", ("send",)),
        ("proceeding", "F"): (DONE, ("timeout",)),
        ("proceeding", "1xx"): ("proceeding", ("up",)),
        ("proceeding", "2xx"): ("completed", ("up",)),
        ("proceeding", "3xx-6xx"): ("completed", ("up",)),
        ("proceeding", "undeliverable"): (DONE, ("timeout",)),
        ("completed", "K"): (DONE, ()),
    },
    {
        "trying": {"E": T1, "F": 64 * T1},
        "proceeding": {"E": KEPT, "F": KEPT},
        "completed": {"K": T4},
    },
)

# RFC 3261 section 17.2.1; the accepted state is RFC 6026 section 7.1.
INVITE_SERVER = Machine(
    "INVITE server",
    "proceeding",
    {
        ("proceeding", "again"): ("proceeding", ("send",)),
        ("proceeding", "1xx"): ("proceeding", ("send",)),
        ("proceeding", "2xx"): ("accepted", ("send",)),
        ("proceeding", "3xx-6xx"): ("completed", ("send",)),
        ("accepted", "2xx"): ("accepted", ("send",)),
        ("accepted", "L"): (DONE, ()),
        ("completed", "again"): ("completed", ("send",)),
        ("completed", "G"): ("completed", ("send",)),
        ("completed", "ACK"): ("confirmed", ("up",)),
        ("completed", "H"): (DONE, ("timeout",)),
        ("confirmed", "I"): (DONE, ()),
    },
    {
        "accepted": {"L": 64 * T1},
        "completed": {"G": T1, "H": 64 * T1},
        "confirmed": {"I": T4},
    },
)

# RFC 3261 section 17.2.2.
SERVER = Machine(
    "server",
    "trying",
    {
        ("trying", "1xx"): ("proceeding", ("send",)),
        ("trying", "2xx"): ("completed", ("send",)),
        ("trying", "3xx-6xx"): ("completed", ("send",)),
        ("proceeding", "again"): ("proceeding", ("send",)),
        ("proceeding", "1xx"): ("proceeding", ("send",)),
        ("proceeding", "2xx"): ("completed", ("send",)),
        ("proceeding", "3xx-6xx"): ("completed", ("send",)),
        ("completed", "again"): ("completed", ("send",)),
        ("completed", "J"): (DONE, ()),
    },
    {"completed": {"J": 64 * T1}},
)

# Each firing doubles the wait, up to this.
REPEATED = {"A": math.inf, "E": T2, "G": T2}
# What a reliable transport makes needless: repeats, and waiting for the other side's repeats.
UNRELIABLE_ONLY = frozenset("AEG")
INSTANT_IF_RELIABLE = frozenset("DIJK")
# Nothing is sent or told when these run out. They do so at tenths of a second, many at once: each
# time that the loop wakes for one costs more than the one.
FORGETTING = frozenset("DIJKLM")


def earliest(*times: float | None) -> float | None:
    """Of those that are set."""
    known = [at for at in times if at is not None]
    return min(known) if known else None


def kind_of(status: int) -> str:
    return "1xx" if status < 200 else "2xx" if status < 300 else "3xx-6xx"


class Transaction:
    """One machine at work. `data` is what "send" repeats; `tell` is how its user hears of it.

    `tag` is that of To in our responses, where it is settled.
    """

    def __init__(
        self, machine: Machine, key: tuple[str, ...], request: Request, hop: Hop, now: float
    ) -> None:
        self.machine, self.key = machine, key
        self.data = b""
        self.grown = False  # sent over TCP only for its size
        self.serial = 0
        self.tag = ""
        self.tell: Callable[[Any, float], None] = lambda what, now: None
        self.begin(request, hop, now)

    def begin(self, request: Request, hop: Hop, now: float) -> None:
        """From the start, maybe for a second time by another way."""
        self.request, self.hop = request, hop
        self.source = hop  # where the last response came from
        self.state = self.machine.start
        self._timers: dict[str, float] = {}
        self.wake_at: float | None = None  # when the first of the timers runs out
        self._wait = T1
        self._enter(now)

    @property
    def done(self) -> bool:
        return self.state == DONE

    def happens(self, what: str, now: float) -> tuple[str, ...]:
        """Takes the step, if there is one, and says what is to be done."""
        step = self.machine.steps.get((self.state, what))
        if step is None:
            self._timers.pop(what, None)
            self._arm()
            return ()
        following, actions = step
        if following != self.state:
            self.state = following
            self._enter(now)
        elif what in REPEATED:
            self._wait = T2 if following == "proceeding" else min(2 * self._wait, REPEATED[what])
            self._timers[what] = now + self._wait
            self._arm()
        return actions

    def fire(self, now: float) -> list[str]:
        """What the timers that are due ask for, in the order in which they ran out."""
        asked: list[str] = []
        while self._timers:
            name = min(self._timers, key=self._timers.__getitem__)
            if self._timers[name] > now:
                break
            asked += self.happens(name, now)
        return asked

    def _enter(self, now: float) -> None:
        reliable, before = self.hop.reliable, self._timers
        self._timers = {}
        self._wait = self._wait if self.machine is CLIENT else T1
        for name, wait in self.machine.timers.get(self.state, {}).items():
            if reliable and name in UNRELIABLE_ONLY:
                continue
            if wait == KEPT:
                self._timers |= {name: before[name]} if name in before else {}
            elif reliable and name in INSTANT_IF_RELIABLE:
                self._timers[name] = now
            else:
                self._timers[name] = _tenth(now + wait) if name in FORGETTING else now + wait
        self._arm()

    def _arm(self) -> None:
        self.wake_at = min(self._timers.values(), default=None)


def _tenth(at: float) -> float:
    """The next tenth of a second."""
    return math.ceil(at * 10 - 1e-6) / 10
