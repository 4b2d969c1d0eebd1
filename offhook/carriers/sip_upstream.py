"""Trunks from our side: registered where they ask for it, and watched.  RFC 3261 sections 10.2, 11.

A registration is refreshed before it ends; one that fails is tried again, ever more rarely.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import structlog

from offhook import clock
from offhook.carriers.sip_settings import Pong
from offhook.carriers.sip_switchboard import Switchboard
from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError
from offhook.sip.digest import Credentials
from offhook.sip.endpoint import Enrolment, granted
from offhook.sip.hop import Hop, hop_of
from offhook.sip.message import Response

log = structlog.get_logger("offhook.sip")

WISHED = 3600  # seconds that we ask for
FIRST_WAIT, LONGEST_WAIT = 30.0, 1800.0  # after a failure, RFC 5626 section 4.5
REFRESH = 0.85  # of the time that was granted
LAST_WORD = 2.0  # seconds for taking a registration back

Registered = Literal["", "asking", "registered", "refused", "unreachable"]


@dataclass(slots=True)
class State:
    """What is known of a trunk. `reachable` is None until it was asked; `status` 0 is silence."""

    trunk: Trunk
    address: str = ""  # where it was found
    registered: Registered = ""
    until: datetime | None = None
    reachable: bool | None = None
    status: int = 0
    reason: str = ""
    seconds: float = 0.0
    since: datetime | None = None  # as reachable, or not, as it is
    failures: int = 0  # of registering, in a row

    def data(self) -> dict[str, Any]:
        return {
            "name": self.trunk.name,
            "address": self.trunk.address,
            "found_at": self.address,
            "registered": self.registered,
            "until": self.until.isoformat() if self.until else "",
            "reachable": self.reachable,
            "status": self.status,
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
            "since": self.since.isoformat() if self.since else "",
        }


class Upstream:
    """Runs from `start` to `close`. `options` asks a trunk, `resolve` finds its address."""

    def __init__(
        self,
        board: Switchboard,
        trunks: Sequence[Trunk],
        options: Callable[[Trunk], Awaitable[Pong]],
        resolve: Callable[[Hop], Awaitable[Hop]],
        chance: Callable[[], float],
    ) -> None:
        self.states = {trunk.name: State(trunk) for trunk in trunks}
        self._board, self._options, self._resolve, self._chance = board, options, resolve, chance
        self._enrolments: dict[str, Enrolment] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        for state in self.states.values():
            if state.trunk.register:
                self._run(self._stay_registered(state))
            if state.trunk.watch and state.trunk.address:
                self._run(self._watch(state))

    async def close(self) -> None:
        """No more questions; registrations are taken back if that is quick."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        taken_back = [
            self._ask(enrolment, 0)
            for name, enrolment in self._enrolments.items()
            if self.states[name].registered == "registered"
        ]
        try:
            async with asyncio.timeout(LAST_WORD):
                await asyncio.gather(*taken_back)
        except TimeoutError:
            log.warning("a trunk does not answer that we are gone")

    def told(self) -> list[dict[str, Any]]:
        """What is known of every trunk, for people."""
        return [state.data() for state in self.states.values()]

    def _run(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def trunk_at(self, host: str) -> Trunk | None:
        """The trunk that we are registered with at this address: its calls come from there."""
        for state in self.states.values():
            enrolment = self._enrolments.get(state.trunk.name)
            if state.registered == "registered" and enrolment and enrolment.hop.host == host:
                return state.trunk
        return None

    # Registering

    async def _stay_registered(self, state: State) -> None:
        seconds = WISHED
        while True:
            response = await self._try(state, seconds)
            if response is not None and response.status == 423 and seconds < _least(response):
                seconds = _least(response)
                continue
            await asyncio.sleep(self._took(state, response, seconds))

    async def _try(self, state: State, seconds: int) -> Response | None:
        trunk, name = state.trunk, state.trunk.name
        try:
            hop = await self._resolve(hop_of(trunk.uri))
        except CarrierError as error:
            log.warning("a trunk has no address", trunk=name, reason=str(error))
            return None
        known = self._enrolments.get(name)
        if known is None:
            login = Credentials(trunk.username, trunk.password)
            known = Enrolment(str(trunk.uri), trunk.uri.host, trunk.username, hop, login)
            self._enrolments[name] = known
        known.hop, state.address = hop, str(hop)
        return await self._ask(known, seconds)

    async def _ask(self, enrolment: Enrolment, seconds: int) -> Response | None:
        answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()

        def heard(response: Response | None, now: float) -> None:
            if not answer.done() and (response is None or response.status >= 200):
                answer.set_result(response)

        self._board.act(lambda now: self._board.endpoint.enrol(enrolment, seconds, heard, now))
        return await answer

    def _took(self, state: State, response: Response | None, seconds: int) -> float:
        """Keeps what was answered; the seconds until the next REGISTER."""
        name = state.trunk.name
        if response is not None and response.status < 300:
            lasts = granted(response, state.trunk.username, seconds)
            state.until = clock.utc_in(lasts)
            if state.registered != "registered":
                log.info("registered with a trunk", trunk=name, seconds=lasts)
            state.registered, state.failures = "registered", 0
            return max(1.0, lasts * REFRESH)
        state.failures += 1
        state.until = None
        state.registered = "refused" if response is not None else "unreachable"
        told = f"{response.status} {response.reason}" if response else "no reply"
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(state.failures - 1, 10))
        wait *= 0.5 + self._chance() / 2
        log.warning("a trunk does not register us", trunk=name, answer=told, again_in=round(wait))
        return wait

    # Watching

    async def _watch(self, state: State) -> None:
        while True:
            try:
                pong = await self._options(state.trunk)
            except CarrierError as error:
                pong = Pong(state.trunk.name, state.trunk.address, 0, str(error), 0.0)
            self._seen(state, pong)
            await asyncio.sleep(state.trunk.watch)

    def _seen(self, state: State, pong: Pong) -> None:
        state.status, state.reason, state.seconds = pong.status, pong.reason, pong.seconds
        if pong.healthy == state.reachable:
            return
        first = state.reachable is None
        state.reachable, state.since = pong.healthy, clock.utc()
        tell = log.warning if not pong.healthy else log.debug if first else log.info
        tell(
            "a trunk is there" if pong.healthy else "a trunk is gone",
            trunk=pong.trunk, status=pong.status, reason=pong.reason,
        )  # fmt: skip


def _least(response: Response) -> int:
    text = response.get("min-expires")
    return int(text) if text.isdecimal() and len(text) < 7 else 0
