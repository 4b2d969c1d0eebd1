"""Packets that only the two ends of a leg can read: SRTP and SRTCP (RFC 3711), by libsrtp."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pylibsrtp import Error, Policy, Session

from offhook.media.orders import Srtp
from offhook.media.output import Output
from offhook.media.rtp import ROW, Batch

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}


class Lock:
    """Both directions of one leg. The counters in it must live as long as its keys do."""

    def __init__(self, keys: Srtp) -> None:
        self._keys = keys
        profile = PROFILES[keys.suite]
        self._out = Session(Policy(keys.ours, Policy.SSRC_ANY_OUTBOUND, 0, profile))
        self._in = Session(Policy(keys.theirs, Policy.SSRC_ANY_INBOUND, 0, profile))

    def change(self, keys: Srtp) -> None:
        """Agreed anew. A direction whose key stays goes on where it was: no packet's number may
        come twice under one key (RFC 3711 section 9.1)."""
        before, self._keys = self._keys, keys
        fresh = Lock(keys)
        if (keys.suite, keys.ours) != (before.suite, before.ours):
            self._out = fresh._out
        if (keys.suite, keys.theirs) != (before.suite, before.theirs):
            self._in = fresh._in

    def seal(self, packet: bytes) -> bytes:
        return self._out.protect(packet)

    def seal_report(self, packet: bytes) -> bytes:
        return self._out.protect_rtcp(packet)

    def open(self, data: bytes) -> bytes:
        """The packet; nothing when it is forged, repeated, not for us or too long."""
        try:
            return self._in.unprotect(data)
        except (Error, ValueError):
            return b""

    def open_report(self, data: bytes) -> bytes:
        try:
            return self._in.unprotect_rtcp(data)
        except (Error, ValueError):
            return b""


class Shut:
    """No keys yet."""

    def seal(self, packet: bytes) -> bytes:
        return b""

    seal_report = open = open_report = seal


class Locks:
    """The legs that are secured, by slot; all others pass by untouched."""

    def __init__(self) -> None:
        self._locks: dict[int, Lock | Shut] = {}
        self.refused: Counter[int] = Counter()  # packets that could not be opened, by slot

    def agree(self, slot: int, keys: Srtp | None) -> None:
        """Agreed, or agreed anew; None is in the clear."""
        if keys is None:
            self._locks.pop(slot, None)
        elif isinstance(known := self._locks.get(slot), Lock):
            known.change(keys)
        else:
            self._locks[slot] = Lock(keys)

    def expect(self, slot: int) -> None:
        """Keys will be agreed on; until then nothing goes out or comes in."""
        self._locks.setdefault(slot, Shut())

    def forget(self, slot: int) -> None:
        self._locks.pop(slot, None)
        self.refused.pop(slot, None)

    def open(self, batch: Batch) -> Batch:
        """The packets as they were before they were sealed, in their rows; what cannot be opened
        is empty."""
        locks = self._locks
        if locks.keys().isdisjoint(batch.slots):
            return batch
        sizes, rows = list(batch.sizes), batch.rows.data.cast("B")
        for i, slot in enumerate(batch.slots):
            if lock := locks.get(slot):
                row = rows[i * ROW : (i + 1) * ROW]
                packet = lock.open(bytes(row[: sizes[i]]))
                self.refused[slot] += not packet
                sizes[i] = len(packet)
                row[: sizes[i]] = packet
        return replace(batch, sizes=sizes)

    def open_report(self, slot: int, data: bytes) -> bytes:
        lock = self._locks.get(slot)
        return lock.open_report(data) if lock else data

    def seal_report(self, slot: int, data: bytes) -> bytes:
        lock = self._locks.get(slot)
        return lock.seal_report(data) if lock else data

    def seal(self, output: Output, rows: list[memoryview]) -> None:
        """Everything that secured legs send, sealed; their media becomes packets of their own."""
        locks = self._locks
        if not locks:
            return
        events = [(n, locks[n].seal(p) if n in locks else p) for n, p in output.packets]
        media = [(n, locks[n].seal(bytes(rows[n]))) for n in output.media if n in locks]
        output.media = [slot for slot in output.media if slot not in locks]
        output.packets = [one for one in events + media if one[1]]
        reports = [(n, self.seal_report(n, p), to) for n, p, to in output.reports]
        output.reports = [one for one in reports if one[1]]
