"""The first schema."""

from __future__ import annotations

from offhook.store.migrations.steps import table

revision = "0001"
down_revision = None


def upgrade() -> None:
    table(
        "accounts",
        "owner_account_sid date_created row",
        unique="sid",
        text="sid auth_token friendly_name status type owner_account_sid",
        date="date_created date_updated",
    )
    table(
        "applications",
        "account_sid date_created row",
        unique="sid",
        text=(
            "sid account_sid friendly_name api_version voice_url voice_method "
            "voice_fallback_url voice_fallback_method status_callback status_callback_method "
            "sms_url sms_method sms_fallback_url sms_fallback_method sms_status_callback "
            "message_status_callback"
        ),
        date="date_created date_updated",
        yes_no="voice_caller_id_lookup public_application_connect_enabled",
    )
    table(
        "callbacks",
        "subject row",
        text="subject account_sid url method token kind",
        json="params",
        date="date_created",
    )
    table(
        "calls",
        "account_sid date_created row",
        "account_sid end_time row",
        "account_sid start_time row",
        "from_ account_sid date_created row",
        "parent_call_sid account_sid date_created row",
        "status account_sid date_created row",
        "to account_sid date_created row",
        unique="sid",
        nullable="start_time end_time duration price",
        text=(
            "sid account_sid to from_ direction status parent_call_sid phone_number_sid "
            "application_sid api_version price price_unit answered_by forwarded_from "
            "caller_name callback_url callback_method node"
        ),
        date="date_created date_updated start_time end_time",
        number="duration queue_time sip_response_code callbacks_sent",
        json="callback_events details",
    )
    table(
        "cookies",
        "expires",
        key="jar",
        nullable="expires",
        text="jar",
        json="data",
        date="expires",
    )
    table(
        "deleted_places",
        unique="key",
        text="key",
        json="place",
    )
    table(
        "dialogs",
        unique="call_sid",
        text="call_sid carrier",
        json="data",
    )
    table(
        "events",
        "at",
        "subject place",
        row="place",
        text="subject account_sid kind",
        date="at",
        json="data",
    )
    table(
        "facts",
        "expires",
        key="name",
        nullable="expires",
        text="name",
        json="data",
        date="expires",
    )
    table(
        "media",
        "parent_sid account_sid date_created row",
        unique="sid",
        text="sid account_sid parent_sid content_type path",
        date="date_created date_updated",
    )
    table(
        "messages",
        "account_sid date_created row",
        "account_sid date_sent row",
        "from_ account_sid date_created row",
        "status account_sid date_created row",
        "to account_sid date_created row",
        unique="sid",
        nullable="date_sent price",
        text=(
            "sid account_sid to from_ body direction status messaging_service_sid "
            "error_message price price_unit api_version status_callback call_sid"
        ),
        date="date_created date_updated date_sent",
        number="num_segments num_media error_code validity_seconds callbacks_sent",
        json="media_urls",
    )
    table(
        "notifications",
        "account_sid date_created row",
        "account_sid message_date row",
        "call_sid account_sid date_created row",
        "date_created",
        unique="sid",
        text=(
            "sid account_sid message_text call_sid request_method request_url "
            "request_variables response_headers response_body api_version"
        ),
        number="log error_code",
        date="date_created date_updated message_date",
    )
    table(
        "numbers",
        "account_sid date_created row",
        unique="sid phone_number",
        text=(
            "sid account_sid phone_number friendly_name api_version voice_url voice_method "
            "voice_fallback_url voice_fallback_method voice_application_sid "
            "voice_receive_mode trunk_sid status_callback status_callback_method sms_url "
            "sms_method sms_fallback_url sms_fallback_method sms_application_sid origin "
            "address_requirements address_sid identity_sid bundle_sid emergency_status "
            "emergency_address_sid emergency_address_status status type"
        ),
        date="date_created date_updated",
        yes_no="voice_caller_id_lookup beta",
        json="capabilities",
    )
    table(
        "recordings",
        "account_sid date_created row",
        "call_sid account_sid date_created row",
        "conference_sid account_sid date_created row",
        "date_created",
        unique="sid",
        nullable="duration price",
        text=(
            "sid account_sid call_sid source path status track conference_sid api_version "
            "price price_unit callback_url callback_method"
        ),
        date="date_created date_updated start_time",
        number="channels duration error_code",
        json="callback_events",
    )
