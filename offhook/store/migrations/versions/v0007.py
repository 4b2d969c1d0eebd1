"""Lists of one number's calls and messages in a time."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

_TIMES = {"calls": "start_time", "messages": "date_sent"}


def upgrade() -> None:
    for table, time in _TIMES.items():
        for party in ("to", "from_"):
            op.create_index(
                f"ix_{table}_{party}_account_sid_{time}_row",
                table,
                [party, "account_sid", time, "row"],
            )
