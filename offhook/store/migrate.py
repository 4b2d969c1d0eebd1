"""Brings a database up to the schema of this code: Alembic's scripts in `migrations`."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, inspect, text

from offhook.errors import ConfigError
from offhook.store.engines import writing

HERE = Path(__file__).parent / "migrations"


def revisions() -> list[str]:
    """The schemas this code knows, oldest first: the script of revision 0001 is `v0001.py`."""
    return sorted(script.stem[1:] for script in (HERE / "versions").glob("v*.py"))


def migrate(engine: Engine, to: str = "head") -> None:
    """Applies what is missing up to that revision, all or nothing. Raises ConfigError for a newer
    database."""
    known = revisions()
    with engine.connect() as connection:
        current = _revision(connection)
    if current == known[-1]:
        return
    if current is not None and current not in known:
        where = engine.url.database
        raise ConfigError(
            f"the database {where} was written by a newer Offhook (schema {current}, this one "
            f"knows {known[-1]}): run that version, or use another data folder"
        )
    # Imported here: a database that is up to date, the usual case, need not wait for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def template(folder: Path) -> Path:
    """An empty database of today's schema in `folder`, made once: copy it and open the copy.

    Copying is many times faster than migrating; several processes may ask at once.
    """
    made = folder / f"offhook-{revisions()[-1]}.db"
    if not made.exists():
        partial = folder / f".{os.getpid()}-{made.name}"
        engine = writing(URL.create("sqlite", database=str(partial)))
        migrate(engine)
        engine.dispose()  # the last connection folds the log into the file
        os.replace(partial, made)
    return made
