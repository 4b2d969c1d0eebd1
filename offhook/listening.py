"""What HTTP takes from strangers: how many connections, how long a head, how slow a request.

uvicorn has no such limits: who opens connections and says nothing would have all files there are.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = structlog.get_logger("offhook")

PATIENCE = 30.0  # seconds that a request has to come in, from the connection or its first byte
HEAD = 1 << 18  # bytes of its lines and headers
TOLD_EVERY = 60.0  # seconds between two complaints that there are no files


class Connection(HttpToolsProtocol):
    """Closed when there are too many, and when a request is too slow or its head too long."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience: asyncio.TimerHandle | None = None
        self._await_request()
        if len(self.connections) > most():
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._has_come()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self not in self.connections:  # it is a WebSocket by now, or gone
            return
        if self._patience is None and (self.cycle is None or self.cycle.response_complete):
            self._await_request()  # an empty line is no request, and may be all that comes
        self._head += len(data)
        if self._in_head and self._head > HEAD:
            self.transport.abort()

    def handle_websocket_upgrade(self) -> None:
        self._has_come()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_request()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._has_come()

    def _await_request(self) -> None:
        self._has_come()
        self._in_head, self._head = True, 0
        self._patience = self.loop.call_later(PATIENCE, self.transport.abort)

    def _has_come(self) -> None:
        self._in_head = False
        if self._patience:
            self._patience.cancel()
            self._patience = None


def most() -> int:
    """Connections at a time: half of the files, the others are for what requests ask for."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2


class Complaints:
    """A loop's exception handler. asyncio tells a thousand times a second that a connection cannot
    be taken because no file is free; once in a while is enough."""

    def __init__(self) -> None:
        self._told = -TOLD_EVERY

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or "accept" not in str(context.get("message")):
            loop.default_exception_handler(context)
        elif loop.time() >= self._told + TOLD_EVERY:
            self._told = loop.time()
            log.error("connections wait: " + (error.strerror or str(error)).lower())
