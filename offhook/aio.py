"""The asyncio idioms this project uses beyond TaskGroup and timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def race(*runners: Coroutine[Any, Any, T]) -> T:
    """The result of whichever finishes first; the others are cancelled and awaited.

    Of several that finish together, the one named first wins.
    """
    tasks = [asyncio.ensure_future(runner) for runner in runners]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task.done()).result()
    finally:
        await stopped(*tasks)
        tasks.clear()  # an error's traceback holds this frame, which must not hold the error


async def stopped(*tasks: asyncio.Future[Any]) -> None:
    """Cancels them and waits until they have ended, however that is."""
    for task in tasks:
        if not task.cancel() and not task.cancelled():
            task.exception()  # seen, though nobody asks for it
    if left := [task for task in tasks if not task.done()]:
        await asyncio.gather(*left, return_exceptions=True)


async def within(seconds: float, runner: Coroutine[Any, Any, T]) -> T | None:
    """The runner's result, or None when `seconds` pass first."""
    try:
        async with asyncio.timeout(seconds):
            return await runner
    except TimeoutError:
        return None
