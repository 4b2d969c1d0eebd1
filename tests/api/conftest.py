"""An API over a real exchange and a copy of a migrated database."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from api_client import Api, Serving, exchange_over, furnish

from offhook.api.app import api_app
from offhook.api.auth import Doorkeeper
from offhook.store import Store, sqlite_url, template
from offhook.webhooks.transport import Outgoing


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def serving(empty: Path, tmp_path: Path) -> Serving:
    """An API with one account that has one number."""

    @asynccontextmanager
    async def open_api() -> AsyncIterator[Api]:
        shutil.copyfile(empty, tmp_path / "offhook.db")
        store = await Store.open(sqlite_url(tmp_path / "offhook.db"))
        asked: list[Outgoing] = []
        exchange = await exchange_over(store, tmp_path, asked)
        account, number = await furnish(store)
        app = api_app(exchange, doorkeeper=Doorkeeper(exchange, tries=5))
        try:
            yield Api(app, exchange, account, number, asked)
        finally:
            for task in tuple(exchange.tasks):
                task.cancel()
            await asyncio.gather(*exchange.tasks, return_exceptions=True)
            await exchange.journal.flush()
            await exchange.media.close()
            await store.close()

    return open_api
