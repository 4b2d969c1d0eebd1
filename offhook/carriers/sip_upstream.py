"""Trunks from our side: registered where they ask for it, and watched.  RFC 3261 sections 10.2, 11.

A registration is refreshed before it ends; one that fails is tried again, ever more rarely.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import structlog

from offhook import clock
from offhook.carriers.sip_locator import AVOIDED, Locator, retry_after
from offhook.carriers.sip_settings import Pong, SipSettings
from offhook.carriers.sip_switchboard import Switchboard
from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError
from offhook.sip.digest import Credentials
from offhook.sip.enrolment import Enrolment
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, Send
from offhook.sip.layer import Tell
from offhook.sip.message import Response
from offhook.sip.stream import PING
from offhook.sip.uri import Uri, parse_address

log = structlog.get_logger("offhook.sip")

WISHED = 3600  # seconds that we ask for
FIRST_WAIT, LONGEST_WAIT = 30.0, 1800.0  # after a failure, RFC 5626 section 4.5
REFRESH = 0.85  # of the time that was granted
AFTER_LOSS = 5.0  # at most, before a registration is made anew whose connection ended
LAST_WORD = 2.0  # seconds for taking a registration back
MOST_ROUTES = 10  # proxies that a registrar may ask us to go by

Registered = Literal["", "asking", "registered", "refused", "unreachable"]


@dataclass(slots=True)
class State:
    """What is known of a trunk. `reachable` is None until it was asked; `status` 0 is silence.

    `route` are the proxies that its registrar wants us to go by (RFC 3608). Of `calls` out that it
    was given it `failed` some; when the latest was one of these, `failing` says why.
    """

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
    route: tuple[str, ...] = ()
    hop: Hop | None = None
    calls: int = 0
    failed: int = 0
    failing: str = ""
    avoided_until: float = 0.0
    lost: asyncio.Event = field(default_factory=asyncio.Event)  # ... the connection to it

    @property
    def down(self) -> bool:
        return self.reachable is False or self.avoided_until > clock.now()

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
            "calls": self.calls,
            "failed": self.failed,
            "failing": self.failing,
        }


class Upstream:
    """Runs from `start` to `close`. `locator` finds the trunks' servers."""

    def __init__(
        self,
        board: Switchboard,
        settings: SipSettings,
        locator: Locator,
        chance: Callable[[], float],
    ) -> None:
        self.states = {trunk.name: State(trunk) for trunk in settings.trunks}
        self._board, self._locator, self._chance = board, locator, chance
        self._patience = settings.failover
        self._enrolments: dict[str, Enrolment] = {}
        self._servers: dict[str, set[str]] = {}  # addresses, by the trunk's name
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._board.wire.ended = self._ended
        for state in self.states.values():
            if state.trunk.register:
                self._run(self._stay_registered(state))
            if state.trunk.watch and state.trunk.address:
                self._run(self._watch(state))
            if state.trunk.keep_alive and state.trunk.address:
                self._run(self._keep_open(state))

    async def close(self) -> None:
        """No more questions; registrations are taken back if that is quick."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        taken_back = [
            self._enrol(enrolment, 0)
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

    def found(self, trunk: Trunk, hops: Iterable[Hop]) -> None:
        """DNS says that these are its servers."""
        self._servers[trunk.name] = {hop.host for hop in hops}

    def serves(self, host: str) -> bool:
        """Whether a trunk has a server at this address. That lets nobody in: DNS would decide."""
        return any(host in hosts for hosts in self._servers.values())

    def _state(self, trunk: Trunk) -> State:
        return self.states.get(trunk.name) or State(trunk)

    # Calls

    def in_order(self, trunks: Sequence[Trunk]) -> list[Trunk]:
        """Those that are down last: a call is still better tried there than given up."""
        return sorted(trunks, key=lambda trunk: self.states[trunk.name].down)

    def route(self, trunk: Trunk) -> tuple[str, ...]:
        """The proxies that a request to it goes by: its own, then those its registrar named."""
        named = self._state(trunk).route
        if not trunk.proxy:
            return named
        first = trunk.first
        own = f"<{replace(first, params=(*first.params, ('lr', '')))}>"
        if named and _place(parse_address(named[0]).parsed) == _place(first):
            return named
        return (own, *named)

    def carried(self, trunk: Trunk) -> None:
        """A call of ours was answered, or refused by somebody behind it."""
        state = self.states[trunk.name]
        state.calls += 1
        state.avoided_until = 0.0
        if state.failing:
            log.info("a trunk takes calls again", trunk=trunk.name)
            state.failing = ""

    def failed(self, trunk: Trunk, why: CarrierError, *, there: bool, seconds: float) -> None:
        """It did not carry a call; where the fault is `there`, it is tried last for some time."""
        state = self.states[trunk.name]
        state.calls += 1
        state.failed += 1
        if there:
            state.avoided_until = clock.now() + (seconds or AVOIDED)
        if not state.failing:
            log.warning("a trunk fails calls", trunk=trunk.name, reason=str(why))
        state.failing = str(why)

    # Asking

    async def options(self, trunk: Trunk) -> Pong:
        """Asks a trunk whether it is there, with our credentials if it wants some."""
        began, route = clock.now(), self.route(trunk)
        login = trunk.credentials

        async def ask(hop: Hop) -> Response | None:
            self._servers.setdefault(trunk.name, set()).add(hop.host)
            endpoint, uri = self._board.endpoint, str(trunk.uri)
            return await self._final(
                lambda tell, now: endpoint.options(uri, hop, tell, now, login, route)
            )

        try:
            hop, response = await self._locator.ask(self._first(trunk), self._patience, ask)
        except CarrierError as nowhere:
            return Pong(trunk.name, str(trunk.address), 0, nowhere.reason, clock.now() - began)
        self._state(trunk).hop = hop
        status, reason = (response.status, response.reason) if response else (0, "no reply")
        return Pong(trunk.name, str(hop), status, reason, clock.now() - began)

    def _first(self, trunk: Trunk) -> Uri:
        route = self.route(trunk)
        return parse_address(route[0]).parsed if route else trunk.uri

    async def _final(self, send: Callable[[Tell, float], None]) -> Response | None:
        """The final response to what is sent, or None."""
        answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()

        def heard(response: Response | None, now: float) -> None:
            if not answer.done() and (response is None or response.status >= 200):
                answer.set_result(response)

        self._board.act(lambda now: send(heard, now))
        return await answer

    # Registering

    async def _stay_registered(self, state: State) -> None:
        seconds = WISHED
        while True:
            response = await self._try(state, seconds)
            if response is not None and response.status == 423 and seconds < _least(response):
                seconds = _least(response)
                continue
            wait = self._took(state, response, seconds)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await state.lost.wait()
                    await asyncio.sleep(AFTER_LOSS * (0.5 + self._chance() / 2))
            state.lost.clear()

    def _ended(self, hop: Hop) -> None:
        """The connection that a trunk would call us on is gone (RFC 5626 section 4.4)."""
        for state in self.states.values():
            if state.registered == "registered" and state.hop == hop:
                log.warning("the connection of a registration ended", trunk=state.trunk.name)
                state.lost.set()

    async def _try(self, state: State, seconds: int) -> Response | None:
        trunk, name = state.trunk, state.trunk.name

        async def ask(hop: Hop) -> Response | None:
            known = self._enrolments.get(name)
            if known is None:
                login = Credentials(trunk.username, trunk.password)
                known = Enrolment(str(trunk.uri), trunk.uri.host, trunk.username, hop, login)
                known.route = self.route(trunk)
                self._enrolments[name] = known
            known.hop, state.hop, state.address = hop, hop, str(hop)
            self._servers.setdefault(name, set()).add(hop.host)
            return await self._enrol(known, seconds)

        try:
            return (await self._locator.ask(trunk.first, self._patience, ask))[1]
        except CarrierError as error:
            log.warning("a trunk has no address", trunk=name, reason=str(error))
            return None

    async def _enrol(self, enrolment: Enrolment, seconds: int) -> Response | None:
        endpoint = self._board.endpoint
        return await self._final(lambda tell, now: endpoint.enrol(enrolment, seconds, tell, now))

    def _took(self, state: State, response: Response | None, seconds: int) -> float:
        """Keeps what was answered; the seconds until the next REGISTER."""
        name = state.trunk.name
        if response is not None and response.status < 300:
            lasts = self._enrolments[name].granted(response, seconds)
            state.until = clock.utc_in(lasts)
            state.route = _service_route(response)
            if state.registered != "registered":
                log.info("registered with a trunk", trunk=name, seconds=lasts)
            state.registered, state.failures = "registered", 0
            return max(1.0, lasts * REFRESH)
        state.failures += 1
        state.until, state.route = None, ()
        state.registered = "refused" if response is not None else "unreachable"
        told = f"{response.status} {response.reason}" if response else "no reply"
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(state.failures - 1, 10))
        wait = max(wait * (0.5 + self._chance() / 2), min(retry_after(response), LONGEST_WAIT))
        log.warning("a trunk does not register us", trunk=name, answer=told, again_in=round(wait))
        return wait

    # Watching

    async def _watch(self, state: State) -> None:
        while True:
            self._seen(state, await self.options(state.trunk))
            await asyncio.sleep(state.trunk.watch)

    async def _keep_open(self, state: State) -> None:
        """Through NAT (RFC 5626 section 4.4, without STUN); connections are kept by the wire."""
        while True:
            await asyncio.sleep(state.trunk.keep_alive)
            with contextlib.suppress(CarrierError):
                hop = state.hop or (await self._locator.servers(self._first(state.trunk)))[0]
                if not hop.reliable:
                    self._board.wire.send(Send(PING, hop))

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


def _service_route(response: Response) -> tuple[str, ...]:
    """None of it, where any of it cannot be read: half a way leads nowhere."""
    try:
        named = response.all("service-route")[:MOST_ROUTES]
        for each in named:
            _place(parse_address(each).parsed)
    except BadSip:
        return ()
    return tuple(named)


def _place(uri: Uri) -> tuple[str, int]:
    return uri.host.lower(), uri.port or 0


def _least(response: Response) -> int:
    text = response.get("min-expires")
    return int(text) if text.isdecimal() and len(text) < 7 else 0
