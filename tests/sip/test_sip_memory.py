"""What is over is gone: nothing of a call waits for the garbage collector, and little of a
connection."""

from __future__ import annotations

import asyncio
import ssl
import tracemalloc
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sip_carriers import KEPT, Phone, carrier, not_ringing, sip_of, target

from offhook.carriers.sip_certificate import development_certificate
from offhook.carriers.sip_tls import Listeners
from offhook.testing import Offhook

OURS, CALLER, AGENT = "+15550100", "127.0.0.9", "127.0.0.8"
DOCUMENTS = {
    "talks": "<Say loop='0'>Hello there.</Say>",
    "gathers": "<Gather timeout='2'><Say>Hello.</Say></Gather><Pause length='60'/>",
    "records": "<Record timeout='3' maxLength='4'/>",
    "dials": f"<Dial timeout='5'><Sip>sip:agent@{AGENT}</Sip></Dial>",
    "hangs up": "<Say>Bye.</Say><Hangup/>",
    "plays what is not there": "<Play>/nowhere.wav</Play><Say/><Pause length='60'/>",
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_call_is_gone_with_its_last_transaction(
    offhook: Offhook, uncollected: None, document: str
):
    offhook.number(OURS, voice=lambda request: f"<Response>{document}</Response>")
    agent = Phone()
    async with (
        sip_of(offhook) as sip,
        carrier(CALLER, Phone()) as caller,
        carrier(AGENT, agent),
    ):
        held: list[weakref.ref[Any]] = []
        leg = await caller.dial(
            target(f"sip:{OURS}@{':'.join(map(str, sip.address))}"), not_ringing
        )
        held.append(weakref.ref(leg))
        held += [weakref.ref(each) for each in offhook.platform.exchange.live.values()]
        await asyncio.sleep(4)
        await leg.hang_up()
        del leg
        agent.legs.clear()
        await asyncio.sleep(KEPT)
        assert len(held) == 2, "the caller's leg, and the platform's call"
        assert [ref() for ref in held] == [None, None]


CONNECTIONS, BYTES = 20, 60_000  # so many, each with its other side for so many at most


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def listeners(folder: Path) -> Listeners:
    certificate, key = development_certificate(folder, ("127.0.0.1",), datetime.now(UTC))
    return Listeners(tls=("127.0.0.1", 0), certificate=certificate, key=key)


@pytest.mark.real_time
async def test_a_tls_connection_costs_little(traced: None, tmp_path: Path):
    async with carrier("127.0.0.1", Phone(), port=0, listeners=listeners(tmp_path)) as there:
        trust = ssl.create_default_context(cafile=tmp_path / "sip-certificate.pem")
        place = there.listens("TLS")
        before, _ = tracemalloc.get_traced_memory()
        streams = [await asyncio.open_connection(*place, ssl=trust) for _ in range(CONNECTIONS)]
        after, _ = tracemalloc.get_traced_memory()
        for _, writer in streams:
            writer.close()
            await writer.wait_closed()
        assert after - before < CONNECTIONS * BYTES


@pytest.mark.real_time
async def test_who_speaks_no_tls_leaves_little_behind(
    uncollected: None, traced: None, tmp_path: Path
):
    async with carrier("127.0.0.1", Phone(), port=0, listeners=listeners(tmp_path)) as there:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(CONNECTIONS):
            reader, writer = await asyncio.open_connection(*there.listens("TLS"))
            writer.write(b"this is no TLS\r\n\r\n")
            await reader.read()
            writer.close()
            await writer.wait_closed()
        after, _ = tracemalloc.get_traced_memory()
        assert after - before < CONNECTIONS * BYTES
