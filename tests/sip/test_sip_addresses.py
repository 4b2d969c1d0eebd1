"""IPv6, alone and beside IPv4, on all transports, with sound."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sip_carriers import Phone, carrier, first_lines, not_ringing, target, traced
from sip_ends import sip
from sip_peer import field
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from offhook.carriers.sip_carrier import SipCarrier
from offhook.carriers.sip_certificate import development_certificate
from offhook.carriers.sip_tls import Listeners
from offhook.carriers.trunks import Trunk
from offhook.line.leg import Leg

pytestmark = pytest.mark.real_time

SDP = """v=0
o=- 1 1 IN IP6 ::1
s=-
c=IN IP6 ::1
t=0 0
m=audio 40000 RTP/AVP 0
"""
WEB = f"""a=ice-ufrag:4ZcD
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlAb
a=fingerprint:sha-256 {":".join(32 * ["AB"])}
a=setup:actpass
a=rtcp-mux
"""
INVITE = """
INVITE sip:bob@[::1] SIP/2.0
Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK1
From: <sip:anna@example.com>;tag=anna
To: <sip:bob@[::1]>
Call-ID: six
CSeq: 1 INVITE
Contact: <sip:anna@df7jal23ls0d.invalid;transport=ws>
Content-Type: application/sdp

"""


@asynccontextmanager
async def two(
    host: str, phone: Phone, folder: Path
) -> AsyncIterator[tuple[SipCarrier, SipCarrier]]:
    """One that calls from [::1], and one that is called at `host`, by TLS and WS as well."""
    certificate, key = development_certificate(folder, ("::1", "127.0.0.1"), datetime.now(UTC))
    called = Listeners((host, 0), (host, 0), None, certificate, key)
    calling = Listeners(authorities=certificate)
    known = Trunk("loopback", allow=("::1", "127.0.0.1"))
    given: dict[str, Any] = {"tcp": True, "port": 0, "trunks": (known,)}
    async with (
        carrier("::1", Phone(), ports=range(41300, 41320), listeners=calling, **given) as here,
        carrier(host, phone, ports=range(41320, 41340), listeners=called, **given) as there,
    ):
        yield here, there


async def heard(speaker: Leg, listener: Leg, pitch: float) -> bool:
    """Whether a tone of this pitch, in Hz, arrives."""
    frames: list[bytes] = []
    listener.media.tap(frames.append)
    playing = asyncio.ensure_future(speaker.media.play_tone((((pitch,), 0.6),)))
    async with asyncio.timeout(10):
        while len(frames) < 25:
            await asyncio.wait([playing], timeout=0.1)
    playing.cancel()
    sound = np.frombuffer(b"".join(frames[5:25]), "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(sound))
    return bool(abs(np.fft.rfftfreq(len(sound), 1 / 8000)[spectrum.argmax()] - pitch) < 10)


@pytest.mark.parametrize("host", ["::1", "::"])
@pytest.mark.parametrize("how", ["udp", "tcp", "tls", "tls;secure=true"])
async def test_a_call_by_ipv6_is_heard_both_ways(how: str, host: str, tmp_path: Path):
    transport, _, sealed = how.partition(";")
    phone = Phone()
    async with two(host, phone, tmp_path) as (here, there):
        port = there.listens(transport.upper())[1]
        leg = await here.dial(target(f"sip:bob@[::1]:{port};transport={how}"), not_ringing)
        told = [data["text"] for kind, data in traced(leg) if kind == "sip"]
        assert f"Via: SIP/2.0/{transport.upper()} [::1]:" in told[0]
        assert "c=IN IP6 ::1" in told[0]
        assert "c=IN IP6 ::1" in told[-2]
        assert ("RTP/SAVP" in told[-2]) == bool(sealed)
        assert await heard(leg, phone.leg, 500)
        assert await heard(phone.leg, leg, 700)
        assert dict(phone.leg.about.params)["SipSourceIp"] == "::1"
        await phone.leg.hang_up()
        assert (await leg.ended).by == "far"


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_both_kinds_of_addresses_reach_one_that_listens_everywhere(
    transport: str, tmp_path: Path
):
    phone, caller = Phone(), Phone()
    async with two("::", phone, tmp_path) as (_, there):
        trusting = Listeners(verify=False)
        async with carrier(
            "127.0.0.1", caller, tcp=True, port=0, ports=range(41340, 41360), listeners=trusting
        ) as here:
            port = there.listens(transport.upper())[1]
            uri = f"sip:bob@127.0.0.1:{port};transport={transport}"
            leg = await here.dial(target(uri), not_ringing)
            assert dict(phone.leg.about.params)["SipSourceIp"] == "127.0.0.1"
            assert await heard(leg, phone.leg, 500)
            assert await heard(phone.leg, leg, 700)
            await leg.hang_up()
            back = await there.dial(target(f"sip:ann@127.0.0.1:{here.address[1]}"), not_ringing)
            assert "received SIP/2.0 200 OK" in first_lines(back)
            await back.hang_up()


@pytest.mark.parametrize("host", ["::1", "::"])
async def test_a_browser_calls_by_ipv6(host: str, tmp_path: Path):
    phone = Phone()
    offer = SDP.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF") + WEB
    async with two(host, phone, tmp_path) as (_, there):
        url = f"ws://[::1]:{there.listens('WS')[1]}"
        async with connect(url, subprotocols=[Subprotocol("sip")]) as browser:
            await browser.send(sip(INVITE + offer).decode())
            async with asyncio.timeout(10):
                while not (answer := str(await browser.recv())).startswith("SIP/2.0 200"):
                    pass
            assert f"Contact: <sip:[::1]:{there.listens('WS')[1]};transport=ws>" in answer
            assert "c=IN IP6 ::1" in answer
            candidates = re.findall(r"a=candidate:1 1 udp \d+ (\S+) \d+ typ host", answer)
            assert candidates[0] == "::1"
            assert all(":" in each for each in candidates)
            bye = INVITE.replace("INVITE", "BYE").replace("CSeq: 1", "CSeq: 2")
            bye = bye.replace("To: <sip:bob@[::1]>", f"To: {field(answer, 'To')}")
            await browser.send(sip(bye.replace("Content-Type: application/sdp\n", "")).decode())
            assert (await phone.leg.ended).by == "far"
