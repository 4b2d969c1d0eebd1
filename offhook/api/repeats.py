"""A request that comes with an `Idempotency-Key` is done once, whatever happens meanwhile.

What a request makes is marked in the transaction that stores it, and its answer is kept before it
is given. So a repeat gets the first answer, or, when a crash came between the two, what was made.
reference: REST conventions section 5, `Idempotency-Key`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from starlette.responses import Response

from offhook import clock
from offhook.store import records
from offhook.store.marks import Marks
from offhook.store.store import Store, beside

KEPT = timedelta(days=1)

Answer = Callable[[], Awaitable[Response]]
Fetch = Callable[[str], Awaitable[Response | None]]


class Repeats:
    """The answers of a day, by the key of their request; faults of ours (5xx) are not kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._under_way: dict[str, asyncio.Future[Response]] = {}

    async def once(self, key: Sequence[str], answer: Answer, fetch: Fetch) -> Response:
        """What `answer` gives, or gave the first time, also when that is still under way.

        `fetch` gives what an interrupted request made, by its SID, or None.
        """
        name = "repeat: " + hashlib.sha256("\0".join(key).encode()).hexdigest()
        while first := self._under_way.get(name):
            await asyncio.wait([first])
            if not first.cancelled():
                return _copied(first.result())
        future = self._under_way[name] = asyncio.get_running_loop().create_future()
        try:
            response = await self._known(name, fetch) or await self._new(name, answer)
        except BaseException as error:
            _fail(future, error)
            raise
        finally:
            del self._under_way[name]
        future.set_result(response)
        return _copied(response)

    async def _known(self, name: str, fetch: Fetch) -> Response | None:
        kept = await self._store.read(records.facts.get, name, clock.utc())
        if kept and "made" not in kept:
            return Response(kept["body"], kept["status"], media_type=kept["type"])
        for sid in kept["made"] if kept else ():
            if response := await fetch(sid):
                return response
        return None

    async def _new(self, name: str, answer: Answer) -> Response:
        now = clock.utc()
        token = beside.set(Marks(name, now, now + KEPT))
        try:
            response = await answer()
        finally:
            beside.reset(token)
        if response.status_code >= 500:
            await self._store.write(records.facts.delete, name)
            return response
        kept = {
            "status": response.status_code,
            "type": response.headers.get("content-type"),
            "body": bytes(response.body).decode(),
        }
        await self._store.write(records.facts.put, name, kept, now + KEPT)
        return response


def _fail(future: asyncio.Future[Response], error: BaseException) -> None:
    """Whoever waits for it is told the same; it is no fault that nobody does."""
    if not isinstance(error, Exception):
        future.cancel()
        return
    future.set_exception(error)
    future.exception()


def _copied(response: Response) -> Response:
    """Its own object: every answer gets headers of its own."""
    return Response(response.body, response.status_code, dict(response.headers))
