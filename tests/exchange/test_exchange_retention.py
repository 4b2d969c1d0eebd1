"""What is kept for a while: traces, recordings, and answers to requests sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from exchange_app import AGENT, OURS, App, no_room

from offhook import clock
from offhook.exchange import debugger, retention
from offhook.store import records
from offhook.testing import Offhook

DAY = 24 * 3600.0


@asynccontextmanager
async def keeping(offhook: Offhook, traces: float, recordings: float) -> AsyncIterator[None]:
    """They are kept for so many days."""
    keeper = asyncio.create_task(retention.keep(offhook.platform.exchange, traces, recordings))
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def recorded(offhook: Offhook) -> tuple[str, Path]:
    """A call that is over with its recording: the call's SID and the sound's file."""
    app = App('<Gather timeout="1000"/>')
    offhook.number(OURS)
    posted = await offhook.post(
        "Calls.json", To=AGENT, From=OURS, Url=offhook.url(app), Record="true"
    )
    call = await offhook.phone(AGENT).rings()
    await call.answered()
    await call.says("x" * 90)
    await call.hang_up()
    await offhook.platform.exchange.settle()
    await offhook.platform.exchange.journal.flush()
    [recording] = await offhook.platform.exchange.store.read(records.recordings.all)
    return posted["sid"], Path(recording.path)


async def statuses(offhook: Offhook) -> list[str]:
    found = await offhook.platform.exchange.store.read(records.recordings.all)
    return [each.status for each in found]


async def test_recordings_go_in_time_and_their_records_stay(offhook: Offhook) -> None:
    _, sound = await recorded(offhook)
    async with keeping(offhook, 0, 2):
        await asyncio.sleep(DAY)
        assert (await statuses(offhook), sound.exists()) == (["completed"], True)
        await asyncio.sleep(DAY + 3600)
        assert (await statuses(offhook), sound.exists()) == (["deleted"], False)


async def test_a_full_disk_gets_room_by_old_recordings(offhook: Offhook) -> None:
    """The records follow in an hour in which they can be written."""
    _, sound = await recorded(offhook)
    await asyncio.sleep(3 * DAY)
    async with keeping(offhook, 0, 2):
        async with no_room(offhook):
            await asyncio.sleep(60)
            assert not sound.exists()
        assert await statuses(offhook) == ["completed"]
        await asyncio.sleep(3600)
        assert await statuses(offhook) == ["deleted"]


async def test_traces_go_in_time(offhook: Offhook) -> None:
    sid, sound = await recorded(offhook)
    store = offhook.platform.exchange.store
    async with keeping(offhook, 1, 0):
        await asyncio.sleep(DAY / 2)
        assert await store.read(records.events.of, sid)
        debugger.note(offhook.platform.exchange, offhook.account_sid, 11200)
        await asyncio.sleep(DAY)
        assert await store.read(records.events.of, sid) == []
        assert await store.read(records.notifications.count) == 1
        await asyncio.sleep(DAY / 2)
        assert await store.read(records.notifications.count) == 0
        assert (await statuses(offhook), sound.exists()) == (["completed"], True)


async def test_nothing_goes_that_is_to_be_kept_for_ever(offhook: Offhook) -> None:
    sid, sound = await recorded(offhook)
    async with keeping(offhook, 0, 0):
        await asyncio.sleep(20 * DAY)
        assert await offhook.platform.exchange.store.read(records.events.of, sid)
        assert (await statuses(offhook), sound.exists()) == (["completed"], True)


async def test_what_has_expired_goes_within_the_hour(offhook: Offhook) -> None:
    store = offhook.platform.exchange.store
    soon = clock.utc() + timedelta(seconds=60)
    await store.write(records.facts.put, "short", True, soon)
    await store.write(records.facts.put, "long", True)
    async with keeping(offhook, 0, 0):
        await asyncio.sleep(3700)
    kept = [await store.read(records.facts.get, name) for name in ("short", "long")]
    assert kept == [None, True]


async def test_an_hour_that_goes_wrong_is_not_the_last(offhook: Offhook):
    offhook.number(OURS)
    exchange = offhook.platform.exchange
    debugger.note(exchange, offhook.account_sid, 11200)
    await asyncio.sleep(2 * DAY)

    await exchange.store.write(
        lambda connection: connection.exec_driver_sql("ALTER TABLE facts RENAME TO gone")
    )
    async with keeping(offhook, traces=1, recordings=0):
        await asyncio.sleep(60)
        assert len(offhook.notifications) == 1
        await exchange.store.write(
            lambda connection: connection.exec_driver_sql("ALTER TABLE gone RENAME TO facts")
        )
        await asyncio.sleep(3600)
    assert offhook.notifications == []
