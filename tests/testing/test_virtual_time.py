"""Waiting costs nothing, what is outside the loop is waited for, and a stuck loop says so."""

from __future__ import annotations

import asyncio
import socket
import threading
from datetime import timedelta

import pytest

from offhook import clock
from offhook.testing.virtual_time import START, Overdue, Stuck, VirtualTimeLoop, run


def virtual() -> VirtualTimeLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop


async def test_a_year_passes_at_once() -> None:
    began = clock.monotonic()
    await asyncio.sleep(365 * 86400)
    assert clock.now() == 365 * 86400
    assert clock.monotonic() - began < 10  # not a speed assertion: a year was not waited for


async def test_timers_fire_in_their_order_and_at_their_time() -> None:
    fired: list[tuple[str, float]] = []
    loop = virtual()
    for delay, name in ((3.0, "c"), (1.0, "a"), (2.0, "b")):
        loop.call_later(delay, lambda name=name: fired.append((name, loop.time())))
    await asyncio.sleep(4)
    assert fired == [("a", 1.0), ("b", 2.0), ("c", 3.0)]


async def test_the_date_follows_the_loop() -> None:
    assert clock.utc() == START
    await asyncio.sleep(86400)
    assert clock.utc() == START + timedelta(days=1)


async def test_a_timeout_is_kept_to_the_moment() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(12.5):
            await asyncio.sleep(13)
    assert clock.now() == 12.5


async def test_time_stands_still_while_an_executor_job_runs() -> None:
    woken: list[float] = []
    virtual().call_later(0.001, lambda: woken.append(clock.now()))
    release = threading.Event()

    async def job() -> str:
        await asyncio.to_thread(release.wait, 5)
        return f"{clock.now()}"

    task = asyncio.ensure_future(job())
    threading.Timer(0.05, release.set).start()
    assert await task == "0.0"
    assert woken == []
    await asyncio.sleep(1)
    assert woken == [0.001]


async def test_time_does_not_jump_between_a_job_and_what_follows_it() -> None:
    for _ in range(200):
        await asyncio.to_thread(int)
        assert clock.now() == 0.0


async def test_a_thread_is_noticed_while_outside_work_is_pending() -> None:
    loop = virtual()
    done: asyncio.Future[str] = loop.create_future()
    with clock.outside("a thread of the test"):
        threading.Timer(0.03, loop.call_soon_threadsafe, (done.set_result, "done")).start()
        assert await done == "done"
    assert clock.now() == 0.0


async def test_real_sockets_are_served() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"heard " + await reader.readline())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def client() -> bytes:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"you\n")
            return connection.makefile("rb").read()

    assert await asyncio.to_thread(client) == b"heard you\n"

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(300):
        writer.write(b"me\n")
        assert await reader.read() == b"heard me\n"
    writer.close()
    server.close()


def test_a_loop_on_which_nothing_can_happen_names_who_waits_and_where() -> None:
    async def wait_for_the_postman() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        asyncio.current_task().set_name("the test")  # type: ignore[union-attr]
        letter = asyncio.create_task(wait_for_the_postman(), name="letter")
        await asyncio.sleep(5)
        await letter

    with pytest.raises(Stuck) as stuck:
        run(main())
    text = str(stuck.value)
    assert "at 5.000 s" in text
    assert "letter in " in text
    assert "wait_for_the_postman (test_virtual_time.py:" in text
    assert "the test in " in text


def test_a_stuck_loop_still_runs_its_finallys() -> None:
    cleaned: list[float] = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(2)
            cleaned.append(clock.now())

    with pytest.raises(Stuck):
        run(main())
    assert cleaned == [2.0]


def test_outside_work_past_its_limit_is_named() -> None:
    release = threading.Event()

    async def main() -> None:
        virtual().outside_limit = 0.05
        with clock.outside("the slow application"):
            await asyncio.to_thread(release.wait, 5)

    with pytest.raises(Overdue, match=r"the slow application: not done after 0\.05 s") as overdue:
        run(main())
    release.set()
    assert "executor job Event.wait" in str(overdue.value)
