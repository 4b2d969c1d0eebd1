"""Identifiers: two letters that name the kind and 32 hexadecimal digits."""

from __future__ import annotations

import os
import re
import uuid as _uuid
from collections.abc import Callable, Iterator
from itertools import count

random_hex: Callable[[], str] = lambda: os.urandom(16).hex()  # noqa: E731
_SHAPE = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")


def new(prefix: str) -> str:
    return prefix + random_hex()


def uuid() -> str:
    digits = random_hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def uuids(first: str) -> Iterator[str]:
    """That one, then others, always the same ones (RFC 9562 section 5.5)."""
    yield first
    for n in count(1):
        yield str(_uuid.uuid5(_uuid.UUID(first), str(n)))


def is_sid(text: str, prefix: str = "") -> bool:
    return bool(_SHAPE.fullmatch(text)) and text.startswith(prefix)
