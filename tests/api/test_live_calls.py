"""A call under way, steered by REST, in virtual time over the simulated network.

reference: REST voice, Calls and call subresources.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from api_client import OURS, Api, line

from offhook.config.settings import Settings

THEIRS = "+14155550123"
LONG = "<Response><Pause length='600'/></Response>"
PATIENCE = 60  # virtual seconds


async def until(api: Api, path: str, status: str) -> Any:
    """What is at `path`, once it has this status."""
    async with asyncio.timeout(PATIENCE):
        while (found := (await api.get(path)).json)["status"] != status:
            await asyncio.sleep(0.1)
    return found


async def answered(api: Api, **more: Any) -> str:
    """The path of a call that was placed and answered."""
    form = {"To": THEIRS, "From": OURS, "Twiml": LONG} | more
    path: str = (await api.post("Calls.json", **form)).json["uri"]
    await until(api, path, "in-progress")
    return path


async def test_a_live_call_is_ended(tmp_path: Path) -> None:
    """M28."""
    async with line(Settings(data=tmp_path)) as api:
        path = await answered(api)
        assert (await api.post(path, Status="completed")).status == 200
        over = await until(api, path, "completed")
        assert over["end_time"] is not None
        assert int(over["duration"]) <= 1


async def test_canceling_has_no_effect_on_a_call_in_progress(tmp_path: Path) -> None:
    async with line(Settings(data=tmp_path)) as api:
        path = await answered(api)
        assert (await api.post(path, Status="canceled")).json["status"] == "in-progress"


async def test_a_live_call_is_redirected(tmp_path: Path) -> None:
    """M28: to a URL, and to a document in the request."""
    async with line(Settings(data=tmp_path)) as api:
        path = await answered(api)
        assert (await api.post(path, Twiml=LONG)).json["status"] == "in-progress"
        reply = await api.post(path, Url="http://application.test/next", Method="GET")
        assert reply.status == 200
        await until(api, path, "completed")
        [asked] = api.asked
        assert (asked.method, asked.url.partition("?")[0]) == (
            "GET",
            "http://application.test/next",
        )


async def test_a_time_limit_ends_a_live_call(tmp_path: Path) -> None:
    async with line(Settings(data=tmp_path)) as api:
        path = await answered(api)
        assert (await api.post(path, TimeLimit="20")).status == 200
        assert int((await until(api, path, "completed"))["duration"]) in range(19, 23)


async def test_a_live_call_is_recorded_paused_and_stopped(tmp_path: Path) -> None:
    async with line(Settings(data=tmp_path)) as api:
        base = (await answered(api)).removesuffix(".json") + "/Recordings"
        begun = await api.post(f"{base}.json", RecordingChannels="dual")
        assert (begun.status, begun.json["status"]) == (201, "in-progress")
        assert (begun.json["channels"], begun.json["source"]) == (2, "StartCallRecordingAPI")
        path, current = begun.json["uri"], f"{base}/Twilio.CURRENT.json"
        await asyncio.sleep(3)
        for status in ("paused", "in-progress"):
            assert (await api.post(current, Status=status)).json["status"] == status
        plain = f"Recordings/{begun.json['sid']}"
        assert (await api.get(f"{plain}.json")).json["status"] == "processing"
        assert (await api.get(f"{plain}.wav")).status == 404
        assert (await api.delete(path)).code == (409, 20009)
        assert (await api.post(path, Status="stopped")).json["status"] == "stopped"
        done = await until(api, f"{plain}.json", "completed")
        assert (done["duration"], done["channels"]) == ("3", 2)
        assert (await api.get(f"{plain}.wav")).body[:4] == b"RIFF"
        assert (await api.post(path, Status="paused")).code == (400, 16114)


async def test_a_whole_call_is_recorded_when_asked_for(tmp_path: Path) -> None:
    """M17: Record in the REST request, and what the last callback then says."""
    async with line(Settings(data=tmp_path)) as api:
        callback = "http://application.test/status"
        path = await answered(api, Record="true", StatusCallback=callback)
        await asyncio.sleep(5)
        await api.post(path, Status="completed")
        await until(api, path, "completed")
        await api.exchange.settle()
        await api.exchange.notifier.settled()
        [recording] = (await api.get("Recordings.json")).json["recordings"]
        assert recording["source"] == "OutboundAPI"
        told = b"".join(request.body for request in api.asked).decode()
        for said in (f"RecordingSid={recording['sid']}", "RecordingDuration=", "RecordingUrl="):
            assert said in told


async def test_a_call_that_nobody_answers(tmp_path: Path) -> None:
    async with line(Settings(data=tmp_path)) as api:
        form = {"To": "sip:nobody@nowhere.invalid", "From": "desk", "Twiml": LONG}
        path = (await api.post("Calls.json", **form)).json["uri"]
        over = await until(api, path, "failed")
        assert (over["duration"], over["end_time"] is None) == ("0", False)
