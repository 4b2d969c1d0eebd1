"""Dates.  reference: property formats.  M19."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from offhook.model.dates import from_rfc2822, rfc2822

EVENING = datetime(2010, 8, 20, 1, 13, 42, tzinfo=UTC)


def test_dates_are_written_in_gmt_as_rfc_2822():
    """M19: 18:13:42 PDT the day before."""
    pacific = timezone(timedelta(hours=-7))
    assert rfc2822(EVENING) == "Fri, 20 Aug 2010 01:13:42 +0000"
    assert rfc2822(EVENING.astimezone(pacific)) == "Fri, 20 Aug 2010 01:13:42 +0000"


@pytest.mark.parametrize(
    "text",
    [
        "Fri, 20 Aug 2010 01:13:42 +0000", "Thu, 19 Aug 2010 18:13:42 -0700",
        "Fri, 20 Aug 2010 01:13:42 GMT", "20 Aug 2010 01:13:42 -0000", "20 Aug 2010 01:13:42",
    ],
)  # fmt: skip
def test_dates_are_read_from_any_zone(text: str):
    assert from_rfc2822(text) == EVENING
    assert from_rfc2822(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "soon", "2010-08-20", "99 Aug 2010 01:13:42 GMT"])
def test_what_is_no_date_is_refused(text: str):
    with pytest.raises(ValueError, match=r"."):
        from_rfc2822(text)
