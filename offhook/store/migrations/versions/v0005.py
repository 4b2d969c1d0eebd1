"""Phones that are registered."""

from __future__ import annotations

from offhook.store.migrations.steps import table

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    table(
        "sip_registrations",
        unique="aor",
        text="aor account_sid",
        date="date_created",
        json="contacts",
    )
