"""A copy of a database that is in use."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from offhook.store.backup import copy

ROWS, MOST = 20_000, 40_000


def rows(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM filled")
    return int(count)


def test_a_copy_ends_though_somebody_writes_all_the_time(tmp_path: Path) -> None:
    """It holds what was there at one moment, and the writer, who goes on, is far ahead of it."""
    used, copied = tmp_path / "used.db", tmp_path / "copied.db"
    begun, ended = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(used, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            for _ in range(MOST):
                connection.execute("INSERT INTO filled VALUES (randomblob(10))")
                begun.set()
                if ended.is_set():
                    break

    with closing(sqlite3.connect(used)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE filled (bytes BLOB)")
        connection.executemany("INSERT INTO filled VALUES (randomblob(?))", [(1000,)] * ROWS)
        connection.commit()
    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    copy(used, copied)
    ended.set()
    writer.join()
    assert ROWS < rows(copied) < rows(used)
