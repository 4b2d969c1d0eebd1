"""Answers from DNS and from this machine's hosts file, for where SIP servers are."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.exception
import dns.resolver
from dns.asyncresolver import Resolver
from dns.rdata import Rdata
from dns.rdatatype import RdataType
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from offhook import clock
from offhook.frozen import frozen
from offhook.sip.location import Naptr, Question, Record, Srv

LIFETIME = 3.0  # seconds that one question may take, all name servers together
UNTOLD = 60.0  # seconds that an answer is good for when nobody says how long
LOCALHOST: dict[str, Record] = {"A": "127.0.0.1", "AAAA": "::1"}  # RFC 6761 section 6.3


@frozen
class Answer:
    """What there is, and for how many seconds that is so."""

    records: tuple[Record, ...] = ()
    ttl: float = UNTOLD


class System:
    """As this machine is set up: the hosts file, then DNS, then whatever else it asks.

    A name of the hosts file is not looked for in DNS at all. `resolver` knows the name servers; it
    is made anew for each question, since a machine may move to another network.
    """

    def __init__(
        self, resolver: Callable[[], Resolver] = Resolver, hosts: Path = Path("/etc/hosts")
    ) -> None:
        self._resolver, self._hosts = resolver, hosts

    async def __call__(self, question: Question) -> Answer:
        """Raises OSError when there is no usable answer, TimeoutError when there is none."""
        host = question.name
        if question.kind == "SRV":
            host = host.split(".", 2)[-1]
        known = [*_in_hosts(self._hosts, host.rstrip(".").lower())]
        if known or host.rstrip(".").endswith(".invalid"):  # RFC 6761 section 6.4
            return Answer(tuple(address for kind, address in known if kind == question.kind))
        with clock.outside(f"the {question.kind} records of {question.name}"):
            found = await self._in_dns(question)
            if not found.records and question.kind in ("A", "AAAA"):
                return await _elsewhere(question) or found
        return found

    async def _in_dns(self, question: Question) -> Answer:
        try:
            found = await self._resolver().resolve(
                question.name, RdataType[question.kind], lifetime=LIFETIME, search=True
            )
        except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN, dns.resolver.NoResolverConfiguration):
            return Answer()
        except dns.exception.Timeout as error:
            raise TimeoutError("DNS does not answer") from error
        except dns.exception.DNSException as error:
            raise OSError(f"DNS: {error}") from error
        assert found.rrset is not None
        return Answer(tuple(map(_record, found)), found.rrset.ttl)


def _in_hosts(file: Path, host: str) -> Iterator[tuple[str, str]]:
    """Kind and address of each entry for a name."""
    if host == "localhost" or host.endswith(".localhost"):
        yield from ((kind, str(address)) for kind, address in LOCALHOST.items())
        return
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        if host in (name.lower() for name in names):
            yield ("AAAA" if ":" in address else "A"), address.partition("%")[0]


def _record(data: Rdata) -> Record:
    match data:
        case NAPTR():
            flags, service = data.flags.decode(), data.service.decode()
            return Naptr(data.order, data.preference, flags, service, str(data.replacement))
        case SRV():
            return Srv(data.priority, data.weight, data.port, str(data.target))
        case A() | AAAA():
            return str(data.address)
    raise OSError(f"DNS: not asked for: {data}")


async def _elsewhere(question: Question) -> Answer | None:
    """What multicast DNS and the like know, as far as this machine asks them."""
    family = socket.AF_INET6 if question.kind == "AAAA" else socket.AF_INET
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(question.name, None, family=family, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return None
    return Answer(tuple(dict.fromkeys(str(each[4][0]) for each in found)))
