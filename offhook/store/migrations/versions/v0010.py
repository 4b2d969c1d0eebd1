"""Indexes on a date that a call or message gets later leave out those that have none yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_INDEXES = [
    ("calls", "account_sid", "start_time"),
    ("calls", "account_sid", "end_time"),
    ("calls", "to", "account_sid", "start_time"),
    ("calls", "from_", "account_sid", "start_time"),
    ("messages", "account_sid", "date_sent"),
    ("messages", "to", "account_sid", "date_sent"),
    ("messages", "from_", "account_sid", "date_sent"),
]


def upgrade() -> None:
    for table, *fields in _INDEXES:
        name = f"ix_{table}_{'_'.join(fields)}_row"
        known = sa.text(f"{fields[-1]} IS NOT NULL")
        op.drop_index(name, table)
        op.create_index(name, table, [*fields, "row"], sqlite_where=known, postgresql_where=known)
