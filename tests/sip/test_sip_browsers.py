"""Calls with browsers, from the offer to what is heard.  RFC 8829, RFC 8839, RFC 5763."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sip_carriers import Phone, carrier, not_ringing, target, traced
from sip_peer import SDP, Sender, ack, description, field, invite, sender
from web_browser import THEIRS, Browser, described

from offhook.carriers.sip_carrier import Directory
from offhook.carriers.sip_places import Places
from offhook.carriers.sip_sockets import local_address_towards
from offhook.carriers.trunks import Trunk
from offhook.line.leg import Leg
from offhook.media import codecs, rtcp, rtp
from offhook.media.clip import FRAME, SAMPLES, Clip
from offhook.media.coding import Coder
from offhook.model.sip_registrations import Home, SipRegistration
from offhook.sip.hop import Hop
from offhook.sip.registrar import Contact

US, THEM, ANNA = "127.0.0.2", "127.0.0.1", "anna@example.com"
PUBLIC = "203.0.113.5"
USER, PASSWORD = "4ZcD", "2/1muCWoOi3uLifh0NuRHlAb"


def tone(hertz: float, frames: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    time = np.arange(frames * SAMPLES) / 8000
    return (8000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def clip(hertz: float, seconds: float) -> Clip:
    return Clip(seconds, pcm=tone(hertz, round(seconds / FRAME)).astype("<i2").tobytes())


def pitch(sound: bytes) -> float:
    """Hz of what is loudest in it; 0 for silence."""
    samples = np.frombuffer(sound, np.int16).astype(np.float64)
    if len(samples) < SAMPLES:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples))
    if spectrum.max() < 1000:
        return 0.0
    return float(np.argmax(spectrum) * 8000 / len(samples))


class Tab(asyncio.DatagramProtocol):
    """The sound of a browser: it checks, shakes hands, says a tone of 1000 Hz and listens."""

    def __init__(self, own: Any = THEIRS, password: str = PASSWORD) -> None:
        self.own, self.user, self.password = own, USER, password
        self.heard = bytearray()
        self.keys: list[int] = []
        self.dialog = ""
        self.sources: set[Any] = set()
        self.browser: Browser | None = None
        self.at: tuple[str, int] | None = None
        self._doing: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def offer(self, **said: str) -> str:
        return described(self.user, self.password, self.own.fingerprint, **said)

    def goes(self, answer: str, server: bool = False) -> None:
        """By what the other side's description says: to its candidate."""
        user, password = (_attribute(answer, f"ice-{name}") for name in ("ufrag", "pwd"))
        host, port = re.findall(r"a=candidate:1 1 udp \d+ (\S+) (\d+) typ host", answer)[0]
        self.at = (host, int(port))
        if self.browser:
            self.browser.user, self.browser.password = user, password
        else:
            self.browser = Browser(user, password, own=self.own, server=server)
        self.stop()
        self._doing = asyncio.ensure_future(self._go(self.browser))

    def stop(self) -> None:
        if self._doing:
            self._doing.cancel()

    async def _go(self, browser: Browser) -> None:
        self._send([browser.check()])
        await asyncio.sleep(0.1)
        while browser.seals is None:
            self._send([browser.check(), b"".join(browser.shake())])
            await asyncio.sleep(0.5)
        sound = codecs.encode(codecs.PCMU, tone(1000, 50))
        for n in range(100_000):
            payload = sound[n % 50 * SAMPLES :][:SAMPLES].tobytes()
            packet = rtp.Packet(0, n == 0, n & 0xFFFF, n * SAMPLES, 0xB0B, payload)
            self._send([browser.seals.protect(rtp.write(packet))])
            if n % 100 == 0:
                self._send([browser.check()])
            await asyncio.sleep(FRAME)

    def _send(self, flight: list[bytes]) -> None:
        for data in filter(None, flight):  # a flight is one datagram: none overtakes another
            self.transport.sendto(data, self.at)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.sources.add(addr)
        assert self.browser
        if data[0] < 128:
            self._send([b"".join(self.browser.receive(data))])
        elif self.browser.opens and not 192 <= data[1] <= 223:
            packet = rtp.read(self.browser.opens.unprotect(data))
            assert packet
            if packet.payload_type:
                self.keys.append(packet.payload[0])
            else:
                self.heard += codecs.decode(0, np.frombuffer(packet.payload, np.uint8)).tobytes()

    async def hears(self) -> float:
        """The pitch of the next half second."""
        self.heard.clear()
        await asyncio.sleep(0.5)
        return pitch(bytes(self.heard[2 * SAMPLES :]))


def _attribute(text: str, name: str) -> str:
    [value] = re.findall(rf"a={name}:(\S.*?)\r\n", text)
    return str(value)


@asynccontextmanager
async def tab(**more: Any) -> AsyncIterator[Tab]:
    loop = asyncio.get_running_loop()
    opened = Tab(**more)
    transport, _ = await loop.create_datagram_endpoint(lambda: opened, local_addr=(THEM, 51210))
    try:
        yield opened
    finally:
        opened.stop()
        transport.close()


class Ear:
    """What a leg hears."""

    def __init__(self, leg: Leg) -> None:
        self._heard = bytearray()
        leg.media.tap(self._heard.extend)

    async def hears(self) -> float:
        self._heard.clear()
        await asyncio.sleep(0.5)
        return pitch(bytes(self._heard))


class Call:
    """A call in, of a browser by way of some proxy: the signalling is plain SIP."""

    def __init__(self, peer: Sender, sound: Tab, phone: Phone) -> None:
        self.peer, self.sound, self.phone = peer, sound, phone
        self.cseq, self.answer = 0, ""

    async def offers(self, body: str) -> str:
        """An INVITE, or one more; the description that it is answered with."""
        self.cseq += 1
        more = {"to": field(self.answer, "To")} if self.answer else {}
        self.peer.says(invite(THEM, body, branch=f"b{self.cseq}", cseq=str(self.cseq), **more), US)
        self.answer = await self.peer.hears("SIP/2.0 200")
        self.peer.says(ack(THEM, field(self.answer, "To"), str(self.cseq)), US)
        return description(self.answer)


@asynccontextmanager
async def up(**more: Any) -> AsyncIterator[Call]:
    """A browser has called, and both have had time to agree on keys."""
    phone = Phone()
    async with carrier(US, phone), tab(**more) as sound:
        call = Call(await sender(THEM), sound, phone)
        sound.goes(await call.offers(sound.offer()))
        await asyncio.sleep(1)
        yield call


class TestACallIn:
    async def test_sound_goes_both_ways(self):
        async with up() as call:
            leg = call.phone.leg
            ear, playing = Ear(leg), asyncio.ensure_future(leg.media.play(clip(440, 5)))
            assert await ear.hears() == pytest.approx(1000, abs=20)
            assert await call.sound.hears() == pytest.approx(440, abs=20)
            playing.cancel()

    async def test_behind_nat_both_addresses_are_told(self):
        """A browser may be on either side, whatever proxy its signalling comes by."""
        async with carrier(US, Phone(), places=Places(PUBLIC)), tab() as sound:
            peer = await sender(THEM)
            peer.says(invite(THEM, sound.offer()), US)
            answer = await peer.hears("SIP/2.0 200")
            assert re.findall(r"a=candidate:. 1 udp \d+ (\S+) ", answer) == [US, PUBLIC]
            assert f"c=IN IP4 {US}\r\n" in answer

    async def test_behind_a_web_server_of_this_machine_the_way_to_others_is_told_as_well(self):
        trunk = Trunk("loopback", allow=(THEM,))
        async with carrier("0.0.0.0", Phone(), trunks=(trunk,)), tab() as sound:
            peer = await sender(THEM)
            peer.says(invite(THEM, sound.offer()), US)
            answer = await peer.hears("SIP/2.0 200")
            hosts = re.findall(r"a=candidate:. 1 udp \d+ (\S+) ", answer)
            out = local_address_towards("192.0.2.1", 9)
            assert hosts == list(dict.fromkeys((THEM, out)))

    async def test_keys_are_pressed_at_the_browser(self):
        async with up() as call:
            await call.phone.leg.media.send_digits("5#")
            assert dict.fromkeys(call.sound.keys) == {5: None, 11: None}

    async def test_hold_is_silence_and_resuming_needs_no_new_keys(self):
        async with up() as call:
            leg = call.phone.leg
            playing = asyncio.ensure_future(leg.media.play(clip(440, 60)))
            held = await call.offers(call.sound.offer(direction="sendonly"))
            assert "a=recvonly" in held
            assert await call.sound.hears() == 0
            resumed = await call.offers(call.sound.offer())
            assert _attribute(resumed, "ice-ufrag") == _attribute(held, "ice-ufrag")
            assert await call.sound.hears() == pytest.approx(440, abs=20)
            assert await Ear(leg).hears() == pytest.approx(1000, abs=20)
            playing.cancel()

    async def test_ice_begins_anew_and_the_sound_goes_on(self):
        """RFC 8839 section 4.4.1.1.1: the browser has another name and another password."""
        async with up() as call:
            before = call.answer
            call.sound.user, call.sound.password = "newUser1", "another/password/of/24/c"
            anew = await call.offers(call.sound.offer())
            for name in ("ice-ufrag", "ice-pwd"):
                assert _attribute(anew, name) != _attribute(before, name)
            assert _attribute(anew, "fingerprint") == _attribute(before, "fingerprint")
            assert _attribute(anew, "setup") == "passive"
            playing = asyncio.ensure_future(call.phone.leg.media.play(clip(440, 60)))
            assert await call.sound.hears() == pytest.approx(440, abs=20)
            await asyncio.sleep(70)
            assert not call.phone.leg.ended.done()
            playing.cancel()

    async def test_who_leaves_the_next_offer_to_us_is_offered_the_same_again(self):
        async with up() as call:
            before = description(call.answer)
            ours = await call.offers("")
            assert _attribute(ours, "ice-ufrag") == _attribute(before, "ice-ufrag")
            assert _attribute(ours, "setup") == "actpass"

    async def test_our_offer_has_the_sections_that_there_were(self):
        """Browsers refuse one that has fewer, or other names for them (RFC 8829 section 5.10)."""
        async with up() as call:
            both = (
                call.sound.offer().replace("BUNDLE 0", "BUNDLE snd 1").replace("mid:0", "mid:snd")
            )
            answer = await call.offers(both + "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:1\n")
            ours = await call.offers("")
            for body in (answer, ours):
                assert re.findall(r"m=(\S+ \d+)", body) == ["audio 10000", "video 0"]
                assert re.findall(r"a=mid:(\S+)", body) == ["snd", "1"]
                assert "a=group:BUNDLE snd\r\n" in body

    async def test_a_browser_that_is_gone_ends_the_call_like_any_other(self):
        async with up() as call:
            call.sound.stop()
            await call.peer.hears("BYE")
            assert (await call.phone.leg.ended).reason == "no sound for 60 seconds"


class TestWhoIsNotWhoTheySay:
    async def test_the_story_of_a_call_does_not_show_who_could_speak_for_a_browser(self):
        async with up() as call:
            story = [data["text"] for kind, data in traced(call.phone.leg) if kind == "sip"]
            said = [text for text in story if "a=ice-ufrag:" in text]
            assert len(said) == 2
            assert all("a=ice-pwd:(not shown)" in text for text in said)
            assert PASSWORD not in "".join(story)

    async def test_another_certificate_ends_the_call_and_is_counted(self):
        """RFC 5763 section 5."""
        phone = Phone()
        async with carrier(US, phone), tab() as sound:
            call = Call(await sender(THEM), sound, phone)
            wrong = "sha-256 " + ":".join(["00"] * 32)
            offered = described(USER, PASSWORD, wrong)
            sound.goes(await call.offers(offered))
            await call.peer.hears("BYE")
            ended = await phone.leg.ended
            assert (ended.by, ended.code) == ("network", 500)
            assert ended.reason == "no keys were agreed on with the browser"
            assert sound.heard == b""

    async def test_another_name_is_not_answered_and_the_call_ends(self):
        phone = Phone()
        async with carrier(US, phone), tab() as sound:
            call = Call(await sender(THEM), sound, phone)
            answer = await call.offers(sound.offer())
            sound.goes(answer.replace("a=ice-ufrag:", "a=ice-ufrag:x"))
            await call.peer.hears("BYE")
            assert sound.sources == set()

    async def test_noise_on_the_port_is_dropped_and_counted_with_the_call(self):
        async with up() as call:
            noise = [b"", b"\0", b"\x00\x01\x00\x00" + bytes(16), b"\x16" * 60, b"\x80" * 200]
            noise += [b"\x16\xfe", bytes(range(256)) * 6, b"\x40abc"]
            for data in noise:
                call.sound.transport.sendto(data, call.sound.at)
            assert await Ear(call.phone.leg).hears() == pytest.approx(1000, abs=20)
            ending = asyncio.ensure_future(call.phone.leg.hang_up())
            await ok(call.peer, await call.peer.hears("BYE"))
            await ending
            [media] = [data for kind, data in traced(call.phone.leg) if "refused" in data]
            assert media["refused"] == len(noise)


async def ok(peer: Sender, request: str, *more: str, body: str = "") -> None:
    """Says yes."""
    kept = ("Via:", "From:", "To:", "Call-ID:", "CSeq:")
    lines = [line for line in request.split("\r\n") if line.startswith(kept)]
    lines = [
        f"{line};tag=tab" if line[:3] == "To:" and "tag=" not in line else line for line in lines
    ]
    lines = ["SIP/2.0 200 OK", *lines, f"Contact: <sip:anna@{THEM}>", *more]
    lines += ["Content-Type: application/sdp"] if body else []
    text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]) + body
    peer.says(text.encode(), US)


def again(invitation: str, body: str) -> bytes:
    """One more INVITE in the dialog of this one, from its other side."""
    to = field(invitation, "From")
    text = invite(THEM, body, to=to, branch="again").decode()
    text = text.replace(field(text, "From"), f"{field(invitation, 'To')};tag=tab")
    return text.replace(field(text, "Call-ID"), field(invitation, "Call-ID")).encode()


@asynccontextmanager
async def called(setup: str = "active") -> AsyncIterator[tuple[Leg, Tab, Sender]]:
    """A browser that registered by way of a proxy is called, and takes it."""
    contact = Contact(
        "sip:anna@df7jal23ls0d.invalid;transport=ws", 4e9, "reg", 1, Hop("UDP", THEM, 5060),
        path=(f"<sip:{THEM};lr>",),
    )  # fmt: skip
    registered = SipRegistration(ANNA, "AC1", datetime.now(UTC), (contact.data(),))
    directory = Directory(home, lambda kept: None, lambda *note: None, (registered,))
    async with carrier(US, Phone(), directory=directory) as here, tab() as sound:
        peer = await sender(THEM)
        dialing = asyncio.ensure_future(here.dial(target(f"sip:{ANNA}"), not_ringing))
        asked = await peer.hears("INVITE sip:anna@df7jal23ls0d.invalid")
        sound.dialog = asked
        answer = sound.offer(setup=setup, codecs="0 126").replace("\n", "\r\n")
        await ok(peer, asked, body=answer)
        sound.goes(description(asked), server=setup == "passive")
        leg = await dialing
        await asyncio.sleep(1)
        yield leg, sound, peer


async def home(name: str, username: str) -> Home:
    return Home(name, "AC1", "realm")


class TestACallOut:
    @pytest.mark.parametrize("setup", ["active", "passive"])
    async def test_sound_goes_both_ways(self, setup: str):
        async with called(setup) as (leg, sound, _):
            playing = asyncio.ensure_future(leg.media.play(clip(440, 5)))
            assert await Ear(leg).hears() == pytest.approx(1000, abs=20)
            assert await sound.hears() == pytest.approx(440, abs=20)
            playing.cancel()

    async def test_who_began_the_handshake_is_said_to_have_begun_it(self):
        """RFC 8842 section 5.5: a later offer that leaves it open changes nothing."""
        async with called("passive") as (leg, sound, peer):
            peer.says(again(sound.dialog, sound.offer()), US)
            answer = await peer.hears("SIP/2.0 200")
            assert _attribute(answer, "setup") == "active"
            assert await Ear(leg).hears() == pytest.approx(1000, abs=20)

    async def test_we_hang_up(self):
        async with called() as (leg, _, peer):
            ending = asyncio.ensure_future(leg.hang_up())
            await ok(peer, await peer.hears("BYE"))
            await ending
            assert leg.ended.done()


@pytest.mark.parametrize(
    ("says", "port"),
    [("a=rtcp-mux", 30000), ("a=rtcp:30017", 30017), ("a=rtcp:30017 IN IP4 127.0.0.1", 30017)],
)
async def test_a_phone_has_its_reports_where_it_wants_them(says: str, port: int):
    """RFC 5761 section 5.1.1, RFC 3605."""
    loop, reports = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    class Port(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            if 192 <= data[1] <= 223:
                reports.put_nowait(data)

    phone = Phone()
    async with carrier(US, phone):
        transport, _ = await loop.create_datagram_endpoint(Port, local_addr=(THEM, port))
        peer = await sender(THEM)
        peer.says(invite(THEM, SDP.format(host=THEM) + says + "\n"), US)
        answer = await peer.hears("SIP/2.0 200")
        assert ("a=rtcp-mux" in answer) == (says == "a=rtcp-mux")
        peer.says(ack(THEM, field(answer, "To")), US)
        async with asyncio.timeout(10):
            assert (await reports.get())[1] == rtcp.SENDER_REPORT
        transport.close()


SEVERAL = f"""v=0\r
o=- 1 1 IN IP4 {THEM}\r
s=-\r
c=IN IP4 {THEM}\r
t=0 0\r
m=audio 30000 RTP/AVP 9 0 8 97\r
a=rtpmap:97 telephone-event/8000\r
"""


async def says_in_g722(at: str, number: int) -> None:
    """A tone of 1000 Hz, and a 5 under this payload type, to whoever is there."""
    port = int(re.findall(r"m=audio (\d+)", at)[0])
    loop, coder = asyncio.get_running_loop(), Coder("G722")
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=(THEM, 30000)
    )
    for n, frame in enumerate(tone(1000, 100).reshape(-1, SAMPLES)):
        packet = rtp.Packet(9, n == 0, n, n * SAMPLES, 0xB0B, coder.encode(frame))
        if n == 50:
            packet = replace(packet, payload_type=number, payload=b"\x05\x8a\x03\x20")
        transport.sendto(rtp.write(packet), (US, port))
        await asyncio.sleep(FRAME)
    transport.close()


async def test_a_phone_that_takes_several_codecs_is_heard_in_the_one_that_it_likes():
    """RFC 3264 section 7: its sound, and keys under the number that it was offered, not that of its
    answer."""
    async with carrier(US, Phone()) as here:
        peer = await sender(THEM)
        dialing = asyncio.ensure_future(here.dial(target(f"sip:bob@{THEM}"), not_ringing))
        asked = await peer.hears("INVITE")
        await ok(peer, asked, body=SEVERAL)
        leg = await dialing
        talking = asyncio.ensure_future(says_in_g722(description(asked), 101))
        assert await Ear(leg).hears() == pytest.approx(1000, abs=20)
        await talking
        assert leg.media.keys.get_nowait() == "5"
