"""The pytest plug-in: `async def` tests run in virtual time, or as the marker `real_time` says."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from offhook.testing import virtual_time

OTHERS = ("asyncio", "anyio", "trio", "twisted")  # markers of plug-ins that run coroutines too


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_time: an async test that needs the real clock")


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    if any(pyfuncitem.get_closest_marker(name) for name in OTHERS):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    run = asyncio.run if pyfuncitem.get_closest_marker("real_time") else virtual_time.run
    run(pyfuncitem.obj(**arguments))
    return True
