"""RTCP and the figures kept with a call: RFC 3550 section 6 and appendix A."""

from __future__ import annotations

import struct
from base64 import b64decode
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_sounds import AGREED, FAR, FarEnd, Studio

from offhook.media import rtcp
from offhook.media.orders import Stats
from offhook.media.receiving import Receivers
from offhook.media.reports import Reports
from offhook.media.rtp import Packet
from offhook.media.sending import Senders

BLOCK = rtcp.Reception(0xFEED, 25, -3, 70000, 12, 0x12345678, 65536)


def reports(studio: Studio, leg: int = 1) -> list[rtcp.Report]:
    sent = [one for output in studio.outputs for one in output.reports]
    read = [rtcp.read(data) for slot, data, _ in sent if slot == studio.slots[leg]]
    return [report for report in read if report]


def name(data: bytes) -> bytes:
    """The canonical name in a compound packet (section 6.5.1)."""
    at = data.index(bytes([0x81, rtcp.DESCRIPTION])) + 8
    assert data[at] == 1
    return data[at + 2 : at + 2 + data[at + 1]]


def stats(studio: Studio, leg: int = 1) -> Stats:
    studio.engine.close(leg)
    (event,) = studio.events("closed", leg)
    assert isinstance(event.value, Stats)
    return event.value


def talk(studio: Studio, numbers: list[int], far: FarEnd | None = None, wait: float = 0.0) -> None:
    far = far or FarEnd()
    for n in numbers:
        studio.arrive(1, far.packet(n), after=wait * (n % 2))
        studio.tick()


@pytest.fixture
def studio() -> Studio:
    studio = Studio()
    studio.rtp_leg(1)
    return studio


class TestPackets:
    @pytest.mark.parametrize("sent", [None, (rtcp.ntp(3.5), 800, 9, 1440)])
    @pytest.mark.parametrize("reception", [None, BLOCK])
    def test_what_is_written_is_read(self, sent, reception):
        ntp = None if sent is None else rtcp.middle(sent[0])
        receptions = () if reception is None else (reception,)
        assert rtcp.read(rtcp.report(7, b"far", sent, reception)) == rtcp.Report(7, ntp, receptions)

    def test_a_compound_packet_names_its_sender_after_the_report(self):
        """Section 6.1: a report first, a source description with a CNAME in every one."""
        data = rtcp.report(7, b"far", None, None)
        lengths = struct.unpack_from("!H", data, 2)[0] * 4 + 4
        assert data[1] == rtcp.RECEIVER_REPORT
        assert data[lengths + 1] == rtcp.DESCRIPTION
        assert b"\x01\x03far\0" in data
        assert len(data) % 4 == 0

    def test_a_report_is_found_behind_another_packet(self):
        bye = b"\x81\xcb\0\1\0\0\0\7"
        assert rtcp.read(bye + rtcp.report(7, b"far", None, BLOCK)) == rtcp.Report(
            7, None, (BLOCK,)
        )

    @pytest.mark.parametrize("cut", [1, 7, 20, 30, 50])
    def test_a_packet_cut_short_is_nothing(self, cut):
        data = rtcp.report(7, b"far", (1, 2, 3, 4), BLOCK)[:52]
        assert rtcp.read(data[:cut]) is None

    def test_a_report_without_a_sender_is_nothing(self):
        assert rtcp.read(b"\x80\xc9\0\0" + b"\x81\xcb\0\1\0\0\0\7") is None

    @given(st.binary(max_size=120))
    def test_no_datagram_is_too_strange_to_read(self, data):
        report = rtcp.read(data)
        assert report is None or len(report.receptions) <= 31


class TestSending:
    def test_a_leg_reports_every_five_seconds(self, studio):
        talk(studio, list(range(1000)))
        sent = reports(studio)
        assert len(sent) == 4
        stamps = [report.ntp for report in sent]
        assert [b - a for a, b in pairwise(stamps)] == [5 * 65536] * 3

    def test_no_two_of_many_legs_report_at_once(self):
        studio = Studio()
        for leg in range(60):
            studio.rtp_leg(leg)
        studio.tick(250)
        assert max(len(output.reports) for output in studio.outputs) == 1
        assert [len(reports(studio, leg)) for leg in range(60)] == [1] * 60

    def test_it_reports_what_it_received(self, studio):
        talk(studio, [n for n in range(300) if n % 10 != 9])
        block = reports(studio)[0].receptions[0]
        assert block.ssrc == 0xFEED
        assert block.fraction_lost / 256 == pytest.approx(0.1, abs=0.01)
        assert block.lost == pytest.approx((block.highest - 99) / 10, abs=1)
        assert (block.last_report, block.delay) == (0, 0), "it has had none"

    def test_what_is_lost_of_each_stream_is_told_of_it_alone(self, studio):
        """Appendix A.3: since the last report, or since another stream began."""
        half = [n for n in range(1000) if n % 2]
        talk(studio, list(range(300)))
        talk(studio, half[150:250], FarEnd(Packet(0, False, 40000, 9, 0xBEEF, b"")))
        studio.tick(100)
        fractions = [report.receptions[0].fraction_lost for report in reports(studio)]
        assert fractions == [0, pytest.approx(128, abs=1)]

    def test_what_was_lost_since_the_last_report_is_told_once(self, studio):
        talk(studio, [n for n in range(250) if n % 10 != 5])
        talk(studio, list(range(250, 540)))
        blocks = [report.receptions[0] for report in reports(studio)]
        assert [one.lost for one in blocks] == [25, 25]
        assert [one.fraction_lost for one in blocks] == [pytest.approx(23, abs=1), 0]

    def test_the_highest_number_is_not_that_of_one_that_came_late(self, studio):
        talk(studio, [*range(248), 249, 248])
        assert reports(studio)[0].receptions[0].highest == FarEnd().first.seq + 249

    def test_numbers_that_jump_far_are_a_stream_that_began_anew(self, studio):
        """Appendix A.1: nothing between them was lost."""
        talk(studio, list(range(50)))
        jumped = replace(FarEnd().first, seq=10_000)
        talk(studio, list(range(50, 100)), FarEnd(jumped))
        figures = stats(studio)
        assert (figures.packets_received, figures.lost) == (100, 0)

    def test_a_leg_on_hold_is_a_mere_receiver(self, studio):
        studio.engine.connect(1, replace(AGREED, send=False))
        talk(studio, list(range(600)))
        assert [report.ntp for report in reports(studio)][-1] is None

    def test_so_is_one_that_has_said_nothing_since_its_last_report(self, studio):
        """Section 6.4."""
        talk(studio, list(range(260)))
        studio.engine.connect(1, replace(AGREED, send=False))
        talk(studio, list(range(260, 800)))
        assert [report.ntp is None for report in reports(studio)] == [False, False, True]

    def test_a_far_end_that_never_spoke_is_not_reported_on(self, studio):
        studio.tick(300)
        assert [report.receptions for report in reports(studio)] == [()]

    def test_what_was_sent_is_told_in_packets_and_in_octets_of_payload(self, studio):
        """Section 6.4.1: without headers; a key's packets have four octets each."""
        studio.engine.press(1, 1, "5")
        studio.tick(300)
        [(_, data, _)] = [one for output in studio.outputs for one in output.reports]
        _, rtp_time, packets, octets = struct.unpack_from("!QIII", data, 8)
        before = studio.sent(1)[:packets]
        assert octets == sum(len(one.payload) for one in before) != packets * 160
        assert rtp_time == before[-1].ts + 160, "what is being said in the moment of the report"

    def test_who_talks_for_a_week_counts_from_the_beginning_again(self):
        """Section 6.4.1: in 32 bits."""
        chance = Random(1)
        senders = Senders(1, chance, {})
        receivers = Receivers(1, lambda slot, key: None, lambda slot, noise: None, {})
        ours = Reports(senders, receivers, chance)
        senders.open(0)
        ours.open(0)
        ours.connect(0, "PCMU")
        senders.packets[0] = 2**32 + 3
        [(_, data)] = ours.due(0, 604_800)
        assert struct.unpack_from("!II", data, 20) == (3, 480)

    def test_every_leg_has_a_name_of_its_own_and_keeps_it(self, studio):
        """RFC 7022 section 4.2: 96 bits by chance, in 16 characters; the same in every report."""
        studio.rtp_leg(2)
        studio.tick(600)
        studio.engine.close(1)
        sent = [pair[:2] for output in studio.outputs for pair in output.reports]
        sent += [pair[:2] for pair in studio.engine.collect().farewells]
        names = {
            leg: {name(data) for slot, data in sent if slot == studio.slots[leg]} for leg in (1, 2)
        }
        assert len(names[1]) == len(names[2]) == 1
        assert names[1].isdisjoint(names[2])
        assert all(len(b64decode(one)) == 12 for one in names[1] | names[2])

    def test_who_leaves_says_goodbye(self, studio):
        """Section 6.6."""
        talk(studio, list(range(10)))
        studio.engine.close(1)
        [(slot, data, where)] = studio.engine.collect().farewells
        ssrc = studio.sent(1)[0].ssrc
        assert (slot, where) == (studio.slots[1], (FAR[0], FAR[1] + 1))
        assert rtcp.read(data) == rtcp.Report(ssrc, None, ())
        assert data.endswith(struct.pack("!BBHI", 0x81, rtcp.BYE, 1, ssrc))

    @pytest.mark.parametrize(
        ("told", "source", "where"),
        [
            (None, FAR, (FAR[0], FAR[1] + 1)),
            (("192.0.2.99", 7777), FAR, ("192.0.2.99", 7777)),
            (("192.0.2.99", 7777), ("198.51.100.1", 999), ("198.51.100.1", 1000)),
            (None, ("198.51.100.1", 65535), ("198.51.100.1", 65535)),
        ],
    )
    def test_reports_go_where_the_far_end_said(self, told, source, where):
        """RFC 3605; not where its sound does not come from where it said either: that is a NAT's
        inside. Above the last port there is none."""
        studio = Studio()
        studio.rtp_leg(1, replace(AGREED, reports=told))
        for n in range(300):
            studio.arrive(1, FarEnd().packet(n), source=source)
            studio.tick()
        assert {to for output in studio.outputs for _, _, to in output.reports} == {where}
        studio.engine.close(1)
        assert [to for _, _, to in studio.engine.collect().farewells] == [where]

    def test_who_has_left_reports_no_more(self, studio):
        studio.rtp_leg(2)
        studio.engine.close(1)
        studio.tick(250)
        assert (len(reports(studio, 1)), len(reports(studio, 2))) == (0, 1)

    def test_a_leg_that_was_never_connected_leaves_without_a_word(self):
        studio = Studio()
        studio.slots[1] = studio.engine.open_rtp(1)
        studio.engine.close(1)
        assert studio.engine.collect().farewells == []


class TestReceiving:
    def answer(self, studio: Studio, **changes: object) -> None:
        ssrc = studio.sent(1)[0].ssrc
        block = replace(BLOCK, ssrc=ssrc, **changes)  # type: ignore[arg-type]
        studio.engine.now = studio.now
        studio.engine.report(studio.slots[1], rtcp.report(9, b"far", None, block))

    def test_the_round_trip_is_what_is_left_without_the_far_ends_delay(self, studio):
        studio.tick(100)
        left_at = rtcp.middle(rtcp.ntp(studio.now - 0.75))
        self.answer(studio, last_report=left_at, delay=int(0.7 * 65536), lost=4, jitter=40)
        figures = stats(studio)
        assert figures.round_trip_ms == pytest.approx(50, abs=0.1)
        assert (figures.far_lost, figures.far_jitter_ms) == (4, 5)

    @pytest.mark.parametrize(
        ("last_report", "delay"),
        [(0, 0), (rtcp.middle(rtcp.ntp(1.25)), 65536)],
        ids=["he has had no report of ours", "he says that he has had it for longer than that"],
    )
    def test_there_is_no_round_trip_when(self, studio, last_report, delay):
        studio.tick(100)
        self.answer(studio, last_report=last_report, delay=delay)
        assert stats(studio).round_trip_ms == 0

    def test_a_round_trip_may_be_told_while_the_seconds_begin_again(self, studio):
        """Sixteen bits of them are in a report: 18 hours."""
        studio.ticks = 65536 * 50
        studio.tick()
        left_at = rtcp.middle(rtcp.ntp(65535.5))
        self.answer(studio, last_report=left_at, delay=65536 // 2)
        assert stats(studio).round_trip_ms == pytest.approx(20, abs=0.1)

    @pytest.mark.parametrize(
        ("codec", "number", "clock"), [("PCMA", 8, 8000), ("G722", 9, 8000), ("opus", 111, 48000)]
    )
    def test_the_far_ends_jitter_is_in_the_clock_of_the_payload(self, codec, number, clock):
        studio = Studio()
        studio.rtp_leg(1, replace(AGREED, codec=codec, payload_type=number))
        studio.tick(10)
        self.answer(studio, jitter=clock * 7 // 1000)
        assert stats(studio).far_jitter_ms == 7

    @pytest.mark.parametrize(
        "data",
        [
            b"\x80\xcf\0\3\0\0\0\x09\4\0\0\1" + bytes(4),
            b"\x81\xce\0\2" + bytes(8),
            b"\x81\xcb\0\1\0\0\0\7",
            b"\x80\xcc\0\2\0\0\0\7abcd",
        ],
        ids=["an extended report", "feedback alone (RFC 5506)", "a BYE alone", "an application's"],
    )
    def test_other_packets_change_nothing_and_hide_no_report(self, studio, data):
        studio.tick(10)
        studio.engine.report(studio.slots[1], data)
        ssrc = studio.sent(1)[0].ssrc
        block = replace(BLOCK, ssrc=ssrc, last_report=0, lost=7)
        studio.engine.report(studio.slots[1], data + rtcp.report(9, b"far", None, block))
        assert stats(studio).far_lost == 7

    def test_who_reports_is_alive_though_he_says_nothing(self, studio):
        """Silence suppression: no sound for minutes, reports all the same."""
        studio.engine.expect(1, 10)
        talk(studio, list(range(10)))
        for _ in range(12):
            studio.tick(250)
            studio.engine.report(studio.slots[1], rtcp.report(0xFEED, b"far", None, None))
        assert studio.events("dead", 1) == []
        studio.tick(501)
        assert len(studio.events("dead", 1)) == 1

    def test_so_is_who_has_not_said_anything_yet(self, studio):
        studio.engine.expect(1, 10)
        for _ in range(12):
            studio.tick(250)
            studio.engine.report(studio.slots[1], rtcp.report(0xFEED, b"far", None, None))
        assert studio.events("dead", 1) == []

    def test_a_report_of_somebody_else_keeps_no_call_alive(self, studio):
        studio.engine.expect(1, 10)
        talk(studio, list(range(10)))
        for _ in range(3):
            studio.tick(250)
            studio.engine.report(studio.slots[1], rtcp.report(0xBAD, b"far", None, None))
        assert len(studio.events("dead", 1)) == 1

    def test_a_report_on_somebody_else_is_not_ours(self, studio):
        studio.tick(10)
        studio.engine.report(studio.slots[1], rtcp.report(9, b"far", None, replace(BLOCK, ssrc=1)))
        assert stats(studio).far_lost == 0

    def test_he_may_report_on_many_of_whom_we_are_one(self, studio):
        studio.tick(10)
        ours = replace(BLOCK, ssrc=studio.sent(1)[0].ssrc, last_report=0, lost=7)
        alone, another = (rtcp.report(9, b"far", None, one) for one in (ours, BLOCK))
        kind, words = struct.unpack_from("!BH", alone, 1)
        both = struct.pack("!BBH", 0x82, kind, words + 6) + another[4:32] + alone[8:]
        studio.engine.report(studio.slots[1], both)
        assert stats(studio).far_lost == 7

    def test_our_next_report_says_when_theirs_came(self, studio):
        talk(studio, list(range(100)))
        studio.engine.now = studio.now
        theirs = (rtcp.ntp(77.25), 0, 1, 160)
        studio.engine.report(studio.slots[1], rtcp.report(9, b"far", theirs, None))
        came = studio.now
        while not reports(studio):
            studio.tick()
        block = reports(studio)[0].receptions[0]
        assert block.last_report == rtcp.middle(theirs[0])
        assert block.delay == pytest.approx((studio.now - came) * 65536, abs=2)


class TestFigures:
    def test_packets_are_counted_both_ways(self, studio):
        talk(studio, list(range(50)))
        figures = stats(studio)
        assert (figures.packets_sent, figures.packets_received, figures.lost) == (50, 50, 0)
        assert (figures.codec, figures.refused) == ("PCMU", 0)

    @pytest.mark.parametrize(
        ("what", "numbers", "lost", "late", "duplicates"),
        [
            ("three lost", [n for n in range(50) if n not in (5, 6, 30)], 3, 0, 0),
            ("one late", [*range(10), *range(11, 20), 10, *range(20, 30)], 0, 1, 0),
            ("one twice", [*range(10), 9, *range(10, 20)], -1, 0, 1),
            ("two swapped", [0, 1, 3, 2, *range(4, 20)], 0, 0, 0),
        ],
    )
    def test_losses(self, studio, what, numbers, lost, late, duplicates):
        """A duplicate counts as received, so that it can make up for a loss (RFC 3550 A.3)."""
        talk(studio, numbers)
        figures = stats(studio)
        assert figures.lost == max(0, lost)
        assert (figures.late, figures.duplicates) == (late, duplicates or figures.duplicates)

    def test_losses_around_the_end_of_the_sequence(self, studio):
        far = FarEnd(Packet(0, False, 65530, 0, 7, b""))
        talk(studio, [n for n in range(30) if n not in (5, 6, 7)], far)
        assert stats(studio).lost == 3

    def test_losses_of_an_earlier_stream_are_kept(self, studio):
        talk(studio, [0, 1, 2, 5, 6, 7])
        talk(studio, [0, 1, 3, 4], FarEnd(Packet(0, False, 40000, 9, 0xBEEF, b"")))
        assert stats(studio).lost == 3

    def test_jitter_is_none_when_packets_come_evenly(self, studio):
        talk(studio, list(range(100)))
        assert stats(studio).jitter_ms == pytest.approx(0, abs=0.2)

    def test_one_packet_that_is_late_counts_for_a_sixteenth(self, studio):
        talk(studio, list(range(50)))
        studio.arrive(1, FarEnd().packet(50), after=0.016)
        studio.tick()
        assert stats(studio).jitter_ms == pytest.approx(1.0, abs=0.05)

    def test_the_timestamps_of_keys_are_no_jitter(self, studio):
        talk(studio, list(range(50)))
        for n in range(50, 58):
            event = FarEnd().packet(n, b"\x05\x0a\x00\xa0", ts=16000 + 50 * 160, payload_type=101)
            studio.arrive(1, event)
            studio.tick()
        talk(studio, list(range(58, 70)))
        assert stats(studio).jitter_ms == pytest.approx(0, abs=0.2)

    @pytest.mark.parametrize("off", range(-2, 3))
    def test_a_clock_that_is_set_anew_is_no_jitter(self, studio, off):
        """Half way round it is neither early nor late: no number of 32 bits says by how much."""
        talk(studio, list(range(50)))
        jumped = replace(FarEnd().first, ts=16000 + 2**31 + off)
        talk(studio, list(range(50, 300)), FarEnd(jumped))
        assert [report.receptions[0].jitter for report in reports(studio)] == [0]
        assert stats(studio).jitter_ms == pytest.approx(0, abs=0.2)

    @pytest.mark.parametrize("length", [80, 240, 480])
    def test_packets_of_other_lengths_have_jitter_as_well(self, studio, length):
        for n in range(200):
            first = replace(FarEnd().first, ts=n * (length - 160) & 0xFFFFFFFF)
            studio.ticks = n * length // 160
            data = FarEnd(first).packet(n, bytes(length))
            at = n * length / 8000 + 0.008 * (n % 2)
            studio.arrive(1, data, after=at - studio.now)
            studio.tick()
        assert stats(studio).jitter_ms == pytest.approx(8, rel=0.1)

    def test_jitter_settles_at_the_mean_change_of_transit(self, studio):
        talk(studio, list(range(400)), wait=0.008)
        assert stats(studio).jitter_ms == pytest.approx(8, rel=0.05)
