"""Files behind records: looked for and removed off the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from offhook import clock

T = TypeVar("T")


async def off_loop(what: str, run: Callable[[], T]) -> T:
    """`run` on a thread; virtual time waits for it."""
    with clock.outside(what):
        return await asyncio.to_thread(run)


class File(FileResponse):
    """A file on its way out, whole or the range asked for; virtual time waits for it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with clock.outside("a file on its way out"):
            await super().__call__(scope, receive, send)


async def is_there(path: str) -> bool:
    return bool(path) and await off_loop("a look for a file", Path(path).is_file)


async def forget(*paths: str) -> None:
    """Removes them; one that is gone already is no error."""

    def remove() -> None:
        for path in filter(None, paths):
            Path(path).unlink(missing_ok=True)

    if any(paths):
        await off_loop("the removal of files", remove)
