"""An asyncio event loop on which waiting costs nothing.

When every task is blocked, time jumps to the next timer. `asyncio.sleep`, `asyncio.timeout` and
`loop.call_later` need no change, so the code under test does not know. What happens outside the
loop, in threads, processes and real sockets, takes real time: virtual time stands still for it.
"""

from __future__ import annotations

import asyncio
import functools
import os
import selectors
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import CoroutineType, FrameType
from typing import Any, TypeVar

from offhook import clock
from offhook.testing.udp import UdpNetwork, VirtualUdp

T = TypeVar("T")

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday morning
OUTSIDE_LIMIT = 30.0  # real seconds that one piece of outside work may take
RESOLUTION = 1e-6  # seconds; the real clock's 1e-9 vanishes beside a month of floating-point time
LONG_JUMP = 0.1  # virtual seconds; before a longer jump, sockets get a moment to deliver
MOMENT = 0.002  # real seconds
LAST_MOMENT = 0.1  # real seconds that sockets get before the loop counts as stuck


class Stuck(Exception):
    """Every task is waiting for something that nothing is going to do."""


class Overdue(Exception):
    """Work outside the loop took longer than its limit in real time."""


class Outside:
    """The work outside the loop that is pending: what it is and when it began, in real time."""

    def __init__(self) -> None:
        self.limit = OUTSIDE_LIMIT
        self.gave_up = False
        self._pending: dict[object, tuple[str, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._pending)

    def begin(self, what: str) -> object:
        token = object()
        self._pending[token] = (what, clock.monotonic())
        return token

    def end(self, token: object) -> None:
        self._pending.pop(token, None)

    def patience(self) -> float:
        """Real seconds until the oldest work is overdue. Raises Overdue, which names it."""
        what, began = next(iter(self._pending.values()))
        left = began + self.limit - clock.monotonic()
        if left > 0:
            return left
        self.gave_up = True
        others = ", ".join(other for other, _ in list(self._pending.values())[1:])
        raise Overdue(
            f"{what}: not done after {self.limit:g} s of real time"
            + (f" (also waiting: {others})" if others else "")
        )


class JumpingSelector(selectors.DefaultSelector):
    """Polls what is real, and moves `now` instead of waiting for a timer."""

    def __init__(self, outside: Outside, waiting: Callable[[], str]) -> None:
        super().__init__()
        self.now = 0.0
        self._outside, self._waiting = outside, waiting

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self._outside:
            return super().select(self._outside.patience())
        if len(self.get_map()) > 1 and (timeout is None or timeout > LONG_JUMP):
            # The loop's own wake-up pipe is always there; any other is a real socket, and what
            # was written at its far end may be on its way.
            ready = super().select(LAST_MOMENT if timeout is None else MOMENT)
            if ready:
                return ready
        if timeout is None:
            raise Stuck(f"nothing can ever happen again, at {self.now:.3f} s; {self._waiting()}")
        self.now += max(timeout, 0)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0 and `utc()` at `START`; UDP is `network`, other sockets are real."""

    def __init__(self) -> None:
        self._outside = Outside()
        self._jumper = JumpingSelector(self._outside, self._who_waits)
        super().__init__(self._jumper)
        self._clock_resolution = RESOLUTION
        self.network = UdpNetwork(self)

    def time(self) -> float:
        return self._jumper.now

    def utc(self) -> datetime:
        return START + timedelta(seconds=self._jumper.now)

    @contextmanager
    def outside(self, what: str) -> Iterator[None]:
        """Time stands still inside. Past the limit in real time the run fails, naming `what`."""
        token = self._outside.begin(what)
        try:
            yield
        finally:
            self._outside.end(token)

    @property
    def outside_limit(self) -> float:
        """Real seconds that one piece of outside work may take."""
        return self._outside.limit

    @outside_limit.setter
    def outside_limit(self, seconds: float) -> None:
        self._outside.limit = seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """As ever, and the job counts as outside work until its result is on the loop."""
        future = super().run_in_executor(executor, func, *args)
        token = self._outside.begin(f"executor job {job_name(func)}")
        future.add_done_callback(lambda _: self._outside.end(token))
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        if self._outside.gave_up:
            return  # a thread that is overdue would be waited for once more
        with self.outside("the executor's threads, to end"):
            await super().shutdown_default_executor()

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.DatagramProtocol],
        local_addr: tuple[str, int] | None = None,
        remote_addr: tuple[str, int] | None = None,
        **options: Any,
    ) -> tuple[asyncio.DatagramTransport, asyncio.DatagramProtocol]:
        """UDP without a kernel, on `network`; a ready-made `sock` stays the kernel's."""
        if options.get("sock") is not None:
            return await super().create_datagram_endpoint(protocol_factory, **options)
        protocol = protocol_factory()
        transport = VirtualUdp(self.network, protocol, local_addr, remote_addr)
        protocol.connection_made(transport)
        return transport, protocol

    def _who_waits(self) -> str:
        tasks = sorted(asyncio.all_tasks(self), key=lambda task: task.get_name())
        return "waiting: " + ("; ".join(map(describe, tasks)) or "nobody")


def job_name(func: Any) -> str:
    """What a job is called; `asyncio.to_thread` hides it in a partial of a context's `run`."""
    while isinstance(func, functools.partial):
        func = func.args[0] if func.args else func.func
    return str(getattr(func, "__qualname__", func))


def describe(task: asyncio.Task[Any]) -> str:
    """A task's name and where it waits, from its outermost await to the innermost of its own."""
    places = []
    awaited: Any = task.get_coro()
    while isinstance(awaited, CoroutineType):
        frame: FrameType | None = awaited.cr_frame
        if frame and os.path.dirname(frame.f_code.co_filename) != os.path.dirname(asyncio.__file__):
            where = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
            places.append(f"{awaited.__qualname__} ({where})")
        awaited = awaited.cr_await
    return f"{task.get_name()} in {' > '.join(places) or 'asyncio'}"


def run(main: Coroutine[Any, Any, T]) -> T:
    """What `main` returns, run on a fresh loop. Raises Stuck and Overdue."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
