from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from offhook.speech.service import Speech

WithSpeech = Callable[..., Any]


@pytest.fixture
def with_speech(tmp_path: Path) -> WithSpeech:
    """Runs a coroutine function on a Speech of its own and gives back what it returns."""

    def run(body: Callable[[Speech], Awaitable[Any]], **settings: Any) -> Any:
        async def main() -> Any:
            speech = Speech(tmp_path / "clips", **settings)
            await speech.start()
            try:
                return await body(speech)
            finally:
                await speech.close()

        return asyncio.run(main())

    return run
