"""The API over a real exchange and a real store; phones ring for ever, texts arrive.

Requests go to the ASGI application itself, on the test's own loop.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from starlette.types import Message, Scope

from offhook import app, clock, sids
from offhook.api.app import api_app
from offhook.config.settings import Settings
from offhook.exchange.exchange import Exchange, Route, Rules
from offhook.exchange.journal import Journal
from offhook.line.leg import Leg, Ringing, Target, Text
from offhook.media.plane import MediaPlane
from offhook.model.account import Account, IncomingPhoneNumber
from offhook.speech.encode import mp3
from offhook.store import Store, records
from offhook.testing.speech import TestVoice
from offhook.webhooks.ask import Webhooks
from offhook.webhooks.notify import Notifier
from offhook.webhooks.transport import Incoming, Outgoing

OURS, THEIRS = "+14155550100", "+14155550199"


@dataclass
class Reply:
    """What the API answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def xml(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.body)

    @property
    def code(self) -> tuple[int, int]:
        """HTTP status and error code."""
        return self.status, self.json["code"]


@dataclass
class Api:
    """A client of the API, with the first account's credentials unless told otherwise."""

    app: Any
    exchange: Exchange
    account: Account
    number: IncomingPhoneNumber
    asked: list[Outgoing] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"/2010-04-01/Accounts/{self.account.sid}"

    async def told(self) -> None:
        """Returns when what was said to the debugger so far is stored."""
        said = [task for task in self.exchange.tasks if task.get_name() == "debugger"]
        await asyncio.gather(*said)

    async def get(self, path: str, /, **query: Any) -> Reply:
        return await self.request("GET", path, query)

    async def post(self, path: str, /, **form: Any) -> Reply:
        return await self.request("POST", path, form=form)

    async def delete(self, path: str) -> Reply:
        return await self.request("DELETE", path)

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        *,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """`path` is below the account, `.json` the account itself; with a `/` from the root."""
        if not path.startswith("/"):
            path = self.base + path if path.startswith(".") else f"{self.base}/{path}"
        user, token = auth or (self.account.sid, self.account.auth_token)
        sent = {
            "authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode(),
            "host": "api.test",
        }
        if form is not None:
            body = urlencode(_named(form), doseq=True).encode()
            sent["content-type"] = "application/x-www-form-urlencoded"
        sent |= dict(headers or {})
        return await call(self.app, method, path, urlencode(_named(query or {}), True), sent, body)


def _named(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """`From_` is `From`, which Python keeps for itself."""
    return {name.rstrip("_"): value for name, value in parameters.items()}


async def call(
    app: Any, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes | None
) -> Reply:
    """One request to an ASGI application."""
    path, _, more = path.partition("?")
    scope: Scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1", "method": method,
        "path": path, "raw_path": path.encode(), "root_path": "", "scheme": "http",
        "query_string": "&".join(filter(None, (more, query))).encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items() if v],
        "client": ("192.0.2.7", 50000), "server": ("api.test", 80),
    }  # fmt: skip
    reply, chunks = Reply(0, {}, b""), []

    async def receive() -> Message:
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    reply.body = b"".join(chunks)
    return reply


class Bell:
    """A carrier whose phones ring until the caller gives up, and whose texts are delivered."""

    name = "bell"

    async def dial(self, target: Target, ringing: Ringing) -> Leg:
        return await asyncio.get_running_loop().create_future()

    async def send(self, text: Text, report: Callable[[str, int], None]) -> None:
        report("delivered", 0)


class Encoder:
    """The speech service as far as the API needs it, without its process."""

    async def mp3(self, wav_path: str, channel: str | None = None) -> bytes:
        return mp3(wav_path, channel == "mix")


Serving = Callable[[], AbstractAsyncContextManager[Api]]


async def exchange_over(store: Store, data: Path, asked: list[Outgoing]) -> Exchange:
    async def send(request: Outgoing) -> Incoming:
        asked.append(request)
        return Incoming(200, (("Content-Type", "image/png"),), b"PNG")

    webhooks = Webhooks(send)

    async def key(account_sid: str) -> str:
        return ""

    notifier = Notifier(store, webhooks, key, lambda callback, outcome: None)
    rules = Rules(data, "http://api.test")
    media = await MediaPlane.local(range(0))
    return Exchange(
        store, webhooks, notifier, Encoder(), media, Journal(store), rules,
        routes=[Route(Bell(), lambda to: True)],
    )  # fmt: skip


async def furnish(
    store: Store, owner: str = "", number: str = OURS
) -> tuple[Account, IncomingPhoneNumber]:
    """An account with a number."""
    now = clock.utc()
    account = Account(sids.new("AC"), sids.random_hex(), now, now, "Main", owner_account_sid=owner)
    ours = IncomingPhoneNumber(sids.new("PN"), account.sid, number, now, now)
    await store.write(records.accounts.insert, account)
    await store.write(records.numbers.insert, ours)
    return account, ours


@asynccontextmanager
async def line(settings: Settings) -> AsyncIterator[Api]:
    """The API of a whole platform, with a simulated network; applications answer with nothing."""

    async def send(request: Outgoing) -> Incoming:
        asked.append(request)
        return Incoming(200, (("Content-Type", "text/xml"),), b"<Response/>")

    asked: list[Outgoing] = []
    parts = app.Parts(await MediaPlane.local(range(20000, 20200)), TestVoice(), send)
    async with app.running(settings, parts) as running:
        await app.open_lines(running)
        account, number = await furnish(running.exchange.store)
        exchange = running.exchange
        yield Api(api_app(exchange), exchange, account, number, asked)
