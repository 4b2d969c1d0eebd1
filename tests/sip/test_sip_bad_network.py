"""A thousand calls between two carriers, with their media planes, on a network that loses messages.

What test_sip_bad_lines.py proves of the protocol, proved of legs: tasks, sockets and ports as well.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from random import Random

from sip_carriers import carrier, not_ringing, target

from offhook.errors import CarrierError
from offhook.line.leg import Ended, HungUp, Leg
from offhook.testing.udp import Datagram, UdpNetwork, rough

CALLS, AT_ONCE = 1000, 100
KINDS = ("caller hangs up", "callee hangs up", "cancelled", "busy", "no answer", "crossing")
SIP = 5060


def lossy(network: UdpNetwork, seed: int) -> None:
    """5 % of all messages lost, 5 % doubled, many late. Sound does not arrive at all: it costs most
    and proves nothing here."""
    bad = rough(Random(seed), loss=0.05, duplication=0.05, jitter=0.15)

    def fate(datagram: Datagram) -> Sequence[float]:
        return bad(datagram) if datagram.receiver[1] == SIP else ()

    network.fate = fate


class Callee:
    """Does with each call what its number says, and keeps how it ended."""

    def __init__(self) -> None:
        self.ended: dict[int, list[Ended]] = {}

    async def __call__(self, leg: Leg, to: str, from_: str) -> None:
        number = int(to) - 1_000_000
        with contextlib.suppress(HungUp):
            await self._meet(leg, KINDS[number % len(KINDS)])
        self.ended.setdefault(number, []).append(await leg.ended)

    async def _meet(self, leg: Leg, kind: str) -> None:
        await asyncio.sleep(0.2)
        await leg.ring()
        await asyncio.sleep(1)
        if kind == "busy":
            await leg.reject(486)
        elif kind not in ("cancelled", "no answer"):
            await leg.answer()
        if kind == "callee hangs up":
            await asyncio.sleep(2)
            await leg.hang_up()


PATIENCE = {
    "cancelled": 0.9,
    "no answer": 20.0,
    "crossing": 1.3,
}  # seconds until the caller gives up


async def test_a_thousand_legs_end_alike_and_leave_nothing_behind():
    network: UdpNetwork = asyncio.get_running_loop().network  # type: ignore[attr-defined]
    tasks, callee = len(asyncio.all_tasks()), Callee()
    ended: dict[int, Ended | int | None] = {}
    ports = range(10000, 12000)
    async with (
        carrier("127.0.0.1", callee, ports=ports) as here,
        carrier("127.0.0.2", callee, ports=range(20000, 22000)) as there,
    ):
        lossy(network, 1)
        free = asyncio.Semaphore(AT_ONCE)

        async def calls(number: int) -> None:
            kind = KINDS[number % len(KINDS)]
            async with free:
                ended[number] = await called(number, kind)

        async def called(number: int, kind: str) -> Ended | int | None:
            try:
                async with asyncio.timeout(PATIENCE.get(kind)):
                    leg = await here.dial(
                        target(f"sip:{1_000_000 + number}@127.0.0.2"), not_ringing
                    )
            except CarrierError as refused:
                return refused.code
            except TimeoutError:
                return None
            if kind != "callee hangs up":
                await asyncio.sleep(2)
                await leg.hang_up()
            return await leg.ended

        await asyncio.gather(*map(calls, range(CALLS)))
        await asyncio.sleep(100)  # until the last timer has run out
        for load in (here.load, there.load):
            assert (load.calls, load.transactions, load.dialogs, load.tasks) == (0, 0, 0, 0)
        assert {address[1] for address in network.bound} == {SIP}  # every media port was given back
        assert len(asyncio.all_tasks()) == tasks
    near, far = Ended("near", 200), Ended("far", 200)
    gave_up = Ended("far", 487, "cancelled by the caller")
    expected = {
        "caller hangs up": {(near, far)},
        "callee hangs up": {(far, near)},
        "cancelled": {(None, gave_up)},
        "busy": {(486, Ended("near", 486))},
        "no answer": {(None, gave_up)},
        # given up while the answer was on its way: answered, and hung up by the caller
        "crossing": {(None, gave_up), (None, far), (near, far)},
    }
    seen: dict[str, set[tuple[Ended | int | None, Ended]]] = {kind: set() for kind in KINDS}
    for number in range(CALLS):
        [theirs] = callee.ended[number]
        seen[KINDS[number % len(KINDS)]].add((ended[number], theirs))
    assert seen == expected
