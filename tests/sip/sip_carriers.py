"""Carriers on the network of virtual time, each with a media plane of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from offhook.carriers.sip_carrier import SipCarrier, SipSettings
from offhook.carriers.sip_dns import Answer
from offhook.exchange.exchange import Route
from offhook.line.leg import HungUp, Leg, Target
from offhook.media.plane import MediaPlane
from offhook.server import sip_carrier
from offhook.sip.location import Question, Record
from offhook.testing import Offhook

OnCall = Callable[[Leg, str, str], Awaitable[None]]

KEPT = 40.0  # seconds until the last transaction of a call is over


class Phone:
    """What the called side does with a call, and what it saw of it."""

    def __init__(self, answers: bool = True, rings: bool = True, thinks: float = 0) -> None:
        self.answers, self.rings, self.thinks = answers, rings, thinks
        self.legs: list[Leg] = []
        self.called: list[tuple[str, str]] = []
        self.hung_up = 0

    async def __call__(self, leg: Leg, to: str, from_: str) -> None:
        self.legs.append(leg)
        self.called.append((to, from_))
        try:
            await asyncio.sleep(self.thinks)
            if self.rings:
                await leg.ring()
            if self.answers:
                await leg.answer()
        except HungUp:
            self.hung_up += 1
        await asyncio.shield(leg.ended)

    @property
    def leg(self) -> Leg:
        return self.legs[-1]


class Zone:
    """DNS of a test's own: records by kind and name, each good for `ttl` seconds. Without
    `answers` it is silent."""

    def __init__(self, ttl: float = 60, **records: dict[str, Sequence[Record]]) -> None:
        self.records = {
            (kind, name): found
            for kind, names in (
                records | {"A": {"localhost": ["127.0.0.1"]} | records.get("A", {})}
            ).items()
            for name, found in names.items()
        }
        self.ttl, self.answers = ttl, True
        self.error: OSError = OSError("nobody answers")
        self.asked: list[Question] = []

    async def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        if not self.answers:
            raise self.error
        return Answer(tuple(self.records.get((question.kind, question.name), ())), self.ttl)


@asynccontextmanager
async def carrier(host: str, on_call: OnCall, **settings: Any) -> AsyncIterator[SipCarrier]:
    ports, dns = settings.pop("ports", range(10000, 10100)), settings.pop("dns", Zone())
    directory = settings.pop("directory", None)
    media = await MediaPlane.local(ports)
    opened = await SipCarrier.open(
        SipSettings(**{"host": host, "tcp": False} | settings), media, on_call,
        dns=dns, directory=directory,
    )  # fmt: skip
    try:
        yield opened
    finally:
        await opened.close()
        await media.close()


def target(to: str = "sip:+15550001111@127.0.0.2", **more: Any) -> Target:
    given = {"from_": "+15550002222", "call_sid": "CA1", "account_sid": "AC1"}
    return Target(to, **given | more)


def not_ringing(leg: Leg, early: bool) -> None:
    """For tests that do not care."""


def traced(leg: Leg) -> list[tuple[str, dict[str, Any]]]:
    """The leg's story so far."""
    told: list[tuple[str, dict[str, Any]]] = []
    leg.trace.listen(lambda kind, data: told.append((kind, data)))
    return told


def first_lines(leg: Leg) -> list[str]:
    return [
        f"{data['direction']} {data['text'].splitlines()[0]}"
        for kind, data in traced(leg)
        if kind == "sip"
    ]


@asynccontextmanager
async def sip_of(offhook: Offhook) -> AsyncIterator[SipCarrier]:
    """The SIP carrier of a platform in virtual time, as `offhook up` gives it one."""
    opened = await sip_carrier(offhook.platform.settings, offhook.platform)
    offhook.platform.routes.append(Route(opened, opened.takes, opened.emergency))
    try:
        yield opened
    finally:
        await opened.close()
