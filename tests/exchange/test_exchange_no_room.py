"""What happens while nothing can be written, as on a full disk, is stored once there is room."""

from __future__ import annotations

import asyncio
from typing import Any

from exchange_app import AGENT, CALLER, OURS, App, no_room

from offhook.exchange import control
from offhook.store import records
from offhook.testing import Offhook


async def statuses(offhook: Offhook, table: Any) -> list[str]:
    """As stored, read beside whoever writes."""
    return [each.status for each in await offhook.platform.exchange.store.read(table.all)]


async def settled(offhook: Offhook) -> None:
    await offhook.platform.exchange.notifier.settled()
    await asyncio.sleep(1)


async def test_a_call_that_ends_meanwhile_has_its_end_its_recording_and_its_callbacks(
    offhook: Offhook,
):
    app = App("<Record maxLength='600' timeout='60'/>")
    url = offhook.url(app)
    form = {
        "Record": "true",
        "StatusCallback": url + "status",
        "RecordingStatusCallback": url + "re",
    }
    placed = await offhook.post("Calls.json", To=CALLER, From=offhook.number(OURS), Url=url, **form)
    call = await offhook.phone(CALLER).rings()
    await call.answered()
    await asyncio.sleep(2)
    await call.says("Please call me back.")
    async with no_room(offhook):
        await call.hang_up()
        await asyncio.sleep(60)
        assert await statuses(offhook, records.calls) == ["in-progress"]
    await settled(offhook)
    assert [each.status for each in offhook.calls] == ["completed"]
    assert {each.status for each in offhook.recordings} == {"completed"}
    assert app.told("status")["CallStatus"] == "completed"
    assert int(app.told("status")["CallDuration"]) < 30
    assert app.told("re")["CallSid"] == placed["sid"]
    assert offhook.platform.exchange.live == {}


async def test_a_platform_stops_though_its_story_cannot_be_stored(offhook: Offhook):
    offhook.number(OURS, voice=App("<Say>Hello.</Say><Pause length='600'/>"))
    call = await offhook.call(OURS)
    await call.answered()
    [record] = offhook.calls
    story = offhook.platform.exchange.journal

    def more_happens() -> None:
        story.add(record.sid, record.account_sid, "key", {"key": "1"})

    async with no_room(offhook):
        asyncio.get_running_loop().call_later(10, more_happens)
        await offhook.platform.drain(0.1)
        assert (await call.ended()).by == "near"


async def test_rest_does_not_wait_for_room_to_end_a_call(offhook: Offhook):
    app = App("<Say>Hello.</Say><Pause length='600'/>")
    offhook.number(OURS, voice=app)
    call = await offhook.call(OURS)
    await call.answered()
    [record] = offhook.calls
    async with no_room(offhook):
        await control.hang_up(offhook.platform.exchange, record)
        assert (await call.ended()).by == "near"
    await settled(offhook)
    assert [each.status for each in offhook.calls] == ["completed"]


async def test_a_text_that_was_sent_meanwhile_is_sent_once_and_told_of(offhook: Offhook):
    app = App()
    told: dict[str, Any] = {"StatusCallback": offhook.url(app, "/status")}
    await offhook.post("Messages.json", To=AGENT, From=offhook.number(OURS), Body="Hi", **told)
    async with no_room(offhook):
        await asyncio.sleep(60)
        assert await statuses(offhook, records.messages) == ["sent"]
        assert len(offhook.phone(AGENT).inbox) == 1
    await asyncio.sleep(5)
    await settled(offhook)
    assert [each.status for each in offhook.messages] == ["delivered"]
    assert len(offhook.phone(AGENT).inbox) == 1
    assert app.told("status")["MessageStatus"] == "delivered"
