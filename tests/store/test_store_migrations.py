"""Opening: a database is made, brought up to date, or refused in one line."""

from __future__ import annotations

import sqlite3
from operator import attrgetter
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.schema import CreateIndex
from store_samples import NOON, OWNER, call, sid

from offhook.errors import ConfigError
from offhook.model.owned import ApiKey
from offhook.store import Store, sqlite_url, template
from offhook.store.columns import Shape, metadata
from offhook.store.engines import writing
from offhook.store.migrate import migrate, revisions
from offhook.store.owned import api_keys
from offhook.store.records import calls

KEY = ApiKey(sid("SK", 1), OWNER, "secret", NOON, NOON, "Desk")


def revision(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    connection.close()
    return str(found)


async def test_a_database_that_is_not_there_is_made(tmp_path: Path) -> None:
    path = tmp_path / "50% new.db"
    store = await Store.open(sqlite_url(path))
    await store.write(calls.insert, call(1))
    await store.close()
    assert revision(path) == revisions()[-1]
    again = await Store.open(sqlite_url(path))
    assert await again.read(calls.all) == [call(1)]
    await again.close()


def test_the_scripts_make_the_tables_and_indexes_that_the_code_uses(empty: Path) -> None:
    """When this fails, the records have changed and the migrations have not followed."""
    engine = sqlalchemy.create_engine(sqlite_url(empty))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        ours = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        made = dict(row for row in connection.exec_driver_sql(ours))
        indexes = (index for table in metadata.sorted_tables for index in table.indexes)
        assert made == {index.name: str(CreateIndex(index).compile(engine)) for index in indexes}


async def test_what_is_in_a_database_of_the_first_schema_stays(tmp_path: Path) -> None:
    """Calls are of that schema; keys came with the second one, their policies later."""
    path = tmp_path / "offhook.db"
    for schema, table, record in (("0001", calls, call(1)), ("0002", api_keys, KEY)):
        engine = writing(sqlalchemy.make_url(sqlite_url(path)))
        migrate(engine, to=schema)
        with engine.begin() as connection:
            known = [
                each["name"]
                for each in sqlalchemy.inspect(connection).get_columns(table.table.name)
            ]
            paths = Shape(type(record)).paths
            kept = {name: attrgetter(paths[name])(record) for name in paths if name in known}
            connection.execute(table.table.insert(), kept)
        engine.dispose()
        assert revision(path) == schema
    store = await Store.open(sqlite_url(path))
    assert revision(path) == revisions()[-1]
    assert await store.read(calls.all) == [call(1)]
    assert await store.read(api_keys.all) == [KEY]
    await store.close()


async def test_a_database_written_by_newer_code_is_refused(url: str, tmp_path: Path) -> None:
    path = tmp_path / "offhook.db"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConfigError, match=r"offhook\.db was written by a newer Offhook") as refused:
        await Store.open(url)
    assert "9999" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert revision(path) == "9999"


async def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "offhook.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recordings (mine)")
    connection.close()
    with pytest.raises(ConfigError, match="recordings already exists"):
        await Store.open(sqlite_url(path))
    with sqlite3.connect(path) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
    connection.close()
    assert names == ["recordings"]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////nowhere/at/all/offhook.db", "/nowhere/at/all/offhook.db cannot be opened"),
        ("sqlite://", "it names no file"),
        ("offhook.db", "cannot be used"),
        ("oracel://a/b", "cannot be used"),
        ("postgresql+nosuchdriver://a/b", "cannot be used"),
    ],
)
async def test_a_url_that_cannot_work_is_the_operators_to_mend(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        await Store.open(url)
    assert "\n" not in str(refused.value)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "offhook.db"
    path.write_bytes(b"these are not the pages you are looking for" * 100)
    with pytest.raises(ConfigError, match="not a database"):
        await Store.open(sqlite_url(path))
    assert path.read_bytes().startswith(b"these")


def test_a_template_is_made_once_and_is_a_single_file(tmp_path: Path) -> None:
    made = template(tmp_path)
    with sqlite3.connect(made) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    before = made.read_bytes()
    assert template(tmp_path) == made
    assert made.read_bytes() == before
    assert list(tmp_path.iterdir()) == [made]
