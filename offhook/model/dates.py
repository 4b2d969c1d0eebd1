"""Dates as the 2010-04-01 API writes them: RFC 2822, in GMT.  reference: property formats."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime


def rfc2822(at: datetime) -> str:
    """`Fri, 20 Aug 2010 01:13:42 +0000`. `at` is aware, in whatever zone."""
    return format_datetime(at.astimezone(UTC))


def from_rfc2822(text: str) -> datetime:
    """An aware date in UTC; one without a zone is taken as GMT. Raises ValueError."""
    at = parsedate_to_datetime(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
