"""Writes: committed before they return, in order, in groups, and each on its own feet."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from store_samples import FULL_ACCOUNT, call, sid

from offhook import clock
from offhook.store import Connection, Store, Taken
from offhook.store.records import accounts, calls

Opened = Callable[[], AbstractAsyncContextManager[Store]]


class Gate:
    """Keeps the writer busy until it is opened, so that what follows queues up behind it."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def keep(self, _: Connection) -> None:
        assert self._open.wait(20)

    def open(self) -> None:
        self._open.set()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()


async def queued(store: Store, *writes: tuple[Any, ...]) -> list[Any]:
    """The results of writes that waited for the writer together; errors in their places."""
    gate = Gate()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(store.write(gate.keep))
        waiting = [tasks.create_task(attempt(store, *write)) for write in writes]
        await asyncio.sleep(0)
        gate.open()
    return [task.result() for task in waiting]


async def attempt(store: Store, *write: Any) -> Any:
    try:
        return await store.write(*write)
    except Exception as error:
        return error


async def test_what_was_written_is_read(opened: Opened) -> None:
    async with opened() as store:
        await store.write(calls.insert, call(1))
        assert await store.read(calls.get, sid("CA", 1)) == call(1)


async def test_a_write_returns_what_its_function_returns(opened: Opened) -> None:
    async with opened() as store:
        assert await store.write(calls.save, call(1)) is False


async def test_several_things_in_one_function_happen_together_or_not_at_all(
    opened: Opened,
) -> None:
    def both(connection: Connection) -> None:
        calls.insert(connection, call(1))
        raise RuntimeError("changed my mind")

    async with opened() as store:
        with pytest.raises(RuntimeError, match="changed my mind"):
            await store.write(both)
        assert await store.read(calls.count) == 0


async def test_a_write_that_fails_in_a_group_fails_alone(opened: Opened) -> None:
    async with opened() as store:
        await store.write(calls.insert, call(2))
        results = await queued(
            store,
            (calls.insert, call(1)),
            (calls.insert, call(2)),
            (calls.insert, call(3)),
            (lambda connection: calls.insert(connection, call(4)) or 1 / 0,),
            (calls.insert, call(5)),
        )
        assert [type(result) for result in results] == [
            type(None), Taken, type(None), ZeroDivisionError, type(None)
        ]  # fmt: skip
        kept = await store.read(calls.all)
    assert [one.sid for one in kept] == [sid("CA", number) for number in (2, 1, 3, 5)]


async def test_what_queues_up_shares_a_commit(opened: Opened) -> None:
    async with opened() as store:
        whole = await queued(store, *[(Connection.get_transaction,)] * 3)
        assert whole[0] is not None
        assert whole[0] is whole[1] is whole[2]
        alone = await store.write(Connection.get_transaction)
        assert alone is not whole[0]


async def test_writes_happen_in_the_order_of_their_calls(opened: Opened) -> None:
    seen: list[int] = []
    async with opened() as store:
        await queued(store, *((lambda _, n=n: seen.append(n),) for n in range(50)))
    assert seen == list(range(50))


async def test_a_later_write_sees_the_earlier_ones_of_its_group(opened: Opened) -> None:
    async with opened() as store:
        results = await queued(store, (calls.insert, call(1)), (calls.get, sid("CA", 1)))
    assert results == [None, call(1)]


async def test_nothing_is_seen_before_its_commit(opened: Opened) -> None:
    written, looked = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        calls.insert(connection, call(1))
        written.set()
        assert looked.wait(20)

    async with opened() as store, asyncio.TaskGroup() as tasks:
        tasks.create_task(store.write(slow))
        await asyncio.to_thread(written.wait, 20)
        assert await store.read(calls.count) == 0
        looked.set()


async def test_a_write_nobody_waits_for_any_more_happens_all_the_same(opened: Opened) -> None:
    gate = Gate()
    async with opened() as store:
        holding = asyncio.create_task(store.write(gate.keep))
        waiting = asyncio.create_task(store.write(calls.insert, call(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await holding
        await store.write(lambda _: None)
        assert await store.read(calls.count) == 1


async def test_what_has_happened_is_stored_as_soon_as_it_can_be(
    opened: Opened, tmp_path: Path
) -> None:
    async with opened() as store:
        await store.write(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=0"))
        with closing(sqlite3.connect(tmp_path / "offhook.db")) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                await store.write(calls.insert, call(1))
            waiting = asyncio.create_task(store.write_at_last(calls.insert, call(1)))
            await asyncio.sleep(60)
            assert not waiting.done()
        await waiting
        assert await store.read(calls.all) == [call(1)]


async def test_what_can_never_be_stored_is_not_tried_again(opened: Opened) -> None:
    async with opened() as store:
        await store.write_at_last(calls.insert, call(1))
        with pytest.raises(Taken):
            await store.write_at_last(calls.insert, call(1))


async def test_a_read_changes_nothing(opened: Opened) -> None:
    async with opened() as store:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await store.read(calls.insert, call(1))
        assert await store.read(calls.count) == 0


async def test_virtual_time_stands_still_while_the_store_works(opened: Opened) -> None:
    async with opened() as store:
        began = clock.now()
        late = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.001, late.set_result, None)
        await store.write(calls.insert, call(1))
        assert clock.now() == began
        assert not late.done()


async def test_virtual_time_also_waits_for_a_write_whose_waiter_is_gone(opened: Opened) -> None:
    gate = Gate()
    async with opened() as store:
        waiting = asyncio.create_task(store.write(gate.keep))
        await asyncio.sleep(0)
        waiting.cancel()
        threading.Timer(0.05, gate.open).start()
        await asyncio.sleep(3600)
        assert gate.is_open


async def test_closing_finishes_what_was_begun_and_takes_nothing_more(
    url: str, opened: Opened
) -> None:
    store = await Store.open(url)
    gate = Gate()
    holding = asyncio.create_task(store.write(gate.keep))
    last = asyncio.create_task(store.write(calls.insert, call(1)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="closed"):
        await store.write(calls.insert, call(2))
    with pytest.raises(RuntimeError, match="closed"):
        await store.read(calls.count)
    gate.open()
    await asyncio.gather(holding, last, closing)
    await store.close()
    async with opened() as again:
        assert await again.read(calls.all) == [call(1)]


@pytest.mark.parametrize(("synchronous", "number"), [("NORMAL", 1), ("FULL", 2)])
async def test_sqlite_is_set_up_as_documented(url: str, synchronous: Any, number: int) -> None:
    def pragma(connection: Connection, name: str) -> Any:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    store = await Store.open(url, synchronous=synchronous)
    assert await store.write(pragma, "synchronous") == number
    assert await store.write(pragma, "journal_mode") == "wal"
    assert await store.write(pragma, "foreign_keys") == 1
    assert await store.write(pragma, "busy_timeout") == 10_000
    assert await store.read(pragma, "query_only") == 1
    await store.close()


WRITES_UNTIL_KILLED = """
import asyncio, itertools, sys
from offhook.store import Store
from offhook.store.records import calls
from store_samples import call

async def main(url):
    store = await Store.open(url)
    async def one(number):
        await store.write(calls.insert, call(number))
        print(number, flush=True)
    for start in itertools.count(0, 10):
        await asyncio.gather(*(one(number) for number in range(start, start + 10)))

asyncio.run(main(sys.argv[1]))
"""


def test_what_was_acknowledged_survives_kill_9(url: str) -> None:
    """Nothing is answered as accepted before its commit."""
    here = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", WRITES_UNTIL_KILLED, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=here) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert writer.returncode == -signal.SIGKILL
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        kept = {int(one.sid[2:], 16) for one in calls.all(connection)}
    engine.dispose()
    assert set(told) <= kept


async def test_accounts_are_there_after_closing_and_opening(opened: Opened) -> None:
    async with opened() as store:
        await store.write(accounts.insert, FULL_ACCOUNT)
    async with opened() as store:
        assert await store.read(accounts.first) == FULL_ACCOUNT
