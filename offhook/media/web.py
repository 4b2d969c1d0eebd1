"""Legs on which everything shares one port, and the doors of browsers among them.

What comes is told apart by its first byte (RFC 7983), reports from sound by the second (RFC 5761).
A browser's checks say where it is (RFC 8445, ours is a lite agent), its handshake gives the keys;
until then nothing is said to it and nothing is heard of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from offhook.frozen import frozen
from offhook.media import stun
from offhook.media.dtls import Handshake
from offhook.media.orders import Remote, Srtp, Web
from offhook.media.rtp import Address

FIRST_RTCP, LAST_RTCP = 192, 223
HANDSHAKE_BYTES = 65_536  # that a far end may send before there are keys
PLACES = 32  # addresses of one browser that are listened to: where it is, and the latest


@frozen
class Came:
    """What a datagram was: nothing, if all is empty. `packet` and `report` are still sealed; `at`
    is where the browser is now. `failed`: it can come to nothing any more."""

    replies: tuple[bytes, ...] = ()
    packet: bytes = b""
    report: bytes = b""
    at: Address | None = None
    keys: Srtp | None = None
    known: bool = True
    failed: bool = False


NOTHING = Came(known=False)


class Mux:
    """Sound and reports on one port."""

    at: Address | None = None
    over = True

    def receive(self, data: bytes, source: Address, now: float) -> Came:
        return _sealed(data)

    def again(self, now: float) -> list[bytes]:
        return []


class Door:
    """A browser's. ICE may begin anew while the keys stay (RFC 8842 section 4)."""

    def __init__(self, agreed: Web) -> None:
        self.agreed = agreed
        self.at: Address | None = None  # the pair that the browser nominated
        self._checked: dict[Address, None] = {}  # the latest last
        self._handshake = Handshake(agreed)
        self._taken = 0

    @property
    def over(self) -> bool:
        return self._handshake.over

    def agree(self, agreed: Web) -> None:
        """Agreed anew. Sound goes where it went until the browser says where it is now."""
        before, self.agreed = self.agreed, agreed
        if agreed.user != before.user:
            self._checked = {self.at: None} if self.at else {}
        if agreed.fingerprint != before.fingerprint:
            self._handshake, self._taken = Handshake(agreed), 0

    def receive(self, data: bytes, source: Address, now: float) -> Came:
        first = data[0] if data else 0xFF
        if first < 4:
            return self._check(data, source, now)
        if source not in self._checked:
            return NOTHING
        if _is_record(data):
            return self._shake(data, now)
        return _sealed(data) if 128 <= first < 192 else NOTHING

    def again(self, now: float) -> list[bytes]:
        """What is to be repeated of the handshake."""
        return self._handshake.again(now)

    def _check(self, data: bytes, source: Address, now: float) -> Came:
        request = stun.read(data)
        if request is None or not request.by(self.agreed.user, self.agreed.password):
            return NOTHING
        reply, right = stun.answer(request, self.agreed.password, source)
        if not right:
            return Came((reply,))
        moved = request.nominates or self.at is None
        self.at = source if moved else self.at
        self._listen(source)
        return Came((reply, *self._handshake.begin(now)), at=source if moved else None)

    def _listen(self, source: Address) -> None:
        self._checked.pop(source, None)
        self._checked[source] = None
        if len(self._checked) > PLACES:
            del self._checked[next(one for one in self._checked if one != self.at)]

    def _shake(self, data: bytes, now: float) -> Came:
        before = self._handshake.keys
        self._taken += 0 if before else len(data)
        if self._taken > HANDSHAKE_BYTES or self._handshake.failed:
            return NOTHING
        replies = tuple(self._handshake.receive(data, now))
        keys = None if before else self._handshake.keys
        return Came(replies, keys=keys, failed=self._handshake.failed)


def _is_record(data: bytes) -> bool:
    """Whether it has a header of DTLS 1.2 or before, or the short one of 1.3."""
    return len(data) >= 13 and (32 <= data[0] < 64 or (20 <= data[0] < 32 and data[1] == 0xFE))


def _sealed(data: bytes) -> Came:
    is_report = len(data) > 1 and FIRST_RTCP <= data[1] <= LAST_RTCP
    return Came(report=data) if is_report else Came(packet=data)


class Doors:
    """By slot, those of the legs with one port for everything."""

    def __init__(self) -> None:
        self._doors: dict[int, Door | Mux] = {}
        self._shaking: set[int] = set()
        self.slots: set[int] = set()

    def agree(self, slot: int, remote: Remote) -> Address | None:
        """Where the browser is, when that is known already."""
        known = self._doors.get(slot)
        if remote.web is None and not remote.mux:
            self.forget(slot)
            return None
        self.slots.add(slot)
        if remote.web is None:
            known = self._doors[slot] = Mux()
        elif isinstance(known, Door):
            known.agree(remote.web)
        else:
            known = self._doors[slot] = Door(remote.web)
        if not known.over:
            self._shaking.add(slot)
        return known.at

    def forget(self, slot: int) -> None:
        self._doors.pop(slot, None)
        self.slots.discard(slot)
        self._shaking.discard(slot)

    def receive(self, slot: int, data: bytes, source: Address, now: float) -> Came:
        return self._doors[slot].receive(data, source, now)

    def again(self, now: float) -> Iterator[tuple[int, bytes, Address]]:
        """What is to be repeated, and to whom."""
        for slot in tuple(self._shaking):
            door = self._doors[slot]
            if door.over:
                self._shaking.discard(slot)
            elif door.at:
                for data in door.again(now):
                    yield slot, data, door.at
