"""What accounts own beside numbers: keys, second tokens, addresses, caller ids, short codes."""

from __future__ import annotations

from offhook.store.migrations.steps import table

revision = "0002"
down_revision = "0001"

_OF_ACCOUNT = "account_sid date_created row"
_DATES = "date_created date_updated"


def upgrade() -> None:
    table(
        "addresses",
        _OF_ACCOUNT,
        unique="sid",
        text=(
            "sid account_sid customer_name street street_secondary city region postal_code "
            "iso_country friendly_name"
        ),
        date=_DATES,
        yes_no="emergency_enabled validated verified",
    )
    table(
        "api_keys",
        _OF_ACCOUNT,
        unique="sid",
        text="sid account_sid secret friendly_name role",
        date=_DATES,
    )
    table(
        "authorized_connect_apps",
        _OF_ACCOUNT,
        unique="sid",
        text=(
            "sid account_sid connect_app_sid friendly_name company_name description homepage_url"
        ),
        date=_DATES,
        json="permissions",
    )
    table(
        "caller_ids",
        _OF_ACCOUNT,
        unique="sid phone_number",
        text="sid account_sid phone_number friendly_name",
        date=_DATES,
    )
    table(
        "connect_apps",
        _OF_ACCOUNT,
        unique="sid",
        text=(
            "sid account_sid friendly_name company_name description homepage_url "
            "authorize_redirect_url deauthorize_callback_url deauthorize_callback_method"
        ),
        date=_DATES,
        json="permissions",
    )
    table(
        "secondary_tokens",
        unique="account_sid",
        text="account_sid auth_token",
        date=_DATES,
    )
    table(
        "short_codes",
        _OF_ACCOUNT,
        unique="sid short_code",
        text=(
            "sid account_sid short_code friendly_name api_version sms_url sms_method "
            "sms_fallback_url sms_fallback_method"
        ),
        date=_DATES,
    )
