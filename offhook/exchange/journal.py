"""What happens, as it happens: kept with its call, and told to whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from offhook import clock
from offhook.model.journal import Event
from offhook.store import records
from offhook.store.store import Store
from offhook.webhooks.target import without_credentials

log = structlog.get_logger("offhook.exchange")

Listener = Callable[[Event], None]
FLUSH_SECONDS = 0.25
URLS = ("url", "play")  # in what is told; whoever asked them knows their passwords from elsewhere


class Journal:
    """Events are told at once and stored in batches; `flush` stores what is still held.

    URLs are told without the passwords that they carry.
    """

    def __init__(self, store: Store, max_events: int = 1000) -> None:
        self._store, self._max = store, max_events
        self._held: list[Event] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._order = asyncio.Lock()
        self.listeners: set[Listener] = set()

    def add(self, subject: str, account_sid: str, kind: str, data: dict[str, Any]) -> None:
        shown = {name: without_credentials(data[name]) for name in URLS if data.get(name)}
        event = Event(subject, account_sid, clock.utc(), kind, data | shown if shown else data)
        for listener in tuple(self.listeners):
            listener(event)
        self._held.append(event)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(FLUSH_SECONDS, self._due)

    def _due(self) -> None:
        self._writing = asyncio.ensure_future(self.flush())

    async def flush(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        async with self._order:  # whoever returns has seen stored what was held before
            batch, self._held = self._held, []
            try:
                if batch:
                    await self._store.write(records.events.insert_many, batch, self._max)
            except Exception:  # a full disk, say: calls go on, and end, without their story
                log.exception("what happened could not be stored")
