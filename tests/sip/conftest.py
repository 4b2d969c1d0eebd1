"""What several tests of SIP need around them."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def uncollected() -> Iterator[None]:
    """The garbage collector rests: what only it could free is still there."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
