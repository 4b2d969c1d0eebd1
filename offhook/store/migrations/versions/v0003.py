"""What calls gather in and leave behind: conferences, queues, streams, SIP domains."""

from __future__ import annotations

from offhook.store.migrations.steps import table

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _rooms()
    _of_calls()
    _sip()


def _rooms() -> None:
    table(
        "conferences",
        "account_sid date_created row",
        "account_sid date_updated row",
        "status account_sid date_created row",
        "friendly_name account_sid date_created row",
        unique="sid claim",
        text=(
            "sid account_sid friendly_name claim status region reason_conference_ended "
            "call_sid_ending_conference api_version callback_url callback_method"
        ),
        date="date_created date_updated",
        json="callback_events",
    )
    table(
        "participants",
        "conference_sid account_sid date_created row",
        "call_sid",
        unique="sid",
        nullable="queue_time",
        text="sid account_sid conference_sid call_sid label call_sid_to_coach status",
        date="date_created date_updated",
        yes_no="muted hold coaching start_conference_on_enter end_conference_on_exit",
        number="queue_time",
    )
    table(
        "queues",
        "account_sid date_created row",
        unique="sid claim",
        text="sid account_sid friendly_name claim",
        date="date_created date_updated",
        number="max_size",
    )
    table(
        "queue_members",
        "queue_sid row",
        "account_sid",
        unique="call_sid",
        text="call_sid account_sid queue_sid",
        date="date_enqueued",
    )


def _of_calls() -> None:
    table(
        "forks",
        "call_sid kind",
        unique="sid",
        text="sid account_sid call_sid kind name status callback_url callback_method",
        date="date_created date_updated",
        json="callback_events settings",
    )
    table(
        "payments",
        "call_sid",
        unique="sid",
        text=(
            "sid account_sid call_sid idempotency_key status capture callback_url callback_method"
        ),
        date="date_created date_updated",
        json="callback_events settings",
    )
    table(
        "user_messages",
        "call_sid idempotency_key",
        unique="sid",
        text="sid account_sid call_sid content idempotency_key",
        date="date_created",
    )
    table(
        "user_subscriptions",
        "call_sid idempotency_key",
        unique="sid",
        text="sid account_sid call_sid callback_url callback_method idempotency_key",
        date="date_created",
        json="callback_events",
    )
    table(
        "transcriptions",
        "account_sid date_created row",
        "recording_sid account_sid date_created row",
        unique="sid",
        nullable="price",
        text=(
            "sid account_sid recording_sid status transcription_text type price price_unit "
            "api_version"
        ),
        date="date_created date_updated",
        number="duration",
    )
    table(
        "message_feedback",
        unique="message_sid",
        text="message_sid account_sid outcome",
        date="date_created date_updated",
    )


def _sip() -> None:
    table(
        "sip_domains",
        "account_sid date_created row",
        unique="sid domain_name",
        text=(
            "sid account_sid domain_name friendly_name api_version voice_url voice_method "
            "voice_fallback_url voice_fallback_method voice_status_callback_url "
            "voice_status_callback_method byoc_trunk_sid emergency_caller_sid"
        ),
        date="date_created date_updated",
        yes_no="sip_registration emergency_calling_enabled secure",
    )
    table(
        "sip_lists",
        "kind account_sid date_created row",
        unique="sid",
        text="sid account_sid friendly_name kind",
        date="date_created date_updated",
    )
    table(
        "sip_credentials",
        "list_sid account_sid date_created row",
        "list_sid username",
        unique="sid",
        text="sid account_sid list_sid username realm md5 sha256",
        date="date_created date_updated",
    )
    table(
        "sip_addresses",
        "list_sid account_sid date_created row",
        unique="sid",
        text="sid account_sid list_sid friendly_name ip_address",
        date="date_created date_updated",
        number="cidr_prefix_length",
    )
    table(
        "sip_mappings",
        "domain_sid use",
        "list_sid",
        unique="sid claim",
        text="sid account_sid domain_sid list_sid use claim",
        date="date_created date_updated",
    )
