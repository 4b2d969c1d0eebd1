"""SIP phones beside the platform, on the network in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from offhook.carriers.sip_carrier import SipCarrier, SipSettings
from offhook.exchange import inbound
from offhook.exchange.exchange import Route
from offhook.line.leg import About, Leg, Target
from offhook.media.plane import MediaPlane
from offhook.testing import Offhook

HERE, THERE, ELSEWHERE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
Answer = Callable[[Leg], Awaitable[None]]


async def nobody(leg: Leg) -> None:
    await leg.reject(480)


@asynccontextmanager
async def sip(offhook: Offhook, **phones: Answer) -> AsyncIterator[SipCarrier]:
    """The platform listens at HERE; phones, by the names `there` and `elsewhere`, beside it.

    Gives the carrier of the phone THERE, to call from.
    """
    exchange = offhook.platform.exchange
    platform = await SipCarrier.open(
        SipSettings(HERE, tcp=False), exchange.media, partial(inbound.on_call, exchange)
    )
    exchange.routes = [Route(platform, platform.takes), *exchange.routes]
    peers = []
    for host, name in ((THERE, "there"), (ELSEWHERE, "elsewhere")):
        answer = phones.get(name, nobody)
        media = await MediaPlane.local(range(30000, 30100))
        settings = SipSettings(host, tcp=False)
        peers.append(
            await SipCarrier.open(settings, media, lambda leg, to, from_, a=answer: a(leg))
        )
    try:
        yield peers[0]
    finally:
        for carrier in (*peers, platform):
            await carrier.close()


def to(number: str) -> Target:
    return Target(f"sip:{number}@{HERE}", "+14155550100", "CA1", "AC1")


def not_told(leg: Leg, early: bool) -> None:
    """Ringing is nobody's business here."""


class Bringing:
    """A leg that brings something along."""

    def __init__(self, leg: Leg, about: About) -> None:
        self.leg, self.about = leg, about

    def __getattr__(self, name: str) -> Any:
        return getattr(self.leg, name)
