"""Where phones can be reached: REGISTER, sans-IO.  RFC 3261 section 10, RFC 3327 (Path).

Times are seconds since 1970, since registrations outlive the process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from offhook.frozen import frozen
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, hop_of, is_ip
from offhook.sip.message import Field, Request
from offhook.sip.uri import Address, parse_address, parse_uri

LEAST, MOST = 600, 3600  # seconds that a registration may last
MOST_CONTACTS = 10  # of one address of record


class Refused(Exception):
    """The registrations stay as they were. `status` and `fields` are of the response."""

    def __init__(self, status: int, reason: str = "", *fields: Field) -> None:
        super().__init__(reason)
        self.status, self.reason, self.fields = status, reason, fields


@frozen
class Contact:
    """One phone. `received` is where its REGISTER came from; `instance` names the device. Those
    that are `private` are reached by TLS all the way."""

    uri: str
    expires_at: float
    call_id: str
    cseq: int
    received: Hop
    instance: str = ""
    path: tuple[str, ...] = ()
    agent: str = ""
    private: bool = False

    @property
    def key(self) -> str:
        """What a later REGISTER replaces it by: the device where it has a name."""
        return self.instance or str(parse_uri(self.uri).bare()).lower()

    @property
    def natted(self) -> bool:
        """Whether it is not where it says, and no proxy keeps its way open."""
        return not self.path and hop_of(parse_uri(self.uri)).host != self.received.host

    @property
    def hop(self) -> Hop:
        """Where its calls go: by its proxies, else to where it was heard from, through its NAT."""
        if self.path:
            return hop_of(parse_address(self.path[0]).parsed)
        stated = hop_of(parse_uri(self.uri))
        if stated.private and not self.private:  # it wants calls by TLS and came without
            return stated
        direct = is_ip(stated.host) and stated.host == self.received.host
        plain = not self.received.reliable and stated.transport == self.received.transport
        return stated if direct and plain else self.received

    def data(self) -> dict[str, Any]:
        """As JSON can keep it; a connection ends with the process."""
        return asdict(self) | {"path": list(self.path), "received": asdict(self.received)}

    @classmethod
    def restored(cls, data: dict[str, Any]) -> Contact:
        hop = Hop(**(data["received"] | {"flow": 0}))
        return cls(**(data | {"received": hop, "path": tuple(data["path"])}))


class Registrar:
    """`changed(aor, contacts)` is told of every change, so that it can be kept. Phones that are not
    `there` any more, before their time, do not count."""

    def __init__(
        self,
        changed: Callable[[str, tuple[Contact, ...]], None],
        there: Callable[[Contact], bool] = lambda contact: True,
    ) -> None:
        self._changed, self._there = changed, there
        self._contacts: dict[str, tuple[Contact, ...]] = {}

    def restore(self, aor: str, contacts: tuple[Contact, ...]) -> None:
        self._contacts[aor] = contacts

    def contacts(self, aor: str, at: float) -> tuple[Contact, ...]:
        """Those that are reachable now, the latest first."""
        known = self._contacts.get(aor, ())
        live = (each for each in reversed(known) if each.expires_at > at)
        return tuple(filter(self._there, live))

    def everybody(self, at: float) -> list[Contact]:
        """All that are registered, those too that are not there any more."""
        known = (contact for contacts in self._contacts.values() for contact in contacts)
        return [contact for contact in known if contact.expires_at > at]

    def count(self, at: float) -> int:
        """Phones that are registered."""
        return sum(len(self.contacts(aor, at)) for aor in self._contacts)

    def register(
        self, aor: str, request: Request, source: Hop, at: float, *, private: bool = False
    ) -> tuple[Field, ...]:
        """Takes a REGISTER that was let in; the fields of its 200. Raises Refused, or BadSip."""
        known = self.contacts(aor, at)[::-1]
        wanted = request.all("contact")
        if not wanted:
            return _listed(known, at)
        if "*" in wanted:
            _look_at_wildcard(request, wanted)
            _in_order(known, request)
            following: tuple[Contact, ...] = ()
        else:
            asked = [
                replace(_contact(parse_address(text), request, source, at), private=private)
                for text in wanted
            ]
            following = _merged(known, asked, request, at)
        self._keep(aor, following)
        return _listed(following, at)

    def _keep(self, aor: str, contacts: tuple[Contact, ...]) -> None:
        if contacts:
            self._contacts[aor] = contacts
        else:
            self._contacts.pop(aor, None)
        self._changed(aor, contacts)


def aor_of(uri: str) -> str:
    """The address of record of a URI: user@host, the host in lower case. Raises BadSip."""
    parsed = parse_uri(uri)
    return f"{parsed.user}@{parsed.host.lower()}"


def _look_at_wildcard(request: Request, wanted: list[str]) -> None:
    """Section 10.3 step 6: alone, and to remove everything."""
    if len(wanted) > 1 or request.get("expires") != "0":
        raise Refused(400, "Bad Wildcard")


def _in_order(known: tuple[Contact, ...], request: Request) -> None:
    """Section 10.3: a request that was overtaken by a later one of its Call-ID changes nothing."""
    for contact in known:
        if contact.call_id == request.call_id and contact.cseq >= request.cseq.number:
            raise Refused(500, "CSeq Out of Order")


def _contact(address: Address, request: Request, source: Hop, at: float) -> Contact:
    uri = address.parsed
    if uri.scheme not in ("sip", "sips"):
        raise BadSip("a Contact that is not SIP")
    instance = address.param("+sip.instance")
    number = address.param("reg-id")
    return Contact(
        uri=address.uri,
        expires_at=at + _seconds(address, request),
        call_id=request.call_id,
        cseq=request.cseq.number,
        received=source,
        instance=f"{instance}/{number}" if instance else "",
        path=tuple(request.all("path")),
        agent=request.get("user-agent")[:200],
    )


def _seconds(address: Address, request: Request) -> int:
    """How long: 0 removes it, too short is refused with 423, too long is shortened."""
    text = address.param("expires") or request.get("expires")
    seconds = int(text) if text.isdecimal() and len(text) <= 10 else MOST
    if 0 < seconds < LEAST:
        raise Refused(423, "", ("Min-Expires", str(LEAST)))
    return min(seconds, MOST)


def _merged(
    known: tuple[Contact, ...], asked: list[Contact], request: Request, at: float
) -> tuple[Contact, ...]:
    keys = {contact.key for contact in asked}
    _in_order(tuple(contact for contact in known if contact.key in keys), request)
    kept = [contact for contact in known if contact.key not in keys]
    added = {contact.key: contact for contact in asked if contact.expires_at > at}
    merged = (*kept, *added.values())
    if len(merged) > MOST_CONTACTS and len(merged) > len(known):
        raise Refused(403, "Too Many Contacts")
    return merged


def _listed(contacts: tuple[Contact, ...], at: float) -> tuple[Field, ...]:
    return tuple(
        ("Contact", f"<{each.uri}>;expires={max(0, round(each.expires_at - at))}")
        for each in contacts
    )
