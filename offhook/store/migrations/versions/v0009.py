"""Lists of the numbers of a name, and of errors or warnings alone."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

_FILTERS = {"numbers": "friendly_name", "notifications": "log"}


def upgrade() -> None:
    for table, field in _FILTERS.items():
        op.create_index(
            f"ix_{table}_{field}_account_sid_date_created_row",
            table,
            [field, "account_sid", "date_created", "row"],
        )
