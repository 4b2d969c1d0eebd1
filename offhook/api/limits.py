"""How many requests at once.  reference: REST conventions section 6 (429)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from offhook.errors import ApiError


class Crowd:
    """The requests under way, by account: at most `most` of one account at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside: Counter[str] = Counter()

    @contextmanager
    def one_more(self, account_sid: str) -> Iterator[int]:
        """How many there are with this one.

        Raises ApiError 20429 when that is too many: the request was not looked at, and may be sent
        again.
        """
        if self._inside[account_sid] >= self._most:
            raise ApiError(20429, f"More than {self._most} requests at a time", 429)
        self._inside[account_sid] += 1
        try:
            yield self._inside[account_sid]
        finally:
            self._inside[account_sid] -= 1
            if not self._inside[account_sid]:
                del self._inside[account_sid]
