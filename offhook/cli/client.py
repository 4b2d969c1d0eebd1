"""The way to a running Offhook: over HTTP, with the credentials it left in its data folder."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp

from offhook.errors import ConfigError
from offhook.frozen import frozen

RUNTIME = "running.json"
LONGEST_LINE = 2**20  # bytes; an event may hold a whole document


@frozen
class Running:
    """What `up` leaves in its data folder, readable by its user alone."""

    api: str
    sip: str
    account_sid: str
    auth_token: str
    demo_number: str
    pid: int

    def leave(self, data: Path) -> None:
        path = data / RUNTIME
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(json.dumps(asdict(self)))

    @staticmethod
    def forget(data: Path) -> None:
        (data / RUNTIME).unlink(missing_ok=True)

    @classmethod
    def find(cls, data: Path) -> Running:
        """Raises ConfigError when nothing was started there."""
        try:
            return cls(**json.loads((data / RUNTIME).read_text()))
        except (OSError, ValueError, TypeError):
            raise ConfigError(
                f"no Offhook is running on {data}: start one with 'offhook up --data {data}'"
            ) from None


class Client:
    """One command's conversation with the server. Every failure is a ConfigError in one line."""

    def __init__(self, running: Running, session: aiohttp.ClientSession) -> None:
        self.running, self._session = running, session
        self.account = f"/2010-04-01/Accounts/{running.account_sid}"

    async def get(self, path: str, **params: str) -> Any:
        return await self._asked("GET", path, params=params)

    async def post(self, path: str, form: Mapping[str, str]) -> Any:
        return await self._asked("POST", path, data=form)

    async def delete(self, path: str) -> Any:
        return await self._asked("DELETE", path)

    async def everything(self, path: str, key: str, limit: int = 50, **params: str) -> list[Any]:
        """Up to `limit` items of a list, page after page."""
        found: list[Any] = []
        page = await self.get(path, PageSize=str(min(limit, 1000)), **params)
        while True:
            found += page[key]
            if len(found) >= limit or not page.get("next_page_uri"):
                return found[:limit]
            page = await self.get(page["next_page_uri"])

    @asynccontextmanager
    async def follow(self, path: str) -> AsyncIterator[AsyncIterator[Any]]:
        """The JSON lines of an answer that does not end."""
        endless = aiohttp.ClientTimeout(total=None)
        request = self._session.get(path, timeout=endless, read_bufsize=LONGEST_LINE)
        async with request as answer:
            await _check(answer)
            yield (json.loads(line) async for line in answer.content)

    @asynccontextmanager
    async def socket(
        self, path: str, **params: str
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with self._session.ws_connect(path, params=params) as socket:
            yield socket

    async def _asked(self, method: str, path: str, **more: Any) -> Any:
        async with self._session.request(method, path, **more) as answer:
            await _check(answer)
            return await answer.json() if answer.status != 204 else None


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status < 400:
        return
    try:
        told = await answer.json(content_type=None)
        message = told.get("message") or str(told)
        code = f" (error {told['code']})" if told.get("code") else ""
    except ValueError:
        message, code = await answer.text(), ""
    raise ConfigError(f"{message}{code}")


@asynccontextmanager
async def connected(data: Path) -> AsyncIterator[Client]:
    running = Running.find(data)
    login = b64encode(f"{running.account_sid}:{running.auth_token}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    async with aiohttp.ClientSession(running.api, headers=headers) as session:
        try:
            yield Client(running, session)
        except aiohttp.WSServerHandshakeError as refused:
            raise ConfigError(f"{running.api} refuses: {refused.status}") from None
        except (TimeoutError, aiohttp.ClientError):
            raise ConfigError(
                f"no answer from {running.api}: is Offhook still running? 'offhook up' starts it"
            ) from None
