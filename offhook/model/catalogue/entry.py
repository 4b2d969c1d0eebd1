from __future__ import annotations

from typing import Literal

from offhook.frozen import frozen

Level = Literal["error", "warning"]


@frozen
class Entry:
    message: str
    level: Level = "error"
    status: int = 400


def error(message: str, status: int = 400) -> Entry:
    return Entry(message, "error", status)


def warning(message: str, status: int = 400) -> Entry:
    return Entry(message, "warning", status)
