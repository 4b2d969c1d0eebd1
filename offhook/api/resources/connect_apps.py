"""Connect apps, and those that an account let in.  reference: connect apps.

They are not made by REST; an account sees, changes and deletes those that it has.
"""

from __future__ import annotations

from offhook.api.formats import Rendering
from offhook.api.forms import given, http_method, link, text, words
from offhook.api.paging import page
from offhook.api.reach import changed, fetched, owned
from offhook.api.rendering import account_uri, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.owned import AuthorizedConnectApp, ConnectApp
from offhook.store.owned import authorized_apps
from offhook.store.owned import connect_apps as table
from offhook.store.store import Connection
from offhook.store.table import Where

_ACCOUNT = f"/{VERSION}/Accounts/{{account_sid}}"
connect_apps = Resource(f"{_ACCOUNT}/ConnectApps", element="ConnectApp", key="connect_apps")
authorized = Resource(
    f"{_ACCOUNT}/AuthorizedConnectApps",
    element="AuthorizedConnectApp",
    key="authorized_connect_apps",
)

PERMISSIONS = ("get-all", "post-all")


@frozen
class Update:
    """What is not sent stays as it is; what is sent empty is cleared."""

    authorize_redirect_url: str | None = link(None, bad=21402)
    company_name: str | None = text(None, longest=256)
    deauthorize_callback_method: str | None = http_method(None, bad=21403)
    deauthorize_callback_url: str | None = link(None, bad=21402)
    description: str | None = text(None, longest=1024)
    friendly_name: str | None = text(None, bad=20002, longest=64, filled=True)
    homepage_url: str | None = link(None, bad=21402)
    permissions: tuple[str, ...] | None = words(default=None)


@connect_apps.get()
async def list_apps(at: At) -> Listed:
    return await page(at, table, render)


@connect_apps.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await fetched(at, table, at.sid))


@connect_apps.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """Raises ApiError 20001 for a permission that does not exist."""
    unknown = set(form.permissions or ()) - set(PERMISSIONS)
    if unknown:
        raise ApiError(20001, f"Permissions: {min(unknown)[:60]} is not one of get-all, post-all")
    return render(await changed(at, table, given(form)))


@connect_apps.delete()
async def delete(at: At) -> None:
    await at.exchange.store.write(_delete, at.account.sid, at.sid)


def _delete(connection: Connection, account_sid: str, sid: str) -> None:
    """Accounts that let the app in do so no more."""
    owned(connection, table, account_sid, sid)
    for let_in in authorized_apps.alike(connection, connect_app_sid=sid):
        authorized_apps.delete(connection, let_in.sid)
    table.delete(connection, sid)


@authorized.get()
async def list_authorized(at: At) -> Listed:
    return await page(at, authorized_apps, render_authorized)


@authorized.get("/{sid}")
async def fetch_authorized(at: At) -> Rendering:
    this = [Where("account_sid", "=", at.account.sid), Where("connect_app_sid", "=", at.sid)]
    found = await at.exchange.store.read(authorized_apps.page, this, 1)
    if not found:
        raise ApiError(20404)
    return render_authorized(found[0])


def render(app: ConnectApp) -> Rendering:
    return {
        "account_sid": app.account_sid,
        "authorize_redirect_url": or_none(app.authorize_redirect_url),
        "company_name": or_none(app.company_name),
        "deauthorize_callback_method": app.deauthorize_callback_method,
        "deauthorize_callback_url": or_none(app.deauthorize_callback_url),
        "description": or_none(app.description),
        "friendly_name": app.friendly_name,
        "homepage_url": or_none(app.homepage_url),
        "permissions": list(app.permissions),
        "sid": app.sid,
        "uri": f"{account_uri(app.account_sid)}/ConnectApps/{app.sid}",
    }


def render_authorized(app: AuthorizedConnectApp) -> Rendering:
    uri = f"{account_uri(app.account_sid)}/AuthorizedConnectApps/{app.connect_app_sid}"
    return {
        "account_sid": app.account_sid,
        "connect_app_company_name": or_none(app.company_name),
        "connect_app_description": or_none(app.description),
        "connect_app_friendly_name": app.friendly_name,
        "connect_app_homepage_url": or_none(app.homepage_url),
        "connect_app_sid": app.connect_app_sid,
        "permissions": list(app.permissions),
        "uri": uri,
    }
