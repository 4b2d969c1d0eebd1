"""A call as the platform remembers it.  reference: the Call resource of 2010-04-01."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Any, Literal, get_args

from offhook.errors import OffhookError
from offhook.frozen import changed, frozen
from offhook.model.fetch import Callback

Status = Literal[
    "queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"
]
Direction = Literal["inbound", "outbound-api", "outbound-dial"]

NEXT: dict[Status, set[Status]] = {
    "queued": {"ringing", "in-progress", "busy", "failed", "no-answer", "canceled"},
    "ringing": {"in-progress", "busy", "failed", "no-answer", "canceled"},
    "in-progress": {"completed"},
    "completed": set(),
    "busy": set(),
    "failed": set(),
    "no-answer": set(),
    "canceled": set(),
}
assert set(NEXT) == set(get_args(Status))
FINAL = frozenset(status for status, following in NEXT.items() if not following)

# What became of a call that was refused.  reference: SIP final response
STATUS_OF: dict[int, Status] = {
    486: "busy", 600: "busy", 603: "busy", 408: "no-answer", 480: "no-answer", 487: "canceled",
}  # fmt: skip


class IllegalTransition(OffhookError):
    """A call never leaves a final status and is never `failed` once answered."""


@frozen
class Call:
    """`duration` is in whole seconds, None while the call lasts; dates are aware UTC.

    `details` are the extra request parameters that the leg brought (SipCallId, SipHeader_X-...,
    CallToken).
    """

    sid: str
    account_sid: str
    to: str
    from_: str
    direction: Direction
    date_created: datetime
    date_updated: datetime
    status: Status = "queued"
    parent_call_sid: str = ""
    phone_number_sid: str = ""
    application_sid: str = ""
    api_version: str = "2010-04-01"
    start_time: datetime | None = None
    end_time: datetime | None = None
    duration: int | None = None
    price: str | None = None
    price_unit: str = "USD"
    answered_by: str = ""
    forwarded_from: str = ""
    caller_name: str = ""
    queue_time: int = 0
    sip_response_code: int = 0
    callback: Callback = Callback()
    callbacks_sent: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    node: str = ""

    def advanced(self, to: Status, at: datetime, **changes: Any) -> Call:
        """The call in its next status, with other changes. Raises IllegalTransition."""
        if to not in NEXT[self.status]:
            raise IllegalTransition(f"{self.sid}: {self.status} -> {to}")
        changes = {"status": to, "date_updated": at} | self._dated(to, at) | changes
        return changed(self, **changes)

    def _dated(self, to: Status, at: datetime) -> dict[str, Any]:
        if to == "in-progress":
            return {"start_time": at}
        if to not in FINAL:
            return {}
        began = self.start_time if self.status == "in-progress" else None
        seconds = round((at - began).total_seconds()) if began else 0
        return {"end_time": at, "start_time": began or at, "duration": seconds}
