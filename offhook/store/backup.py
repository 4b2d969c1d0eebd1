"""Copies of a database, made while it is written to, and their files' new place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import func, make_url

from offhook.store import engines, records
from offhook.store.store import sqlite_url


def copy(database: Path, to: Path) -> None:
    """A database as it is at one moment (SQLite's online backup), also while it is in use.

    It is read in one step, during which writers go on: a copy in several steps begins again
    whenever somebody else wrote in between, and would never end while calls are made.
    """
    with (
        closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(to)) as target,
    ):
        source.backup(target)


def move_files(database: Path, old: str, new: str) -> None:
    """What the records say is in the folder `old` is in `new` now."""
    engine = engines.writing(make_url(sqlite_url(database)))
    with engine.begin() as connection:
        for table in (records.recordings.table, records.media.table):
            inside = func.substr(table.c.path, 1, len(old) + 1) == f"{old}/"
            moved = new + func.substr(table.c.path, len(old) + 1)
            connection.execute(table.update().where(inside).values(path=moved))
    engine.dispose()
