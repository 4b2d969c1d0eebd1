"""SIP domains: what answers calls to them, and who may register.  reference: REST voice, SIP."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from offhook import clock, sids
from offhook.api.formats import Rendering
from offhook.api.forms import flag, given, http_method, link, sid, text
from offhook.api.paging import page
from offhook.api.reach import fetched, owned
from offhook.api.rendering import account_uri, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.sip_domains import MOST_DOMAINS, SUFFIX, SipDomain, domain_name, parents
from offhook.store.sip_domains import domains as table
from offhook.store.sip_domains import mappings
from offhook.store.store import Connection
from offhook.store.table import Taken, Where

domains = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/SIP/Domains", element="Domain", key="domains"
)

TOO_MANY, NOT_VALID, BAD_NAME, HAS_SUBDOMAINS = 21230, 21231, 21232, 21233


@frozen
class Create:
    domain_name: str = text(missing=BAD_NAME)
    friendly_name: str = text(bad=NOT_VALID, longest=64)
    voice_url: str = link(bad=NOT_VALID)
    voice_method: str = http_method(bad=NOT_VALID)
    voice_fallback_url: str = link(bad=NOT_VALID)
    voice_fallback_method: str = http_method(bad=NOT_VALID)
    voice_status_callback_url: str = link(bad=NOT_VALID)
    voice_status_callback_method: str = http_method(bad=NOT_VALID)
    sip_registration: bool = flag()
    emergency_calling_enabled: bool = flag()
    secure: bool = flag()
    byoc_trunk_sid: str = sid("BY", bad=NOT_VALID)
    emergency_caller_sid: str = sid("PN", bad=NOT_VALID)


@domains.create(Create)
async def create(at: At, form: Create) -> Rendering:
    """Raises ApiError 21230 (too many) or 21232 (the name, or whose it is)."""
    now = clock.utc()
    name = _name(form.domain_name)
    fields = given(form) | {"domain_name": name, "date_created": now, "date_updated": now}
    made = SipDomain(sids.new("SD"), at.account.sid, **fields)
    return await _stored(at, _insert, made)


async def _stored(at: At, write: Any, *args: Any) -> Rendering:
    try:
        stored: SipDomain = await at.exchange.store.write(write, *args)
    except Taken:
        raise ApiError(BAD_NAME, "There is a SIP domain of this name already") from None
    return render(stored, await at.exchange.store.read(auth_types, [stored.sid]))


def _name(asked: str) -> str:
    try:
        return domain_name(asked)
    except ValueError as problem:
        raise ApiError(BAD_NAME, str(problem)) from None


def _insert(connection: Connection, made: SipDomain) -> SipDomain:
    own = [Where("account_sid", "=", made.account_sid)]
    if table.count(connection, own) >= MOST_DOMAINS:
        raise ApiError(TOO_MANY)
    _may_have(connection, made)
    table.insert(connection, made)
    return made


def _may_have(connection: Connection, wanted: SipDomain) -> None:
    """A subdomain is for the owner of what it lies below. Raises ApiError 21232."""
    above = table.above(connection, wanted.domain_name)
    shared = "." in wanted.domain_name.removesuffix(SUFFIX)
    orphan = wanted.domain_name.endswith(SUFFIX) and shared and not above
    if orphan or any(each.account_sid != wanted.account_sid for each in above):
        nearest = parents(wanted.domain_name)[0]
        raise ApiError(BAD_NAME, f"{nearest} is not a SIP domain of this account")


@domains.get()
async def list_domains(at: At) -> Listed:
    own = [Where("account_sid", "=", at.account.sid)]
    mine = await at.exchange.store.read(table.all, *own)
    types = await at.exchange.store.read(auth_types, [each.sid for each in mine])
    return await page(at, table, lambda each: render(each, types))


@domains.get("/{sid}")
async def fetch(at: At) -> Rendering:
    found = await fetched(at, table, at.sid)
    return render(found, await at.exchange.store.read(auth_types, [found.sid]))


@frozen
class Update:
    friendly_name: str | None = text(None, bad=NOT_VALID, longest=64)
    voice_fallback_method: str | None = http_method(None, bad=NOT_VALID)
    voice_fallback_url: str | None = link(None, bad=NOT_VALID)
    voice_method: str | None = http_method(None, bad=NOT_VALID)
    voice_status_callback_method: str | None = http_method(None, bad=NOT_VALID)
    voice_status_callback_url: str | None = link(None, bad=NOT_VALID)
    voice_url: str | None = link(None, bad=NOT_VALID)
    sip_registration: bool | None = flag(None)
    domain_name: str | None = text(None, bad=BAD_NAME, filled=True)
    emergency_calling_enabled: bool | None = flag(None)
    secure: bool | None = flag(None)
    byoc_trunk_sid: str | None = sid("BY", None, bad=NOT_VALID)
    emergency_caller_sid: str | None = sid("PN", None, bad=NOT_VALID)


@domains.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """Raises ApiError 21232 (the name, or whose it is)."""
    changes = given(form)
    if form.domain_name is not None:
        changes["domain_name"] = _name(form.domain_name)
    return await _stored(at, _save, at.account.sid, at.sid, changes, clock.utc())


def _save(
    connection: Connection, account_sid: str, sid: str, changes: dict[str, Any], now: datetime
) -> SipDomain:
    found = owned(connection, table, account_sid, sid)
    changed = replace(found, date_updated=now, **changes)
    if changed.domain_name != found.domain_name:
        _may_have(connection, changed)
    table.save(connection, changed)
    return changed


@domains.delete()
async def delete(at: At) -> None:
    """And its mappings. Raises ApiError 21233 while it has subdomains."""
    await at.exchange.store.write(_delete, at.account.sid, at.sid)


def _delete(connection: Connection, account_sid: str, sid: str) -> None:
    domain = owned(connection, table, account_sid, sid)
    if table.below(connection, domain):
        raise ApiError(HAS_SUBDOMAINS)
    for use in ("calls", "registrations"):
        for mapping in mappings.of(connection, sid, use):
            mappings.delete(connection, mapping.sid)
    table.delete(connection, sid)


def auth_types(connection: Connection, domain_sids: list[str]) -> dict[str, str]:
    """How each domain tells who may call: by addresses, credentials, both or neither."""
    types = {}
    for domain_sid in domain_sids:
        kinds = {each.list_sid[:2] for each in mappings.of(connection, domain_sid, "calls")}
        words = ["IP_ACL"] * ("AL" in kinds) + ["CREDENTIAL_LIST"] * ("CL" in kinds)
        types[domain_sid] = ",".join(words)
    return types


def render(domain: SipDomain, types: dict[str, str]) -> Rendering:
    uri = f"{account_uri(domain.account_sid)}/SIP/Domains/{domain.sid}"
    return {
        "account_sid": domain.account_sid,
        "api_version": domain.api_version,
        "auth_type": types.get(domain.sid, ""),
        "date_created": date(domain.date_created),
        "date_updated": date(domain.date_updated),
        "domain_name": domain.domain_name,
        "friendly_name": domain.friendly_name,
        "sid": domain.sid,
        "uri": uri,
        "voice_fallback_method": domain.voice_fallback_method,
        "voice_fallback_url": or_none(domain.voice_fallback_url),
        "voice_method": domain.voice_method,
        "voice_status_callback_method": domain.voice_status_callback_method,
        "voice_status_callback_url": or_none(domain.voice_status_callback_url),
        "voice_url": or_none(domain.voice_url),
        "subresource_uris": {
            "credential_list_mappings": f"{uri}/CredentialListMappings",
            "ip_access_control_list_mappings": f"{uri}/IpAccessControlListMappings",
        },
        "sip_registration": domain.sip_registration,
        "emergency_calling_enabled": domain.emergency_calling_enabled,
        "secure": domain.secure,
        "byoc_trunk_sid": or_none(domain.byoc_trunk_sid),
        "emergency_caller_sid": or_none(domain.emergency_caller_sid),
    }
