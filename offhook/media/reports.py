"""How legs fare: RTCP both ways, and the figures kept with the call."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from offhook.media import rtcp
from offhook.media.orders import Stats, Tally
from offhook.media.receiving import Receivers, Stream
from offhook.media.sending import Senders

EVERY = 250  # ticks between two reports of a leg: five seconds, RFC 3550 section 6.2
MASK = 0xFFFFFFFF
STRIDE = 37  # between the turns of two neighbours, so that reports do not come all at once


@dataclass(slots=True)
class Account:
    """What a leg's far end reported, and where our last report to it stood."""

    name: bytes  # ours to the far end, drawn for each leg (RFC 7022 section 4.2)
    heard: int = 0  # middle bits of the NTP time of the far end's last report
    heard_at: float = 0.0
    round_trip: float = 0.0  # seconds
    far_lost: int = 0
    far_jitter: int = 0  # in the clock of the payload
    codec: str = ""
    alive_at: float = 0.0  # when the far end last reported
    stream: Stream | None = None
    sent: int = 0


class Reports:
    def __init__(self, senders: Senders, receivers: Receivers, random: Random) -> None:
        self._random = random
        self._senders = senders
        self._receivers = receivers
        self._accounts: dict[int, Account] = {}
        self._past = Tally()  # of legs that have closed
        self._turns: list[set[int]] = [set() for _ in range(EVERY)]

    def open(self, slot: int) -> None:
        name = b64encode(self._random.getrandbits(96).to_bytes(12, "big"))
        self._accounts[slot] = Account(name)

    def connect(self, slot: int, codec: str) -> None:
        self._accounts[slot].codec = codec
        self._turns[slot * STRIDE % EVERY].add(slot)

    def close(self, slot: int) -> None:
        self._accounts.pop(slot, None)
        self._turns[slot * STRIDE % EVERY].discard(slot)

    def stats(self, slot: int) -> Stats:
        account, buffers = self._accounts[slot], self._receivers.jitter_buffers
        return Stats(
            codec=account.codec,
            packets_sent=int(self._senders.packets[slot]),
            packets_received=self._receivers.received(slot),
            lost=self._receivers.lost(slot),
            refused=int(self._receivers.refused[slot]),
            late=int(buffers.late[slot]),
            duplicates=int(buffers.duplicates[slot]),
            jitter_ms=round(float(self._receivers.jitter[slot]) / 8, 2),
            round_trip_ms=round(account.round_trip * 1000, 2),
            far_lost=account.far_lost,
            far_jitter_ms=round(account.far_jitter / (8 * self._senders.clock(slot)), 2),
        )

    def last(self, slot: int) -> Stats:
        """Those of a leg that closes; they stay part of the total."""
        stats = self.stats(slot)
        self._past += stats
        return stats

    def total(self, slots: Iterable[int]) -> Tally:
        """What became of the packets of these legs, and of all that have closed."""
        return sum((Tally() + self.stats(slot) for slot in slots), self._past)

    def receive(self, slot: int, data: bytes, at: float) -> None:
        """A compound packet that arrived; what is not one is ignored."""
        account, report = self._accounts.get(slot), rtcp.read(data)
        if account is None or report is None:
            return
        stream = self._receivers.stream(slot)
        if stream is None or stream.ssrc == report.ssrc:
            account.alive_at = at
        if report.ntp is not None:
            account.heard, account.heard_at = report.ntp, at
        for block in report.receptions:
            if block.ssrc != int(self._senders.ssrc[slot]):
                continue
            account.far_lost, account.far_jitter = block.lost, block.jitter
            if block.last_report:  # section 6.4.1, figure 2
                now = rtcp.middle(rtcp.ntp(at))
                delay = (now - block.last_report - block.delay) & MASK
                account.round_trip = delay / 65536 if delay < 0x80000000 else 0.0

    def alive_at(self, slot: int) -> float:
        """When the far end last reported."""
        return self._accounts[slot].alive_at

    def goodbye(self, slot: int) -> bytes:
        """The last report of a leg."""
        return rtcp.goodbye(int(self._senders.ssrc[slot]), self._accounts[slot].name)

    def due(self, tick: int, at: float) -> list[tuple[int, bytes]]:
        """The reports that this tick sends, by slot."""
        turn = self._turns[tick % EVERY]
        return [(slot, self._report(slot, at)) for slot in sorted(turn)]

    def _report(self, slot: int, at: float) -> bytes:
        account, senders = self._accounts[slot], self._senders
        packets = int(senders.packets[slot])
        sent = None
        if packets != account.sent:
            octets = senders.octets(slot) & MASK
            sent = (rtcp.ntp(at), senders.now(slot), packets & MASK, octets)
        account.sent = packets
        reception = self._reception(slot, account, at)
        return rtcp.report(int(senders.ssrc[slot]), account.name, sent, reception)

    def _reception(self, slot: int, account: Account, at: float) -> rtcp.Reception | None:
        stream = self._receivers.stream(slot)
        if stream is None:
            return None
        expected, lost = stream.since(account.stream)
        account.stream = stream
        return rtcp.Reception(
            ssrc=stream.ssrc,
            fraction_lost=256 * lost // expected if lost > 0 else 0,
            lost=stream.lost,
            highest=stream.highest,
            jitter=int(self._receivers.jitter[slot] * self._receivers.clock(slot)),
            last_report=account.heard,
            delay=int((at - account.heard_at) * 65536) & MASK if account.heard else 0,
        )
