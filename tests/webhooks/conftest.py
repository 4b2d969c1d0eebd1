from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from webhook_application import Application, serving

from offhook.webhooks.ask import Webhooks
from offhook.webhooks.fence import Fence
from offhook.webhooks.transport_aiohttp import AiohttpTransport

Opened = Callable[..., AbstractAsyncContextManager[tuple[Application, Webhooks]]]


@pytest.fixture
def opened() -> Opened:
    """An application on loopback, and webhooks that reach it over real sockets."""

    @asynccontextmanager
    async def opening(
        fence: Fence | None = None, **settings: Any
    ) -> AsyncIterator[tuple[Application, Webhooks]]:
        transport = AiohttpTransport(fence)
        async with serving() as application:
            try:
                yield application, Webhooks(transport.send, **settings)
            finally:
                await transport.close()

    return opening
