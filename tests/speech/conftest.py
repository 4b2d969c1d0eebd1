from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from speaking import Body, WithSpeech

from offhook.speech.service import Speech


@pytest.fixture(scope="session")
def one_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Speech]:
    speech = Speech(tmp_path_factory.mktemp("clips"))
    yield speech
    asyncio.run(speech.close())


@pytest.fixture
def with_speech(one_for_all: Speech, tmp_path: Path) -> WithSpeech:
    """Runs a coroutine function on a Speech and gives back what it returns.

    Settings, or `fresh`, ask for one that is started and closed for it alone.
    """

    async def alone(body: Body, settings: dict[str, Any]) -> Any:
        speech = Speech(tmp_path / "clips", **settings)
        await speech.start()
        try:
            return await body(speech)
        finally:
            await speech.close()

    async def shared(body: Body) -> Any:
        return await body(one_for_all)

    def run(body: Body, fresh: bool = False, **settings: Any) -> Any:
        return asyncio.run(alone(body, settings) if fresh or settings else shared(body))

    return run
