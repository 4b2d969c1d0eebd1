"""Everything that once broke something, and a sample of what is usual, on every platform.

`make fuzz` looks for more; what it finds is kept in `corpus`, under a name that says what it was.
"""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from fuzz_run import targets

TARGETS = targets()
CORPUS = sorted((Path(__file__).parent / "corpus").glob("*/*"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}: {path.name}")
def test_what_must_hold_holds_for(path: Path):
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_nothing_is_kept_of_what_was_read_by(name: str):
    """Once its caches are warm, the same inputs leave not one object behind."""
    inputs = [path.read_bytes() for path in CORPUS if path.parent.name == name]
    assert inputs

    def alive() -> int:
        for _ in range(3):
            for data in inputs:
                TARGETS[name](data)
        gc.collect()
        return len(gc.get_objects())

    alive()
    before = alive()
    assert alive() <= before
