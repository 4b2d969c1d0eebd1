"""What the main process orders from the media plane, and what it is told."""

from __future__ import annotations

from dataclasses import field
from typing import Final, Literal, NamedTuple

from offhook.frozen import frozen

KEYS: Final = "keys"  # what comes under a payload type, if it is no codec


@frozen
class Srtp:
    """What both sides seal their packets with: a suite of RFC 4568 or RFC 7714, master keys."""

    suite: str
    ours: bytes = field(repr=False)  # key and salt of what we send
    theirs: bytes = field(repr=False)


@frozen
class Identity:
    """Our certificate for DTLS and its key in PEM, and the description's line about them."""

    certificate: bytes
    key: bytes = field(repr=False)
    fingerprint: str


@frozen
class Web:
    """A browser's leg. `user` and `password` are ours for its ICE checks; `fingerprint` is that of
    its certificate. With `active` the handshake is ours to begin."""

    user: str
    password: str = field(repr=False)
    fingerprint: str
    identity: Identity
    active: bool = False


@frozen
class Remote:
    """Where a leg sends its RTP, as the session description says; `receive` and `send` are ours.

    Sound of other codecs, and KEYS, may come under the payload types of `others` as well.
    With `srtp` or `web`, nothing goes or is taken in the clear. With `web` or `mux`, reports share
    the port (RFC 5761); else `reports` is where they go, if that was said (RFC 3605).
    """

    host: str
    port: int
    codec: Literal["PCMU", "PCMA", "G722", "opus"]
    payload_type: int
    dtmf_payload_type: int | None
    send: bool = True
    receive: bool = True
    noise_payload_type: int | None = None
    dtmf_clock: int = 8000  # Hz, of the durations of keys
    srtp: Srtp | None = None
    web: Web | None = None
    mux: bool = False
    reports: tuple[str, int] | None = None
    others: tuple[tuple[int, str], ...] = ()


@frozen
class Stats:
    """What became of a leg's packets. Jitter and round trip as RFC 3550 computes them; a worker
    looks once a frame for what has come, so that a round trip may seem a frame longer."""

    packets_sent: int = 0
    packets_received: int = 0
    lost: int = 0
    late: int = 0  # arrived after they were due; not played
    duplicates: int = 0
    jitter_ms: float = 0.0
    round_trip_ms: float = 0.0  # from the far end's last report; 0 without one
    far_lost: int = 0  # of ours, by the far end's account
    far_jitter_ms: float = 0.0  # of ours, likewise
    codec: str = ""  # agreed last
    refused: int = 0  # arrived, and were not what was agreed on: forged, strange or nothing at all


@frozen
class Tally:
    """What became of the packets of all RTP legs, those that have closed among them.

    `late_ticks` began more than half a frame after their time.
    """

    packets_sent: int = 0
    packets_received: int = 0
    lost: int = 0
    late: int = 0
    duplicates: int = 0
    late_ticks: int = 0

    def __add__(self, other: Tally | Stats) -> Tally:
        more = other.late_ticks if isinstance(other, Tally) else 0
        return Tally(
            self.packets_sent + other.packets_sent,
            self.packets_received + other.packets_received,
            self.lost + other.lost,
            self.late + other.late,
            self.duplicates + other.duplicates,
            self.late_ticks + more,
        )


@frozen
class Recorded:
    """A finished recording. `frames` counts those that held sound received, silent or not.

    `ended`: its legs have closed. `failed`: the file could not be written to the end, and holds
    so many seconds.
    """

    seconds: float
    reason: Literal["stopped", "silence", "max", "ended", "failed"]
    frames: int
    silent: bool


Direction = Literal["in", "out"]


@frozen
class RecorderOrder:
    """A recording by the ids of its legs; see `plane.RecordOrder`."""

    path: str
    tracks: tuple[tuple[tuple[int, Direction], ...], ...]
    max_seconds: float
    silence_seconds: float
    trim: bool


class Event(NamedTuple):
    """Something that happened to a leg, a job (something played) or a recorder, by its id.

    `key`: a str. `heard`: a frame's bytes. `done`: a job is over. `closed`: a leg's Stats.
    `dead`: nothing arrived for as long as was asked; a str is why nothing can. `recorded`:
    Recorded. `prepared`, `opened`: an errno or 0, of a port and of a leg. `tallied`: a Tally, for
    the job that asked.
    """

    kind: Literal[
        "key", "heard", "done", "closed", "dead", "recorded", "prepared", "opened", "tallied"
    ]
    id: int
    value: object = None
