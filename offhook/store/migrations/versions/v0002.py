"""What accounts own beside numbers: subaccounts, keys, addresses, caller ids."""

from __future__ import annotations

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Nothing yet."""
