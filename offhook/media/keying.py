"""Keys on their way: to a far end as events or tones, over a wire, on through a room of two."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from offhook.media import keys
from offhook.media.clip import RATE
from offhook.media.codecs import Pcm
from offhook.media.keypad import Keypad, Pressing
from offhook.media.orders import Remote
from offhook.media.rooms import Rooms
from offhook.media.sending import Senders
from offhook.media.wires import Wires


class Keying:
    """`tell` is told each key that a leg's far end has pressed; `remotes` are the RTP legs'."""

    def __init__(
        self,
        remotes: Mapping[int, Remote],
        wires: Wires,
        rooms: Rooms,
        senders: Senders,
        tell: Callable[[int, str], None],
    ) -> None:
        self._remotes, self._wires, self._rooms = remotes, wires, rooms
        self._senders, self._tell = senders, tell
        self.keypad = Keypad()

    def heard(self, slot: int, key: str) -> None:
        """The far end of this leg pressed a key; in a room of two the other's far end gets it."""
        self._tell(slot, key)
        other = self._rooms.partner(slot)
        if other is None or (self.by_ear(slot) and self.by_ear(other)):
            return
        if (end := self._wires.other(other)) is not None:
            self.heard(end, key)
        else:
            self.keypad.press(other, [], key)

    def by_ear(self, slot: int) -> bool:
        """Whether keys of this leg are tones among the sound."""
        return slot in self._remotes and self._remotes[slot].dtmf_payload_type is None

    def send(
        self, said: Pcm, sounds: NDArray[np.bool_]
    ) -> tuple[list[tuple[int, bytes]], list[int]]:
        """One tick of everything that is pressed: events as packets, by slot, and the jobs that are
        over. A tone takes the place of what a leg says; `sounds` is told."""
        sounding, over = self.keypad.tick()
        packets = []
        for slot, pressing, beat in sounding:
            remote = self._remotes.get(slot)
            if remote is None:
                self._over_wire(slot, beat)
            elif remote.dtmf_payload_type is not None:
                packets.append((slot, self._event(slot, remote.dtmf_payload_type, pressing, beat)))
            elif not beat.ended:
                said[slot] = keys.tone(beat.key)[beat.ticks - 1]
                sounds[slot] = True
        return packets, over

    def _over_wire(self, slot: int, beat: keys.Beat) -> None:
        end = self._wires.other(slot)
        if end is not None and beat.ticks == 1:
            self.heard(end, beat.key)

    def _event(self, slot: int, kind: int, pressing: Pressing, beat: keys.Beat) -> bytes:
        if beat.ticks == 1:
            pressing.start = self._senders.now(slot)
        payload = keys.event(beat, self._remotes[slot].dtmf_clock // RATE)
        return self._senders.event(slot, kind, pressing.start, beat.ticks == 1, payload)
