"""What `offhook doctor` looks at, inside the running platform."""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime, timedelta

import aiohttp
from cryptography import x509

from offhook import clock
from offhook.app import Platform
from offhook.carriers.sip_carrier import SipCarrier
from offhook.carriers.sip_tls import Listeners
from offhook.carriers.trunks import Trunk
from offhook.config import Address
from offhook.errors import OffhookError

Check = tuple[str, bool, str]
PATIENCE = aiohttp.ClientTimeout(total=3)
LITTLE_SPACE = 500_000_000  # bytes
SOON = timedelta(days=7)


async def checks(platform: Platform, sip: SipCarrier) -> list[Check]:
    """What was looked at, whether it is well, and what was found."""
    trunks = await asyncio.gather(*(_trunk(sip, each) for each in sip.settings.trunks))
    return [
        await _http(platform.exchange.rules.public_url),
        _sip(sip),
        *await asyncio.to_thread(_certificate, sip.settings.listeners, clock.utc()),
        _sound(platform),
        await _speech(platform),
        await _store(platform),
        _disk(platform),
        await _clock(),
        *trunks,
    ]


async def _http(url: str) -> Check:
    """Applications fetch recordings from there, and the demonstration is asked there."""
    try:
        async with (
            aiohttp.ClientSession(timeout=PATIENCE) as session,
            session.get(f"{url}/healthz") as answer,
        ):
            return "http", answer.status == 200, f"{url} answers {answer.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        return "http", False, f"{url} does not answer: {error or 'in time'}"


def _sip(sip: SipCarrier) -> Check:
    told = "listening on " + ", ".join(
        f"{Address(*place)} ({transport})" for transport, place in sip.places.items()
    )
    if sip.phones:
        told += f", phones registered: {sip.phones.registrar.count(clock.utc().timestamp())}"
    return "sip", True, told


def _certificate(listeners: Listeners, now: datetime) -> list[Check]:
    """Of TLS and WSS, where we listen for them."""
    file = listeners.certificate
    if file is None or not (listeners.tls or listeners.wss):
        return []
    try:
        ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        return [("certificate", False, f"{file} cannot be read: {error}")]
    return [("certificate", ends - now > SOON, f"{file} ends {ends:%Y-%m-%d %H:%M} UTC")]


def _sound(platform: Platform) -> Check:
    well = platform.media.healthy
    ports = platform.settings.rtp
    told = f"RTP ports {ports.start}-{ports.stop - 1}, {platform.settings.workers} worker(s)"
    return "sound", well, told if well else "a media worker has died"


async def _speech(platform: Platform) -> Check:
    began = clock.now()
    try:
        clip = await platform.speech.say("Doctor.", "", "", "en-US")
    except OffhookError as error:
        return "speech", False, str(error)
    return "speech", True, f"{clip.seconds:.1f} s said in {clock.now() - began:.3f} s"


async def _store(platform: Platform) -> Check:
    began = clock.now()
    await platform.exchange.store.read(lambda connection: None)
    return "store", True, f"answers in {(clock.now() - began) * 1000:.1f} ms"


def _disk(platform: Platform) -> Check:
    free = shutil.disk_usage(platform.settings.data).free
    return "disk", free > LITTLE_SPACE, f"{free // 1_000_000} MB free in {platform.settings.data}"


async def _clock() -> Check:
    """The wall clock and the loop's must run alike: a clock that jumps breaks dates and nonces."""
    wall, loop = clock.utc(), clock.now()
    await asyncio.sleep(0.5)
    drift = (clock.utc() - wall).total_seconds() - (clock.now() - loop)
    told = f"{clock.utc():%Y-%m-%d %H:%M:%S} UTC, drift {drift * 1000:.0f} ms in half a second"
    return "clock", abs(drift) < 0.1, told


async def _trunk(sip: SipCarrier, trunk: Trunk) -> Check:
    if not trunk.address:
        return f"trunk {trunk.name}", True, "calls in only"
    pong = await sip.options(trunk)
    said = f"{pong.status} {pong.reason}" if pong.status else pong.reason
    told = f"{pong.address}: {said} in {pong.seconds:.2f} s"
    state = sip.upstream.states[trunk.name]
    if trunk.register:
        told += f", {state.registered or 'not registered'}"
    well = pong.healthy and (not trunk.register or state.registered == "registered")
    return f"trunk {trunk.name}", well, told
