"""The far side of a trunk: answers as it is told, and keeps what it was asked and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from offhook import clock
from offhook.sip.message import Request, Response, parse, respond

Answer = Callable[[Request], Response | None]


class Provider(asyncio.DatagramProtocol):
    """`answer` says what; None is silence."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, Request]] = []
        self.answer: Answer = lambda request: respond(request, 200, tag="p")

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = parse(data)
        if isinstance(request, Request):
            self.asked.append((clock.now(), request))
            if answer := self.answer(request):
                self.transport.sendto(answer.encode(), addr)

    def times(self, method: str = "REGISTER") -> list[float]:
        return [at for at, request in self.asked if request.method == method]

    def last(self, method: str = "REGISTER") -> Request:
        return [request for _, request in self.asked if request.method == method][-1]


async def provider(host: str = "127.0.0.8", port: int = 5060) -> Provider:
    loop = asyncio.get_running_loop()
    _, made = await loop.create_datagram_endpoint(Provider, local_addr=(host, port))
    return made
