"""Asynchronous callbacks: owed until they were sent.  reference: lifecycle section 10.

What is owed is in the store before anybody is told, so nothing is lost by a crash: what was under
way is sent again, at least once, with the same idempotency token.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

import structlog

from offhook.errors import WebhookError
from offhook.model.journal import PendingCallback
from offhook.store import records
from offhook.store.store import Store
from offhook.webhooks.ask import Answer, Request, Webhooks

Key = Callable[[str], Awaitable[str]]
Done = Callable[[PendingCallback, Answer | WebhookError], None]

_PATIENCE_SECONDS = 1.0

log = structlog.get_logger("offhook.webhooks")


class Notifier:
    """Sends what the store's callbacks owe: a subject's in order, `at_once` subjects side by side,
    `to_one` of them to the same server, which may be dead.

    `key` finds the auth token of an account. `done` hears of every callback once its attempts
    ended, well or not. Insert into the store in your own transaction, then `wake`.
    """

    def __init__(
        self,
        store: Store,
        webhooks: Webhooks,
        key: Key,
        done: Done,
        *,
        at_once: int = 256,
        to_one: int = 64,
        in_memory: int = 20_000,
    ) -> None:
        self._store, self._webhooks, self._key, self._done = store, webhooks, key, done
        self._slots, self._to_one = asyncio.Semaphore(at_once), to_one
        self._servers: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._room = asyncio.Semaphore(in_memory)
        self._lines: dict[str, deque[PendingCallback]] = {}
        self._last = 0
        self._woken, self._reading = asyncio.Event(), False
        self._idle = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin with what an earlier run still owed."""
        self.wake()
        self._running = asyncio.create_task(self._run(), name="notifier")

    def wake(self) -> None:
        """There is something new in the store."""
        self._reading = True
        self._idle.clear()
        self._woken.set()

    @property
    def waiting(self) -> int:
        """Callbacks in memory that are not sent yet; when there are very many, more are stored."""
        return sum(map(len, self._lines.values()))

    async def settled(self) -> None:
        """Returns when nothing is owed any more."""
        await self._idle.wait()

    async def close(self) -> None:
        """Stop at once; what is still owed is sent after the next start."""
        if self._running:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as senders:
            while True:
                await self._woken.wait()
                self._woken.clear()
                await self._take(senders)

    async def _take(self, senders: asyncio.TaskGroup) -> None:
        """Line up everything new, each behind the others of its subject."""
        while page := await self._due():
            for callback in page:
                await self._room.acquire()
                self._last = callback.id
                line = self._lines.setdefault(callback.subject, deque())
                line.append(callback)
                if len(line) == 1:
                    senders.create_task(self._serve(callback.subject, line))
        self._reading = self._woken.is_set()
        self._rest()

    async def _due(self) -> list[PendingCallback]:
        try:
            return await self._store.read(records.callbacks.due, self._last)
        except Exception:  # a store that is away for a while must not end all callbacks
            log.exception("callbacks not read")
            await asyncio.sleep(_PATIENCE_SECONDS)
            self.wake()
            return []

    async def _serve(self, subject: str, line: deque[PendingCallback]) -> None:
        while line:
            async with self._server(line[0].url), self._slots:
                await self._send(line[0])
            line.popleft()
            self._room.release()
        del self._lines[subject]
        self._rest()

    def _server(self, url: str) -> asyncio.Semaphore:
        """Room for those that go to the same host and port."""
        return self._servers.setdefault(_place(url), asyncio.Semaphore(self._to_one))

    def _rest(self) -> None:
        if not self._lines and not self._reading:
            self._idle.set()

    async def _send(self, callback: PendingCallback) -> None:
        try:
            self._done(callback, await self._outcome(callback))
            await self._store.write(records.callbacks.delete, callback.id)
        except Exception:  # this one is sent again after the next start; the others go on
            log.exception("callback not accounted for", subject=callback.subject)

    async def _outcome(self, callback: PendingCallback) -> Answer | WebhookError:
        request = Request(
            url=callback.url,
            method=callback.method,
            params=callback.params,
            key=await self._key(callback.account_sid),
            jar="" if callback.kind == "message" else callback.subject,
            kind="callback",
            token=callback.token,
        )
        try:
            return await self._webhooks.ask(request)
        except WebhookError as error:
            return error
        except Exception as error:  # our own fault: a second attempt would end the same way
            log.exception("callback not sent", kind=callback.kind, subject=callback.subject)
            return WebhookError(12400, callback.url, f"internal error: {error}")


def _place(url: str) -> str:
    """The host and port as written, or the whole of what is no URL."""
    _, slashes, behind = url.partition("//")
    return behind.partition("/")[0].rpartition("@")[2].lower() if slashes else url
