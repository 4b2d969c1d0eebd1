"""Two SIP endpoints and the line between them, on a clock that the test turns."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from offhook.sip.endpoint import Endpoint
from offhook.sip.hop import Hop, Send
from offhook.sip.inbound import Inbound, Incoming
from offhook.sip.message import Request, Response, parse
from offhook.sip.outbound import Invitation, Outbound
from offhook.sip.session import Session

E = TypeVar("E")
Fate = Callable[[bytes], Sequence[float]]
LATENCY = 0.01


def steady(data: bytes) -> Sequence[float]:
    return (LATENCY,)


def counter(name: str) -> Callable[[], str]:
    """Text that is not random at all: which message made it can be read off."""
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):04x}{name.encode().hex()}".ljust(32, "0")


def sip(text: str) -> bytes:
    """A message as tests write it, one field a line."""
    head, _, body = text.strip("\n").partition("\n\n")
    return (head + "\n\n").replace("\n", "\r\n").encode() + body.replace("\n", "\r\n").encode()


class End:
    """One endpoint, what it was told and what it sent."""

    def __init__(self, name: str, host: str, transport: str = "UDP", **more: Any) -> None:
        self.hop = Hop(transport, host, 5060)
        where = f"{host}:5060"
        contact = f"sip:{where}" + ("" if transport == "UDP" else ";transport=tcp")
        more = {"agent": name} | more
        self.endpoint = Endpoint(lambda hop: where, lambda hop: contact, counter(name), **more)
        self.events: list[object] = []
        self.sent: list[tuple[float, bytes]] = []

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind: type[E]) -> E:
        [only] = self.all(kind)
        return only

    def messages(self) -> list[Request | Response]:
        return [parse(data) for _, data in self.sent]

    def said(self) -> list[str]:
        """Methods and statuses sent, repeats included."""
        return [word(message) for message in self.messages()]

    def when(self, what: str) -> list[float]:
        return [round(at, 3) for at, data in self.sent if word(parse(data)) == what]


def word(message: Request | Response) -> str:
    return message.method if isinstance(message, Request) else str(message.status)


class Line:
    """`fates` say when the copies of what an end sent arrive; nothing else takes time."""

    def __init__(self, *ends: End) -> None:
        self.now = 0.0
        self.ends = {end.hop.host: end for end in ends}
        self.fates: dict[str, Fate] = {}
        self._coming: list[tuple[float, int, Hop, Hop, bytes]] = []
        self._order = itertools.count()

    def flush(self) -> None:
        for end in self.ends.values():
            for output in end.endpoint.take():
                if isinstance(output, Send):
                    self._carry(end, output)
                else:
                    end.events.append(output)

    def _carry(self, end: End, send: Send) -> None:
        end.sent.append((self.now, send.data))
        origin = Hop(send.hop.transport, end.hop.host, end.hop.port)
        for delay in self.fates.get(end.hop.host, steady)(send.data):
            entry = (self.now + delay, next(self._order), origin, send.hop, send.data)
            heapq.heappush(self._coming, entry)

    def run(self, seconds: float = 0.1) -> None:
        """Until `now` is that much later."""
        until = self.now + seconds
        self.flush()
        while (at := self._next()) is not None and at <= until:
            self.now = max(self.now, at)
            while self._coming and self._coming[0][0] <= self.now:
                _, _, origin, to, data = heapq.heappop(self._coming)
                if receiver := self.ends.get(to.host):
                    receiver.endpoint.receive(data, origin, self.now)
                    self.flush()
            for end in self.ends.values():
                end.endpoint.fire(self.now)
            self.flush()
        self.now = until

    def _next(self) -> float | None:
        times = [end.endpoint.wake_at for end in self.ends.values()]
        times += [self._coming[0][0]] if self._coming else []
        return min((at for at in times if at is not None), default=None)


class Talk:
    """A caller at 10.0.0.1 and a callee at 10.0.0.2."""

    def __init__(self, transport: str = "UDP", **more: Any) -> None:
        self.caller = End("ann", "10.0.0.1", transport, **more)
        self.callee = End("bob", "10.0.0.2", transport, **more)
        self.line = Line(self.caller, self.callee)

    @property
    def now(self) -> float:
        return self.line.now

    def invite(self, **more: object) -> Outbound:
        given = {
            "uri": "sip:bob@10.0.0.2",
            "from_": "<sip:ann@10.0.0.1>",
            "to": "<sip:bob@10.0.0.2>",
            "hop": self.callee.hop,
            "body": b"offer",
        }
        call = self.caller.endpoint.invite(Invitation(**given | more), self.now)  # type: ignore[arg-type]
        self.line.flush()
        return call

    def incoming(self) -> Inbound:
        return self.callee.all(Incoming)[-1].call

    def answered(self) -> tuple[Session, Session]:
        """The caller's and the callee's end of a call that is up."""
        self.invite()
        self.line.run()
        callee = self.incoming().answer(b"answer", self.now)
        self.line.run()
        caller = next(e for e in self.caller.events if type(e).__name__ == "Answered").session  # type: ignore[attr-defined]
        assert callee
        return caller, callee


def rough(seed: int, loss: float, duplication: float, jitter: float) -> Fate:
    chance = random.Random(seed)

    def fate(data: bytes) -> Sequence[float]:
        if chance.random() < loss:
            return ()
        copies = 2 if chance.random() < duplication else 1
        return [LATENCY + chance.uniform(0, jitter) for _ in range(copies)]

    return fate


def lose(times: int, *words: str) -> Fate:
    """Loses the first messages that are one of these."""
    left = [times]

    def fate(data: bytes) -> Sequence[float]:
        if word(parse(data)) in words and left[0]:
            left[0] -= 1
            return ()
        return (LATENCY,)

    return fate


OPTIONS = sip("""
OPTIONS sip:x SIP/2.0
Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK1
From: <sip:a@b>;tag=a
To: <sip:x>
Call-ID: one
CSeq: 1 OPTIONS
Content-Length: 0
""")
