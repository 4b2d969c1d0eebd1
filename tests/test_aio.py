from __future__ import annotations

import asyncio

import pytest

from offhook.aio import until


async def test_a_body_is_cut_when_what_it_is_for_is_over():
    over, seen = asyncio.get_running_loop().create_future(), []
    asyncio.get_running_loop().call_later(5, over.set_result, None)
    async with until(over):
        try:
            await asyncio.sleep(60)
        finally:
            seen.append(asyncio.get_running_loop().time())
    assert seen == [pytest.approx(asyncio.get_running_loop().time())]
    await asyncio.sleep(1)  # nothing of it is left


async def test_a_body_that_ends_first_is_left_alone():
    over = asyncio.get_running_loop().create_future()
    async with until(over):
        await asyncio.sleep(1)
    over.set_result(None)
    await asyncio.sleep(1)


async def test_what_is_over_already_cuts_at_once():
    over = asyncio.get_running_loop().create_future()
    over.set_result(None)
    began = asyncio.get_running_loop().time()
    async with until(over):
        await asyncio.sleep(60)
    assert asyncio.get_running_loop().time() == began


async def test_errors_of_the_body_pass():
    over = asyncio.get_running_loop().create_future()

    async def fails() -> None:
        async with until(over):
            over.set_result(None)
            raise KeyError("mine")

    with pytest.raises(KeyError):
        await fails()


@pytest.mark.parametrize("first", ["outside", "over"])
async def test_cancellation_from_outside_goes_through_also_when_both_come_together(first: str):
    over = asyncio.get_running_loop().create_future()
    behind = []

    async def cut_off() -> None:
        async with until(over):
            await asyncio.sleep(60)
        behind.append("reached")

    task = asyncio.ensure_future(cut_off())
    await asyncio.sleep(1)
    if first == "over":
        over.set_result(None)
        await asyncio.sleep(0)
    task.cancel()
    over.done() or over.set_result(None)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not behind


async def test_of_two_around_each_other_the_outer_one_goes_on():
    inner, outer = (asyncio.get_running_loop().create_future() for _ in range(2))
    behind = []
    asyncio.get_running_loop().call_later(1, inner.set_result, None)
    asyncio.get_running_loop().call_later(1, outer.set_result, None)
    async with until(outer):
        async with until(inner):
            await asyncio.sleep(60)
        behind.append("inner")
    assert not behind
