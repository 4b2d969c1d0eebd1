"""Whose packets count, and where ours go: RFC 4961, and the sense of RFC 7362."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from media_sounds import AGREED, FAR, FarEnd, Studio, number, numbered

from offhook.media import rtp
from offhook.media.orders import Remote, Stats

NAT = ("198.51.100.3", 61000)
STRANGER = ("203.0.113.66", 9)


def listen(studio: Studio, leg: int, source: tuple[str, int], numbers: range) -> list[int | None]:
    """What is newly heard while these packets arrive from there, one a tick."""
    before, far = len(studio.heard(leg)), FarEnd()
    for n in numbers:
        studio.arrive(leg, far.packet(n), source)
        studio.tick()
    return [number(frame) for frame in studio.heard(leg)[before:]]


@pytest.fixture
def studio() -> Studio:
    studio = Studio()
    studio.rtp_leg(1)
    return studio


def target(studio: Studio) -> tuple[object, ...]:
    return studio.engine.targets[studio.slots[1]]


def test_packets_go_where_the_session_description_says(studio):
    studio.tick()
    assert target(studio) == FAR


def test_packets_go_where_the_first_ones_came_from(studio):
    assert listen(studio, 1, NAT, range(5))
    assert target(studio) == NAT


def test_a_stranger_cannot_talk_into_a_live_call(studio):
    listen(studio, 1, FAR, range(5))
    for n in range(20):
        studio.arrive(1, FarEnd().packet(5 + n))
        studio.arrive(1, FarEnd().packet(30 + n), STRANGER)
        studio.tick()
    assert {number(frame) for frame in studio.heard(1)} <= set(range(25))
    assert target(studio) == FAR


def test_the_announced_address_takes_its_place_from_a_stranger_at_once(studio):
    listen(studio, 1, STRANGER, range(5))
    assert listen(studio, 1, FAR, range(5, 10))[-1] is not None
    assert target(studio) == FAR


def test_so_it_does_over_ipv6_whose_sources_say_more(studio):
    """Sockets give a flow label and an interface as well."""
    far, stranger = ("2001:db8::7", 4000, 0, 0), ("2001:db8::66", 9, 0, 0)
    studio.engine.connect(1, replace(AGREED, host="2001:db8::7"))
    listen(studio, 1, stranger, range(5))
    studio.arrive(1, FarEnd(TestHijacking.OTHER).packet(5), far)
    studio.tick()
    assert target(studio) == far


def test_a_far_end_that_moves_is_followed_after_a_quarter_of_a_second_of_silence(studio):
    listen(studio, 1, NAT, range(10))
    assert listen(studio, 1, STRANGER, range(10, 20)) == [9], "too soon"
    assert target(studio) == NAT
    assert len(listen(studio, 1, STRANGER, range(20, 40))) > 10
    assert target(studio) == STRANGER


class TestHijacking:
    """Whoever guesses a port can send to it; the stream that is heard stays who it was."""

    OTHER = replace(FarEnd().first, ssrc=0xBAD, seq=7000, ts=99)

    def inject(self, studio: Studio, ticks: int, true: bool = True, lost: int = 10**6) -> set[int]:
        """Strange packets beside the true ones, of which every so many are lost; what is heard."""
        before, first = len(studio.heard(1)), getattr(studio, "said", 20)
        for n in range(first, first + ticks):
            if true and n % lost:
                studio.arrive(1, FarEnd().packet(n, numbered(5)), NAT)
            studio.arrive(1, FarEnd(self.OTHER).packet(n, numbered(60)), STRANGER)
            studio.tick()
        studio.said = first + ticks  # type: ignore[attr-defined]
        return {number(frame) for frame in studio.heard(1)[before + 5 :]}  # type: ignore[misc]

    def test_another_stream_is_not_heard_while_the_true_one_goes_on(self, studio):
        listen(studio, 1, NAT, range(20))
        assert self.inject(studio, 300) == {5}
        assert target(studio) == NAT

    def test_nor_when_half_of_the_true_one_is_lost(self, studio):
        listen(studio, 1, NAT, range(20))
        assert 60 not in self.inject(studio, 300, lost=2)
        assert target(studio) == NAT

    def test_nor_in_a_short_silence(self, studio):
        listen(studio, 1, NAT, range(20))
        assert 60 not in self.inject(studio, 48, true=False)
        assert target(studio) == NAT

    def test_the_true_one_comes_back_into_its_right_at_once(self, studio):
        """After a long silence of the true one the stranger is taken for it, but not for good."""
        listen(studio, 1, NAT, range(20))
        self.inject(studio, 100, true=False)
        assert target(studio) == STRANGER
        studio.arrive(1, FarEnd().packet(120), NAT)
        studio.tick()
        assert target(studio) == NAT
        assert self.inject(studio, 100) == {5}

    def test_a_stranger_who_came_first_makes_room_for_one_who_proves_himself(self, studio):
        """One packet into the port before the call began does not keep the true far end out."""
        listen(studio, 1, STRANGER, range(1))
        assert len(listen(studio, 1, NAT, range(30, 50))) > 10
        assert target(studio) == NAT

    def test_packets_that_are_in_no_sequence_prove_nothing(self, studio):
        listen(studio, 1, STRANGER, range(1))
        for n in (100, 300, 200, 5000, 60, 61, 7000, 7001):
            studio.arrive(1, FarEnd().packet(n), NAT)
            studio.tick()
        assert target(studio) == STRANGER


def test_what_is_not_rtp_moves_nobody(studio):
    studio.arrive(1, b"\x00\x01\x00\x00stun", STRANGER)
    studio.tick()
    assert target(studio) == FAR


def test_a_new_agreement_is_followed_at_once(studio):
    listen(studio, 1, NAT, range(5))
    studio.engine.connect(1, replace(AGREED, host="192.0.2.99", port=7000))
    assert target(studio) == ("192.0.2.99", 7000)
    assert number(studio.heard(1)[-1]) == 3
    assert listen(studio, 1, ("192.0.2.99", 7000), range(5, 10))


def early(remote: Remote, *sources: rtp.Address, wait: int = 1) -> tuple[list[int | None], Stats]:
    """What is heard of a stream of which as many packets come before the leg is connected."""
    studio = Studio()
    studio.slots[2] = studio.engine.open_rtp(2)
    for n, source in enumerate(sources):
        studio.arrive(2, FarEnd().packet(n), source)
    studio.tick(wait)
    studio.engine.connect(2, remote)
    studio.engine.tap(2, True)
    heard = listen(studio, 2, FAR, range(len(sources), len(sources) + 8))
    studio.engine.close(2)
    stats = studio.events("closed", 2)[0].value
    assert isinstance(stats, Stats)
    return heard, stats


def test_what_comes_just_before_it_is_agreed_who_sends_it_is_heard():
    heard, stats = early(AGREED, FAR, FAR)
    assert heard == list(range(8))
    assert (stats.packets_received, stats.refused, stats.lost) == (10, 0, 0)


@pytest.mark.parametrize(("source", "wait"), [(FAR, 7), (STRANGER, 1)])
def test_what_comes_long_before_it_or_from_elsewhere_is_not(source: rtp.Address, wait: int):
    """As what was on its way to the call that had these ports before."""
    heard, stats = early(AGREED, source, source, wait=wait)
    assert [n for n in heard if n is not None] == list(range(2, 9))
    assert (stats.packets_received, stats.refused) == (8, 2)


def test_an_agreement_that_changes_only_the_direction_keeps_the_learned_source(studio):
    listen(studio, 1, NAT, range(5))
    studio.engine.connect(1, replace(AGREED, send=False))
    assert target(studio) == NAT


def test_another_codec_is_understood_from_the_agreement_on(studio):
    listen(studio, 1, FAR, range(5))
    studio.engine.connect(1, replace(AGREED, codec="PCMA", payload_type=8))
    far = FarEnd(replace(FarEnd().first, payload_type=8))
    before = len(studio.heard(1))
    for n in range(5, 12):
        studio.arrive(1, far.packet(n, b"\xaa" * 160))
        studio.tick()
    assert 32256 in np.frombuffer(studio.heard(1)[before + 1], "<i2")


def test_on_hold_nothing_is_sent_and_nothing_is_heard(studio):
    studio.tick(3)
    studio.engine.connect(1, replace(AGREED, send=False, receive=False))
    sent = len(studio.sent(1))
    assert listen(studio, 1, FAR, range(10)) == []
    assert len(studio.sent(1)) == sent
    studio.engine.connect(1, AGREED)
    assert len(listen(studio, 1, FAR, range(10, 20))) > 5
    packets = studio.sent(1)
    assert len(packets) == sent + 10
    assert packets[sent].ts - packets[sent - 1].ts == 11 * 160, "time went on meanwhile"
    assert packets[sent].seq - packets[sent - 1].seq == 1


def test_a_connected_leg_sends_fifty_packets_a_second_of_silence(studio):
    studio.tick(50)
    packets = studio.sent(1)
    assert [packet.seq - packets[0].seq for packet in packets] == list(range(50))
    assert [packet.ts - packets[0].ts for packet in packets] == [160 * n for n in range(50)]
    assert {packet.payload for packet in packets} == {b"\xff" * 160}
    assert [packet.marker for packet in packets] == [True] + [False] * 49


def test_a_stall_is_a_gap_in_time_and_not_a_burst(studio):
    studio.tick(2)
    studio.ticks += 10
    studio.tick()
    packets = studio.sent(1)
    assert len(packets) == 3
    assert packets[2].ts - packets[1].ts == 11 * 160


class TestGarbage:
    PACKET = FarEnd().packet(20)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x80",
            PACKET[:11],
            b"\x40" + PACKET[1:],
            b"\xc0" + PACKET[1:],
            b"\x80\x4d" + PACKET[2:],
            PACKET[:12],
            b"\x8f" + PACKET[1:50],
            b"\x90" + PACKET[1:12] + b"\xbe\xde\xff\xff" + PACKET[16:],
            b"\xa0" + PACKET[1:-1] + b"\xff",
            b"\xa0" + PACKET[1:-1] + b"\x00",
            PACKET + bytes(1000),
            PACKET + bytes(3000),
        ],
        ids=[
            "nothing", "a byte", "half a header", "version 1", "version 3", "another type",
            "no payload", "sources that are not there", "an extension that is not there",
            "more padding than packet", "padding of none", "180 ms", "huge",
        ],
    )  # fmt: skip
    def test_what_is_no_sound_is_dropped_and_counted(self, studio, data):
        listen(studio, 1, FAR, range(10))
        before = [number(frame) for frame in studio.heard(1)]
        for _ in range(3):
            studio.arrive(1, data)
        assert [*before, *listen(studio, 1, FAR, range(10, 20))] == list(range(19))
        studio.engine.close(1)
        figures = studio.events("closed", 1)[0].value
        assert isinstance(figures, Stats)
        assert figures.packets_received == 20
        assert figures.refused == (3 if data else 0)

    def test_strangers_are_counted(self, studio):
        listen(studio, 1, FAR, range(10))
        listen(studio, 1, STRANGER, range(5))
        studio.engine.close(1)
        assert studio.events("closed", 1)[0].value.refused == 5


def test_packets_without_sound_keep_a_call_alive(studio):
    """RFC 6263: sent in a silence so that what is between the two sides stays open."""
    studio.engine.expect(1, 2.0)
    listen(studio, 1, FAR, range(5))
    for n in range(10):
        studio.arrive(1, FarEnd().packet(5 + n, b"", payload_type=20))
        studio.tick(50)
    assert studio.events("dead", 1) == []


def test_a_leg_from_which_nothing_comes_is_reported_dead_once(studio):
    studio.engine.expect(1, 2.0)
    listen(studio, 1, FAR, range(20))
    studio.tick(99)
    assert studio.events("dead", 1) == []
    studio.tick(200)
    assert len(studio.events("dead", 1)) == 1
