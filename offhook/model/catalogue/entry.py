from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Entry:
    message: str
    level: Level = "error"
    status: int = 400


def error(message: str, status: int = 400) -> Entry:
    return Entry(message, "error", status)


def warning(message: str, status: int = 400) -> Entry:
    return Entry(message, "warning", status)
