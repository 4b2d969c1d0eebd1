"""What the tests of the exchange share: numbers, and an application that keeps its requests."""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

from offhook.model.journal import Event
from offhook.testing import Offhook, Request, Response

OURS, CALLER, AGENT = "+15550100", "+14155550100", "+14155550111"
Page = str | Response | Callable[[Request], Any]


def twiml(verbs: str) -> str:
    return f"<Response>{verbs}</Response>"


class App:
    """Answers `/` with `first`, `/name` with the page of that name, anything else with nothing.

    A page is verbs, a Response, or a function of the request
    that gives one of these. `late` is how many seconds it takes.
    """

    def __init__(self, first: Page = "", late: float = 0, **pages: Page) -> None:
        self.pages: dict[str, Page] = {"": first, **pages}
        self.late = late
        self.asked: list[tuple[str, Request]] = []

    async def __call__(self, request: Request) -> Any:
        path = request.path.strip("/")
        self.asked.append((path, request))
        await asyncio.sleep(self.late)
        page = self.pages.get(path, "")
        if callable(page):
            page = page(request)
            page = await page if inspect.isawaitable(page) else page
        return twiml(page) if isinstance(page, str) else page

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def requests(self, path: str) -> list[Request]:
        return [request for asked, request in self.asked if asked == path]

    def told(self, path: str) -> dict[str, str]:
        """The parameters of the latest request to that path."""
        return dict(self.requests(path)[-1].params)

    def statuses(self, path: str) -> list[str]:
        return [request.params["CallStatus"] for request in self.requests(path)]


def codes(offhook: Offhook) -> list[int]:
    """What the debugger was told."""
    return [each.error_code for each in offhook.notifications]


async def begun(offhook: Offhook, verb: str) -> None:
    """Returns when a verb of that name begins, before it has done anything."""
    begins, journal = asyncio.Event(), offhook.platform.exchange.journal

    def happened(event: Event) -> None:
        if event.data.get("verb") == verb:
            begins.set()

    journal.listeners.add(happened)
    await begins.wait()
    journal.listeners.discard(happened)


@asynccontextmanager
async def no_room(offhook: Offhook) -> AsyncIterator[None]:
    """Meanwhile the store cannot be written to: as a disk is full, somebody else writes."""
    store = offhook.platform.exchange.store
    await store.write(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=0"))
    with closing(sqlite3.connect(offhook.platform.settings.data / "offhook.db")) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        yield
