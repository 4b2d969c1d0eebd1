"""What HTTP takes from strangers."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from structlog.testing import capture_logs
from uvicorn.server import ServerState

from offhook.listening import HEAD, PATIENCE, TOLD_EVERY, Complaints, Connection, most

HELLO = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and that it was cut."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.cut = b"", False

    def write(self, data: Any) -> None:
        self.written += data

    def abort(self) -> None:
        self.cut = True

    def is_closing(self) -> bool:
        return self.cut

    def close(self) -> None:
        self.cut = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def hello(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await asyncio.sleep(7200)
    while (await receive()).get("more_body"):
        pass
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"Hi"})


def opened(state: ServerState | None = None) -> tuple[Connection, Wire]:
    config = uvicorn.Config(hello, lifespan="off", timeout_keep_alive=75, ws_ping_interval=None)
    config.load()
    connection, wire = Connection(config, state or ServerState(), {}), Wire()
    connection.connection_made(wire)
    return connection, wire


async def test_who_says_nothing_is_waited_for_so_long():
    _, wire = opened()
    await asyncio.sleep(PATIENCE - 1)
    assert not wire.cut
    await asyncio.sleep(2)
    assert wire.cut


@pytest.mark.parametrize(
    "piece", [b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n"],
    ids=["head", "body"],
)  # fmt: skip
async def test_who_drips_a_request_is_waited_for_no_longer(piece: bytes):
    connection, wire = opened()
    connection.data_received(piece)
    for _ in range(round(PATIENCE) - 1):
        await asyncio.sleep(1)
        connection.data_received(b"a")
    assert not wire.cut
    await asyncio.sleep(2)
    assert wire.cut


async def test_who_drips_empty_lines_behind_a_request_is_not_either():
    connection, wire = opened()
    connection.data_received(HELLO)
    await asyncio.sleep(1)
    assert wire.written.endswith(b"Hi")
    for _ in range(round(PATIENCE) + 2):
        connection.data_received(b"\r\n")
        await asyncio.sleep(1)
    assert wire.cut


async def test_one_request_after_the_other_may_come_for_hours():
    connection, wire = opened()
    for n in range(200):
        connection.data_received(HELLO)
        await asyncio.sleep(60)
        assert wire.written.count(b"Hi") == n + 1
    assert not wire.cut
    await asyncio.sleep(76)
    assert wire.cut


async def test_a_websocket_lasts():
    connection, wire = opened()
    connection.data_received(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await asyncio.sleep(3600)
    assert wire.written.startswith(b"HTTP/1.1 101 ")
    assert not wire.cut


async def test_a_head_may_be_so_long():
    connection, wire = opened()
    connection.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n")
    for _ in range(HEAD // 1024 - 1):
        connection.data_received(b"X: " + b"a" * 1019 + b"\r\n")
    assert not wire.cut
    connection.data_received(b"X: " + b"a" * 1019 + b"\r\n")
    assert wire.cut


async def test_a_body_may_be_longer():
    connection, wire = opened()
    connection.data_received(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (2 * HEAD)
    )
    for _ in range(HEAD // 512):
        connection.data_received(b"a" * 1024)
        await asyncio.sleep(0)
    await asyncio.sleep(1)
    assert wire.written.endswith(b"Hi")
    assert not wire.cut


async def test_others_connections_leave_half_of_the_files():
    state = ServerState()
    wires = [opened(state)[1] for _ in range(most() + 1)]
    assert [wire.cut for wire in wires] == [False] * most() + [True]


async def test_that_no_file_is_free_is_told_once_in_a_while():
    loop, told = asyncio.get_running_loop(), Complaints()
    error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    with capture_logs() as logs:
        for _ in range(3):
            for _ in range(1000):
                told(
                    loop, {"message": "socket.accept() out of system resource", "exception": error}
                )
            await asyncio.sleep(TOLD_EVERY / 2)
    assert [each["event"] for each in logs] == ["connections wait: too many open files"] * 2


async def test_whatever_else_goes_wrong_on_the_loop_is_told(caplog: pytest.LogCaptureFixture):
    Complaints()(asyncio.get_running_loop(), {"message": "a task was forgotten"})
    assert "a task was forgotten" in caplog.text
