"""Recordings, a call's recordings, and Notifications.  reference: Recordings, Notifications."""

from __future__ import annotations

import io
import wave
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from api_client import OURS, THEIRS, Api, Serving

from offhook import sids
from offhook.model.account import Notification
from offhook.model.call import Call
from offhook.model.recording import Recording
from offhook.store import records

MARCH = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOBODY = {"authorization": ""}


def wav_file(path: Path, channels: int) -> None:
    """A second in which each channel holds its own constant: 1000, 2000."""
    frames = np.tile(np.arange(1, channels + 1, dtype="<i2") * 1000, 8000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(frames.tobytes())


def samples(body: bytes) -> tuple[int, list[int]]:
    """Channels, and the first frame."""
    with wave.open(io.BytesIO(body)) as file:
        return file.getnchannels(), np.frombuffer(file.readframes(1), "<i2").tolist()


async def recorded(api: Api, folder: Path, channels: int = 2, **more: Any) -> Recording:
    sid = sids.new("RE")
    wav_file(folder / f"{sid}.wav", channels)
    recording = Recording(
        sid, api.account.sid, sids.new("CA"), "OutboundAPI", MARCH, MARCH, MARCH,
        path=str(folder / f"{sid}.wav"), status="completed", channels=channels, duration=1,
    )  # fmt: skip
    recording = replace(recording, **more)
    await api.exchange.store.write(records.recordings.insert, recording)
    return recording


async def call_of(api: Api, recording: Recording, **more: Any) -> Call:
    call = Call(
        recording.call_sid, api.account.sid, THEIRS, OURS, "outbound-api", MARCH, MARCH,
        status="completed",
    )  # fmt: skip
    await api.exchange.store.write(records.calls.insert, call)
    return call


# Metadata


async def test_a_recording_is_described(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        recording = await recorded(api, tmp_path)
        uri = f"{api.base}/Recordings/{recording.sid}"
        found = (await api.get(f"{uri}.json")).json
        assert found == {
            "account_sid": api.account.sid, "api_version": "2010-04-01",
            "call_sid": recording.call_sid, "conference_sid": None,
            "date_created": "Sun, 01 Mar 2026 12:00:00 +0000",
            "date_updated": "Sun, 01 Mar 2026 12:00:00 +0000",
            "start_time": "Sun, 01 Mar 2026 12:00:00 +0000",
            "duration": "1", "sid": recording.sid, "price": None, "price_unit": "USD",
            "status": "completed", "channels": 2, "source": "OutboundAPI", "error_code": None,
            "uri": f"{uri}.json", "encryption_details": None,
            "subresource_uris": {
                "add_on_results": f"{uri}/AddOnResults.json",
                "transcriptions": f"{uri}/Transcriptions.json",
            },
            "media_url": f"http://api.test{uri}",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"DateCreated": "2026-03-01"}, 1),
        ({"DateCreated<": "2026-03-01"}, 1),
        ({"DateCreated<": "2026-02-28"}, 0),
        ({"DateCreated>": "2026-03-02"}, 0),
        ({"CallSid": "CA" + "0" * 32}, 0),
        ({"ConferenceSid": "CF" + "0" * 32}, 0),
    ],
)
async def test_recordings_are_filtered(
    serving: Serving, tmp_path: Path, query: dict[str, str], found: int
) -> None:
    async with serving() as api:
        await recorded(api, tmp_path)
        reply = await api.request("GET", "Recordings.json", query)
        assert len(reply.json["recordings"]) == found


async def test_recordings_are_found_by_their_call(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        wanted, _ = await recorded(api, tmp_path), await recorded(api, tmp_path)
        listed = (await api.get("Recordings.json", CallSid=wanted.call_sid)).json["recordings"]
        assert [each["sid"] for each in listed] == [wanted.sid]


# Sound


@pytest.mark.parametrize("path", ["", ".wav"])
async def test_the_sound_is_wav_without_a_suffix_and_needs_no_credentials(
    serving: Serving, tmp_path: Path, path: str
) -> None:
    async with serving() as api:
        recording = await recorded(api, tmp_path)
        reply = await api.request("GET", f"Recordings/{recording.sid}{path}", headers=NOBODY)
        assert (reply.status, reply.headers["content-type"]) == (200, "audio/x-wav")
        assert samples(reply.body) == (2, [1000, 2000])


async def test_two_channels_may_be_had_as_one(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        recording = await recorded(api, tmp_path)
        path = f"Recordings/{recording.sid}.wav"
        assert samples((await api.get(path, RequestedChannels="1")).body) == (1, [3000])
        assert samples((await api.get(path, RequestedChannels="2")).body) == (2, [1000, 2000])


async def test_one_channel_cannot_be_had_as_two(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        recording = await recorded(api, tmp_path, channels=1)
        for path in ("", ".wav", ".mp3"):
            reply = await api.get(f"Recordings/{recording.sid}{path}", RequestedChannels="2")
            assert reply.status == 400
            assert reply.xml.findtext("RestException/Code") == "16113"


async def test_the_sound_is_mp3_too(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        recording = await recorded(api, tmp_path)
        path = f"Recordings/{recording.sid}.mp3"
        whole = await api.get(path)
        assert (whole.status, whole.headers["content-type"]) == (200, "audio/mpeg")
        size = len(whole.body)
        for asked, start, end in (("0-9", 0, 10), ("10-", 10, size), ("-5", size - 5, size)):
            part = await api.request("GET", path, headers={"range": f"bytes={asked}"})
            assert (part.status, part.body) == (206, whole.body[start:end])
            assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        beyond = await api.request("GET", path, headers={"range": f"bytes={size}-"})
        assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
        absurd = await api.request("GET", path, headers={"range": f"bytes={'9' * 5000}-"})
        assert (absurd.status, len(absurd.body)) == (200, size)


async def test_a_part_and_the_head_of_the_sound(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        recording = await recorded(api, tmp_path)
        path = f"Recordings/{recording.sid}.wav"
        whole = await api.get(path)
        part = await api.request("GET", path, headers={"range": "bytes=0-3"})
        assert (part.status, part.body) == (206, b"RIFF")
        head = await api.request("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.body))


@pytest.mark.parametrize("status", ["in-progress", "processing", "absent", "deleted"])
async def test_there_is_no_sound_until_it_is_completed(
    serving: Serving, tmp_path: Path, status: str
) -> None:
    async with serving() as api:
        recording = await recorded(api, tmp_path, status=status)
        for path in ("", ".wav", ".mp3"):
            assert (await api.get(f"Recordings/{recording.sid}{path}")).status == 404


# Delete


async def test_a_deleted_recording_keeps_its_record_and_loses_its_sound(
    serving: Serving, tmp_path: Path
) -> None:
    async with serving() as api:
        recording = await recorded(api, tmp_path)
        path = f"Recordings/{recording.sid}.json"
        assert (await api.delete(path)).status == 204
        assert not Path(recording.path).exists()
        assert (await api.get(path)).code == (404, 20404)
        assert (await api.delete(path)).code == (404, 20404)
        assert (await api.get("Recordings.json")).json["recordings"] == []
        kept = await api.get(path, IncludeSoftDeleted="true")
        assert kept.json["status"] == "deleted"
        all_of_them = (await api.get("Recordings.json", IncludeSoftDeleted="true")).json
        assert [each["sid"] for each in all_of_them["recordings"]] == [recording.sid]


async def test_a_recording_under_way_is_not_deleted(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        recording = await recorded(api, tmp_path, status="in-progress")
        assert (await api.delete(f"Recordings/{recording.sid}.json")).code == (409, 20009)


# Calls/{sid}/Recordings


async def test_a_calls_recordings_are_its_own(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        recording, other = await recorded(api, tmp_path), await recorded(api, tmp_path)
        call = await call_of(api, recording)
        base = f"Calls/{call.sid}/Recordings"
        [listed] = (await api.get(f"{base}.json")).json["recordings"]
        assert (listed["sid"], listed["track"]) == (recording.sid, "both")
        assert listed["uri"] == f"{api.base}/{base}/{recording.sid}.json"
        assert (await api.get(listed["uri"])).json == listed
        assert (await api.get(f"{base}/{other.sid}.json")).code == (404, 20404)
        assert (await api.delete(listed["uri"])).status == 204
        assert (await api.get(f"{base}.json")).json["recordings"] == []


async def test_a_call_that_is_over_is_not_recorded(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        recording = await recorded(api, tmp_path)
        base = f"Calls/{(await call_of(api, recording)).sid}/Recordings"
        assert (await api.post(f"{base}.json")).code == (400, 21220)
        path = f"{base}/{recording.sid}.json"
        assert (await api.post(path, Status="paused")).code == (400, 16114)
        assert (await api.post(path)).code == (400, 20001)
        assert (await api.post(path, Status="finished")).code == (400, 20001)
        assert (await api.post(f"{base}.json", RecordingChannels="4")).code == (400, 20001)
        missing = await api.post(f"{base}/Twilio.CURRENT.json", Status="paused")
        assert missing.code == (404, 20404)


async def test_the_only_one_under_way_is_the_current_one(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        recording = await recorded(api, tmp_path, status="in-progress")
        call = await call_of(api, recording)
        current = await api.get(f"Calls/{call.sid}/Recordings/Twilio.CURRENT.json")
        assert current.json["sid"] == recording.sid


# Notifications


async def noted(api: Api, day: int, **more: Any) -> Notification:
    at = datetime(2026, 3, day, 12, tzinfo=UTC)
    entry = Notification(
        sids.new("NO"), api.account.sid, 0, 11200, "ErrorCode=11200", at, at, at,
        call_sid="CA" + "1" * 32, request_method="POST", request_url="http://application.test/",
        request_variables="CallSid=CA1", response_headers="Server=x", response_body="<oops/>",
    )  # fmt: skip
    entry = replace(entry, **more)
    await api.exchange.store.write(records.notifications.insert, entry)
    return entry


async def test_a_notification_tells_more_alone_than_in_a_list(serving: Serving) -> None:
    async with serving() as api:
        entry = await noted(api, 1)
        [listed] = (await api.get("Notifications.json")).json["notifications"]
        assert list(listed) == [
            "account_sid", "api_version", "call_sid", "date_created", "date_updated",
            "error_code", "log", "message_date", "message_text", "more_info", "request_method",
            "request_url", "sid", "uri",
        ]  # fmt: skip
        assert (listed["error_code"], listed["log"]) == ("11200", "0")
        assert listed["more_info"] == "https://www.twilio.com/docs/errors/11200"
        alone = (await api.get(f"Notifications/{entry.sid}.json")).json
        assert alone == listed | {
            "request_variables": "CallSid=CA1",
            "response_headers": "Server=x",
            "response_body": "<oops/>",
        }
        assert (await api.delete(f"Notifications/{entry.sid}.json")).status == 204
        assert (await api.get(f"Notifications/{entry.sid}.json")).code == (404, 20404)


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({}, [3, 2, 1]),
        ({"Log": "0"}, [2, 1]),
        ({"Log": "1"}, [3]),
        ({"MessageDate": "2026-03-02"}, [2]),
        ({"MessageDate<": "2026-03-02"}, [2, 1]),
        ({"MessageDate>": "2026-03-02"}, [3, 2]),
    ],
)
async def test_notifications_are_filtered(
    serving: Serving, query: dict[str, str], days: list[int]
) -> None:
    async with serving() as api:
        for day in (1, 2, 3):
            await noted(api, day, log=int(day == 3))
        listed = (await api.request("GET", "Notifications.json", query)).json["notifications"]
        assert [int(each["message_date"][5:7]) for each in listed] == days


async def test_a_level_that_is_none_is_refused(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.get("Notifications.json", Log="2")).code == (400, 20001)


async def test_a_calls_notifications_are_its_own(serving: Serving, tmp_path: Path) -> None:
    async with serving() as api:
        call = await call_of(api, await recorded(api, tmp_path))
        own, other = await noted(api, 1, call_sid=call.sid), await noted(api, 2)
        base = f"Calls/{call.sid}/Notifications"
        [listed] = (await api.get(f"{base}.json")).json["notifications"]
        assert listed["uri"] == f"{api.base}/{base}/{own.sid}.json"
        assert (await api.get(listed["uri"])).json["response_body"] == "<oops/>"
        assert (await api.get(f"{base}/{other.sid}.json")).code == (404, 20404)
