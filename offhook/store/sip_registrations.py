"""Domains as the SIP side asks for them, and the phones that are registered there."""

from __future__ import annotations

from sqlalchemy import Connection

from offhook.model.sip_domains import SipCredential
from offhook.model.sip_registrations import Hashes, Home, SipRegistration
from offhook.store.sip_domains import addresses, credentials, domains, mappings
from offhook.store.table import Records

registrations = Records(SipRegistration, "sip_registrations", key="aor")


def keep(connection: Connection, registration: SipRegistration) -> None:
    """What is registered at an address of record from now on; without contacts it is forgotten."""
    if not registration.contacts:
        connection.execute(
            registrations.table.delete().where(registrations.table.c.aor == registration.aor)
        )
    elif not registrations.save(connection, registration):
        registrations.insert(connection, registration)


def home(connection: Connection, name: str, username: str, realm: str) -> Home | None:
    """The domain of that name, with what is known there of one user."""
    domain = domains.named(connection, name)
    if domain is None:
        return None
    registering = [each.list_sid for each in mappings.of(connection, domain.sid, "registrations")]
    calling = [each.list_sid for each in mappings.of(connection, domain.sid, "calls", "CL")]
    guarded = [each.list_sid for each in mappings.of(connection, domain.sid, "calls", "AL")]
    networks = [each for sid in guarded for each in addresses.of(connection, sid)]
    return Home(
        name, domain.account_sid, realm, domain.sip_registration,
        phones=_hashes(credentials.user(connection, registering, username)),
        callers=_hashes(credentials.user(connection, calling, username)),
        asks=bool(calling), limits=bool(guarded),
        networks=tuple(f"{each.ip_address}/{each.cidr_prefix_length}" for each in networks),
        secure=domain.secure,
    )  # fmt: skip


def _hashes(found: list[SipCredential]) -> dict[str, Hashes]:
    return {each.username: {"MD5": each.md5, "SHA-256": each.sha256} for each in found}
