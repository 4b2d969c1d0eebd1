"""An engine whose library is not there."""

from __future__ import annotations


def create() -> object:
    raise SystemExit(1)
