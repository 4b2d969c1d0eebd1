"""Who reads slowly what happens in a call."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from typing import Any

from exchange_app import CALLER, OURS, App
from starlette.applications import Starlette

from offhook.own import FOLLOWED, Figures, own_routes
from offhook.testing import Offhook
from offhook.testing.platform import ACCOUNT_SID


async def nothing(*_: Any) -> Any:
    return [], ""


def own(offhook: Offhook) -> Starlette:
    it = offhook.platform
    figures = Figures(nothing, "", private=True)
    return Starlette(
        routes=own_routes(it.exchange, it.network, lambda: True, nothing, list, it.drained, figures)
    )


class Reader:
    """A WebSocket client that takes nothing but the handshake until it `reads`."""

    def __init__(self, login: str) -> None:
        self.reads, self.got = asyncio.Event(), list[dict[str, Any]]()
        self.scope: dict[str, Any] = {
            "type": "websocket", "path": "/offhook/v1/phone", "scheme": "ws", "subprotocols": [],
            "query_string": f"To=%2B{OURS[1:]}&From=%2B{CALLER[1:]}".encode(),
            "headers": [(b"authorization", f"Basic {login}".encode())],
        }  # fmt: skip
        self._connected = False

    async def receive(self) -> dict[str, Any]:
        if self._connected:
            await asyncio.Event().wait()
        self._connected = True
        return {"type": "websocket.connect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await self.reads.wait()
        self.got.append(message)


async def test_a_phone_in_the_terminal_that_reads_nothing_is_kept_no_more_than_so_much_for(
    offhook: Offhook,
) -> None:
    offhook.number(OURS, voice=App("<Pause length='60'/>"))
    login = base64.b64encode(f"{ACCOUNT_SID}:{offhook.auth_token}".encode()).decode()
    reader = Reader(login)
    phone = asyncio.create_task(own(offhook)(reader.scope, reader.receive, reader.send))
    await asyncio.sleep(10)
    [call] = offhook.calls
    for n in range(2 * FOLLOWED):
        offhook.platform.exchange.journal.add(call.sid, ACCOUNT_SID, "key", {"key": str(n)})
    reader.reads.set()
    await asyncio.sleep(90)
    with suppress(asyncio.CancelledError):
        await phone
    told = [each for each in reader.got if each["type"] == "websocket.send"]
    assert FOLLOWED <= len(told) <= FOLLOWED + 10
    assert '"ended"' in told[-1]["text"]
