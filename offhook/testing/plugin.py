"""The pytest plug-in: `async def` tests run in virtual time, and `offhook` is a platform in it."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import AsyncExitStack
from typing import Any

import pytest

from offhook.testing import virtual_time

OTHERS = ("asyncio", "anyio", "trio", "twisted")  # markers of plug-ins that run coroutines too


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_time: an async test that needs the real clock")


@pytest.fixture
def offhook_settings() -> dict[str, Any]:
    """Settings of the platform, as in its TOML file; override it to have others."""
    return {}


@pytest.fixture
def offhook(offhook_settings: dict[str, Any]) -> Any:
    """A platform that runs while an async test does."""
    # Imported by those who use it: a test run without it need not wait for a platform.
    from offhook.testing.platform import Offhook

    return Offhook(**offhook_settings)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    if any(pyfuncitem.get_closest_marker(name) for name in OTHERS):
        return None
    run = asyncio.run if pyfuncitem.get_closest_marker("real_time") else virtual_time.run
    run(_run(pyfuncitem))
    return True


async def _run(item: pytest.Function) -> None:
    if task := asyncio.current_task():
        task.set_name(item.name)  # by which it is known when it is stuck
    given: dict[str, Any] = item.funcargs
    wanted = inspect.signature(item.obj).parameters
    async with AsyncExitStack() as platforms:
        if "offhook" in given:
            await platforms.enter_async_context(given["offhook"])
        await item.obj(**{name: given[name] for name in wanted})
