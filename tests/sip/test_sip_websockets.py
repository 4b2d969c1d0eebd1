"""Phones in browsers: SIP over WebSockets.  RFC 7118."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sip_carriers import Phone, carrier
from sip_ends import sip
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from offhook.carriers.sip_carrier import SipCarrier
from offhook.carriers.sip_certificate import development_certificate
from offhook.carriers.sip_tls import Listeners

pytestmark = pytest.mark.real_time

SIP = [Subprotocol("sip")]
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\n"
)


def message(method: str, transport: str, number: int = 1, to: str = "", body: str = "") -> str:
    """A request as JsSIP writes it: a host that is none, in Via and in Contact."""
    head = sip(f"""
{method} sip:bob@127.0.0.1 SIP/2.0
Via: SIP/2.0/{transport} df7jal23ls0d.invalid;branch=z9hG4bK{method}{number}
Max-Forwards: 69
From: <sip:anna@example.com>;tag=anna
To: <sip:bob@127.0.0.1>{to}
Call-ID: browser
CSeq: {number} {method}
Contact: <sip:anna@df7jal23ls0d.invalid;transport=ws>
Content-Type: application/sdp
Content-Length: {len(body)}
""")
    return head.decode() + body


@asynccontextmanager
async def served(
    phone: Phone, folder: Path, transport: str
) -> AsyncIterator[tuple[SipCarrier, ClientConnection]]:
    certificate, key = development_certificate(folder, ("127.0.0.1",), datetime.now(UTC))
    place = {transport.lower(): ("127.0.0.1", 0)}
    listeners = Listeners(**place, certificate=certificate, key=key)  # type: ignore[arg-type]
    trust = ssl.create_default_context(cafile=certificate) if transport == "WSS" else None
    async with carrier(
        "127.0.0.1", phone, port=0, ports=range(41140, 41160), listeners=listeners
    ) as there:
        url = f"{transport.lower()}://127.0.0.1:{there.listens(transport)[1]}/sip"
        async with connect(url, subprotocols=SIP, ssl=trust) as browser:
            yield there, browser


async def response(browser: ClientConnection, status: int) -> str:
    """The first response with this status; others on the way are left aside."""
    async with asyncio.timeout(5):
        async for received in browser:
            assert isinstance(received, str)
            if received.startswith(f"SIP/2.0 {status}"):
                return received
    raise AssertionError("closed")


@pytest.mark.parametrize("transport", ["WS", "WSS"])
async def test_a_browser_calls_and_is_hung_up_on_its_connection(transport: str, tmp_path: Path):
    phone = Phone()
    async with served(phone, tmp_path, transport) as (_, browser):
        await browser.send(message("INVITE", transport, body=SDP))
        answer = await response(browser, 200)
        assert ";transport=ws>" in answer
        tag = answer.partition("\r\nTo: ")[2].partition("\r\n")[0].partition(";tag=")[2]
        await browser.send(message("ACK", transport, to=f";tag={tag}"))
        await phone.leg.answer()
        hanging_up = asyncio.ensure_future(phone.leg.hang_up())
        async with asyncio.timeout(5):
            bye = str(await browser.recv())
        assert bye.startswith("BYE sip:anna@df7jal23ls0d.invalid;transport=ws SIP/2.0\r\n")
        assert f"\r\nVia: SIP/2.0/{transport} " in bye
        await browser.send(_ok(bye))
        await hanging_up


async def test_who_leaves_the_offer_to_us_is_offered_what_browsers_speak(tmp_path: Path):
    async with served(Phone(), tmp_path, "WS") as (_, browser):
        await browser.send(message("INVITE", "WS"))
        answer = await response(browser, 200)
        assert " UDP/TLS/RTP/SAVPF " in answer
        assert "a=setup:actpass" in answer
        tag = answer.partition("\r\nTo: ")[2].partition("\r\n")[0].partition(";tag=")[2]
        await browser.send(message("ACK", "WS", to=f";tag={tag}"))
        async with asyncio.timeout(5):
            await browser.send(_ok(str(await browser.recv())))  # we said nothing to their offer


def _ok(request: str) -> str:
    kept = ("Via:", "From:", "To:", "Call-ID:", "CSeq:")
    lines = [line for line in request.split("\r\n") if line.startswith(kept)]
    return "\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0", "", ""])


async def test_a_keep_alive_is_answered_and_bytes_are_as_good_as_text(tmp_path: Path):
    async with served(Phone(), tmp_path, "WS") as (_, browser):
        await browser.send("\r\n\r\n")
        async with asyncio.timeout(5):
            assert await browser.recv() == "\r\n"
        await browser.send(message("OPTIONS", "WS").encode())
        await response(browser, 200)


async def test_what_is_not_sip_is_counted_and_the_connection_lives_on(tmp_path: Path):
    async with served(Phone(), tmp_path, "WS") as (there, browser):
        await browser.send("GET / HTTP/1.1\r\n\r\n")
        await browser.send(message("OPTIONS", "WS"))
        await response(browser, 200)
        assert there.counts["malformed"] == 1


async def test_who_does_not_ask_for_sip_is_refused(tmp_path: Path):
    """Section 4.1: the subprotocol is agreed on, or there is no connection."""
    async with served(Phone(), tmp_path, "WS") as (there, _):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{there.listens('WS')[1]}/")
        assert refused.value.response.status_code == 400
