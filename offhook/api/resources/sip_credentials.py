"""The users of a credential list. No answer ever holds a password.  reference: REST voice, SIP."""

from __future__ import annotations

from offhook import clock, sids
from offhook.api.formats import Rendering
from offhook.api.forms import text
from offhook.api.paging import page
from offhook.api.reach import changed
from offhook.api.rendering import account_uri, date
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.api.resources import sip_lists
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.sip_domains import MOST_CREDENTIALS, REALM, SipCredential, digests, is_strong
from offhook.store.sip_domains import credentials as table
from offhook.store.store import Connection
from offhook.store.table import Where

credentials = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/SIP/CredentialLists/{{list_sid}}/Credentials",
    element="Credential",
    key="credentials",
)

NOT_VALID, FULL = 21243, 21242
_USERNAME = r'[^\s":@\x00-\x1f]+'


@frozen
class Create:
    username: str = text(missing=NOT_VALID, bad=NOT_VALID, longest=32, pattern=_USERNAME)
    password: str = text(missing=NOT_VALID)


@credentials.create(Create)
async def create(at: At, form: Create) -> Rendering:
    """Raises ApiError 21243 for a weak password or a name that is there, 21242 when full."""
    _check(form.password)
    now = clock.utc()
    made = SipCredential(
        sids.new("CR"), at.account.sid, at.names["list_sid"], form.username, REALM,
        *digests(form.username, form.password), now, now,
    )  # fmt: skip
    await at.exchange.store.write(_insert, made)
    return render(made)


def _check(password: str) -> None:
    if not is_strong(password):
        raise ApiError(
            NOT_VALID,
            "Password needs 12 characters or more, with a digit, a capital and a small letter",
        )


def _insert(connection: Connection, made: SipCredential) -> None:
    one = sip_lists.found(connection, made.account_sid, made.list_sid, "credentials")
    if table.count(connection, [Where("list_sid", "=", one.sid)]) >= MOST_CREDENTIALS:
        raise ApiError(FULL)
    if table.user(connection, [one.sid], made.username):
        raise ApiError(NOT_VALID, f"The list has a user {made.username} already")
    table.insert(connection, made)


@credentials.get()
async def list_credentials(at: At) -> Listed:
    return await page(at, table, render, await sip_lists.members(at, "credentials"))


@credentials.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await sip_lists.fetch_member(at, table))


@frozen
class Update:
    password: str | None = text(None)


@credentials.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """Raises ApiError 21243 for a weak password."""
    if form.password is not None:
        _check(form.password)
    found = await sip_lists.fetch_member(at, table)
    if form.password is None:
        return render(found)
    md5, sha256 = digests(found.username, form.password, found.realm)
    return render(await changed(at, table, {"md5": md5, "sha256": sha256}))


@credentials.delete()
async def delete(at: At) -> None:
    """One that went with its list is gone as asked."""
    await sip_lists.delete_member(at, table)


def render(found: SipCredential) -> Rendering:
    lists = f"{account_uri(found.account_sid)}/SIP/CredentialLists"
    return {
        "sid": found.sid,
        "account_sid": found.account_sid,
        "credential_list_sid": found.list_sid,
        "username": found.username,
        "date_created": date(found.date_created),
        "date_updated": date(found.date_updated),
        "uri": f"{lists}/{found.list_sid}/Credentials/{found.sid}",
    }
