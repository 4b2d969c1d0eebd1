"""Phones behind NAT: their ways are kept open, and it is known who is gone.  RFC 5626."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sip_carriers import Phone, carrier, not_ringing, target
from sip_ends import sip
from sip_peer import Sender, field, sender

from offhook import clock
from offhook.carriers.sip_carrier import Directory, SipCarrier
from offhook.carriers.sip_guard import Limits
from offhook.errors import CarrierError
from offhook.model.sip_domains import digests
from offhook.model.sip_registrations import Home, SipRegistration
from offhook.sip import digest

DOMAIN, USER, PASSWORD = "desk.example", "alice", "Correct-Horse-1"
INSIDE, OUTSIDE = "192.168.1.5", "127.0.0.5"
MD5, SHA = digests(USER, PASSWORD, "realm")
HASHES = {"MD5": MD5, "SHA-256": SHA}


async def home(name: str, username: str) -> Home:
    return Home(name, "AC1", "realm", registers=True, phones={USER: HASHES})


@asynccontextmanager
async def here(*known: SipRegistration, **settings: Any) -> AsyncIterator[SipCarrier]:
    directory = Directory(home, lambda kept: None, lambda *told: None, known)
    given = {"directory": directory, "tcp": True} | settings
    async with carrier("127.0.0.2", Phone(), **given) as opened:
        yield opened


def register(transport: str, contact: str, *fields: str, login: str = "") -> bytes:
    cseq = 2 if login else 1
    lines = [
        f"REGISTER sip:{DOMAIN} SIP/2.0",
        f"Via: SIP/2.0/{transport} {INSIDE};rport;branch=z9hG4bK{cseq}",
        f"From: <sip:{USER}@{DOMAIN}>;tag=a",
        f"To: <sip:{USER}@{DOMAIN}>",
        f"Call-ID: {contact}",
        f"CSeq: {cseq} REGISTER",
        f"Contact: {contact}",
        *fields,
        *([f"Authorization: {login}"] if login else []),
        "Content-Length: 0",
    ]
    return sip("\n".join(lines) + "\n\n")


def met(challenge: str) -> str:
    login = digest.Client(digest.Credentials(USER, PASSWORD), lambda: "c" * 32)
    answer = login.answer([field(challenge, "WWW-Authenticate")], "REGISTER", f"sip:{DOMAIN}")
    assert answer
    return answer


async def registered(
    contact: str = f"<sip:{USER}@{INSIDE}>", host: str = OUTSIDE, to: str = "127.0.0.2"
) -> Sender:
    peer = await sender(host)
    peer.says(register("UDP", contact), to)
    peer.says(register("UDP", contact, login=met(await peer.hears("SIP/2.0 401"))), to)
    await peer.hears("SIP/2.0 200")
    return peer


def questions(peer: Sender) -> list[str]:
    heard = [peer.heard.get_nowait() for _ in range(peer.heard.qsize())]
    return [text for text in heard if text.startswith("OPTIONS")]


def answers(peer: Sender, question: str, status: str = "200 OK") -> None:
    named = ("Via", "From", "Call-ID", "CSeq", "To")
    lines = "\n".join(f"{name}: {field(question, name)}" for name in named)
    peer.says(sip(f"SIP/2.0 {status}\n{lines};tag=b\n\n"))


async def answers_for(peer: Sender, seconds: float) -> int:
    """How many questions were asked meanwhile; each is answered."""
    count = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                answers(peer, await peer.hears("OPTIONS"))
                count += 1
    except TimeoutError:
        return count


async def dial(there: SipCarrier) -> int:
    """The status that a call to alice is given up with; 0 where her phone is called."""
    dialing = asyncio.ensure_future(there.dial(target(f"sip:{USER}@{DOMAIN}"), not_ringing))
    await asyncio.sleep(1)
    if not dialing.done():
        dialing.cancel()
        await asyncio.gather(dialing, return_exceptions=True)
        return 0
    error = dialing.exception()
    assert isinstance(error, CarrierError)
    return error.code


class TestDatagrams:
    async def test_a_phone_is_asked_where_its_nat_is(self):
        async with here():
            peer = await registered()
            assert await answers_for(peer, 101) == 5

    async def test_every_so_many_seconds_as_the_operator_says(self):
        async with here(keep_alive=10):
            assert await answers_for(await registered(), 101) == 11

    async def test_or_never(self):
        async with here(keep_alive=0):
            peer = await registered()
            await asyncio.sleep(100)
            assert questions(peer) == []

    @pytest.mark.parametrize(
        ("host", "fields"), [(OUTSIDE, ()), (INSIDE, ("Path: <sip:127.0.0.5;lr>",))]
    )
    async def test_others_are_left_in_peace(self, host: str, fields: tuple[str, ...]):
        contact = f"<sip:{USER}@{host}>"
        async with here():
            peer = await sender(OUTSIDE)
            peer.says(register("UDP", contact, *fields))
            login = met(await peer.hears("SIP/2.0 401"))
            peer.says(register("UDP", contact, *fields, login=login))
            await peer.hears("SIP/2.0 200")
            await asyncio.sleep(100)
            assert questions(peer) == []

    async def test_who_misses_three_is_not_called_until_it_answers_again(self):
        async with here() as there:
            peer = await registered()
            assert await answers_for(peer, 26) == 2
            await asyncio.sleep(50)
            assert await dial(there) == 0
            await asyncio.sleep(60)
            assert (await dial(there), there.counts["phone lost"]) == (480, 1)
            await answers_for(peer, 30)
            assert await dial(there) == 0

    async def test_who_says_no_to_the_question_is_there_until_it_says_nothing(self):
        async with here() as there:
            peer = await registered()
            answers(peer, await peer.hears("OPTIONS"), "404 Not Found")
            await asyncio.sleep(100)
            assert await dial(there) == 0
            await asyncio.sleep(60)
            assert await dial(there) == 480

    async def test_who_registers_again_is_there(self):
        async with here() as there:
            peer = await registered()
            await answers_for(peer, 26)
            await asyncio.sleep(120)
            assert await dial(there) == 480
            contact = f"<sip:{USER}@{INSIDE}>"
            again = register("UDP", contact).replace(b"CSeq: 1", b"CSeq: 3")
            peer.says(again.replace(b"z9hG4bK1", b"z9hG4bK3"))
            login = met(await peer.hears("SIP/2.0 401"))
            again = register("UDP", contact, login=login).replace(b"CSeq: 2", b"CSeq: 4")
            peer.says(again.replace(b"z9hG4bK2", b"z9hG4bK4"))
            await peer.hears("SIP/2.0 200")
            assert await dial(there) == 0

    async def test_what_comes_in_its_name_does_not_have_it_banned(self):
        """Anybody can write any address into a datagram."""
        directory = Directory(home, lambda kept: None, lambda *told: None)
        limits = Limits(strikes=5)
        async with carrier("198.51.100.1", Phone(), directory=directory, limits=limits) as there:
            phone = await registered(host="203.0.113.5", to=there.address[0])
            await asyncio.sleep(1)
            for _ in range(20):
                phone.says(b"hello", there.address[0])
            await asyncio.sleep(1)
            assert (there.counts["malformed"], there.counts["bans"]) == (20, 0)
            for number in range(20):
                data = register("UDP", f"<sip:{USER}@{INSIDE}:{5000 + number}>")
                phone.says(data.replace(b"z9hG4bK1", b"z9hG4bKf%d" % number), there.address[0])
            await asyncio.sleep(1)
            assert [await phone.hears("SIP/2.0 401") for _ in range(20)]
            assert there.counts["bans"] == 0

    async def test_who_never_answered_may_be_there(self):
        async with here() as there:
            await registered()
            await asyncio.sleep(300)
            assert await dial(there) == 0

    async def test_it_is_asked_after_a_restart_and_until_its_time_is_over(self):
        kept: list[SipRegistration] = []
        directory = Directory(home, kept.append, lambda *told: None)
        async with here(directory=directory):
            peer = await registered()
        questions(peer)  # of before the restart
        async with here(kept[-1]):
            assert await answers_for(peer, 3600) == 144
            await asyncio.sleep(100)
            assert questions(peer) == []


@asynccontextmanager
async def connected(
    there: SipCarrier, *fields: str, contact: str = ""
) -> AsyncIterator[tuple[asyncio.StreamWriter, str]]:
    """A phone behind NAT that registered on a connection, and the 200."""
    contact = contact or f'<sip:{USER}@{INSIDE};transport=tcp>;+sip.instance="<urn:x>";reg-id=1'
    with clock.outside("a phone on a connection"):
        reader, writer = await asyncio.open_connection(*there.address)
        writer.write(register("TCP", contact, *fields))
        challenge = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.write(register("TCP", contact, *fields, login=met(challenge)))
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert answer.startswith("SIP/2.0 200")
    try:
        yield writer, answer
    finally:
        writer.close()


class TestConnections:
    async def test_a_phone_that_can_is_told_how_often_to_show_itself(self):
        """Section 6: the registrar says `outbound`; section 4.4.1: every 120 seconds."""
        async with here() as there, connected(there, "Supported: path, outbound") as (_, answer):
            assert field(answer, "Require") == "outbound"
            assert field(answer, "Flow-Timer") == "120"

    @pytest.mark.parametrize(
        ("supported", "contact"),
        [
            ("path", ""),
            ("outbound", f"<sip:{USER}@{INSIDE};transport=tcp>"),
            ("outbound", f'<sip:{USER}@{INSIDE};transport=tcp>;+sip.instance="<urn:x>"'),
        ],
    )
    async def test_others_are_told_nothing(self, supported: str, contact: str):
        can = f"Supported: {supported}"
        async with here() as there, connected(there, can, contact=contact) as (_, answer):
            assert "Flow-Timer" not in answer
            assert "Require" not in answer

    async def test_whose_connection_ended_is_not_called(self):
        async with here() as there:
            async with connected(there):
                assert await dial(there) == 0
            await asyncio.sleep(1)
            assert await dial(there) == 480

    async def test_a_phone_with_two_connections_rings_on_the_later(self):
        """Section 7: never by two ways at once."""
        second = f'<sip:{USER}@{INSIDE};transport=tcp>;+sip.instance="<urn:x>";reg-id=2'
        async with here() as there, connected(there), connected(there, contact=second):
            dialing = asyncio.ensure_future(there.dial(target(f"sip:{USER}@{DOMAIN}"), not_ringing))
            await asyncio.sleep(1)
            assert there.load.calls == 1
            dialing.cancel()
            await asyncio.gather(dialing, return_exceptions=True)

    @pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells of its sockets")
    async def test_a_nat_between_us_sees_it_in_use(self):
        """The kernel's own keep-alive is set: its timer is the second kind in /proc/net/tcp."""
        async with here() as there, connected(there) as (writer, _):
            writer.write(b"\r\n")  # what it heard is acknowledged by that, and no timer for it runs
            port = f"{there.address[1]:04X}"
            rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            timers = [row[5] for row in rows if row[1].endswith(f":{port}") and row[3] == "01"]
            assert [timer[:2] for timer in timers] == ["02"]
