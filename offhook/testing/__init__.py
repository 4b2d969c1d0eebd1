"""For those who test applications: a platform, phones and virtual time inside a test.

With pytest, the fixture `offhook` is a platform of the test's own, and `async def` tests run in
virtual time, where waiting costs nothing::

    from offhook.testing import Offhook, Request

    async def shop(request: Request) -> str:
        if request.params.get("Digits") == "1":
            return "<Response><Say>Sales, hello.</Say></Response>"
        return '<Response><Gather numDigits="1"><Say>Press 1 for sales.</Say></Gather></Response>'

    async def test_menu(offhook: Offhook) -> None:
        offhook.number("+15550100", voice=shop)
        call = await offhook.call("+15550100")
        await call.hears("Press 1 for sales.")
        call.press("1")
        await call.hears("Sales, hello.")

What a phone hears is read from its audio. docs/testing.md says more.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Offhook": "platform",
    "PhoneCall": "phones",
    "TestPhone": "phones",
    "Request": "applications",
    "Response": "applications",
    "Webhook": "applications",
    "TestVoice": "speech",
    "Ear": "voice",
    "speak": "voice",
    "transcribe": "voice",
    "Stuck": "virtual_time",
    "Overdue": "virtual_time",
    "VirtualTimeLoop": "virtual_time",
    "run": "virtual_time",
}


def __getattr__(name: str) -> Any:
    # On demand: pytest imports this package in every run of everybody who has it installed.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
