"""A studio in a worker process, as the main process reaches it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import structlog

from offhook import clock
from offhook.media.clip import FRAME
from offhook.media.link import Unframer, frame
from offhook.media.orders import Event
from offhook.media.ports import Ports
from offhook.media.sockets import Marker
from offhook.media.studio import Studio

log = structlog.get_logger("offhook.media")

P = ParamSpec("P")
ROOT = str(Path(__file__).parent.parent.parent)
PATIENCE = FRAME / 2  # seconds that an order may wait for others to share its message
LOOK, HUNG = 5.0, 10.0  # seconds between two looks at a worker, and that it may be mute for
SPARE = 16  # pairs of ports that are kept open for legs to come
DIED = "the media worker died"
READY = 0  # what a new worker reports opened
NOBODY = 0  # who asks for a tally only to hear something
# A worker is one thread, with one for files beside it, and these two share a heap.
SPARING = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
}  # fmt: skip


class WorkerHost(asyncio.Protocol):
    """Orders given within half a frame go out as one message, at once if somebody waits for it.

    `lost` is called if the worker dies. One that hangs is killed.
    """

    def __init__(
        self, ports: Ports, tell: Callable[[Event], None], lost: Callable[[WorkerHost], None]
    ) -> None:
        self.healthy = False
        self._ports = ports
        self._spare: dict[str, deque[int]] = {}  # ports of each address that the worker has open
        self._marker = Marker()
        self._ordered: dict[int, str] = {}  # that it was told to open, and the address
        self._loop = asyncio.get_running_loop()
        self._tell = tell
        self._lost = lost
        self._closing = False
        self._unframer = Unframer()
        self._orders: list[tuple[str, tuple[Any, ...]]] = []
        self._leaving: asyncio.TimerHandle | None = None  # when the orders go
        self._opening: dict[int, asyncio.Future[int]] = {}
        self._spoke = asyncio.Event()

    @classmethod
    async def start(
        cls, ports: Ports, tell: Callable[[Event], None], lost: Callable[[WorkerHost], None]
    ) -> WorkerHost:
        """A new process, ready for orders. Raises OSError."""
        host = cls(ports, tell, lost)
        ours, theirs = socket.socketpair()
        with theirs, clock.outside("a media worker, to start"):
            path = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))
            host._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "offhook.media.worker",
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C in the terminal is the main process's to handle
                env={**SPARING, **os.environ, "PYTHONPATH": path},
            )
            ready = host._opening[READY] = host._loop.create_future()
            await host._loop.create_connection(lambda: host, sock=ours)
            theirs.close()
            await ready
        del host._opening[READY]
        host.healthy = True
        host._watching = asyncio.ensure_future(host._watch())
        return host

    _watching: asyncio.Task[None]
    _process: asyncio.subprocess.Process
    _transport: asyncio.Transport

    @property
    def pid(self) -> int:
        return self._process.pid

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            for ip in self._spare:  # there may be ports by now where there were none
                self._stock_up(ip)
            self._spoke.clear()
            self.do(Studio.tally, NOBODY)
            with clock.outside("a media worker, to say anything"), suppress(TimeoutError):
                async with asyncio.timeout(HUNG):
                    await self._spoke.wait()
            if not self._spoke.is_set():
                log.error("a media worker hangs", pid=self.pid)
                self._process.kill()
                return

    def do(
        self, order: Callable[Concatenate[Studio, P], None], *args: P.args, **kw: P.kwargs
    ) -> None:
        """Have an order carried out. Nothing happens when the worker is gone."""
        assert not kw, "orders travel by position"
        self._send(order.__name__, *args)

    def _send(self, name: str, *args: Any) -> None:
        if self._leaving is None:
            self._leaving = self._loop.call_later(PATIENCE, self._flush)
        self._orders.append((name, args))

    def _flush(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        orders, self._orders = self._orders, []
        if self.healthy and orders:
            self._transport.write(frame(orders))

    async def open_rtp(self, leg: int, ip: str) -> int:
        """A leg on a pair of ports, whose even one is returned. Raises OSError and MediaFull."""
        if not self.healthy:
            raise ConnectionError(DIED)
        if spare := self._spare.get(ip):
            port = spare.popleft()
            self._ports.hand_out(port)
            self._marker.mark(ip, port)
            self._send("open_rtp", leg, ip, port)
        else:
            port = await self._ports.bind(lambda port: self._open(leg, ip, port))
        self._stock_up(ip)
        return port

    def _stock_up(self, ip: str) -> None:
        """Ports for legs to come, who need not wait until they are open then."""
        spare = self._spare.setdefault(ip, deque())
        missing = SPARE - len(spare) - sum(each == ip for each in self._ordered.values())
        for _ in range(missing):
            if (port := self._ports.set_aside()) is None:
                return
            self._ordered[port] = ip
            self._send("prepare", ip, port)

    def _prepared(self, port: int, error: object) -> None:
        ip = self._ordered.pop(port)
        if error:
            self._ports.give_back(port)
        else:
            self._spare[ip].append(port)

    async def _open(self, leg: int, ip: str, port: int) -> None:
        opened = self._opening[leg] = self._loop.create_future()
        self._orders.append(("open_rtp", (leg, ip, port)))
        self._flush()
        try:
            with clock.outside("a media worker, to open a port"):
                error = await opened
        except asyncio.CancelledError:
            self.do(Studio.close, leg)
            raise
        finally:
            del self._opening[leg]
        if error:
            raise OSError(error, os.strerror(error))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._spoke.set()
        for events in self._unframer.feed(data):
            for event in events:
                if event.kind == "prepared":
                    self._prepared(event.id, event.value)
                elif event.kind != "opened":
                    self._tell(event)
                elif (opened := self._opening.get(event.id)) and not opened.done():
                    opened.set_result(event.value)

    def connection_lost(self, exc: Exception | None) -> None:
        for opened in self._opening.values():
            if not opened.done():
                opened.set_exception(ConnectionError(DIED))
        for port in (*self._ordered, *chain.from_iterable(self._spare.values())):
            self._ports.give_back(port)
        self._marker.close()
        self._ordered.clear()
        self._spare.clear()
        if self.healthy and not self._closing:
            self.healthy = False
            self._watching.cancel()
            self._lost(self)

    async def close(self) -> None:
        """End the process, after what it has been ordered."""
        self._closing = True
        self._flush()
        self.healthy = False
        self._watching.cancel()
        self._transport.close()
        with clock.outside("a media worker, to end"):
            with suppress(TimeoutError):
                async with asyncio.timeout(HUNG):
                    await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
