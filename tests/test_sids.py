from __future__ import annotations

from uuid import UUID

from offhook import sids


def test_a_uuid_is_written_as_the_standard_library_does():
    found = sids.uuid()
    assert str(UUID(found)) == found
    assert sids.uuid() != found
