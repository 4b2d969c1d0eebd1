"""What is counted: usage, triggers, test credentials."""

from __future__ import annotations

from offhook.store.migrations.steps import table

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    table(
        "usage_days",
        "account_sid day",
        unique="slot",
        text="slot account_sid day category",
        number="count",
        row="usage price",
    )
    table("number_rents", key="sid", text="sid", date="paid_until")
    table(
        "usage_triggers",
        "account_sid date_created row",
        unique="sid",
        nullable="date_fired",
        text=(
            "sid account_sid usage_category trigger_value callback_url callback_method "
            "friendly_name recurring trigger_by api_version"
        ),
        date="date_created date_updated date_fired",
    )
