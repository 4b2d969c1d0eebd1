"""Answers from a name server on loopback, from the hosts file, and from nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.zone
import pytest
from dns.asyncresolver import Resolver

from offhook.carriers.sip_dns import Answer, System
from offhook.sip.location import Naptr, Question, Srv

pytestmark = pytest.mark.real_time

ZONE = """
@ 77 IN SOA a. b. 1 2 3 4 5
@ 77 IN NS a.
@ 77 IN NAPTR 10 20 "s" "SIP+D2U" "" _sip._udp.example.org.
_sip._udp 55 IN SRV 1 2 5070 a.example.org.
_sip._udp.pbx 55 IN SRV 1 2 5070 a.example.org.
a 33 IN A 192.0.2.1
a 44 IN AAAA 2001:db8::1
"""


class NameServer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.zone = dns.zone.from_text(ZONE, "example.org.", relativize=False)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        name, kind = question.question[0].name, question.question[0].rdtype
        if name.to_text().startswith("silent"):
            return
        answer = dns.message.make_response(question)
        if name.to_text().startswith("broken"):
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif found := self.zone.get_rrset(name, kind):
            answer.answer.append(found)
        elif not self.zone.get_node(name):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def asking(hosts: Path) -> AsyncIterator[System]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))

    def resolver() -> Resolver:
        made = Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
        return made

    hosts.write_text(
        "192.0.2.9 pbx.example.org pbx # ours.invalid\nfe80::9%eth0 pbx\n# 192.0.2.8 old\n"
    )
    try:
        yield System(resolver, hosts)
    finally:
        transport.close()


@pytest.mark.parametrize(
    ("kind", "name", "answer"),
    [
        ("NAPTR", "example.org", Answer(
            (Naptr(10, 20, "s", "SIP+D2U", "_sip._udp.example.org."),), 77)),
        ("SRV", "_sip._udp.example.org.", Answer((Srv(1, 2, 5070, "a.example.org."),), 55)),
        ("A", "a.example.org", Answer(("192.0.2.1",), 33)),
        ("AAAA", "a.example.org", Answer(("2001:db8::1",), 44)),
        # What is not there is an answer, whether the name is known or not.
        ("NAPTR", "a.example.org", Answer()),
        ("SRV", "_sip._udp.nobody.example.org", Answer()),
        # The hosts file comes first, and then there is nothing in DNS to look for.
        ("A", "PBX.example.org", Answer(("192.0.2.9",))),
        ("A", "pbx", Answer(("192.0.2.9",))),
        ("AAAA", "pbx", Answer(("fe80::9",))),
        ("SRV", "_sip._udp.pbx.example.org", Answer()),
        ("NAPTR", "pbx", Answer()),
        # Of some nobody is asked, nor is what somebody remarks there an entry.
        ("A", "silent.invalid", Answer()),
        ("A", "ours.invalid", Answer()),
        ("SRV", "_sip._udp.phone.invalid", Answer()),
        ("A", "localhost", Answer(("127.0.0.1",))),
        ("AAAA", "localhost", Answer(("::1",))),
        ("NAPTR", "silent.localhost", Answer()),
    ],
)  # fmt: skip
async def test_what_is_known(kind: Any, name: str, answer: Answer, tmp_path: Path):
    async with asking(tmp_path / "hosts") as ask:
        assert await ask(Question(name, kind)) == answer


async def test_a_name_server_that_fails_is_no_answer(tmp_path: Path):
    async with asking(tmp_path / "hosts") as ask:
        with pytest.raises(OSError, match="DNS"):
            await ask(Question("broken.example.org", "NAPTR"))


async def test_a_name_server_that_is_silent_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("offhook.carriers.sip_dns.LIFETIME", 0.2)
    async with asking(tmp_path / "hosts") as ask:
        with pytest.raises(TimeoutError):
            await ask(Question("silent.example.org", "NAPTR"))
