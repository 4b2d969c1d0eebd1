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


class until:
    """`async with until(over):` cancels its body once `over` is done, and goes on behind it.

    As asyncio.timeout, it needs no task of its own and lets cancellation from outside through.
    """

    def __init__(self, over: asyncio.Future[Any]) -> None:
        self._over, self._cut_off = over, False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task
        self._task, self._before = task, task.cancelling()
        self._over.add_done_callback(self._cut)

    def _cut(self, _: object) -> None:
        self._cut_off = True
        self._task.cancel()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._over.remove_done_callback(self._cut)
        if not self._cut_off:
            return False
        return self._task.uncancel() <= self._before and kind is asyncio.CancelledError


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
