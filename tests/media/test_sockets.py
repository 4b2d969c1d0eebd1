"""The UDP sockets of a worker, on the loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from offhook.media.output import Output
from offhook.media.rtp import ROW, Address
from offhook.media.sockets import AT_ONCE, ROUNDS, Marker, Sockets

EXPEDITED = 0xB8  # RFC 4594 section 4.1, in the byte of RFC 2474
LOOPBACK = "127.0.0.1"
NOWHERE: Address = (LOOPBACK, 0)
DATAGRAM = 3000  # bytes of a handshake that is longer than any sound


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_pair() -> tuple[int, int]:
    """A port that nobody has, nor the one above."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = probe.getsockname()[1]
        if port < 65535 and is_free(port) and is_free(port + 1):
            return port, port + 1


@dataclass
class Desk:
    """Sockets of slots from 0 on, a pair each, and a far end; what came is kept."""

    far: socket.socket
    sockets: Sockets = field(default_factory=Sockets)
    ports: dict[int, int] = field(default_factory=dict)
    heard: list[tuple[int, bytes]] = field(default_factory=list)
    reported: list[tuple[int, bytes]] = field(default_factory=list)

    def open(self, count: int = 1) -> None:
        for slot in range(count):
            port, _ = free_pair()
            self.sockets.prepare(LOOPBACK, port)
            self.sockets.open(slot, port)
            self.ports[slot] = port

    def say(self, data: bytes, slot: int = 0, above: int = 0) -> None:
        self.far.sendto(data, (LOOPBACK, self.ports[slot] + above))

    def drain(self) -> list[tuple[int, bytes]]:
        """What came for whom in this tick; read when all of it is there, as an engine does."""
        batches = self.sockets.drain(0.0, lambda slot, data: self.reported.append((slot, data)))
        return [
            (slot, row[:size].tobytes())
            for batch in batches
            for slot, size, row in zip(batch.slots, batch.sizes, batch.rows, strict=True)
        ]

    def send(self, output: Output, *targets: Address) -> None:
        rows = [memoryview(b"sound of %d" % slot) for slot in range(len(targets))]
        self.sockets.send(output, rows, dict(enumerate(targets)))

    def receive(self) -> tuple[bytes, int]:
        """What came to the far end, and from which port."""
        data, (_, port) = self.far.recvfrom(4096)
        return data, port

    @property
    def there(self) -> Address:
        address: Address = self.far.getsockname()
        return address


@pytest.fixture
def desk() -> Iterator[Desk]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind((LOOPBACK, 0))
        far.settimeout(10)
        desk = Desk(far)
        yield desk
        for slot in desk.ports:
            desk.sockets.close(slot)


@pytest.mark.parametrize(
    ("ip", "family", "level", "asked"),
    [
        ("127.0.0.1", socket.AF_INET, socket.IPPROTO_IP, socket.IP_RECVTOS),
        ("::1", socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS),
    ],
)
def test_sound_is_marked_for_routers_to_pass_it_first(
    ip: str, family: socket.AddressFamily, level: int, asked: int
):
    with socket.socket(family, socket.SOCK_DGRAM) as far, socket.socket(family, far.type) as free:
        try:
            far.bind((ip, 0))
        except OSError:
            pytest.skip(f"this machine has no {ip}")
        far.settimeout(10)
        far.setsockopt(level, asked, 1)
        free.bind((ip, 0))
        port = min(free.getsockname()[1], 65000) + 1
        ours = Sockets()
        ours.prepare(ip, port)
        ours.open(0, port)
        ours.send(Output(packets=[(0, b"sound")]), [], {0: far.getsockname()})
        data, [(_, _, marked)], _, source = far.recvmsg(100, 100)
        ours.close(0)
    assert (data, source[1], marked[0]) == (b"sound", port, EXPEDITED)


def test_sound_comes_on_one_port_and_reports_on_the_one_above(desk):
    desk.open(2)
    desk.say(b"sound", slot=1)
    desk.say(b"a report " * 100, slot=1, above=1)
    assert desk.drain() == [(1, b"sound")]
    assert desk.reported == [(1, b"a report " * 100)]


def test_reports_leave_from_where_they_come(desk):
    desk.open()
    port = desk.ports[0]
    desk.send(Output(reports=[(0, b"a report", desk.there)]))
    assert desk.receive() == (b"a report", port + 1)
    desk.send(Output(farewells=[(0, b"a goodbye", desk.there)]))
    assert desk.receive() == (b"a goodbye", port + 1)
    desk.send(Output(replies=[(0, b"an answer", desk.there)]))
    assert desk.receive() == (b"an answer", port)


def test_packets_that_came_in_one_tick_are_all_there_in_their_order(desk):
    desk.open()
    said = [b"%d" % n for n in range(ROUNDS)]
    for data in said:
        desk.say(data)
    assert desk.drain() == [(0, data) for data in said]


def test_a_flood_waits_for_the_next_ticks(desk):
    """Nobody else's sound is late because of one who sends too much."""
    desk.open()
    for n in range(2 * ROUNDS + 1):
        desk.say(b"%d" % n)
    ticks = [[int(data) for _, data in desk.drain()] for _ in range(3)]
    assert ticks == [list(range(10)), list(range(10, 20)), [20]]


def test_what_many_have_sent_at_once_is_read_in_turns_and_none_is_lost(desk):
    many = AT_ONCE // ROUNDS + 10
    desk.open(many)
    for n in range(ROUNDS):
        for slot in range(many):
            desk.say(b"%d %d" % (slot, n), slot)
    first = desk.drain()
    assert AT_ONCE - many < len(first) <= AT_ONCE
    heard = [(slot, *map(int, data.split())) for slot, data in first + desk.drain()]
    assert all(slot == said for slot, said, _ in heard)
    assert sorted((slot, n) for slot, _, n in heard) == [
        (slot, n) for slot in range(many) for n in range(ROUNDS)
    ]


def test_what_cannot_be_sent_is_lost_and_everything_else_is_sent(desk):
    desk.open(2)
    both = [(slot, b"%d" % slot) for slot in (0, 1)]
    addressed = [(0, b"0", NOWHERE), (1, b"1", desk.there)]
    for output, data, above in [
        (Output(media=[0, 1]), b"sound of 1", 0),
        (Output(packets=both), b"1", 0),
        (Output(replies=addressed), b"1", 0),
        (Output(reports=addressed), b"1", 1),
        (Output(farewells=addressed), b"1", 1),
    ]:
        desk.send(output, NOWHERE, desk.there)
        assert desk.receive() == (data, desk.ports[1] + above)


def test_what_comes_to_a_door_goes_by_it_whole_and_only_sound_goes_on(desk):
    """A handshake is longer than any sound, and more than a row is none."""
    came: list[tuple[int, int, Address]] = []

    def enter(slot: int, data: bytes, source: Address) -> bytes:
        came.append((slot, len(data), source))
        return data if data.startswith(b"sound") else b""

    desk.open(2)
    desk.sockets.guard({1}, enter)
    desk.say(b"h" * DATAGRAM, slot=1)
    desk.say(b"sound", slot=1)
    desk.say(b"sound".ljust(DATAGRAM), slot=1)
    desk.say(b"h", slot=0)
    heard = sorted(desk.drain())
    assert heard == [(0, b"h"), (1, b"sound"), (1, b"sound".ljust(ROW))]
    assert came == [(1, size, desk.there) for size in (DATAGRAM, 5, DATAGRAM)]


@pytest.mark.parametrize("marked", [True, False])
def test_what_came_before_a_pair_was_handed_out_is_nobodys(desk, marked):
    """Nor is what came before its leg, where that was not said."""
    port, _ = free_pair()
    desk.ports[0] = port
    desk.sockets.prepare(LOOPBACK, port)
    for n in range(3):
        desk.say(b"%d" % n)
        desk.say(b"%d" % n, above=1)
    if marked:
        with closing(Marker()) as marker:
            marker.mark(LOOPBACK, port)
    desk.say(b"early")
    desk.say(b"early", above=1)
    desk.sockets.open(0, port)
    assert desk.drain() == [(0, b"early")] * marked
    desk.say(b"sound")
    desk.say(b"a report", above=1)
    assert desk.drain() == [(0, b"sound")]
    assert desk.reported == [(0, b"a report")]


def test_a_pair_is_prepared_once_and_free_again_when_its_leg_is_closed(desk):
    port, above = free_pair()
    for slot in range(2):
        desk.sockets.prepare(LOOPBACK, port)
        desk.sockets.prepare(LOOPBACK, port)
        desk.sockets.open(slot, port)
        assert [is_free(one) for one in (port, above)] == [False, False]
        desk.sockets.close(slot)
        assert [is_free(one) for one in (port, above)] == [True, True]


def test_of_a_pair_that_cannot_be_had_nothing_is_kept(desk):
    port, above = free_pair()
    for taken, other in ((port, above), (above, port)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
            theirs.bind((LOOPBACK, taken))
            with pytest.raises(OSError, match="in use"):
                desk.sockets.prepare(LOOPBACK, port)
            assert is_free(other)
            assert not desk.sockets.is_prepared(port)
