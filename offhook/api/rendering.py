"""Values as every resource writes them."""

from __future__ import annotations

from datetime import datetime

from offhook.api.resource import VERSION
from offhook.model.dates import rfc2822


def date(at: datetime | None) -> str | None:
    return rfc2822(at) if at else None


def or_none(text: str) -> str | None:
    return text or None


def account_uri(account_sid: str) -> str:
    return f"/{VERSION}/Accounts/{account_sid}"


def below(uri: str, *names: str, **others: str) -> dict[str, str]:
    """The subresources of `uri`: `user_defined_messages` is `UserDefinedMessages` below it."""
    camel = {name: "".join(word.title() for word in name.split("_")) for name in names}
    return {name: f"{uri}/{path}" for name, path in (camel | others).items()}
