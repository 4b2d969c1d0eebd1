"""Applications: URLs and methods under one name (M13).  reference: Applications."""

from __future__ import annotations

from dataclasses import replace

from offhook import clock, sids
from offhook.api.filters import exactly
from offhook.api.formats import Rendering
from offhook.api.forms import flag, given, http_method, link, text, word
from offhook.api.paging import page
from offhook.api.reach import changed, fetched, owned
from offhook.api.rendering import account_uri, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.exchange import debugger
from offhook.frozen import frozen
from offhook.model.account import Application
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.table import Where

applications = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/Applications", element="Application", key="applications"
)

MOST, NEARLY = 1000, 950


@frozen
class Settings:
    """What is not sent stays as it is; what is sent empty is cleared."""

    friendly_name: str | None = text(None, bad=20002, longest=64, filled=True)
    api_version: str | None = word("2010-04-01", "2008-08-01", default=None, empty="2010-04-01")
    voice_url: str | None = link(None, bad=21402)
    voice_method: str | None = http_method(None, bad=21403)
    voice_fallback_url: str | None = link(None, bad=21402)
    voice_fallback_method: str | None = http_method(None, bad=21403)
    status_callback: str | None = link(None, bad=21402)
    status_callback_method: str | None = http_method(None, bad=21403)
    voice_caller_id_lookup: bool | None = flag(None)
    sms_url: str | None = link(None, bad=21402)
    sms_method: str | None = http_method(None, bad=21403)
    sms_fallback_url: str | None = link(None, bad=21402)
    sms_fallback_method: str | None = http_method(None, bad=21403)
    sms_status_callback: str | None = link(None, bad=21402)
    message_status_callback: str | None = link(None, bad=21402)
    public_application_connect_enabled: bool | None = flag(None)


@applications.create(Settings)
async def create(at: At, form: Settings) -> Rendering:
    now = clock.utc()
    application = replace(Application(sids.new("AP"), at.account.sid, now, now), **given(form))
    count = await at.exchange.store.write(_insert, application)
    if count > NEARLY:
        debugger.note(at.exchange, at.account.sid, 21302, subject=application.sid)
    return render(application)


def _insert(connection: Connection, application: Application) -> int:
    """How many there are now. Raises ApiError 21301 when the account has as many as it may."""
    of_account = [Where("account_sid", "=", application.account_sid)]
    count = records.applications.count(connection, of_account)
    if count >= MOST:
        raise ApiError(21301)
    records.applications.insert(connection, application)
    return count + 1


@applications.get(filters=exactly(FriendlyName="friendly_name"))
async def list_applications(at: At) -> Listed:
    return await page(at, records.applications, render)


@applications.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await fetched(at, records.applications, at.sid))


@applications.update(Settings)
async def update(at: At, form: Settings) -> Rendering:
    return render(await changed(at, records.applications, given(form)))


@applications.delete()
async def delete(at: At) -> None:
    """Numbers that it was assigned to go back to their own URLs."""
    await at.exchange.store.write(_delete, at.account.sid, at.sid)


def _delete(connection: Connection, account_sid: str, sid: str) -> None:
    owned(connection, records.applications, account_sid, sid)
    for number in records.numbers.alike(connection, voice_application_sid=sid):
        records.numbers.save(connection, replace(number, voice_application_sid=""))
    for number in records.numbers.alike(connection, sms_application_sid=sid):
        records.numbers.save(connection, replace(number, sms_application_sid=""))
    records.applications.delete(connection, sid)


def render(application: Application) -> Rendering:
    return {
        "account_sid": application.account_sid,
        "api_version": application.api_version,
        "date_created": date(application.date_created),
        "date_updated": date(application.date_updated),
        "friendly_name": or_none(application.friendly_name),
        "message_status_callback": or_none(application.message_status_callback),
        "sid": application.sid,
        "sms_fallback_method": application.sms_fallback_method,
        "sms_fallback_url": or_none(application.sms_fallback_url),
        "sms_method": application.sms_method,
        "sms_status_callback": or_none(application.sms_status_callback),
        "sms_url": or_none(application.sms_url),
        "status_callback": or_none(application.status_callback),
        "status_callback_method": application.status_callback_method,
        "uri": f"{account_uri(application.account_sid)}/Applications/{application.sid}",
        "voice_caller_id_lookup": application.voice_caller_id_lookup,
        "voice_fallback_method": application.voice_fallback_method,
        "voice_fallback_url": or_none(application.voice_fallback_url),
        "voice_method": application.voice_method,
        "voice_url": or_none(application.voice_url),
        "public_application_connect_enabled": application.public_application_connect_enabled,
    }
