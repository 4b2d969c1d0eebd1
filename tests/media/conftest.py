"""Virtual time for the tests of the media plane."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

Address = tuple[str, int]


class JumpingSelector(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing will ever happen again")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualSocket(asyncio.DatagramTransport):
    def __init__(self, loop: VirtualLoop, address: Address) -> None:
        super().__init__()
        self.loop, self.address = loop, address

    def sendto(self, data: Any, addr: Any = None) -> None:
        if receiver := self.loop.bound.get(addr):
            self.loop.call_later(0.01, receiver.datagram_received, bytes(data), self.address)

    def close(self) -> None:
        self.loop.bound.pop(self.address, None)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumper = JumpingSelector()
        super().__init__(self.jumper)
        self.bound: dict[Address, asyncio.DatagramProtocol] = {}

    def time(self) -> float:
        return self.jumper.now

    async def create_datagram_endpoint(  # type: ignore[override]
        self, factory: Callable[[], asyncio.DatagramProtocol], local_addr: Address, **_: Any
    ) -> tuple[VirtualSocket, asyncio.DatagramProtocol]:
        if local_addr in self.bound:
            raise OSError("in use")
        socket, protocol = VirtualSocket(self, local_addr), factory()
        self.bound[local_addr] = protocol
        protocol.connection_made(socket)
        return socket, protocol


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Async tests run on virtual time, those marked `real_time` on the ordinary loop."""
    if not asyncio.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    main: Coroutine[Any, Any, None] = pyfuncitem.obj(**wanted)
    loop = asyncio.new_event_loop if pyfuncitem.get_closest_marker("real_time") else VirtualLoop
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main)
    return True


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_time: runs on the ordinary loop, with real sockets")
