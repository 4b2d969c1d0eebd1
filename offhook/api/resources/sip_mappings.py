"""Which lists count at a SIP domain, for calls and for registrations.  reference: REST voice, SIP.

The mappings right below a domain are those for calls under their older name.
"""

from __future__ import annotations

from typing import Literal

from offhook import clock, sids
from offhook.api.formats import Rendering
from offhook.api.forms import sid
from offhook.api.paging import whole
from offhook.api.reach import owned
from offhook.api.rendering import account_uri, date
from offhook.api.resource import VERSION, At, Listed, Resource, Run
from offhook.api.resources import sip_lists
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.sip_domains import MOST_MAPPED, SipList, SipMapping, Use, mapping_claim
from offhook.store.sip_domains import domains, lists
from offhook.store.sip_domains import mappings as table
from offhook.store.store import Connection
from offhook.store.table import Taken

_DOMAIN = f"/{VERSION}/Accounts/{{account_sid}}/SIP/Domains/{{domain_sid}}"

Pair = tuple[SipMapping, SipList]


@frozen
class CredentialMapping:
    credential_list_sid: str = sid("CL", bad=21240)

    @property
    def list_sid(self) -> str:
        return self.credential_list_sid


@frozen
class AddressMapping:
    ip_access_control_list_sid: str = sid("AL", bad=21235)

    @property
    def list_sid(self) -> str:
        return self.ip_access_control_list_sid


@frozen
class Kind:
    """What differs between the mapping resources. `older` ones tell their domain and URI."""

    path: str
    prefix: Literal["CL", "AL"]
    use: Use
    older: bool = False

    @property
    def word(self) -> str:
        return "CredentialListMapping" if self.prefix == "CL" else "IpAccessControlListMapping"

    @property
    def form(self) -> type[CredentialMapping] | type[AddressMapping]:
        return CredentialMapping if self.prefix == "CL" else AddressMapping

    @property
    def key(self) -> str:
        """The key of the list: the newer ones share one."""
        if not self.older:
            return "contents"
        return f"{'credential_list' if self.prefix == 'CL' else 'ip_access_control_list'}_mappings"


def _resource(kind: Kind) -> Resource:
    made = Resource(f"{_DOMAIN}{kind.path}/{kind.word}s", element=kind.word, key=kind.key)
    made.create(kind.form)(_create(kind))
    made.get()(_list(kind))
    made.get("/{sid}")(_fetch(kind))
    made.delete()(_delete(kind))
    return made


def _create(kind: Kind) -> Run:
    async def create(at: At, form: CredentialMapping | AddressMapping) -> Rendering:
        """Raises ApiError 20404 for another's list, 21240 or 21235 when it counts already."""
        now, domain_sid = clock.utc(), at.names["domain_sid"]
        made = SipMapping(
            sids.new("MP"), at.account.sid, domain_sid, form.list_sid, kind.use,
            mapping_claim(domain_sid, kind.use, form.list_sid), now, now,
        )  # fmt: skip
        bad = 21240 if kind.prefix == "CL" else 21235
        if not form.list_sid:
            name = "CredentialListSid" if kind.prefix == "CL" else "IpAccessControlListSid"
            raise ApiError(bad, f"{name} is required")
        try:
            pair = await at.exchange.store.write(_insert, kind, made, bad)
        except Taken:
            raise ApiError(bad, "The list counts at this domain already") from None
        return _render(kind, pair)

    return create


def _insert(connection: Connection, kind: Kind, made: SipMapping, bad: int) -> Pair:
    owned(connection, domains, made.account_sid, made.domain_sid)
    of_kind: Literal["credentials", "addresses"] = (
        "credentials" if kind.prefix == "CL" else "addresses"
    )
    one = sip_lists.found(connection, made.account_sid, made.list_sid, of_kind)
    if len(table.of(connection, made.domain_sid, kind.use, kind.prefix)) >= MOST_MAPPED:
        raise ApiError(bad, "As many lists count at this domain as may")
    table.insert(connection, made)
    return made, one


def _list(kind: Kind) -> Run:
    async def list_mappings(at: At) -> Listed:
        pairs = await at.exchange.store.read(_all, kind, at.account.sid, at.names["domain_sid"])
        return whole(at, pairs, lambda pair: _render(kind, pair))

    return list_mappings


def _all(connection: Connection, kind: Kind, account_sid: str, domain_sid: str) -> list[Pair]:
    """Newest first."""
    owned(connection, domains, account_sid, domain_sid)
    found = table.of(connection, domain_sid, kind.use, kind.prefix)
    named = ((each, lists.get(connection, each.list_sid)) for each in reversed(found))
    return [(each, one) for each, one in named if one]


def _fetch(kind: Kind) -> Run:
    async def fetch(at: At) -> Rendering:
        domain_sid = at.names["domain_sid"]
        pair = await at.exchange.store.read(_one, kind, at.account.sid, domain_sid, at.sid)
        return _render(kind, pair)

    return fetch


def _one(
    connection: Connection, kind: Kind, account_sid: str, domain_sid: str, list_sid: str
) -> Pair:
    owned(connection, domains, account_sid, domain_sid)
    mapping = table.one(connection, domain_sid, kind.use, list_sid)
    one = lists.get(connection, list_sid)
    if mapping is None or one is None or not list_sid.startswith(kind.prefix):
        raise ApiError(20404)
    return mapping, one


def _delete(kind: Kind) -> Run:
    async def delete(at: At) -> None:
        await at.exchange.store.write(_remove, kind, at.account.sid, at.names["domain_sid"], at.sid)

    return delete


def _remove(
    connection: Connection, kind: Kind, account_sid: str, domain_sid: str, list_sid: str
) -> None:
    mapping, _ = _one(connection, kind, account_sid, domain_sid, list_sid)
    table.delete(connection, mapping.sid)


def _render(kind: Kind, pair: Pair) -> Rendering:
    mapping, one = pair
    base = f"{account_uri(mapping.account_sid)}/SIP/Domains/{mapping.domain_sid}"
    shown = {
        "account_sid": mapping.account_sid,
        "date_created": date(mapping.date_created),
        "date_updated": date(mapping.date_updated),
    }
    if kind.older:
        shown["domain_sid"] = mapping.domain_sid
    shown |= {"friendly_name": one.friendly_name, "sid": one.sid}
    if kind.older:
        shown["uri"] = f"{base}{kind.path}/{kind.word}s/{one.sid}"
    return shown


credential_list_mappings = _resource(Kind("", "CL", "calls", older=True))
ip_access_control_list_mappings = _resource(Kind("", "AL", "calls", older=True))
auth_calls_credential_list_mappings = _resource(Kind("/Auth/Calls", "CL", "calls"))
auth_calls_ip_access_control_list_mappings = _resource(Kind("/Auth/Calls", "AL", "calls"))
auth_registrations_credential_list_mappings = _resource(
    Kind("/Auth/Registrations", "CL", "registrations")
)
