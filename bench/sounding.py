"""The sound of one call of a handset: in the clear, sealed by SDES, or as browsers have it.

A browser's side checks (RFC 8445), shakes hands (RFC 5764) and only then speaks. What it hears is
opened and counted.
"""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from bench.target import HOST
from offhook.media import stun
from offhook.media.dtls import Handshake, identity
from offhook.media.orders import Srtp, Web
from offhook.media.secure import Lock
from offhook.sip import ice, sdp
from offhook.sip.sdp_media import Direction

Goes = Literal["all the way", "shakes no hands", "checks nothing"]  # how far a browser goes

IDENTITY = identity(datetime.now(UTC))
PACE = 0.02  # seconds between two packets
FIRST_CHECKS, LATER_CHECKS = 0.1, 2.5  # seconds between two
NOISE = bytes(range(0x20, 0xC0))  # 20 ms of G.711
LITE = b"a=ice-lite\r\n"  # what the platform is and a browser is not
PRIORITY = (stun.PRIORITY, b"\x6e\x7f\x1e\xff")


class Sound(asyncio.DatagramProtocol):
    """`heard` counts packets that could be opened."""

    def __init__(self, transport: str, chance: random.Random, goes: Goes) -> None:
        self.heard = 0
        self._goes = goes
        self._ours = sdp.Ours(
            HOST, 0, chance.getrandbits(32), secret=chance.randbytes(64),
            secured=transport == "TLS", web=transport == "WSS",
            fingerprint=IDENTITY.fingerprint, active=chance.random() < 0.5,
        )  # fmt: skip
        self._agreed: sdp.Agreed | None = None
        self._handshake: Handshake | None = None
        self._lock: Lock | None = None
        self._checked = False
        self._next_check = 0.0
        self._sent = chance.getrandbits(12)
        self._ssrc = chance.getrandbits(32)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ours = replace(self._ours, port=transport.get_extra_info("sockname")[1])

    # What is agreed on

    def offer(self, direction: Direction = "sendrecv") -> bytes:
        said = self._said(sdp.offer)
        return said.replace(b"a=sendrecv", f"a={direction}".encode())

    def answer(self, offered: bytes) -> bytes:
        """Raises BadSdp."""
        media = _read(offered)
        said = self._said(lambda ours: sdp.answer(media, ours)[0])
        self._agree(sdp.answer(media, self._ours)[1])
        return said

    def accept(self, answer: bytes) -> None:
        """Raises BadSdp."""
        self._agree(sdp.accepted(_read(answer), self._ours))

    def _said(self, describe: Callable[[sdp.Ours], bytes]) -> bytes:
        self._ours = replace(self._ours, version=self._ours.version + 1)
        return describe(self._ours).replace(LITE, b"")

    def _agree(self, agreed: sdp.Agreed) -> None:
        self._agreed = agreed
        if agreed.keys:
            sealed, opened = agreed.keys
            self._locked(Srtp(sealed.suite, sealed.key, opened.key))
        if agreed.web and self._handshake is None:
            ours, theirs = agreed.web
            begins = ice.begins(ours, theirs)
            self._handshake = Handshake(
                Web(ours.user, ours.password, theirs.fingerprint, IDENTITY, begins)
            )

    def _locked(self, keys: Srtp) -> None:
        if self._lock:
            self._lock.change(keys)
        else:
            self._lock = Lock(keys)

    # What goes back and forth

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        first = data[0] if data else 0xFF
        if first < 4:
            self._answered(data)
        elif 20 <= first < 64:
            self._shake(data)
        elif 128 <= first < 192 and not 192 <= data[1] <= 223:
            self.heard += bool(self._lock.open(data) if self._lock else data)

    def error_received(self, error: Exception) -> None:
        """Nobody is there for reports."""

    def _answered(self, data: bytes) -> None:
        right = int.from_bytes(data[:2]) == stun.SUCCESS
        if right and not self._checked and self._handshake:
            self._checked = True
            self._send(*self._handshake.begin(time.monotonic()))

    def _shake(self, data: bytes) -> None:
        if self._handshake is None or self._goes != "all the way":
            return
        self._send(*self._handshake.receive(data, time.monotonic()))
        if self._lock is None and self._handshake.keys:
            self._locked(self._handshake.keys)

    def tick(self) -> None:
        """What is due every 20 ms."""
        agreed, now = self._agreed, time.monotonic()
        if agreed is None or self._goes == "checks nothing":
            return
        if agreed.web and now >= self._next_check:
            self._check(*agreed.web, now)
        if agreed.web and self._handshake:
            self._send(*self._handshake.again(now))
        if agreed.send and (self._lock or not (agreed.web or agreed.keys)):
            self._speak(agreed.payload_type)

    def _check(self, ours: ice.Side, theirs: ice.Side, now: float) -> None:
        self._next_check = now + (LATER_CHECKS if self._checked else FIRST_CHECKS)
        role = (stun.CONTROLLING, bytes(8))
        user = f"{theirs.user}:{ours.user}"
        transaction = random.randbytes(12)
        nominates = (stun.USE_CANDIDATE, b"")
        self._send(stun.ask(transaction, user, theirs.password, PRIORITY, role, nominates))

    def _speak(self, payload_type: int) -> None:
        self._sent += 1
        seq, ts = self._sent & 0xFFFF, self._sent * 160 & 0xFFFFFFFF
        packet = struct.pack("!BBHII", 0x80, payload_type, seq, ts, self._ssrc) + NOISE
        self._send(self._lock.seal(packet) if self._lock else packet)

    def _send(self, *datagrams: bytes) -> None:
        if self._agreed and not self._transport.is_closing():
            for data in datagrams:
                self._transport.sendto(data, (self._agreed.host, self._agreed.port))


def _read(description: bytes) -> list[sdp.Media]:
    """As a browser, that may be led by a lite agent."""
    return sdp.parse(description.replace(LITE, b""))


@asynccontextmanager
async def sounding(
    transport: str, chance: random.Random, goes: Goes = "all the way"
) -> AsyncIterator[Sound]:
    """On a port of its own."""
    loop = asyncio.get_running_loop()
    opened, sound = await loop.create_datagram_endpoint(
        lambda: Sound(transport, chance, goes), local_addr=(HOST, 0)
    )
    ticking = loop.create_task(_tick(sound))
    try:
        yield sound
    finally:
        ticking.cancel()
        opened.close()


async def _tick(sound: Sound) -> None:
    due = time.monotonic()
    while True:
        sound.tick()
        due += PACE
        await asyncio.sleep(max(0, due - time.monotonic()))
