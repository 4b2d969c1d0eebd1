"""The exchange: where records, legs, webhooks and carriers meet."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar
from weakref import WeakValueDictionary

import structlog

from offhook.exchange.inventory import Stock
from offhook.exchange.journal import Journal
from offhook.exchange.pace import Pace, Spacing
from offhook.frozen import frozen
from offhook.line.leg import Carrier, HungUp
from offhook.line.live_call import LiveCall, Services
from offhook.media.clip import Clip
from offhook.media.plane import MediaPlane, Recorder
from offhook.model.account import Account
from offhook.model.allowance import Allowances
from offhook.model.call import Call, Status
from offhook.model.fetch import Script
from offhook.model.recording import Recording
from offhook.model.usage import Prices
from offhook.store import records
from offhook.store.store import Store, beside
from offhook.webhooks.ask import Webhooks
from offhook.webhooks.notify import Notifier

T = TypeVar("T")

log = structlog.get_logger("offhook.exchange")


class Voices(Protocol):
    """Text to sound and back: the speech process, or the test voice."""

    async def say(
        self,
        text: str,
        ssml: str,
        voice: str,
        language: str,
        note: Callable[[int, str], None] | None = None,
    ) -> Clip: ...

    async def decode(self, body: bytes, media_type: str) -> Clip: ...

    async def mp3(self, path: str, channel: Literal["mix"] | None = None) -> bytes: ...

    async def wav(self, path: str, channel: Literal["mix"] | None = None) -> bytes: ...


@frozen
class Route:
    """A carrier and the addresses it takes: `+E.164`, `sip:...`, `client:...`.

    `emergency` tells whether it may carry calls to 112, 911 and the like.
    """

    carrier: Carrier
    takes: Callable[[str], bool]
    emergency: Callable[[str], bool] = lambda to: False


@frozen
class Ice:
    """URLs of STUN and TURN servers, and the secret shared with the latter."""

    stun: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    secret: str = ""


@frozen
class Rules:
    """The settings that the exchange itself goes by.

    `region` is the country that national numbers are read in; limits are in seconds and bytes.
    """

    data: Path
    public_url: str
    region: str = "US"
    voice: str = ""
    language: str = ""
    node: str = "one"
    call_limit: float = 14400
    max_events: int = 1000
    media_bytes: int = 50_000_000
    calls_per_second: float = 1000
    concurrent_requests: int = 500
    magic_numbers: bool = False
    caller_names: Mapping[str, str] = field(default_factory=dict)  # by number
    allowances: Allowances = field(default_factory=Allowances)
    stock: Stock = field(default_factory=Stock)
    prices: Prices = field(default_factory=Prices)
    ice: Ice = field(default_factory=lambda: Ice(("stun:127.0.0.1:3478",)))
    stopped: str = "You will get no more messages from this number. Reply START to get them again."
    started: str = "You will get messages from this number again. Reply STOP to get no more."
    helped: str = "Reply STOP to get no more messages from this number, START to get them again."


@dataclass(slots=True)
class Taking:
    """A recording while it is made."""

    recording: Recording
    recorder: Recorder
    whole_call: bool = False  # asked for by Record=true, reported in the call's last callback
    ending: asyncio.Task[Recording] | None = None


class Attempt:
    """An outgoing call from its record to its answer; `give_up` ends it with that status.

    An answer that crosses `give_up` comes too late. `over` is set when it is answered or final.
    """

    def __init__(self, record: Call) -> None:
        self.record = record
        self.signals: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.script: Script | None = None  # what REST asked to be run on answer
        self.time_limit: float | None = None  # seconds, where REST changed it meanwhile
        self.given_up: Status | None = None
        self.initiated = False
        self.over = asyncio.Event()

    def give_up(self, status: Status) -> None:
        self.given_up = self.given_up or status
        self.signals.put_nowait(("given up", None))


@dataclass
class Exchange:
    """The parts, and what is going on: `live` calls and `attempts` to place one, by CallSid."""

    store: Store
    webhooks: Webhooks
    notifier: Notifier
    speech: Voices
    media: MediaPlane
    journal: Journal
    rules: Rules
    routes: Sequence[Route] = ()
    internal: Carrier | None = None  # to our own numbers
    accounts: dict[str, Account] = field(default_factory=dict)
    live: dict[str, LiveCall] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    takings: dict[str, Taking] = field(default_factory=dict)  # recordings under way, by their SID
    turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    replies: Pace = field(default_factory=lambda: Pace(15, 30))  # automatic ones, by their numbers
    witnesses: set[Callable[[Account], None]] = field(
        default_factory=set
    )  # told of changed accounts
    open: bool = True  # takes new calls
    calls: Spacing = field(init=False)  # that an account places by REST
    services: Services = field(init=False)  # what every call may ask for
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    sure: set[asyncio.Task[Any]] = field(default_factory=set)  # of these, those nobody cancels
    # What happened: ("call", direction, final status), ("message", direction, status),
    # ("debugger", code), ("refused", why).
    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.calls = Spacing(self.rules.calls_per_second)

    def spawn(self, doing: Coroutine[Any, Any, Any], name: str = "") -> asyncio.Task[Any]:
        """Runs it beside everything else; a crash is logged and ends nothing but itself.

        It is work of its own: what is done `beside` the writes of who spawns it is not done there.
        """
        context = copy_context()
        context.run(beside.set, None)
        task = asyncio.create_task(doing, name=name or None, context=context)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def enlist(self) -> None:
        """The running task is, from here on, as if it were spawned by us."""
        task = asyncio.current_task()
        assert task
        beside.set(None)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        self.sure.discard(task)
        error = None if task.cancelled() else task.exception()
        if error and not isinstance(error, HungUp):
            log.error("task crashed", task=task.get_name(), exc_info=error)

    async def surely(self, doing: Coroutine[Any, Any, T]) -> T:
        """Its result. It runs to its end also when whoever waits for it is cancelled."""
        if asyncio.current_task() in self.sure:
            return await doing
        return await asyncio.shield(self.begin(doing))

    def begin(self, doing: Coroutine[Any, Any, T], name: str = "") -> asyncio.Task[T]:
        """Runs it as `spawn` does, to its end: nobody cancels it."""
        task: asyncio.Task[T] = self.spawn(doing, name)
        self.sure.add(task)
        return task

    async def account(self, sid: str) -> Account | None:
        """The account as it stands: what changes one puts an empty dictionary in `accounts`."""
        known = self.accounts
        if sid not in known:
            found = await self.store.read(records.accounts.standing, sid)
            if found is None:
                return None
            known[sid] = found
        return known[sid]

    async def key(self, account_sid: str) -> str:
        """The auth token that signs this account's webhooks."""
        account = await self.account(account_sid)
        return account.auth_token if account else ""

    def turn(self, who: str) -> asyncio.Lock:
        """Those who use it as `who` come one after the other, in the order they came."""
        return self.turns.setdefault(who, asyncio.Lock())

    async def settle(self) -> None:
        """Returns when nothing is going on any more."""
        while self.tasks:
            await asyncio.wait(set(self.tasks))
