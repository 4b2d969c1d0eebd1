"""A document that has been read: what an application wants done, and what is wrong with it."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from offhook.frozen import frozen

S = TypeVar("S")


@frozen
class Placed(Generic[S]):
    """An element and where it stands; `line` and `column` count from 1."""

    verb: S
    name: str
    line: int
    column: int


@frozen
class Problem:
    code: int
    message: str
    line: int
    column: int
    level: Literal["error", "warning"]


@frozen
class Document(Generic[S]):
    """Verbs for a call, or replies and redirects for a message; problems in their order.

    Relative URLs in it are relative to `url`, which is empty where it came without one.
    """

    verbs: tuple[Placed[S], ...]
    problems: tuple[Problem, ...] = ()
    url: str = ""
