"""What a restricted key may do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("allow", sa.JSON(), nullable=False, server_default="[]"))
