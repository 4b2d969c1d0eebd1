"""The tables of what accounts own beside numbers."""

from __future__ import annotations

from sqlalchemy import Connection

from offhook.model.account import IncomingPhoneNumber
from offhook.model.owned import (
    Address,
    ApiKey,
    AuthorizedConnectApp,
    ConnectApp,
    OutgoingCallerId,
    SecondaryToken,
    ShortCode,
)
from offhook.store import records
from offhook.store.table import Records

_OF_ACCOUNT = ("account_sid", "date_created", "row")


class CallerIds(Records[OutgoingCallerId]):
    def by_number(self, connection: Connection, number: str) -> OutgoingCallerId | None:
        """The verified number as E.164, whoever verified it."""
        return self.only(connection, phone_number=number)


class ShortCodes(Records[ShortCode]):
    def by_code(self, connection: Connection, code: str) -> ShortCode | None:
        return self.only(connection, short_code=code)


api_keys = Records(ApiKey, "api_keys", _OF_ACCOUNT)
secondary_tokens = Records(SecondaryToken, "secondary_tokens", key="account_sid")
addresses = Records(Address, "addresses", _OF_ACCOUNT)
caller_ids = CallerIds(OutgoingCallerId, "caller_ids", _OF_ACCOUNT, unique=("phone_number",))
short_codes = ShortCodes(ShortCode, "short_codes", _OF_ACCOUNT, unique=("short_code",))
connect_apps = Records(ConnectApp, "connect_apps", _OF_ACCOUNT)
authorized_apps = Records(AuthorizedConnectApp, "authorized_connect_apps", _OF_ACCOUNT)


def shown_by(connection: Connection, account_sid: str, number: str) -> str:
    """The SID under which an account may show `number` to those it calls, "" when it may not: it
    is one of its phone numbers, or a verified one."""
    own = records.numbers.by_number(connection, number)
    if own and own.account_sid == account_sid:
        return own.sid
    verified = caller_ids.by_number(connection, number)
    return verified.sid if verified and verified.account_sid == account_sid else ""


def texted(connection: Connection, number: str) -> IncomingPhoneNumber | None:
    """What texts to `number`, as E.164 or a short code, are for; a short code is only that."""
    code = short_codes.by_code(connection, number) if number.isdigit() else None
    return code.as_number if code else records.numbers.by_number(connection, number)
