"""RTP in: whose packets count, what they hold, and the statistics of RFC 3550 section 6.4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from offhook.frozen import frozen
from offhook.media import codecs, rtp
from offhook.media.clip import RATE
from offhook.media.codecs import Pcm
from offhook.media.coding import LONGEST, Coder
from offhook.media.jitter import JitterBuffers, Slots, Stamps, Times
from offhook.media.keys import EventReader
from offhook.media.orders import KEYS, Remote
from offhook.media.rtp import Address, Batch, Packet
from offhook.media.unpacking import Unpacker

NOISE = "noise"
TABLES = {"PCMU": codecs.PCMU, "PCMA": codecs.PCMA}
QUIET = 0.25  # seconds without a packet after which a stream may go on from another source
STRANGE = 1.0  # and after which another stream may
PROOF = 3  # packets in sequence by which a source proves to be one that sends a stream
ANOTHER_CLOCK = 3000  # a jump of sequence numbers beyond which a sender began anew, RFC 3550 A.1


@dataclass(slots=True)
class Candidate:
    """Somebody else who sends, and what would be his next packet."""

    source: Address
    ssrc: int
    next: int
    packets: int = 0


@dataclass(slots=True)
class Peer:
    """The far end of a leg: what was agreed, and where its packets really come from."""

    remote: Remote
    target: Address  # where we send
    source: Address | None = None  # who is listened to; None until somebody has sent
    home: Address | None = None  # who may always come back: the source before a stranger's
    since: int = 0  # packets that had been received when `source` began
    candidate: Candidate | None = None
    keys: EventReader = field(default_factory=EventReader)
    kinds: dict[int, str] = field(default_factory=dict)  # by payload type: a codec, KEYS or NOISE
    spoken: int = -1  # the payload type that its sound has now
    coders: dict[str, Coder] = field(default_factory=dict)  # of codecs that we do not speak to it


@frozen
class Stream:
    """Packets of one SSRC: expected and not received, and the extended highest sequence number."""

    ssrc: int
    expected: int
    lost: int
    highest: int


class Receivers:
    """Arrays indexed by slot."""

    def __init__(
        self,
        capacity: int,
        on_key: Callable[[int, str], None],
        on_noise: Callable[[int, bytes], None],
        coders: Mapping[int, Coder],
    ) -> None:
        self._on_key, self._on_noise, self._coders = on_key, on_noise, coders
        self._peers: dict[int, Peer] = {}
        self._unpackers: dict[int, Unpacker] = {}  # of those who speak a codec that is no table
        self.jitter_buffers = JitterBuffers(capacity)
        self._payload_type = np.full(capacity, -1, np.int16)  # -1: nothing is expected
        self._alaw = np.zeros(capacity, np.bool_)
        self._known = np.zeros(capacity, np.bool_)
        self._ssrc = np.zeros(capacity, np.uint32)
        self._first = np.zeros(capacity, np.int64)  # extended sequence numbers
        self._highest = np.zeros(capacity, np.int64)
        self._transit = np.zeros(capacity, np.uint32)
        self.heard_at = np.zeros(capacity)
        self.jitter = np.zeros(capacity)  # samples
        self.packets = np.zeros(capacity, np.int64)
        self.refused = np.zeros(capacity, np.int64)  # nobody's, or no sound that was agreed
        self._lost_before = np.zeros(capacity, np.int64)  # by earlier streams of the leg
        self._got = np.zeros(capacity, np.int64)  # packets of this stream

    def open(self, slot: int, at: float) -> None:
        self.jitter_buffers.reset(slot)
        self._payload_type[slot] = -1
        self._known[slot] = False
        self.heard_at[slot] = at
        for array in (self.jitter, self.packets, self.refused, self._lost_before, self._got):
            array[slot] = 0

    def close(self, slot: int) -> None:
        self._peers.pop(slot, None)
        self._unpackers.pop(slot, None)
        self._payload_type[slot] = -1

    def connect(self, slot: int, remote: Remote, at: float) -> None:
        """Agreed anew. A leg that was told another address listens to whoever comes first again."""
        peer = self._peers.get(slot)
        address = (remote.host, remote.port)
        if peer is None or (peer.remote.host, peer.remote.port) != address:
            peer = self._peers[slot] = Peer(remote, address)
        peer.remote = remote
        before, peer.kinds = peer.kinds.get(peer.spoken), _kinds(remote)
        same = before is not None and peer.kinds.get(peer.spoken) == before
        self._turn(slot, peer, peer.spoken if same else remote.payload_type)
        self.heard_at[slot] = at

    def _turn(self, slot: int, peer: Peer, payload_type: int) -> None:
        """Its sound has this type from now on: of the codecs that were agreed on, a far end may
        send any (RFC 3264 section 7)."""
        peer.spoken, codec = payload_type, peer.kinds[payload_type]
        by_table = peer.remote.receive and codec in TABLES
        self._payload_type[slot] = payload_type if by_table else -1
        self._alaw[slot] = codec == "PCMA"
        before = self._unpackers.pop(slot, None)
        if codec not in TABLES:
            coder = self._coder(slot, peer, codec)
            self._unpackers[slot] = before if before and before.coder is coder else Unpacker(coder)
        if before is not self._unpackers.get(slot):
            self.jitter_buffers.restart(slot)

    def _coder(self, slot: int, peer: Peer, codec: str) -> Coder:
        """Ours, where we speak that codec to it as well."""
        ours = self._coders.get(slot)
        if ours is not None and ours.codec == codec:
            return ours
        if codec not in peer.coders:
            peer.coders[codec] = Coder(codec)
        return peer.coders[codec]

    def move(self, slot: int, source: Address) -> None:
        """The far end has proved that it is there."""
        peer = self._peers[slot]
        peer.source = peer.target = source

    def target(self, slot: int) -> Address:
        return self._peers[slot].target

    def clock(self, slot: int) -> int:
        """RTP ticks to a sample of ours, in what comes."""
        unpacker = self._unpackers.get(slot)
        return unpacker.coder.clock if unpacker else 1

    def reports_to(self, slot: int) -> Address:
        """Where reports go: with the sound; where that goes as agreed, to what was said of them
        (RFC 3605); else to the port above, if there is any (RFC 3550 section 11)."""
        target, remote = self._peers[slot].target, self._peers[slot].remote
        if remote.mux or remote.web:
            return target
        host, port, *rest = target
        if remote.reports and (host, port) == (remote.host, remote.port):
            return remote.reports
        return (host, min(port + 1, 65535), *rest)

    def stream(self, slot: int) -> Stream | None:
        """What has been received of the present stream; None before its first packet."""
        if not self._known[slot]:
            return None
        expected = int(self._highest[slot] - self._first[slot]) + 1
        highest = int(self._highest[slot]) & 0xFFFFFFFF
        return Stream(int(self._ssrc[slot]), expected, expected - int(self._got[slot]), highest)

    def lost(self, slot: int) -> int:
        """Packets expected and not received, over all streams of the leg."""
        stream = self.stream(slot)
        return int(self._lost_before[slot]) + (max(stream.lost, 0) if stream else 0)

    def receive(self, batch: Batch) -> None:
        """Packets of one moment, at most one for each slot."""
        rows, sizes = batch.rows, np.array(batch.sizes)
        slots = np.array(batch.slots, np.intp)
        at = np.broadcast_to(np.asarray(batch.at, np.float64), slots.shape)
        kind = rows[:, 1]
        common = (rows[:, 0] == 0x80) & (sizes == rtp.SIZE)
        common &= (kind & 0x7F) == self._payload_type[slots]
        peers = self._peers
        for i, (slot, source) in enumerate(zip(batch.slots, batch.sources, strict=True)):
            peer = peers.get(slot)
            if peer is None or (source != peer.source and not self._listens(peer, batch, i)):
                common[i] = False
                sizes[i] = 0
                self.refused[slot] += batch.sizes[i] > 0
        shorts, longs = rows.view(">u2"), rows.view(">u4")
        seq, ts, ssrc = shorts[:, 1].astype(np.uint16), longs[:, 1].astype(np.uint32), longs[:, 2]
        if not common.all():
            for i in np.flatnonzero(~common & (sizes > 0)).tolist():
                self._odd(batch.slots[i], rows[i, : sizes[i]].tobytes(), float(at[i]))
            slots, seq, ts, ssrc, at = (
                slots[common],
                seq[common],
                ts[common],
                ssrc[common],
                at[common],
            )
            rows = rows[common]
        if len(slots):
            self._count(slots, seq, ts, ssrc.astype(np.uint32), at)
            self._put(slots, ts, rows[:, rtp.HEADER : rtp.SIZE], at)

    def _put(self, slots: Slots, ts: Stamps, payload: codecs.Bytes, at: Times) -> None:
        alaw = self._alaw[slots]
        if alaw.any():
            frames = codecs.decode(codecs.PCMA, payload)
            frames[~alaw] = codecs.decode(codecs.PCMU, payload[~alaw])
        else:
            frames = codecs.decode(codecs.PCMU, payload)
        self.jitter_buffers.put(slots, ts, frames, at)

    def _listens(self, peer: Peer, batch: Batch, i: int) -> bool:
        """Symmetric RTP (RFC 4961): answer where packets come from, and whose packets count.

        The first to send is believed until another has proved himself and he has not; the announced
        address always is. A stream may go on from elsewhere after a short silence, another may
        begin after a longer one, and makes room when that before it comes back. What is sealed
        proves itself.
        """
        slot, source = batch.slots[i], batch.sources[i]
        packet = rtp.read(batch.rows[i, : batch.sizes[i]].tobytes())
        if packet is None:
            return False
        if peer.remote.web is not None:
            return True  # let in by its door; where it is, its checks have said
        rebound = bool(self._known[slot]) and packet.ssrc == int(self._ssrc[slot])
        if peer.remote.srtp is not None:
            believed = not rebound or packet.seq - int(self._highest[slot]) & 0xFFFF < 0x8000
        else:
            announced = (peer.remote.host, peer.remote.port)
            believed = source[:2] == announced or source == peer.home
        if not believed and peer.source is not None:
            at = float(np.broadcast_to(batch.at, len(batch.slots))[i])
            silence = at - self.heard_at[slot]
            doubtful = int(self.packets[slot]) - peer.since < PROOF
            proved = _proved(peer, packet, source)
            if not proved or not (doubtful or silence > (QUIET if rebound else STRANGE)):
                return False
            if not rebound and not doubtful and peer.home is None:
                peer.home = peer.source
        if believed or rebound:
            peer.home = source
        peer.source = peer.target = source
        peer.since = int(self.packets[slot])
        return True

    def _count(
        self, slots: Slots, seq: NDArray[np.uint16], ts: Stamps, ssrc: Stamps, at: Times
    ) -> None:
        """RFC 3550 appendix A.1 and A.8, for all at once."""
        step = (seq - self._highest[slots].astype(np.uint16)).view(np.int16).astype(np.int64)
        anew = ~self._known[slots] | (ssrc != self._ssrc[slots]) | (np.abs(step) > ANOTHER_CLOCK)
        transit = (at * RATE).astype(np.int64).astype(np.uint32) - ts
        if anew.any():
            self._begin(slots[anew], seq[anew], ssrc[anew], transit[anew])
            step[anew] = 0
        self._highest[slots] += np.maximum(step, 0)
        self._got[slots] += 1
        self.packets[slots] += 1
        self.heard_at[slots] = at
        change = np.abs((transit - self._transit[slots]).view(np.int32).astype(np.int64))
        change[change > RATE] = 0  # a second at once is no jitter but a clock that was set anew
        self.jitter[slots] += (change - self.jitter[slots]) / 16
        self._transit[slots] = transit

    def _begin(self, slots: Slots, seq: NDArray[np.uint16], ssrc: Stamps, transit: Stamps) -> None:
        """A stream begins: the leg's first, another SSRC, or the same one started over."""
        before = self._highest[slots] - self._first[slots] + 1 - self._got[slots]
        self._lost_before[slots] += np.where(self._known[slots], np.maximum(before, 0), 0)
        self.jitter_buffers.restart(slots)
        for slot in slots.tolist():
            self._peers[slot].keys = EventReader()
        self._known[slots] = True
        self._ssrc[slots] = ssrc
        self._first[slots] = self._highest[slots] = seq
        self._got[slots] = 0
        self._transit[slots] = transit

    def _odd(self, slot: int, data: bytes, at: float) -> None:
        """A packet with an uncommon header or length, or a telephone event."""
        peer, packet = self._peers[slot], rtp.read(data)
        if not peer.remote.receive:
            return
        if packet is None or len(data) >= rtp.ROW:
            self.refused[slot] += 1
            return
        self.heard_at[slot] = at
        kind = peer.kinds.get(packet.payload_type)
        if kind is None:
            self.refused[slot] += 1
        elif kind == KEYS:
            self._count_one(slot, packet, at)
            key = peer.keys.read(packet.payload, packet.ts)
            if key is not None:
                self._on_key(slot, key)
        elif kind == NOISE:
            self._count_one(slot, packet, at)
            self._on_noise(slot, packet.payload)
        else:
            if packet.payload_type != peer.spoken:
                self._turn(slot, peer, packet.payload_type)
            self._unpack(slot, kind, packet, at)

    def _count_one(self, slot: int, packet: Packet, at: float, timed: bool = False) -> None:
        """As `_count`; an event's timestamp says nothing of its transit, if it is not `timed`."""
        slots, jitter = np.array([slot]), self.jitter[slot]
        transit = self._transit[slot]
        seq, ts = np.array([packet.seq], np.uint16), np.array([packet.ts], np.uint32)
        self._count(slots, seq, ts, np.array([packet.ssrc], np.uint32), np.array([at]))
        if not timed:
            self.jitter[slot], self._transit[slot] = jitter, transit

    def _unpack(self, slot: int, codec: str, packet: Packet, at: float) -> None:
        """Sound of any length, into frames of 20 ms."""
        unpacker, payload, ts = self._unpackers.get(slot), packet.payload, packet.ts
        samples = unpacker.coder.length(payload) if unpacker else len(payload)
        if not 0 < samples <= LONGEST:
            self.refused[slot] += 1
            return
        if unpacker:
            # The place is reserved; what is heard there is decoded when it is due.
            ts, sound = unpacker.coder.stamp(ts), np.zeros(samples, np.int16)
            unpacker.put(ts, payload)
        else:
            sound = codecs.decode(TABLES[codec], np.frombuffer(payload, np.uint8))
        self._count_one(slot, replace(packet, ts=ts), at, timed=True)
        self.jitter_buffers.put_any(slot, ts, sound, at)

    def take(self, slots: Slots) -> tuple[Pcm, NDArray[np.bool_], NDArray[np.bool_]]:
        """The frame due for each of these slots; whether it came, and whether there is any: some
        codecs know what to make of nothing."""
        buffers = self.jitter_buffers
        frames, came = buffers.take(slots)
        present = came.copy()
        for slot, unpacker in self._unpackers.items():
            i = int(np.searchsorted(slots, slot))
            if not buffers.passed[i]:
                continue
            ts, two = buffers.heard(slot), bool(buffers.joined[slot])
            sound = unpacker.frame(ts, two) if came[i] else unpacker.lost(ts)
            buffers.joined[slot] = False
            came[i] &= sound is not None
            present[i] = sound is not None
            frames[i] = 0 if sound is None else sound
        return frames, came, present


def _kinds(remote: Remote) -> dict[int, str]:
    """What comes under each payload type that was agreed on."""
    kinds = {**dict(remote.others), remote.payload_type: remote.codec}
    if remote.dtmf_payload_type is not None:
        kinds[remote.dtmf_payload_type] = KEYS
    if remote.noise_payload_type is not None:
        kinds[remote.noise_payload_type] = NOISE
    return kinds


def _proved(peer: Peer, packet: Packet, source: Address) -> bool:
    """Whether somebody else has sent enough packets in sequence."""
    one = peer.candidate
    if one is None or (one.source, one.ssrc, one.next) != (source, packet.ssrc, packet.seq):
        one = peer.candidate = Candidate(source, packet.ssrc, packet.seq)
    one.next = packet.seq + 1 & 0xFFFF
    one.packets += 1
    return one.packets >= PROOF
