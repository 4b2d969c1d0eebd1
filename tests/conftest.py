"""Every `async def` test runs in virtual time: `offhook.testing.plugin` sees to it."""

from __future__ import annotations
