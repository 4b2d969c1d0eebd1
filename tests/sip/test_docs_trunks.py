"""The examples of docs/trunks.md do what the page says."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from sip_carriers import Phone, Zone, carrier, not_ringing, target
from sip_peer import description, field, invite, sender
from sip_provider import provider

from offhook.config import Settings
from offhook.config.load import load
from offhook.server import places_of, trunk_of

PAGE = Path(__file__).parents[2] / "docs" / "trunks.md"
EXAMPLES = {
    text.split()[1]: text
    for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
}
ZONE = {
    "A": {
        "sip.example.com": ["198.51.100.1"], "sip.example.net": ["198.51.100.2"],
        "berlin.example.com": ["198.51.100.3"],
    },
}  # fmt: skip


def settings(name: str, folder: Path) -> Settings:
    file = folder / name
    file.write_text(EXAMPLES[name], "utf-8")
    return load(file=file)


def given(chosen: Settings) -> dict[str, Any]:
    return {
        "trunks": tuple(map(trunk_of, chosen.trunk)),
        "places": places_of(chosen),
        "failover": chosen.sip_failover,
        "dns": Zone(**ZONE),
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_is_a_whole_file_of_settings(name: str, tmp_path: Path) -> None:
    chosen = settings(name, tmp_path)
    assert [trunk_of(each).uri.host for each in chosen.trunk]
    assert chosen.public


async def test_the_next_trunk_has_the_call_when_one_is_silent(tmp_path: Path) -> None:
    chosen, phone = settings("several.toml", tmp_path), Phone()
    asked = {}
    for name, host in (("berlin", "198.51.100.3"), ("world", "198.51.100.2")):
        asked[name] = await provider(host)
        asked[name].answer = lambda request: None
    async with (
        carrier("192.0.2.30", phone, port=5080, trunks=()) as spare,
        carrier("10.0.0.20", Phone(), **given(chosen)) as here,
    ):
        dialing = asyncio.ensure_future(here.dial(target("+4930123456"), not_ringing))
        await asyncio.gather(dialing, return_exceptions=True)
        assert [len(each.times("INVITE")) > 0 for each in asked.values()] == [True, True]
        assert spare.counts["refused"] == 1  # it knows no trunk: it was reached, and refuses


@pytest.mark.parametrize("name", ["nat.toml", "behind-kamailio.toml"])
async def test_who_is_outside_is_told_the_public_address(name: str, tmp_path: Path) -> None:
    chosen = settings(name, tmp_path)
    async with carrier("10.0.0.20", Phone(), **given(chosen)) as here:
        peer = await sender("198.51.100.77")
        dialing = asyncio.ensure_future(here.dial(target("sip:x@198.51.100.77"), not_ringing))
        text = await peer.hears("INVITE")
        assert field(text, "Contact") == "<sip:203.0.113.7:5060>"
        assert "c=IN IP4 203.0.113.7" in description(text)
        dialing.cancel()


async def test_a_trunk_behind_kamailio_is_known_by_its_own_address(tmp_path: Path) -> None:
    chosen, phone = settings("behind-kamailio.toml", tmp_path), Phone()
    async with carrier("10.0.0.20", phone, **given(chosen)):
        peer = await sender("10.0.0.10")
        for host, status in (("192.0.2.3", "200"), ("198.51.100.9", "403")):
            below = f";branch=z9hG4bK{status}\r\nVia: SIP/2.0/UDP {host}\r\n"
            data = invite("10.0.0.10").replace(b";branch=z9hG4bK1\r\n", below.encode())
            peer.says(data.replace(b"raw@", status.encode() + b"@"), "10.0.0.20")
            await peer.hears(f"SIP/2.0 {status}")
        assert dict(phone.leg.about.params)["SipSourceIp"] == "192.0.2.3"


@pytest.mark.parametrize("name", ["outbound-proxy.toml", "behind-kamailio.toml"])
async def test_what_is_for_a_trunk_goes_to_its_proxy(name: str, tmp_path: Path) -> None:
    chosen = settings(name, tmp_path)
    proxy = chosen.trunk[0].proxy.partition(":")[0]
    async with carrier("10.0.0.20", Phone(), **given(chosen)) as here:
        peer = await sender(proxy)
        dialing = asyncio.ensure_future(here.dial(target("+15550001111"), not_ringing))
        text = await peer.hears("INVITE sip:+15550001111@sip.example.com ")
        assert field(text, "Route").startswith(f"<sip:{proxy}")
        dialing.cancel()
