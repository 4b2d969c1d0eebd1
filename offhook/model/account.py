"""Accounts, the numbers and applications they own, and the debugger's notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from offhook.frozen import frozen
from offhook.model.fetch import Callback, Script

Status = Literal["active", "suspended", "closed"]


@frozen
class Account:
    sid: str
    auth_token: str
    date_created: datetime
    date_updated: datetime
    friendly_name: str = ""
    status: Status = "active"
    type: Literal["Trial", "Full", "Test"] = "Full"
    owner_account_sid: str = ""

    @property
    def is_subaccount(self) -> bool:
        return self.owner_account_sid not in ("", self.sid)


@frozen
class Application:
    sid: str
    account_sid: str
    date_created: datetime
    date_updated: datetime
    friendly_name: str = ""
    api_version: str = "2010-04-01"
    voice_url: str = ""
    voice_method: str = "POST"
    voice_fallback_url: str = ""
    voice_fallback_method: str = "POST"
    status_callback: str = ""
    status_callback_method: str = "POST"
    voice_caller_id_lookup: bool = False
    sms_url: str = ""
    sms_method: str = "POST"
    sms_fallback_url: str = ""
    sms_fallback_method: str = "POST"
    sms_status_callback: str = ""
    message_status_callback: str = ""
    public_application_connect_enabled: bool = False

    @property
    def voice(self) -> Script:
        return Script(
            self.voice_url, self.voice_method, self.voice_fallback_url, self.voice_fallback_method,
            application_sid=self.sid,
        )  # fmt: skip

    @property
    def sms(self) -> Script:
        return Script(
            self.sms_url, self.sms_method, self.sms_fallback_url, self.sms_fallback_method,
            application_sid=self.sid,
        )  # fmt: skip

    @property
    def callback(self) -> Callback:
        return Callback(self.status_callback, self.status_callback_method)


@frozen
class IncomingPhoneNumber:
    """`capabilities` are those of `voice sms mms fax` that the number has."""

    sid: str
    account_sid: str
    phone_number: str
    date_created: datetime
    date_updated: datetime
    friendly_name: str = ""
    api_version: str = "2010-04-01"
    voice_url: str = ""
    voice_method: str = "POST"
    voice_fallback_url: str = ""
    voice_fallback_method: str = "POST"
    voice_caller_id_lookup: bool = False
    voice_application_sid: str = ""
    voice_receive_mode: Literal["voice", "fax"] = "voice"
    trunk_sid: str = ""
    status_callback: str = ""
    status_callback_method: str = "POST"
    sms_url: str = ""
    sms_method: str = "POST"
    sms_fallback_url: str = ""
    sms_fallback_method: str = "POST"
    sms_application_sid: str = ""
    capabilities: tuple[str, ...] = ("voice", "sms", "mms")
    beta: bool = False
    origin: Literal["twilio", "hosted"] = "twilio"
    address_requirements: str = "none"
    address_sid: str = ""
    identity_sid: str = ""
    bundle_sid: str = ""
    emergency_status: Literal["Active", "Inactive"] = "Inactive"
    emergency_address_sid: str = ""
    emergency_address_status: str = "unregistered"
    status: str = "in-use"
    type: str = "local"

    @property
    def voice(self) -> Script:
        return Script(
            self.voice_url, self.voice_method, self.voice_fallback_url, self.voice_fallback_method
        )

    @property
    def sms(self) -> Script:
        return Script(
            self.sms_url, self.sms_method, self.sms_fallback_url, self.sms_fallback_method
        )

    @property
    def callback(self) -> Callback:
        return Callback(self.status_callback, self.status_callback_method)


@frozen
class Notification:
    """A debugger entry. `log` is 0 for an error, 1 for a warning; `call_sid` may be a message's."""

    sid: str
    account_sid: str
    log: int
    error_code: int
    message_text: str
    date_created: datetime
    date_updated: datetime
    message_date: datetime
    call_sid: str = ""
    request_method: str = ""
    request_url: str = ""
    request_variables: str = ""
    response_headers: str = ""
    response_body: str = ""
    api_version: str = "2010-04-01"
