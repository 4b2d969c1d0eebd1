"""The store: one thread that writes and commits in groups, a few that read.

What `write` returns from is committed: it survives the death of the process. SQLAlchemy Core runs
synchronously on these threads; the event loop only waits.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import structlog
from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from offhook import clock
from offhook.errors import ConfigError
from offhook.frozen import frozen
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
AGAIN = 1.0  # seconds until what could not be written is tried again

log = structlog.get_logger("offhook.store")


def sqlite_url(path: Path) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string()


@frozen
class Job:
    """What is to be called with a connection, who waits for it, and what marks it as outside work.

    A waiter may leave, which cancels the future and nothing else.
    """

    run: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    outside: AbstractContextManager[None]

    @classmethod
    def of(cls, run: Callable[[Connection], Any], what: str) -> Job:
        outside = clock.outside(what)
        outside.__enter__()
        return cls(run, asyncio.get_running_loop().create_future(), outside)

    def end(self, result: Any, error: BaseException | None) -> None:
        self.outside.__exit__(None, None, None)
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


Ended = tuple[Job, Any, BaseException | None]  # what it returned, or what it raised


def _tell(ended: list[Ended]) -> None:
    """From another thread: those who wait hear of it, in one turn of their loop."""

    def end() -> None:
        for job, result, error in ended:
            job.end(result, error)

    with suppress(RuntimeError):  # the loop is closed: nobody waits
        ended[0][0].future.get_loop().call_soon_threadsafe(end)


class Writer:
    """A thread that runs what it is given in order; what queues up meanwhile shares a commit."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: Connection | None = None  # to take one anew costs what a small commit does
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        self._jobs.put(job)

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
            if jobs:
                _tell(self._commit(jobs))
            if len(jobs) < len(group):
                self._let_go()
                return

    def _next_group(self) -> list[Job | None]:
        group = [self._jobs.get()]
        while len(group) < GROUP and not self._jobs.empty():
            group.append(self._jobs.get())
        return group

    def _connection(self) -> Connection:
        if self._kept is None:
            self._kept = self._engine.connect()
        return self._kept

    def _let_go(self) -> None:
        """The next transaction has another connection: this one may be what failed."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _commit(self, jobs: list[Job]) -> list[Ended]:
        """One transaction. A job that fails is undone alone; if the commit fails, all have."""
        if len(jobs) == 1:
            return [self._commit_one(jobs[0])]
        ended: list[Ended] = []
        try:
            with self._connection().begin() as begun:
                ended += [_apart(begun.connection, job) for job in jobs]
        except BaseException as failure:
            self._let_go()
            return [(job, None, failure) for job in jobs]
        return ended

    def _commit_one(self, job: Job) -> Ended:
        """As `_commit`, without the savepoint that only a group needs."""
        try:
            with self._connection().begin() as begun:
                result = job.run(begun.connection)
        except BaseException as error:
            self._let_go()
            return job, None, error
        return job, result, None


def _apart(connection: Connection, job: Job) -> Ended:
    """Runs a job in a savepoint: SQLAlchemy's own costs forty times as much."""
    cursor = connection.connection.cursor()
    cursor.execute("SAVEPOINT job")
    error: BaseException | None = None
    result = None
    try:
        result = job.run(connection)
    except BaseException as failure:
        error = failure
        cursor.execute("ROLLBACK TO SAVEPOINT job")
    cursor.execute("RELEASE SAVEPOINT job")
    return job, result, error


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

        job = Job.of(run, _name("write", fn))
        self._writer.submit(job)
        result = cast(T, await job.future)
        self.measure(clock.now() - began)
        return result

    async def write_at_last(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `write`, of what has happened already: while nothing can be written, as on a full
        disk, it is tried again."""
        told = False
        while True:
            try:
                return await self.write(fn, *args, **kwargs)
            except Exception as error:
                if not engines.passes(error):
                    raise
                if not told:
                    why, *_ = str(error).splitlines()
                    log.error("this is stored as soon as it can be", error=why)
                told = True
                await asyncio.sleep(AGAIN)

    @property
    def waiting(self) -> int:
        """Writes that have not begun."""
        return self._writer.waiting

    async def read(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `fn` returns; it sees every commit up to now, and the same ones throughout."""
        self._check_open()
        job = Job.of(lambda connection: fn(connection, *args, **kwargs), _name("read", fn))
        self._readers.submit(self._read, job)
        return cast(T, await job.future)

    async def close(self) -> None:
        """Returns when all that was begun is done. Closing twice is nothing."""
        if not self._closed:
            self._closed = True
            with clock.outside("the store, to close"):
                await asyncio.to_thread(self._close)

    def _read(self, job: Job) -> None:
        try:
            with self._reading.begin() as connection:
                ended: Ended = job, job.run(connection), None
        except BaseException as error:
            ended = job, None, error
        _tell([ended])

    def _close(self) -> None:
        self._writer.close()
        self._readers.shutdown()
        for engine in reversed(self._engines):
            engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the store is closed")


def _name(what: str, fn: Callable[..., Any]) -> str:
    return f"store {what} {getattr(fn, '__qualname__', fn)}"
