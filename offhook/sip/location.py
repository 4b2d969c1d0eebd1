"""Which servers a URI leads to, in the order in which they are to be tried.  RFC 3263.

Nothing is looked up here: `locate` asks what it needs to know, one question after the other, and
is told the records that there are. No records is an answer too.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Literal

from offhook.frozen import frozen
from offhook.sip.hop import Hop, default_port, hop_of, is_ip, is_secure
from offhook.sip.uri import Uri

MOST_SERVERS = 10  # of one URI; more are never tried

Kind = Literal["NAPTR", "SRV", "A", "AAAA"]


@frozen
class Question:
    name: str
    kind: Kind


@frozen
class Naptr:
    """RFC 3403; of a rule that is a regular expression nothing is kept."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@frozen
class Srv:
    """RFC 2782. The target "." says that the service is decidedly not there."""

    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str  # an address is text
Locating = Generator[Question, Sequence[Record], list[Hop]]

SERVICES = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS"}
SRV_NAMES = {"UDP": "_sip._udp", "TCP": "_sip._tcp", "TLS": "_sips._tcp"}


@frozen
class Means:
    """What we have to reach servers with: transports and kinds of addresses, the best first.

    `chance` is from 0 up to 1, for servers that share the load.
    """

    transports: Sequence[str]
    families: Sequence[Kind]
    chance: Callable[[], float]


def locate(uri: Uri, means: Means) -> Locating:
    """The servers of a URI, by the best transport that it leaves us (section 4.1)."""
    hop = hop_of(uri)
    if hop.port or is_secure(uri) or uri.param("transport") is not None:
        return (yield from servers(hop, means))
    wanted = [each for each in means.transports if uri.scheme != "sips" or each == "TLS"]
    rules = [each for each in (yield Question(hop.host, "NAPTR")) if isinstance(each, Naptr)]
    for rule in _usable(rules, wanted):
        named = replace(hop, transport=SERVICES[rule.service.upper()])
        if found := (yield from _shared(rule.replacement, named, means)):
            return found
    offered = None
    for transport in wanted:
        named = replace(hop, transport=transport)
        found = yield from _shared(_srv_name(named), named, means)
        offered = offered if found is None else found
        if offered:
            return offered
    if offered is not None:
        return []
    return (yield from _addresses(hop, default_port(hop.transport), means))


def servers(hop: Hop, means: Means) -> Locating:
    """The servers behind a hop whose transport is settled (section 4.2).

    A port that is 0 is for SRV records to say.
    """
    if is_ip(hop.host):
        return [replace(hop, port=hop.port or default_port(hop.transport))]
    if not hop.port:
        found = yield from _shared(_srv_name(hop), hop, means)
        if found is not None:
            return found
    return (yield from _addresses(hop, hop.port or default_port(hop.transport), means))


def _srv_name(hop: Hop) -> str:
    return f"{SRV_NAMES.get(hop.transport, '_sip._udp')}.{hop.host}"


def _usable(rules: Sequence[Naptr], transports: Sequence[str]) -> list[Naptr]:
    """Those of the lowest order that has any for our transports, by preference."""
    known = [
        each
        for each in rules
        if each.flags.lower() == "s" and SERVICES.get(each.service.upper()) in transports
    ]
    first = min((each.order for each in known), default=0)
    return sorted((e for e in known if e.order == first), key=lambda each: each.preference)


def _shared(
    name: str, hop: Hop, means: Means
) -> Generator[Question, Sequence[Record], list[Hop] | None]:
    """The servers that SRV records name; None where there are no such records."""
    records = [each for each in (yield Question(name, "SRV")) if isinstance(each, Srv)]
    if not records:
        return None
    found: list[Hop] = []
    for record in by_priority(records, means.chance):
        if record.target not in (".", "") and len(found) < MOST_SERVERS:
            target = replace(hop, host=record.target.rstrip("."))
            found += yield from _addresses(target, record.port, means, hop.name or hop.host)
    return list(dict.fromkeys(found))[:MOST_SERVERS]


def _addresses(hop: Hop, port: int, means: Means, name: str = "") -> Locating:
    found = [hop.host] if is_ip(hop.host) else []
    if not found:
        for family in means.families:
            found += [each for each in (yield Question(hop.host, family)) if isinstance(each, str)]
    kept = name or hop.name or hop.host
    hops = [replace(hop, host=host, port=port, name=kept) for host in found]
    return hops[:MOST_SERVERS]


def by_priority(records: Sequence[Srv], chance: Callable[[], float]) -> list[Srv]:
    """Lower priorities first; of equal ones, each in turn is drawn by its weight (RFC 2782)."""
    ordered: list[Srv] = []
    for priority in sorted({record.priority for record in records}):
        left = sorted((r for r in records if r.priority == priority), key=lambda each: each.weight)
        while left:
            drawn = chance() * sum(record.weight for record in left)
            ordered.append(left.pop(_drawn([record.weight for record in left], drawn)))
    return ordered


def _drawn(weights: Sequence[int], at: float) -> int:
    """Which of them holds the point `at` of their sum."""
    for place, weight in enumerate(weights):
        at -= weight
        if at < 0:
            return place
    return 0
