"""How many requests at once, and what a request that is sent again is answered.

reference: REST conventions sections 5 and 6 (429), `Idempotency-Key`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from starlette.responses import Response

from offhook import clock
from offhook.errors import ApiError

REMEMBERED = 10_000  # answers
KEPT = 24 * 3600.0  # seconds


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


class Repeats:
    """A request that comes with an `Idempotency-Key` is done once.

    Sent again within a day, with the same key by the same account to the same path, it gets the
    first one's answer, also when that is still under way. A fault of ours (5xx) is not kept, nor is
    anything across a restart.
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[str, ...], tuple[float, asyncio.Future[Response]]] = {}

    async def once(
        self, key: tuple[str, ...], answer: Callable[[], Awaitable[Response]]
    ) -> Response:
        """What `answer` gives, or gave the first time."""
        known = self._answers.get(key)
        if known and clock.now() - known[0] < KEPT:
            await asyncio.wait([known[1]])
            if not known[1].cancelled():
                return copied(known[1].result())
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._remember(key, future)
        try:
            response = await answer()
        except BaseException as error:
            self._answers.pop(key, None)
            _fail(future, error)
            raise
        future.set_result(response)
        if response.status_code >= 500:
            self._answers.pop(key, None)
        return copied(response)

    def _remember(self, key: tuple[str, ...], future: asyncio.Future[Response]) -> None:
        self._answers.pop(key, None)
        while len(self._answers) >= REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = clock.now(), future


def _fail(future: asyncio.Future[Response], error: BaseException) -> None:
    """Whoever waits for it is told the same; it is no fault that nobody does."""
    if not isinstance(error, Exception):
        future.cancel()
        return
    future.set_exception(error)
    future.exception()


def copied(response: Response) -> Response:
    """Its own object: every answer gets headers of its own."""
    return Response(response.body, response.status_code, dict(response.headers))
