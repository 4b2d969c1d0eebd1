"""What is kept beside the records: a call's story, pending callbacks, live dialogs."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Any

from offhook.frozen import frozen


@frozen
class Event:
    """One thing that happened to `subject` (a CallSid, a MessageSid or "").

    `kind` is one of: status, webhook, twiml, sip, heard, said, key, recording, debugger, log.
    """

    subject: str
    account_sid: str
    at: datetime
    kind: str
    data: dict[str, Any] = field(default_factory=dict)


@frozen
class PendingCallback:
    """An asynchronous request that is owed. Those with one `subject` are sent in order of `id`."""

    subject: str
    account_sid: str
    url: str
    method: str
    params: tuple[tuple[str, str], ...]
    token: str  # I-Twilio-Idempotency-Token, the same in every attempt
    date_created: datetime
    kind: str = "status"  # status | recording | message
    id: int = 0  # given by the store


@frozen
class LiveDialog:
    """What a BYE needs, kept from answer to end so that a restart can send it."""

    call_sid: str
    carrier: str
    data: dict[str, Any]
