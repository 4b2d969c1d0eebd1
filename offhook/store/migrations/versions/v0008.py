"""Without what nobody asks for: stored cookies, and callbacks by their subject."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.drop_table("cookies")
    op.drop_index("ix_callbacks_subject_row", "callbacks")
