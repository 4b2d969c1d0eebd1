"""Short codes, which an operator gives to an account.  reference: messaging section 11."""

from __future__ import annotations

from offhook.api.filters import exactly
from offhook.api.formats import Rendering
from offhook.api.forms import given, http_method, link, text, word
from offhook.api.paging import page
from offhook.api.reach import changed, fetched
from offhook.api.rendering import account_uri, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.frozen import frozen
from offhook.model.owned import ShortCode
from offhook.store.owned import short_codes as table

short_codes = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/SMS/ShortCodes", element="ShortCode", key="short_codes"
)


@frozen
class Update:
    """What is not sent stays as it is; what is sent empty is cleared."""

    friendly_name: str | None = text(None, bad=20002, longest=64, filled=True)
    api_version: str | None = word("2010-04-01", "2008-08-01", default=None, empty="2010-04-01")
    sms_url: str | None = link(None, bad=21402)
    sms_method: str | None = http_method(None, bad=21403)
    sms_fallback_url: str | None = link(None, bad=21402)
    sms_fallback_method: str | None = http_method(None, bad=21403)


@short_codes.get(filters=exactly(FriendlyName="friendly_name", ShortCode="short_code"))
async def list_short_codes(at: At) -> Listed:
    return await page(at, table, render)


@short_codes.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await fetched(at, table, at.sid))


@short_codes.update(Update)
async def update(at: At, form: Update) -> Rendering:
    return render(await changed(at, table, given(form)))


def render(code: ShortCode) -> Rendering:
    return {
        "account_sid": code.account_sid,
        "api_version": code.api_version,
        "date_created": date(code.date_created),
        "date_updated": date(code.date_updated),
        "friendly_name": code.friendly_name,
        "short_code": code.short_code,
        "sid": code.sid,
        "sms_fallback_method": code.sms_fallback_method,
        "sms_fallback_url": or_none(code.sms_fallback_url),
        "sms_method": code.sms_method,
        "sms_url": or_none(code.sms_url),
        "uri": f"{account_uri(code.account_sid)}/SMS/ShortCodes/{code.sid}",
    }
