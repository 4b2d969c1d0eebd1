from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Up

sys.path.insert(0, str(Path(__file__).parent / "sip"))


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("interop") / "data") as program:
        yield program
