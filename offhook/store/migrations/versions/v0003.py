"""What calls gather in and leave behind: conferences, queues, streams, SIP domains."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Nothing yet."""
