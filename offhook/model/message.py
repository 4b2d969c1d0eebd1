"""A text message as the platform remembers it.  reference: the Message resource."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from offhook.errors import OffhookError
from offhook.frozen import changed, frozen

Status = Literal[
    "scheduled", "canceled", "accepted", "queued", "sending", "sent", "delivered", "undelivered",
    "failed", "receiving", "received", "read", "partially_delivered",
]  # fmt: skip
Direction = Literal["inbound", "outbound-api", "outbound-call", "outbound-reply"]

NEXT: dict[Status, set[Status]] = {
    "scheduled": {"canceled", "queued"},
    "accepted": {"queued", "failed"},
    "queued": {"sending", "failed"},
    "sending": {"sent", "failed"},
    "sent": {"delivered", "undelivered"},
    "delivered": {"read"},
    "receiving": {"received"},
    "canceled": set(),
    "undelivered": set(),
    "failed": set(),
    "received": set(),
    "read": set(),
    "partially_delivered": set(),
}
assert set(NEXT) == set(get_args(Status))


class IllegalTransition(OffhookError):
    """A message never leaves a final status."""


@frozen
class Message:
    """`num_segments` and `num_media` are counts; `error_code` is 0 when there is none."""

    sid: str
    account_sid: str
    to: str
    from_: str
    body: str
    direction: Direction
    date_created: datetime
    date_updated: datetime
    status: Status = "queued"
    num_segments: int = 1
    num_media: int = 0
    date_sent: datetime | None = None
    messaging_service_sid: str = ""
    error_code: int = 0
    error_message: str = ""
    price: str | None = None
    price_unit: str = "USD"
    api_version: str = "2010-04-01"
    status_callback: str = ""
    call_sid: str = ""
    validity_seconds: int = 36000
    callbacks_sent: int = 0
    media_urls: tuple[str, ...] = ()

    def advanced(self, to: Status, at: datetime, error_code: int = 0) -> Message:
        """The message in its next status. Raises IllegalTransition."""
        if to not in NEXT[self.status]:
            raise IllegalTransition(f"{self.sid}: {self.status} -> {to}")
        sent = at if to == "sent" else self.date_sent
        return changed(self, status=to, date_updated=at, date_sent=sent, error_code=error_code)


@frozen
class Media:
    """One attachment; its bytes are the file `path`."""

    sid: str
    account_sid: str
    parent_sid: str
    content_type: str
    path: str
    date_created: datetime
    date_updated: datetime
