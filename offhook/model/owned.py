"""What an account owns beside its numbers: keys, addresses, caller ids, short codes, apps."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from offhook.frozen import frozen
from offhook.model.account import IncomingPhoneNumber


@frozen
class ApiKey:
    """Credentials of their own. A `standard` key manages neither accounts nor keys, a `restricted`
    one does what its policy allows: permissions such as `/twilio/voice/calls/read`."""

    sid: str
    account_sid: str
    secret: str
    date_created: datetime
    date_updated: datetime
    friendly_name: str = ""
    role: Literal["standard", "restricted", "main"] = "standard"
    allow: tuple[str, ...] = ()


@frozen
class SecondaryToken:
    """A second auth token, good for REST beside the first, which alone signs webhooks."""

    account_sid: str
    auth_token: str
    date_created: datetime
    date_updated: datetime


@frozen
class Address:
    sid: str
    account_sid: str
    date_created: datetime
    date_updated: datetime
    customer_name: str = ""
    street: str = ""
    street_secondary: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    iso_country: str = ""
    friendly_name: str = ""
    emergency_enabled: bool = False
    validated: bool = False
    verified: bool = False


@frozen
class OutgoingCallerId:
    """A number of somebody's own phone that was proved to be theirs by a call."""

    sid: str
    account_sid: str
    phone_number: str
    date_created: datetime
    date_updated: datetime
    friendly_name: str = ""


@frozen
class ShortCode:
    sid: str
    account_sid: str
    short_code: str
    date_created: datetime
    date_updated: datetime
    friendly_name: str = ""
    api_version: str = "2010-04-01"
    sms_url: str = ""
    sms_method: str = "POST"
    sms_fallback_url: str = ""
    sms_fallback_method: str = "POST"

    @property
    def as_number(self) -> IncomingPhoneNumber:
        """As texts see it: a number that takes and sends nothing else."""
        return IncomingPhoneNumber(
            self.sid, self.account_sid, self.short_code, self.date_created, self.date_updated,
            self.friendly_name, self.api_version, sms_url=self.sms_url, sms_method=self.sms_method,
            sms_fallback_url=self.sms_fallback_url, sms_fallback_method=self.sms_fallback_method,
            capabilities=("sms", "mms"),
        )  # fmt: skip


@frozen
class ConnectApp:
    """`permissions` are those of `get-all post-all` that it asks its users for."""

    sid: str
    account_sid: str
    date_created: datetime
    date_updated: datetime
    friendly_name: str = ""
    company_name: str = ""
    description: str = ""
    homepage_url: str = ""
    authorize_redirect_url: str = ""
    deauthorize_callback_url: str = ""
    deauthorize_callback_method: str = "POST"
    permissions: tuple[str, ...] = ()


@frozen
class AuthorizedConnectApp:
    """A connect app that an account let in, as it was then."""

    sid: str
    account_sid: str
    connect_app_sid: str
    date_created: datetime
    date_updated: datetime
    friendly_name: str = ""
    company_name: str = ""
    description: str = ""
    homepage_url: str = ""
    permissions: tuple[str, ...] = ()
