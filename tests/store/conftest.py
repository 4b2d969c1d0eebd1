"""Real SQLite files: each test has a copy of one migrated template."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy

from offhook.store import Connection, Store, sqlite_url, template


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def url(empty: Path, tmp_path: Path) -> str:
    return sqlite_url(Path(shutil.copyfile(empty, tmp_path / "offhook.db")))


@pytest.fixture
def opened(url: str) -> Callable[[], AbstractAsyncContextManager[Store]]:
    @asynccontextmanager
    async def opening() -> AsyncIterator[Store]:
        store = await Store.open(url)
        try:
            yield store
        finally:
            await store.close()

    return opening


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """A connection without threads, for questions that need none."""
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connected:
        yield connected
    engine.dispose()
