"""What calls gather in and leave behind: conferences, queues, forks of their sound, payments.

reference: REST voice, Conferences, Queues and the call subresources.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from offhook.frozen import frozen
from offhook.model.fetch import Callback

ConferenceStatus = Literal["init", "in-progress", "completed"]
ConferenceEnd = Literal[
    "conference-ended-via-api",
    "participant-with-end-conference-on-exit-left",
    "participant-with-end-conference-on-exit-kicked",
    "last-participant-kicked",
    "last-participant-left",
]
ParticipantStatus = Literal["queued", "connecting", "ringing", "connected", "complete", "failed"]
ForkKind = Literal["stream", "siprec", "transcription"]

HERE: tuple[ParticipantStatus, ...] = ("queued", "connecting", "ringing", "connected")
MOST_IN_QUEUE = 5000


def claim(account_sid: str, friendly_name: str) -> str:
    """What makes a name of an account exist once at a time."""
    return f"{account_sid}/{friendly_name}"


@frozen
class Conference:
    """A room. `claim` is unique: account and name while the room is open, its SID afterwards.

    `reason_conference_ended` is a ConferenceEnd, or "" while it is open.
    """

    sid: str
    account_sid: str
    friendly_name: str
    claim: str
    date_created: datetime
    date_updated: datetime
    status: ConferenceStatus = "init"
    region: str = "us1"
    reason_conference_ended: str = ""
    call_sid_ending_conference: str = ""
    api_version: str = "2010-04-01"
    callback: Callback = Callback()


@frozen
class Participant:
    """A call in a conference; `sid` is for lists alone, `queue_time` in milliseconds."""

    sid: str
    account_sid: str
    conference_sid: str
    call_sid: str
    date_created: datetime
    date_updated: datetime
    label: str = ""
    muted: bool = False
    hold: bool = False
    coaching: bool = False
    call_sid_to_coach: str = ""
    start_conference_on_enter: bool = True
    end_conference_on_exit: bool = False
    status: ParticipantStatus = "connected"
    queue_time: int | None = None


@frozen
class Queue:
    """Where callers wait. `claim` is unique: its account and name."""

    sid: str
    account_sid: str
    friendly_name: str
    claim: str
    date_created: datetime
    date_updated: datetime
    max_size: int = 1000


@frozen
class Member:
    """A caller that waits; the first that came is the first to be served."""

    call_sid: str
    account_sid: str
    queue_sid: str
    date_enqueued: datetime


@frozen
class Fork:
    """A call's sound on its way elsewhere: to a stream, a recorder (SIPREC) or a transcription."""

    sid: str
    account_sid: str
    call_sid: str
    kind: ForkKind
    date_created: datetime
    date_updated: datetime
    name: str = ""
    status: Literal["in-progress", "stopped"] = "in-progress"
    callback: Callback = Callback()
    settings: dict[str, Any] = field(default_factory=dict)


@frozen
class Payment:
    """A payment session of a call; `capture` is what is being asked for now."""

    sid: str
    account_sid: str
    call_sid: str
    idempotency_key: str
    date_created: datetime
    date_updated: datetime
    status: Literal["in-progress", "complete", "cancel"] = "in-progress"
    capture: str = ""
    callback: Callback = Callback()
    settings: dict[str, Any] = field(default_factory=dict)


@frozen
class UserMessage:
    """JSON for the application on a call's phone."""

    sid: str
    account_sid: str
    call_sid: str
    content: str
    date_created: datetime
    idempotency_key: str = ""


@frozen
class UserSubscription:
    """Who is told of the JSON that the application on a call's phone sends."""

    sid: str
    account_sid: str
    call_sid: str
    date_created: datetime
    callback: Callback
    idempotency_key: str = ""


@frozen
class Transcription:
    """A recording in writing; `duration` is the recording's, in seconds."""

    sid: str
    account_sid: str
    recording_sid: str
    date_created: datetime
    date_updated: datetime
    status: Literal["in-progress", "completed", "failed"] = "in-progress"
    transcription_text: str = ""
    duration: int = 0
    type: str = "fast"
    price: str | None = None
    price_unit: str = "USD"
    api_version: str = "2010-04-01"


@frozen
class Feedback:
    """Whether a message's sender knows that it was received."""

    message_sid: str
    account_sid: str
    date_created: datetime
    date_updated: datetime
    outcome: Literal["confirmed", "unconfirmed"] = "confirmed"
