"""Calls over TLS, certificates believed and renewed.  RFC 3261 section 26, RFC 5922."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sip_carriers import Phone, Zone, carrier, not_ringing, target, traced

from offhook.carriers.sip_carrier import SipCarrier
from offhook.carriers.sip_certificate import development_certificate
from offhook.carriers.sip_tls import Listeners
from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError

pytestmark = pytest.mark.real_time

NOW = datetime.now(UTC)
HERE = ("127.0.0.1", "localhost")


@asynccontextmanager
async def two(
    phone: Phone,
    folder: Path,
    names: tuple[str, ...] = HERE,
    *,
    verify: bool = True,
    dns: Zone | None = None,
) -> AsyncIterator[tuple[SipCarrier, int]]:
    """A carrier that calls, and one that is called at its TLS port."""
    certificate, key = development_certificate(folder, names, NOW)
    calling = Listeners(verify=verify, authorities=certificate if verify else None)
    called = Listeners(tls=("127.0.0.1", 0), certificate=certificate, key=key)
    given: dict[str, Any] = {"tcp": True, "port": 0, "dns": dns or Zone()}
    async with (
        carrier("127.0.0.1", Phone(), ports=range(41100, 41120), listeners=calling, **given) as a,
        carrier("127.0.0.1", phone, ports=range(41120, 41140), listeners=called, **given) as b,
    ):
        yield a, b.listens("TLS")[1]


@pytest.mark.parametrize("uri", ["sip:bob@127.0.0.1:{};transport=tls", "sips:bob@127.0.0.1:{}"])
async def test_a_call_over_tls(uri: str, tmp_path: Path):
    phone = Phone()
    async with two(phone, tmp_path) as (here, port):
        leg = await here.dial(target(uri.format(port)), not_ringing)
        assert {data["transport"] for _, data in traced(leg)} == {"TLS"}
        await leg.hang_up()
        assert (await phone.leg.ended).by == "far"


async def test_a_sips_call_is_sips_to_its_end(tmp_path: Path):
    """RFC 3261 sections 8.1.1.8 and 12.1.1: both Contacts are, and what is sent there."""
    phone = Phone()
    async with two(phone, tmp_path) as (here, port):
        leg = await here.dial(target(f"sips:bob@127.0.0.1:{port}"), not_ringing)
        told = traced(leg)
        await phone.leg.hang_up()
        assert (await leg.ended).by == "far"
        texts = [data["text"] for kind, data in told if kind == "sip"]
        contacts = [
            line
            for text in texts
            for line in text.splitlines()
            if line.startswith("Contact:") and "sips:" not in line
        ]
        assert contacts == []
        [bye] = [text for text in texts if text.startswith("BYE")]
        assert bye.startswith("BYE sips:127.0.0.1:")


async def test_the_called_side_hangs_up_on_the_connection_it_was_called_by(tmp_path: Path):
    phone = Phone()
    async with two(phone, tmp_path) as (here, port):
        uri = f"sip:bob@localhost:{port};transport=tls"
        leg = await here.dial(target(uri), not_ringing)
        told = traced(phone.leg)
        await phone.leg.hang_up()
        assert (await leg.ended).by == "far"
        assert len({data["remote"] for kind, data in told if kind == "sip"}) == 1


async def test_a_certificate_for_somebody_else_is_not_believed(tmp_path: Path):
    async with two(Phone(), tmp_path, ("sip.example.com",)) as (here, port):
        with pytest.raises(CarrierError) as refused:
            await here.dial(target(f"sip:bob@127.0.0.1:{port};transport=tls"), not_ringing)
        assert refused.value.code == 503


async def test_a_certificate_for_somebody_else_is_taken_where_nobody_looks(tmp_path: Path):
    async with two(Phone(), tmp_path, ("sip.example.com",), verify=False) as (here, port):
        leg = await here.dial(target(f"sips:bob@127.0.0.1:{port}"), not_ringing)
        await leg.hang_up()


async def test_what_one_name_has_proved_is_no_proof_for_another_at_its_address(tmp_path: Path):
    zone = Zone(A={"other.example": ["127.0.0.1"]})
    async with two(Phone(), tmp_path, ("localhost",), dns=zone) as (here, port):
        leg = await here.dial(target(f"sips:bob@localhost:{port}"), not_ringing)
        with pytest.raises(CarrierError) as refused:
            await here.dial(target(f"sips:bob@other.example:{port}"), not_ringing)
        assert refused.value.code == 503
        await leg.hang_up()


async def test_a_trunk_over_tls_says_whether_it_is_there(tmp_path: Path):
    async with two(Phone(), tmp_path) as (here, port):
        pong = await here.options(Trunk("t", address=f"localhost:{port}", transport="tls"))
        assert (pong.status, pong.address.split()[0]) == (200, "TLS")


async def test_a_certificate_is_renewed_without_a_restart(tmp_path: Path):
    async with two(Phone(), tmp_path, ("localhost",)) as (_, port):
        before = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
        (tmp_path / "sip-key.pem").unlink()
        certificate, _ = development_certificate(tmp_path, ("localhost",), NOW)
        after = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
        assert before != after == certificate.read_text()


async def test_a_certificate_half_written_leaves_the_one_there_was(tmp_path: Path):
    async with two(Phone(), tmp_path) as (here, port):
        (tmp_path / "sip-key.pem").write_text("nothing yet")
        leg = await here.dial(target(f"sip:bob@127.0.0.1:{port};transport=tls"), not_ringing)
        await leg.hang_up()


async def test_who_does_not_speak_tls_is_gone_and_harms_nobody(tmp_path: Path):
    async with two(Phone(), tmp_path) as (here, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
        async with asyncio.timeout(5):
            assert not (await reader.read()).startswith(b"SIP")
        writer.close()
        leg = await here.dial(target(f"sip:bob@127.0.0.1:{port};transport=tls"), not_ringing)
        await leg.hang_up()


def test_a_development_certificate_is_kept_while_it_serves(tmp_path: Path):
    certificate, key = development_certificate(tmp_path, HERE, NOW)
    first = certificate.read_bytes(), key.read_bytes()
    development_certificate(tmp_path, ("localhost",), NOW)
    assert (certificate.read_bytes(), key.read_bytes()) == first
    assert key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("names", "later"), [(("other.example",), timedelta(0)), (HERE, timedelta(days=380))]
)
def test_one_for_other_names_or_near_its_end_is_made_anew(
    names: tuple[str, ...], later: timedelta, tmp_path: Path
):
    certificate, _ = development_certificate(tmp_path, HERE, NOW)
    first = certificate.read_bytes()
    development_certificate(tmp_path, names, NOW + later)
    assert certificate.read_bytes() != first
