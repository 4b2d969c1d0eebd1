"""Calls whose sound has died: ended after `rtp_timeout`, or with the worker that made it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import pytest
from sip_carriers import Phone, carrier, not_ringing, target, traced
from sip_peer import SDP, field, sender, sender_call

from offhook import clock
from offhook.carriers.sip_carrier import SipCarrier, SipSettings
from offhook.errors import CarrierError
from offhook.media.plane import MediaPlane
from offhook.media.remote import WorkerHost
from offhook.server import sip_carrier
from offhook.testing import Offhook


class TestSilence:
    async def test_a_call_that_brings_no_sound_is_ended_after_60_seconds(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender_call("127.0.0.1")
            began = clock.now()
            await peer.hears("BYE")
            assert clock.now() - began == pytest.approx(60, abs=2)
            ended = await phone.leg.ended
            assert (ended.by, ended.reason) == ("network", "no sound for 60 seconds")
            told = [data.get("message") for kind, data in traced(phone.leg) if kind == "log"]
            assert "no sound for 60 seconds" in told

    async def test_how_long_that_may_be_is_a_setting(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone, rtp_timeout=5):
            peer = await sender_call("127.0.0.1")
            began = clock.now()
            await peer.hears("BYE")
            assert clock.now() - began == pytest.approx(5, abs=2)

    async def test_with_0_it_may_be_for_ever(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone, rtp_timeout=0):
            await sender_call("127.0.0.1")
            await asyncio.sleep(600)
            assert not phone.leg.ended.done()

    async def test_two_who_only_listen_to_each_other_are_not_dead(self):
        phone = Phone()
        async with carrier("127.0.0.1", Phone()) as caller, carrier("127.0.0.2", phone):
            leg = await caller.dial(target(), not_ringing)
            await asyncio.sleep(300)
            assert not leg.ended.done()

    async def test_a_call_on_hold_may_be_silent(self):
        phone = Phone()
        async with carrier("127.0.0.2", phone):
            peer = await sender_call("127.0.0.1")
            await peer.reinvites("a=sendonly\n")
            await asyncio.sleep(600)
            assert not phone.leg.ended.done()
            await peer.reinvites()
            resumed = clock.now()
            await peer.hears("BYE")
            assert clock.now() - resumed == pytest.approx(60, abs=2)

    async def test_a_call_that_only_rings_is_not_dead(self):
        silent = Phone(answers=False)
        async with (
            carrier("127.0.0.1", Phone(), rtp_timeout=5) as caller,
            carrier("127.0.0.2", silent, rtp_timeout=5),
        ):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(30):
                    await caller.dial(target(), not_ringing)


async def test_sound_that_came_early_may_stop_before_the_answer():
    async with carrier("127.0.0.1", Phone(), rtp_timeout=5) as here:
        peer = await sender("127.0.0.2")
        dialling = asyncio.ensure_future(here.dial(target(), not_ringing))
        heard = await peer.hears("INVITE")
        copied = "".join(f"{n}: {field(heard, n)}\r\n" for n in ("Via", "From", "Call-ID", "CSeq"))
        head = f"{copied}To: <sip:x@y>;tag=1\r\nContact: <sip:127.0.0.2>\r\n"
        head += "Content-Type: application/sdp\r\n"
        body = SDP.format(host="127.0.0.2").replace("\n", "\r\n")
        peer.says(f"SIP/2.0 183 Progress\r\n{head}\r\n{body}".encode(), "127.0.0.1")
        await asyncio.sleep(30)
        assert not dialling.done()
        peer.says(f"SIP/2.0 200 OK\r\n{head}\r\n{body}".encode(), "127.0.0.1")
        leg = await dialling
        await asyncio.sleep(4)
        assert not leg.ended.done()
        await peer.hears("BYE")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1]) & ~1


@pytest.mark.real_time
class TestADeadWorker:
    async def kill_worker_of(self, plane: MediaPlane) -> None:
        leg = await plane.open_rtp("127.0.0.1")
        assert isinstance(leg.host, WorkerHost)
        os.kill(leg.host.pid, signal.SIGKILL)
        await leg.close()

    async def close(self, plane: MediaPlane) -> None:
        """When another worker has taken the dead one's place."""
        while not plane.healthy:
            await asyncio.sleep(0.05)
        await plane.close()

    async def test_its_answered_calls_are_ended_properly(self):
        port = free_port()
        async with asyncio.timeout(20):
            phone, media = Phone(), await MediaPlane.workers(1, range(port, port + 20))
            far = await SipCarrier.open(SipSettings(port=0), media, phone)
            near = await SipCarrier.open(SipSettings(port=0), media, Phone())
            to = f"sip:+15550001111@127.0.0.1:{far.address[1]}"
            leg = await near.dial(target(to), not_ringing)
            await self.kill_worker_of(media)
            ended = await leg.ended
            assert ended.reason in ("the media worker died", "")
            assert (await phone.leg.ended).by in ("network", "far")
            await near.close()
            await far.close()
            await self.close(media)

    async def test_a_call_out_that_still_rings_has_failed(self):
        port = free_port()
        async with asyncio.timeout(20):
            other = await MediaPlane.workers(1, range(port + 100, port + 120))
            media = await MediaPlane.workers(1, range(port, port + 20))
            far = await SipCarrier.open(SipSettings(port=0), other, Phone(answers=False))
            near = await SipCarrier.open(SipSettings(port=0), media, Phone())
            rings = asyncio.Event()
            to = f"sip:+15550001111@127.0.0.1:{far.address[1]}"
            dialling = asyncio.ensure_future(near.dial(target(to), lambda leg, early: rings.set()))
            await rings.wait()
            await self.kill_worker_of(media)
            with pytest.raises(CarrierError, match="the media worker died") as refused:
                await dialling
            assert refused.value.code == 500
            await near.close()
            await far.close()
            await self.close(media)
            await other.close()


async def test_an_answer_that_is_not_acknowledged_is_the_debuggers(offhook: Offhook):
    """Error 32022."""
    offhook.number("+15550100", voice=lambda request: "<Response><Pause length='60'/></Response>")
    settings = offhook.platform.settings
    sip = await sip_carrier(settings, offhook.platform)
    try:
        peer = await sender_call("127.0.0.9", sip.address, "+15550100", acks=False)
        await peer.hears("BYE")
        await asyncio.sleep(1)
        assert 32022 in [each.error_code for each in offhook.notifications]
    finally:
        await sip.close()
