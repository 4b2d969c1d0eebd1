"""A whole SIP carrier under datagrams: trunks, phones that register, legs with sound, the guard.

An input is several datagrams with BETWEEN in between, from a trunk and a stranger by turns. While
they arrive, a call of ours rings at the trunk. What the carrier says at random is counted, and
begins anew with each input, so that an input can name it; LOGIN stands for a right answer to the
challenge of a REGISTER.
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from typing import Any

from fuzz_endpoints import BETWEEN, MOST
from structlog.testing import capture_logs

from offhook import clock
from offhook.carriers.sip_carrier import Directory, SipCarrier, SipSettings
from offhook.carriers.sip_dns import Answer
from offhook.carriers.sip_guard import Limits
from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError
from offhook.line.leg import HungUp, Leg, Target
from offhook.media.plane import MediaPlane
from offhook.model.sip_domains import REALM, digests
from offhook.model.sip_registrations import Home
from offhook.sip import digest
from offhook.sip.location import Question
from offhook.testing.virtual_time import VirtualTimeLoop

OURS, TRUNK, STRANGER = ("198.51.100.9", 5060), ("192.0.2.7", 5060), ("192.0.2.66", 5060)
DOMAIN, USER, PASSWORD, SECRET = "desk.example", "ann", "Correct-Horse-1", b"k"
LOGIN = b"$LOGIN"
HASHES = {USER: dict(zip(("MD5", "SHA-256"), digests(USER, PASSWORD), strict=True))}
SETTLED = 200.0  # seconds after which every timer has run out
HOME = Home(
    DOMAIN, "AC1", REALM, registers=True, asks=True,
    phones=HASHES, callers=HASHES,
)  # fmt: skip


class Alone(VirtualTimeLoop):
    """Whatever an input names, no packet leaves this process."""

    async def create_connection(self, *given: Any, **more: Any) -> Any:
        raise ConnectionRefusedError

    async def getaddrinfo(self, *given: Any, **more: Any) -> Any:
        raise OSError("no names here")


async def no_dns(question: Question) -> Answer:
    raise OSError("no DNS here")


class Silent(asyncio.DatagramProtocol):
    """Whatever it is told is its own business."""


async def met(leg: Leg, to: str, from_: str) -> None:
    with suppress(HungUp):
        await leg.ring()
        await asyncio.sleep(0.5)
        await leg.answer()
        await asyncio.sleep(1)
        await leg.hang_up()


class Theirs:
    """The carrier, and who sends to it; opened once, since nothing may be left between inputs."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._runner = asyncio.Runner(loop_factory=Alone)
        self._runner.run(self._open())

    def _counted(self) -> str:
        return f"{next(self._numbers):x}".ljust(32, "0")

    async def _open(self) -> None:
        async def home(name: str, username: str) -> Home | None:
            return HOME if name == DOMAIN else None

        async def peer(address: tuple[str, int]) -> Any:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(Silent, local_addr=address)
            return transport

        settings = SipSettings(
            OURS[0], trunks=(Trunk("t", TRUNK[0]),), tcp=False, secret=SECRET,
            limits=Limits(rate=1e9, burst=10**9, strikes=0),
            keep_alive=0,  # else phones that registered are asked for as long as they are
        )  # fmt: skip
        directory = Directory(home, lambda registration: None, lambda *told: None)
        self.carrier = await SipCarrier.open(
            settings, await MediaPlane.local(range(10000, 10100)), met,
            rand=self._counted, directory=directory, dns=no_dns,
        )  # fmt: skip
        self._peers = [await peer(TRUNK), await peer(STRANGER)]

    def hears(self, data: bytes) -> None:
        self._numbers = itertools.count(1)
        with capture_logs() as logs:
            self._runner.run(self._hears(data))
        broken = [entry for entry in logs if entry["log_level"] in ("error", "critical")]
        assert not broken, broken

    def _login(self) -> bytes:
        challenge = digest.Server(REALM, SECRET, self._counted).challenges(clock.utc().timestamp())
        client = digest.Client(digest.Credentials(USER, PASSWORD), self._counted)
        return (client.answer(challenge[-1:], "REGISTER", f"sip:{DOMAIN}") or "").encode()

    async def _hears(self, data: bytes) -> None:
        if LOGIN in data:
            data = data.replace(LOGIN, self._login())
        target = Target(f"sip:ann@{TRUNK[0]}", "+15550002222", "CA1", "AC1")
        dialling = asyncio.ensure_future(self.carrier.dial(target, lambda leg, early: None))
        await asyncio.sleep(0.1)
        for one, peer in zip(data.split(BETWEEN)[:MOST], itertools.cycle(self._peers)):
            peer.sendto(one, OURS)
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        dialling.cancel()
        with suppress(asyncio.CancelledError, CarrierError):
            await (await dialling).hang_up()
        await asyncio.sleep(SETTLED)
        load = self.carrier.load
        assert (load.calls, load.transactions, load.dialogs, load.tasks) == (0, 0, 0, 0), load


_theirs: list[Theirs] = []


def carrier(data: bytes) -> None:
    """Nothing is left of a minute of anybody's datagrams, and nothing went wrong unforeseen."""
    if not _theirs:
        _theirs.append(Theirs())
    try:
        _theirs[0].hears(data)
    except BaseException:  # what it left behind is not to fail the next one
        _theirs.clear()
        raise
