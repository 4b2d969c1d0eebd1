"""Properties that are found out when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Lazy(Generic[T]):
    """As `functools.cached_property`, without the lock that it takes before Python 3.12: a message
    has six of them, and that was a tenth of what it costs to read one."""

    def __init__(self, find: Callable[[Any], T]) -> None:
        self._find, self._name = find, find.__name__

    def __get__(self, owner: Any, kind: type) -> T:
        found = owner.__dict__[self._name] = self._find(owner)
        return found


class Reading:
    """What has lazy properties: they are kept in its `__dict__`, beside its slots."""
