"""RTP in: whose packets count, what they hold, and the statistics of RFC 3550 section 6.4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from offhook.frozen import frozen
from offhook.media import codecs, rtp
from offhook.media.clip import RATE
from offhook.media.codecs import Pcm
from offhook.media.coding import LONGEST, Coder
from offhook.media.jitter import JitterBuffers, Slots, Stamps, Times, under_way
from offhook.media.keys import EventReader
from offhook.media.masks import Mask, every, some
from offhook.media.orders import KEYS, Remote
from offhook.media.peers import NOISE, PROOF, Early, Peer, kinds, proved
from offhook.media.rtp import Address, Batch, Packet
from offhook.media.unpacking import Unpacker

TABLES = {"PCMU": codecs.PCMU, "PCMA": codecs.PCMA}
QUIET = 0.25  # seconds without a packet after which a stream may go on from another source
STRANGE = 1.0  # and after which another stream may
EARLY = 0.1  # seconds that sound may be faster than the agreement that it follows
ANOTHER_CLOCK = 3000  # a jump of sequence numbers beyond which a sender began anew, RFC 3550 A.1
KIND = np.uint32(0xFF7F0000)  # of the first four bytes of a packet: all but marker and number
NOTHING = 0xFFFFFFFF  # no packet is of that kind
NOBODY = -1  # no SSRC
SILENT = codecs.SILENCE[codecs.PCMU]


@frozen
class Stream:
    """Packets of one SSRC: expected and not received, and the extended highest sequence number.
    `earlier` is how many the leg's streams before it had."""

    ssrc: int
    expected: int
    lost: int
    highest: int
    earlier: int

    def since(self, before: Stream | None) -> tuple[int, int]:
        """What was expected and not received since then; of a stream that has begun since, all."""
        if before is None or before.earlier != self.earlier:
            return self.expected, self.lost
        return self.expected - before.expected, self.lost - before.lost


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
        self._early = Early()
        self._unpackers: dict[int, Unpacker] = {}  # of those who speak a codec that is no table
        self.jitter_buffers = JitterBuffers(capacity)
        self.targets: dict[int, Address] = {}  # where packets go, of connected legs
        self._sources: dict[int, Address | None] = {}  # and who is listened to
        self._kind = np.full(capacity, NOTHING, np.uint32)  # of the packets that are expected
        self._ssrc = np.full(capacity, NOBODY, np.int64)
        self._first = np.zeros(capacity, np.int64)  # extended sequence numbers
        self._highest = np.zeros(capacity, np.int64)
        self._transit = np.zeros(capacity, np.uint32)
        self.heard_at = np.zeros(capacity)
        self.jitter = np.zeros(capacity)  # samples
        self.refused = np.zeros(capacity, np.int64)  # nobody's, or no sound that was agreed
        self._got = np.zeros(capacity, np.int64)  # packets of this stream
        self._got_before = np.zeros(capacity, np.int64)  # of earlier streams of the leg
        self._lost_before = np.zeros(capacity, np.int64)
        self._came = np.zeros(capacity, np.bool_)
        self._decoded: dict[int, Pcm] = {}  # of those with unpackers

    def open(self, slot: int, at: float) -> None:
        self.jitter_buffers.reset(slot)
        self._kind[slot] = NOTHING
        self._ssrc[slot] = NOBODY
        self.heard_at[slot] = at
        for array in (self.jitter, self.refused, self._got, self._got_before, self._lost_before):
            array[slot] = 0

    def close(self, slot: int) -> None:
        for known in (self._peers, self._unpackers, self.targets, self._sources):
            known.pop(slot, None)
        self._early.take(slot)

    def connect(self, slot: int, remote: Remote, at: float) -> None:
        """Agreed anew. A leg that was told another address listens to whoever comes first again."""
        peer = self._peers.get(slot)
        address = (remote.host, remote.port)
        if peer is None or (peer.remote.host, peer.remote.port) != address:
            peer = self._peers[slot] = Peer(remote)
            self._sources[slot], self.targets[slot] = None, address
        peer.remote = remote
        before, peer.kinds = peer.kinds.get(peer.spoken), kinds(remote)
        same = before is not None and peer.kinds.get(peer.spoken) == before
        self._turn(slot, peer, peer.spoken if same else remote.payload_type)
        self.heard_at[slot] = at

    def early(self, slot: int, at: float) -> list[Batch]:
        """What the far end has sent just before it was agreed on."""
        remote, came = self._peers[slot].remote, self._early.take(slot)
        home, since = (remote.host, remote.port), at - EARLY
        theirs = [one for one in came if one[2][:2] == home and one[3] >= since and not remote.web]
        self.refused[slot] -= len(theirs)
        return rtp.batches(theirs)

    def _turn(self, slot: int, peer: Peer, payload_type: int) -> None:
        """Its sound has this type from now on: of the codecs that were agreed on, a far end may
        send any (RFC 3264 section 7)."""
        peer.spoken, codec = payload_type, peer.kinds[payload_type]
        by_table = peer.remote.receive and codec in TABLES
        self._kind[slot] = rtp.VERSION << 24 | payload_type << 16 if by_table else NOTHING
        self.jitter_buffers.speak(slot, codec == "PCMA")
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
        self._sources[slot] = self.targets[slot] = source

    def clock(self, slot: int) -> int:
        """RTP ticks to a sample of ours, in what comes."""
        unpacker = self._unpackers.get(slot)
        return unpacker.coder.clock if unpacker else 1

    def reports_to(self, slot: int) -> Address:
        """Where reports go: with the sound; where that goes as agreed, to what was said of them
        (RFC 3605); else to the port above, if there is any (RFC 3550 section 11)."""
        target, remote = self.targets[slot], self._peers[slot].remote
        if remote.mux or remote.web:
            return target
        host, port, *rest = target
        if remote.reports and (host, port) == (remote.host, remote.port):
            return remote.reports
        return (host, min(port + 1, 65535), *rest)

    def stream(self, slot: int) -> Stream | None:
        """What has been received of the present stream; None before its first packet."""
        if self._ssrc[slot] == NOBODY:
            return None
        expected = int(self._highest[slot] - self._first[slot]) + 1
        return Stream(
            ssrc=int(self._ssrc[slot]),
            expected=expected,
            lost=expected - int(self._got[slot]),
            highest=int(self._highest[slot]) & 0xFFFFFFFF,
            earlier=int(self._got_before[slot]),
        )

    def received(self, slot: int) -> int:
        """Packets of all streams of the leg."""
        return int(self._got_before[slot] + self._got[slot])

    def lost(self, slot: int) -> int:
        """Packets expected and not received, over all streams of the leg."""
        stream = self.stream(slot)
        return int(self._lost_before[slot]) + (max(stream.lost, 0) if stream else 0)

    def receive(self, batch: Batch) -> None:
        """Packets of one moment, at most one for each slot."""
        slots, rows, at = np.array(batch.slots, np.intp), batch.rows, batch.at
        head = rows[:, : rtp.HEADER].view(">u4").astype(np.uint32)
        common = head[:, 0] & KIND == self._kind[slots]
        known, size = self._sources, rtp.SIZE
        each = enumerate(zip(batch.slots, batch.sizes, batch.sources, strict=True))
        strange = [i for i, (n, its, source) in each if its != size or source != known.get(n)]
        if strange or not every(common):
            self._sort_out(batch, strange, common)
            slots, head, rows = slots[common], head[common], rows[common]
            at = at if isinstance(at, float) else at[common]
        if len(slots):
            seq, ts = head[:, 0].astype(np.uint16), head[:, 1]
            transit = self._count(slots, seq, ts, head[:, 2], at)
            self.jitter_buffers.put(slots, ts, rows[:, rtp.HEADER : size], transit)

    def _sort_out(self, batch: Batch, strange: list[int], common: Mask) -> None:
        """Whose packets count, and those that are not `common`, one by one."""
        nobodys = set()
        for i in strange:
            if batch.sizes[i] != rtp.SIZE:
                common[i] = False
            if not self._is_peers(batch, i):
                nobodys.add(i)
                common[i] = False
                self.refused[batch.slots[i]] += batch.sizes[i] > 0
        for i in np.flatnonzero(~common).tolist():
            if i not in nobodys:
                self._odd(batch.slots[i], batch.data(i), batch.when(i))

    def _is_peers(self, batch: Batch, i: int) -> bool:
        slot, peer = batch.slots[i], self._peers.get(batch.slots[i])
        if not batch.sizes[i]:
            return False
        if peer is None:
            self._early.keep(batch, i)
            return False
        return batch.sources[i] == self._sources[slot] or self._listens(peer, batch, i)

    def _listens(self, peer: Peer, batch: Batch, i: int) -> bool:
        """Symmetric RTP (RFC 4961): answer where packets come from, and whose packets count.

        The first to send is believed until another has proved himself and he has not; the announced
        address always is. A stream may go on from elsewhere after a short silence, another may
        begin after a longer one, and makes room when that before it comes back. What is sealed
        proves itself.
        """
        slot, source = batch.slots[i], batch.sources[i]
        packet = rtp.read(batch.data(i))
        if packet is None:
            return False
        if peer.remote.web is not None:
            return True  # let in by its door; where it is, its checks have said
        before, rebound = self._sources[slot], packet.ssrc == self._ssrc[slot]
        if peer.remote.srtp is not None:
            believed = not rebound or packet.seq - int(self._highest[slot]) & 0xFFFF < 0x8000
        else:
            announced = (peer.remote.host, peer.remote.port)
            believed = source[:2] == announced or source == peer.home
        if not believed and before is not None:
            silence = batch.when(i) - self.heard_at[slot]
            doubtful = self.received(slot) - peer.since < PROOF
            proves = proved(peer, packet, source)
            if not proves or not (doubtful or silence > (QUIET if rebound else STRANGE)):
                return False
            if not rebound and not doubtful and peer.home is None:
                peer.home = before
        if believed or rebound:
            peer.home = source
        self.move(slot, source)
        peer.since = self.received(slot)
        return True

    def _count(
        self,
        slots: Slots,
        seq: NDArray[np.uint16],
        ts: Stamps,
        ssrc: Stamps,
        at: float | Times,
    ) -> Stamps:
        """RFC 3550 appendix A.1 and A.8, for all at once; how long each was `under_way`."""
        highest, transit = self._highest[slots], under_way(ts, at)
        step = seq - highest.astype(np.uint16)
        anew = (step + ANOTHER_CLOCK > 2 * ANOTHER_CLOCK) | (ssrc != self._ssrc[slots])
        if some(anew):
            self._begin(slots[anew], seq[anew], ssrc[anew], transit[anew])
            highest[anew], step[anew] = seq[anew], 0
        self._highest[slots] = highest + np.maximum(step.view(np.int16), 0)
        self._got[slots] += 1
        self.heard_at[slots] = at
        change = np.abs((transit - self._transit[slots]).view(np.int32) / 16)
        change *= change <= RATE / 16  # a second at once is no jitter but a clock that was set anew
        self.jitter[slots] = self.jitter[slots] * (15 / 16) + change
        self._transit[slots] = transit
        return transit

    def _begin(self, slots: Slots, seq: NDArray[np.uint16], ssrc: Stamps, transit: Stamps) -> None:
        """A stream begins: the leg's first, another SSRC, or the same one started over."""
        before = self._highest[slots] - self._first[slots] + 1 - self._got[slots]
        known = self._ssrc[slots] != NOBODY
        self._lost_before[slots] += np.where(known, np.maximum(before, 0), 0)
        self._got_before[slots] += self._got[slots]
        self.jitter_buffers.restart(slots)
        for slot in slots.tolist():
            self._peers[slot].keys = EventReader()
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
        self._count(slots, seq, ts, np.array([packet.ssrc], np.uint32), at)
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
            ts, sound = unpacker.coder.stamp(ts), np.full(samples, SILENT, np.uint8)
            unpacker.put(ts, payload)
        else:
            sound = np.frombuffer(payload, np.uint8)
        self._count_one(slot, replace(packet, ts=ts), at, timed=True)
        self.jitter_buffers.put_any(slot, ts, sound, at)

    def take(self, top: int) -> Mask:
        """Time goes on by a frame for all slots below `top`: whose frame has come."""
        buffers = self.jitter_buffers
        came = self._came = buffers.take(top)
        self._decoded = {}
        for slot, unpacker in self._unpackers.items():
            if not buffers.passed[slot]:
                continue
            ts, two = buffers.heard(slot), bool(buffers.joined[slot])
            sound = unpacker.frame(ts, two) if came[slot] else unpacker.lost(ts)
            buffers.joined[slot] = False
            came[slot] &= sound is not None
            if sound is not None:
                self._decoded[slot] = sound
        return came

    def frames(self, slots: Slots) -> tuple[Pcm, Mask]:
        """The frames that `take` took, and whether there is any: some codecs know what to make of
        one that has not come."""
        frames, present = self.jitter_buffers.frames(slots), self._came[slots]
        if not every(present):
            frames[~present] = 0
        for i, slot in enumerate(slots.tolist()) if self._unpackers else ():
            if slot in self._unpackers:
                present[i] = slot in self._decoded
                frames[i] = self._decoded.get(slot, 0)
        return frames, present
