"""A whole platform inside a test, on virtual time: numbers, applications, phones and records."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import structlog
import uvicorn
from sqlalchemy import make_url
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from offhook import app, clock, sids
from offhook.api.app import api_app
from offhook.carriers.handset import Handset
from offhook.config import Address, Settings
from offhook.media.plane import MediaPlane
from offhook.model.account import IncomingPhoneNumber, Notification
from offhook.model.call import Call
from offhook.model.journal import Event
from offhook.model.message import Message
from offhook.model.recording import Recording
from offhook.store import engines, records
from offhook.store.migrate import template
from offhook.store.store import Connection, sqlite_url
from offhook.testing.applications import Application, Applications, Webhook
from offhook.testing.phones import MOMENT, PhoneCall, Records, TestPhone
from offhook.testing.speech import TestVoice
from offhook.testing.virtual_time import START
from offhook.webhooks.fence import Fence
from offhook.webhooks.transport_aiohttp import AiohttpTransport

T = TypeVar("T")

ACCOUNT_SID, AUTH_TOKEN = "AC" + "0123456789abcdef" * 2, "fedcba9876543210" * 2
CALLER = "+15550001111"
RTP = range(20000, 30000)


class Offhook:
    """A platform to be used `async with`, or as the fixture `offhook`.

    `settings` are those of the TOML file, by keyword. Numbers may be added before it runs.
    """

    def __init__(self, **settings: Any) -> None:
        self._given = settings
        self._exits = AsyncExitStack()
        self._numbers: list[IncomingPhoneNumber] = []
        self._phones: dict[str, TestPhone] = {}
        self._platform: app.Platform | None = None
        self._transport = AiohttpTransport(Fence())
        self._applications = Applications(self._transport.send)

    async def __aenter__(self) -> Self:
        _log_plainly()
        async with AsyncExitStack() as exits:
            folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="offhook-")))
            listener = exits.enter_context(socket.create_server(("127.0.0.1", 0)))
            listener.setblocking(False)
            exits.callback(self._applications.close)
            exits.push_async_callback(self._transport.close)
            self._settings = _settings(folder, listener.getsockname()[1], self._given)
            (folder / "offhook.db").write_bytes(_empty_database())
            self._engine = engines.writing(make_url(sqlite_url(folder / "offhook.db")))
            exits.callback(self._engine.dispose)
            parts = app.Parts(
                await MediaPlane.local(RTP), TestVoice(), self._applications.send, migrate=False
            )
            self._platform = await exits.enter_async_context(app.running(self._settings, parts))
            self._records = Records(self._platform.exchange, self._call)
            self._platform.network.watch = self._watch
            exits.push_async_callback(self._platform.network.close)
            await app.open_lines(self._platform)
            await exits.enter_async_context(ApiServer(self._platform, listener))
            with self._engine.begin() as connection:
                for number in self._numbers:
                    _put(connection, self._owned(number))
            self._exits = exits.pop_all()
        return self

    async def __aexit__(self, *error: Any) -> None:
        crashes = self.platform.network.crashes
        await self._exits.aclose()
        if crashes and error[1] is None:
            raise ExceptionGroup("phones crashed", crashes)

    @property
    def platform(self) -> app.Platform:
        """The platform itself, for what the kit does not show."""
        if self._platform is None:
            raise RuntimeError("this Offhook does not run yet: use it `async with`")
        return self._platform

    # What a developer sets up

    def number(
        self,
        number: str,
        *,
        voice: Application = "",
        sms: Application = "",
        fallback: Application = "",
        sms_fallback: Application = "",
        status: Application = "",
        **fields: Any,
    ) -> str:
        """Have `number` answered by applications: ASGI or WSGI objects, functions or URLs.

        `fields` are others of the IncomingPhoneNumber record, such as `voice_method`.
        """
        now = START  # until it is written
        record = IncomingPhoneNumber(
            sids.new("PN"), ACCOUNT_SID, number, now, now, number,
            voice_url=self.url(voice), sms_url=self.url(sms),
            voice_fallback_url=self.url(fallback), sms_fallback_url=self.url(sms_fallback),
            status_callback=self.url(status), **fields,
        )  # fmt: skip
        if self._platform is None:
            self._numbers.append(record)
        else:
            with self._engine.begin() as connection:
                _put(connection, self._owned(record))
        return number

    def url(self, application: Application, path: str = "/") -> str:
        """The URL of an application, of `path` in it; a URL is itself."""
        return self._applications.url(application, path) if application else ""

    def phone(self, number: str) -> TestPhone:
        """The phone of somebody; every number has one."""
        if number not in self._phones:
            self._phones[number] = TestPhone(self.platform.network.phone(number))
        return self._phones[number]

    # What happens

    async def call(self, to: str, *, from_: str = CALLER) -> PhoneCall:
        """Somebody calls `to`. Returns once it rings, or was answered or refused."""
        handset = await self.platform.network.call(from_, to)
        call = self.phone(from_).calls[-1]
        while handset.state == "calling":
            await asyncio.sleep(MOMENT)
        assert call.handset is handset
        return call

    async def text(
        self,
        from_: str,
        to: str,
        body: str,
        media: tuple[tuple[str, bytes], ...] = (),
    ) -> Message | None:
        """Somebody texts `to`; `media` are (content type, content). None: no number of ours."""
        message = await self.platform.network.text(from_, to, body, media)
        await asyncio.sleep(MOMENT)
        return message

    async def post(self, path: str, **form: str) -> dict[str, Any]:
        """A REST request with a form: `await offhook.post("Calls.json", To=..., From=...)`.

        `path` is one below the account, or a whole one. AssertionError for a status of 400 or more.
        """
        return await self._rest("POST", path, form)

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        return await self._rest("GET", path, query)

    async def _rest(self, method: str, path: str, values: dict[str, str]) -> dict[str, Any]:
        __tracebackhide__ = True
        url = path if path.startswith("/") else f"/2010-04-01/Accounts/{self.account_sid}/{path}"
        login = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"}
        sent: dict[str, Any] = {"data" if method == "POST" else "params": values}
        with clock.outside(f"{method} {url}"):
            async with (
                aiohttp.ClientSession(self.api_url, headers=headers) as session,
                session.request(method, url, **sent) as response,
            ):
                status, body = response.status, await response.text()
        if status >= 400:
            raise AssertionError(f"{method} {url}: {status} {body}")
        await asyncio.sleep(MOMENT)
        return dict(json.loads(body)) if body else {}

    # What there is to see

    @property
    def now(self) -> float:
        """Seconds since the test began."""
        return clock.now()

    def utc(self) -> datetime:
        return clock.utc()

    @property
    def api_url(self) -> str:
        """The root of the REST API, for real clients: run them by `asyncio.to_thread`."""
        return self._settings.api_url

    @property
    def account_sid(self) -> str:
        return self.platform.account.sid

    @property
    def auth_token(self) -> str:
        return self.platform.account.auth_token

    @property
    def webhooks(self) -> list[Webhook]:
        """Every request to an application, in the order of their answers."""
        return self._applications.webhooks

    @property
    def calls(self) -> list[Call]:
        """The records, oldest first; so are those below."""
        return self._read(records.calls.all)

    @property
    def messages(self) -> list[Message]:
        return self._read(records.messages.all)

    @property
    def recordings(self) -> list[Recording]:
        return self._read(records.recordings.all)

    @property
    def notifications(self) -> list[Notification]:
        """The debugger's entries."""
        return self._read(records.notifications.all)

    async def story(self, sid: str) -> list[Event]:
        """Everything that happened to a call or a message."""
        await self.platform.exchange.journal.flush()
        return await self.platform.exchange.store.read(records.events.of, sid)

    def _read(self, fn: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            return fn(connection)

    def _call(self, sid: str) -> Call:
        found = self._read(lambda connection: records.calls.get(connection, sid))
        if found is None:
            raise AssertionError("the platform has no record of this call")
        return found

    def _watch(self, handset: Handset) -> None:
        self.phone(handset.number).calls.append(PhoneCall(handset, self._records))

    def _owned(self, number: IncomingPhoneNumber) -> IncomingPhoneNumber:
        now = self.utc()
        return replace(number, account_sid=self.account_sid, date_created=now, date_updated=now)


def _log_plainly() -> None:
    """Unless the test logs its own way: a traceback with all variables would take half a minute."""
    if not structlog.is_configured():
        shown = structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
        structlog.configure(processors=[structlog.processors.add_log_level, shown])


def _put(connection: Connection, number: IncomingPhoneNumber) -> None:
    """The number as given, in place of what it was."""
    found = records.numbers.by_number(connection, number.phone_number)
    if found:
        records.numbers.save(connection, replace(number, sid=found.sid))
    else:
        records.numbers.insert(connection, number)


def _settings(folder: Path, port: int, given: dict[str, Any]) -> Settings:
    usual: dict[str, Any] = {
        "data": folder,
        "http": Address("127.0.0.1", port),
        "account_sid": ACCOUNT_SID,
        "auth_token": AUTH_TOKEN,
        "call_limit": 7 * 86400,
    }
    return Settings(**usual | given)


@cache
def _empty_database() -> bytes:
    """A migrated database; copying it is many times faster than migrating."""
    with tempfile.TemporaryDirectory(prefix="offhook-") as folder:
        return template(Path(folder)).read_bytes()


class ApiServer:
    """The REST API on a listening socket.

    uvicorn's own server looks at its clock ten times a second, which a day of virtual time cannot
    afford; its protocol alone does not.
    """

    def __init__(self, platform: app.Platform, listener: socket.socket) -> None:
        self._listener = listener
        self._config = uvicorn.Config(
            api_app(platform.exchange), log_config=None, access_log=False, lifespan="off"
        )
        self._state = ServerState()

    async def __aenter__(self) -> None:
        self._config.load()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: H11Protocol(self._config, self._state, {}), sock=self._listener
        )

    async def __aexit__(self, *error: Any) -> None:
        self._server.close()
        for connection in tuple(self._state.connections):
            connection.shutdown()
        await asyncio.sleep(MOMENT)
