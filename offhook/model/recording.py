"""A recording as the platform remembers it.  reference: the Recording resource."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from offhook.frozen import frozen
from offhook.model.fetch import Callback

Status = Literal[
    "in-progress", "paused", "stopped", "processing", "completed", "absent", "failed", "deleted"
]
Source = Literal[
    "DialVerb", "Conference", "OutboundAPI", "Trunking", "RecordVerb", "StartCallRecordingAPI",
    "StartConferenceRecordingAPI",
]  # fmt: skip


@frozen
class Recording:
    """`duration` is in whole seconds; `path` the WAV file: 8 kHz, 16 bit, one or two channels."""

    sid: str
    account_sid: str
    call_sid: str
    source: Source
    date_created: datetime
    date_updated: datetime
    start_time: datetime
    path: str = ""
    status: Status = "in-progress"
    channels: int = 1
    track: str = "both"
    duration: int | None = None
    conference_sid: str = ""
    api_version: str = "2010-04-01"
    price: str | None = None
    price_unit: str = "USD"
    error_code: int = 0
    callback: Callback = Callback()
