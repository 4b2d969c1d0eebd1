"""The tables of SIP domains, the lists that guard them, and what is in those."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from offhook.model.sip_domains import (
    SipAddress,
    SipCredential,
    SipDomain,
    SipList,
    SipMapping,
    Use,
    mapping_claim,
    parents,
)
from offhook.store.columns import metadata
from offhook.store.table import Records, Where


class Domains(Records[SipDomain]):
    def named(self, connection: Connection, name: str) -> SipDomain | None:
        """The domain of that name, whoever owns it."""
        return self.only(connection, domain_name=name)

    def above(self, connection: Connection, name: str) -> list[SipDomain]:
        """The domains that `name` lies below."""
        return self.all(connection, Where("domain_name", "in", parents(name)))

    def below(self, connection: Connection, domain: SipDomain) -> list[SipDomain]:
        """The account's domains that lie below this one."""
        own = self.alike(connection, account_sid=domain.account_sid)
        return [each for each in own if domain.domain_name in parents(each.domain_name)]


class Mappings(Records[SipMapping]):
    def of(
        self, connection: Connection, domain_sid: str, use: Use, prefix: str = ""
    ) -> list[SipMapping]:
        """What counts for calls, or for registrations: CL... lists, AL... lists, or both."""
        found = self.alike(connection, domain_sid=domain_sid, use=use)
        return [each for each in found if each.list_sid.startswith(prefix)]

    def one(
        self, connection: Connection, domain_sid: str, use: Use, list_sid: str
    ) -> SipMapping | None:
        claim = mapping_claim(domain_sid, use, list_sid)
        return self.only(connection, claim=claim)

    def with_list(self, connection: Connection, list_sid: str) -> list[SipMapping]:
        return self.alike(connection, list_sid=list_sid)


class Credentials(Records[SipCredential]):
    def of(self, connection: Connection, list_sid: str) -> list[SipCredential]:
        return self.alike(connection, list_sid=list_sid)

    def user(
        self, connection: Connection, list_sids: Sequence[str], username: str
    ) -> list[SipCredential]:
        """The users of that name in any of the lists."""
        return [
            each
            for sid in list_sids
            for each in self.alike(connection, list_sid=sid, username=username)
        ]


class Addresses(Records[SipAddress]):
    def of(self, connection: Connection, list_sid: str) -> list[SipAddress]:
        return self.alike(connection, list_sid=list_sid)


domains = Domains(
    SipDomain, "sip_domains", ("account_sid", "date_created", "row"), unique=("domain_name",)
)
lists = Records(SipList, "sip_lists", ("kind", "account_sid", "date_created", "row"))
credentials = Credentials(
    SipCredential,
    "sip_credentials",
    ("list_sid", "account_sid", "date_created", "row"),
    ("list_sid", "username"),
)
addresses = Addresses(
    SipAddress,
    "sip_addresses",
    ("list_sid", "account_sid", "date_created", "row"),
)
mappings = Mappings(
    SipMapping, "sip_mappings", ("domain_sid", "use"), ("list_sid",), unique=("claim",)
)


def went(connection: Connection, *keys: str) -> bool:
    """Whether all of these were there and have been deleted."""
    places = metadata.tables["deleted_places"]
    query = select(places.c.key).where(places.c.key.in_(keys))
    return len(connection.execute(query).all()) == len(set(keys))
