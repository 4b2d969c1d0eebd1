"""The store: one thread that writes and commits in groups, a few that read.

What `write` returns from is committed: it survives the death of the process. SQLAlchemy Core runs
synchronously on these threads; the event loop only waits.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from offhook import clock
from offhook.errors import ConfigError
from offhook.store import engines
from offhook.store.engines import Synchronous
from offhook.store.migrate import migrate as bring_up_to_date

__all__ = ["Connection", "Store", "sqlite_url"]

Beside = Callable[[Connection, tuple[Any, ...]], None]
beside: ContextVar[Beside | None] = ContextVar("beside", default=None)
"""What is to be done in every transaction that is asked for in this context, with what is written
in it."""

T = TypeVar("T")
P = ParamSpec("P")
GROUP = 256  # writes in one commit, at most


def sqlite_url(path: Path) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string()


@dataclass(frozen=True, slots=True)
class Job:
    """A write that waits for its turn: `run` is called with the connection."""

    run: Callable[[Connection], Any]
    future: Future[Any]


class Writer:
    """A thread that runs what it is given in order; what queues up meanwhile shares a commit."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[Connection], T]) -> Future[T]:
        future: Future[T] = Future()
        self._jobs.put(Job(run, future))
        return future

    @property
    def waiting(self) -> int:
        return self._jobs.qsize()

    def close(self) -> None:
        """Returns when everything submitted is done."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            group = self._next_group()
            jobs = [job for job in group if job is not None]
            if len(jobs) == 1:
                self._commit_one(jobs[0])
            elif jobs:
                self._commit(jobs)
            if len(jobs) < len(group):
                return

    def _next_group(self) -> list[Job | None]:
        group = [self._jobs.get()]
        while len(group) < GROUP and not self._jobs.empty():
            group.append(self._jobs.get())
        return group

    def _commit_one(self, job: Job) -> None:
        """As `_commit`, without the savepoint that only a group needs."""
        try:
            with self._engine.begin() as connection:
                result = job.run(connection)
        except BaseException as error:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

    def _commit(self, jobs: list[Job]) -> None:
        """One transaction. A job that fails is undone alone; if the commit fails, all have."""
        done: list[tuple[Future[Any], Any]] = []
        try:
            with self._engine.begin() as connection:
                for job in jobs:
                    try:
                        with connection.begin_nested():
                            result = job.run(connection)
                    except BaseException as error:
                        job.future.set_exception(error)
                    else:
                        done.append((job.future, result))
        except BaseException as error:
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(error)
            return
        for future, result in done:
            future.set_result(result)


class Store:
    """Functions are given a connection and their arguments, and run inside one transaction."""

    def __init__(self, writing: Engine, reading: Engine, readers: int) -> None:
        self._engines = (writing, reading)
        self._reading = reading
        self._writer = Writer(writing)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-reader")
        self._closed = False
        self.measure: Callable[[float], None] = lambda seconds: None  # is told what writes took

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        synchronous: Synchronous = "NORMAL",
        readers: int = 2,
        migrate: bool = True,
    ) -> Store:
        """Opens the database, creating or migrating it first. Raises ConfigError.

        `synchronous` is SQLite's: with NORMAL a commit survives the process (kill -9), and losing
        power may cost the last moments' commits but never the file; FULL survives that too, for
        a flush to disk a commit.
        """
        with clock.outside("the store, to open"):
            return await asyncio.to_thread(cls._open, url, synchronous, readers, migrate)

    @classmethod
    def _open(cls, url: str, synchronous: Synchronous, readers: int, migrate: bool) -> Store:
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
                raise ArgumentError("it names no file")
            writing = engines.writing(parsed, synchronous)
            reading = engines.reading(parsed, readers)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise ConfigError(f"the database URL {url!r} cannot be used: {error}") from error
        try:
            if migrate:
                bring_up_to_date(writing)
        except DBAPIError as error:
            name = parsed.database
            raise ConfigError(f"the database {name} cannot be opened: {error.orig}") from error
        finally:
            writing.dispose()  # the writer's thread opens what it needs
        return cls(writing, reading, readers)

    async def write(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `fn` returns, once it is committed. If `fn` raises, nothing of it is kept.

        Writes happen in the order of their calls, and also when nobody waits for them any more.
        """
        self._check_open()
        also, began = beside.get(), clock.now()

        def run(connection: Connection) -> T:
            result = fn(connection, *args, **kwargs)
            if also:
                also(connection, args)
            return result

        submitted = self._writer.submit(run)
        result = await _outside(submitted, f"store write {_name(fn)}")
        self.measure(clock.now() - began)
        return result

    @property
    def waiting(self) -> int:
        """Writes that have not begun."""
        return self._writer.waiting

    async def read(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `fn` returns; it sees every commit up to now, and the same ones throughout."""
        self._check_open()
        submitted = self._readers.submit(self._read, lambda c: fn(c, *args, **kwargs))
        return await _outside(submitted, f"store read {_name(fn)}")

    async def close(self) -> None:
        """Returns when all that was begun is done. Closing twice is nothing."""
        if not self._closed:
            self._closed = True
            with clock.outside("the store, to close"):
                await asyncio.to_thread(self._close)

    def _read(self, run: Callable[[Connection], T]) -> T:
        with self._reading.connect() as connection:
            return run(connection)

    def _close(self) -> None:
        self._writer.close()
        self._readers.shutdown()
        for engine in reversed(self._engines):
            engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the store is closed")


def _name(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__qualname__", repr(fn))


async def _outside(future: Future[T], what: str) -> T:
    """Its result. A waiter who is cancelled neither stops it nor ends its being outside work."""
    pending = clock.outside(what)
    pending.__enter__()
    here = asyncio.wrap_future(future)
    here.add_done_callback(lambda _: pending.__exit__(None, None, None))
    return await asyncio.shield(here)
