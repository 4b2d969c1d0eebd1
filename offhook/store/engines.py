"""Connections, and everything that is SQLite's alone."""

from __future__ import annotations

import sqlite3
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event

Synchronous = Literal["NORMAL", "FULL"]
BUSY_SECONDS = 10.0
PASSING = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM,
}  # fmt: skip


def writing(url: URL, synchronous: Synchronous = "NORMAL") -> Engine:
    """For one thread. Its transactions take the write lock as they begin."""
    # NORMAL: the log is not flushed at each commit. A commit survives the death of this process,
    # however sudden; losing power may take the last moments' commits with it, never the file.
    return _engine(url, 1, "BEGIN IMMEDIATE", f"synchronous={synchronous}", "foreign_keys=ON")


def reading(url: URL, readers: int) -> Engine:
    """For `readers` threads, which see whole commits and change nothing."""
    return _engine(url, readers, "BEGIN", "query_only=ON")


def passes(error: Exception) -> bool:
    """Whether what could not be done may be possible later: as on a full disk."""
    code: int = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
    return code & 0xFF in PASSING


def _engine(url: URL, size: int, begin: str, *pragmas: str) -> Engine:
    engine = create_engine(url, pool_size=size, max_overflow=0)
    if url.get_backend_name() != "sqlite":
        return engine

    @event.listens_for(engine, "connect")
    def connected(raw: Any, _: Any) -> None:
        raw.isolation_level = None  # the driver is to begin nothing by itself
        first = (f"busy_timeout={int(BUSY_SECONDS * 1000)}", "journal_mode=WAL")
        for pragma in (*first, *pragmas):
            raw.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.connection.cursor().execute(begin)

    return engine
