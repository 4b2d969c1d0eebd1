"""The far ends of legs: what was agreed with each, and who may be it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from offhook.media.coding import Coder
from offhook.media.keys import EventReader
from offhook.media.orders import KEYS, Remote
from offhook.media.rtp import Address, Arrived, Batch, Packet

NOISE = "noise"
PROOF = 3  # packets in sequence by which a source proves to be one that sends a stream
FIRST = 5  # packets of each leg that wait for it to be agreed who may send them


@dataclass(slots=True)
class Candidate:
    """Somebody else who sends, and what would be his next packet."""

    source: Address
    ssrc: int
    next: int
    packets: int = 0


@dataclass(slots=True)
class Peer:
    """The far end of a leg: what was agreed, and who may be it."""

    remote: Remote
    home: Address | None = None  # who may always come back: the source before a stranger's
    since: int = 0  # packets that had been received when its source changed
    candidate: Candidate | None = None
    keys: EventReader = field(default_factory=EventReader)
    kinds: dict[int, str] = field(default_factory=dict)  # by payload type: a codec, KEYS or NOISE
    spoken: int = -1  # the payload type that its sound has now
    coders: dict[str, Coder] = field(default_factory=dict)  # of codecs that we do not speak to it


class Early:
    """The latest packets to legs, by slot, with whose far ends nothing is agreed yet."""

    def __init__(self) -> None:
        self._came: dict[int, deque[Arrived]] = {}

    def keep(self, batch: Batch, i: int) -> None:
        one = batch.slots[i], batch.data(i), batch.sources[i], batch.when(i)
        self._came.setdefault(one[0], deque(maxlen=FIRST)).append(one)

    def take(self, slot: int) -> Iterable[Arrived]:
        return self._came.pop(slot, ())


def kinds(remote: Remote) -> dict[int, str]:
    """What comes under each payload type that was agreed on."""
    kinds = {**dict(remote.others), remote.payload_type: remote.codec}
    if remote.dtmf_payload_type is not None:
        kinds[remote.dtmf_payload_type] = KEYS
    if remote.noise_payload_type is not None:
        kinds[remote.noise_payload_type] = NOISE
    return kinds


def proved(peer: Peer, packet: Packet, source: Address) -> bool:
    """Whether somebody else has sent enough packets in sequence."""
    one = peer.candidate
    if one is None or (one.source, one.ssrc, one.next) != (source, packet.ssrc, packet.seq):
        one = peer.candidate = Candidate(source, packet.ssrc, packet.seq)
    one.next = packet.seq + 1 & 0xFFFF
    one.packets += 1
    return one.packets >= PROOF
