"""What is heard of packets that come late, twice, in the wrong order or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from media_sounds import AGREED, STREAM, FarEnd, Studio, joined, number, numbered

from offhook.media import codecs
from offhook.media.clip import FRAME, SAMPLES
from offhook.media.jitter import JitterBuffers, under_way
from offhook.media.rtp import Packet

NAMES = {codecs.PCMU: "PCMU", codecs.PCMA: "PCMA"}


def hear(arrivals: list[list[int]], far: FarEnd | None = None, after: int = 8) -> list[int | None]:
    """What a leg hears when these packets of a stream arrive in these ticks: numbers, or None for
    silence between them."""
    studio, far = Studio(), far or FarEnd()
    leg = studio.rtp_leg(1)
    for packets in [*arrivals, *[[]] * after]:
        for n in packets:
            studio.arrive(leg, far.packet(n))
        studio.tick()
    return by_tick(studio)


def by_tick(studio: Studio) -> list[int | None]:
    """The numbers heard, None for silence, from the first to the last."""
    by_tick = [
        next((number(e.value) for e in output.events if e.kind == "heard"), None)
        for output in studio.outputs
    ]
    while by_tick and by_tick[-1] is None:
        by_tick.pop()
    while by_tick and by_tick[0] is None:
        by_tick.pop(0)
    return by_tick


def one_a_tick(count: int) -> list[list[int]]:
    return [[n] for n in range(count)]


@pytest.mark.parametrize(
    ("what", "arrivals", "heard"),
    [
        ("in order", one_a_tick(6), [0, 1, 2, 3, 4, 5]),
        ("two swapped", [[0], [1], [3], [2], [4], [5]], [0, 1, 2, 3, 4, 5]),
        ("two swapped in a tick", [[0], [1], [3, 2], [], [4], [5]], [0, 1, 2, 3, 4, 5]),
        ("each twice", [[n, n] for n in range(5)], [0, 1, 2, 3, 4]),
        ("one again, later", [[0], [1], [2], [3, 1], [4]], [0, 1, 2, 3, 4]),
        ("one lost", [[0], [1], [], [3], [4], [5]], [0, 1, None, 3, 4, 5]),
        ("too late", [[0], [1], [], [3], [4], [2, 5], [6]], [0, 1, None, 3, 4, 5, 6]),
        ("a burst", [[0, 1, 2, 3], [], [], [], [4], [5]], [0, 1, 2, 3, 4, 5]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_frames_are_heard_in_their_order_and_gaps_are_silent(what, arrivals, heard):
    assert hear(arrivals) == heard


@pytest.mark.parametrize(
    ("field", "first"),
    [
        ("the sequence number", Packet(0, False, 65530, 16000, 7, b"")),
        ("the timestamp", Packet(0, False, 1, 2**32 - 5 * 160, 7, b"")),
        ("the timestamp, off the grid", Packet(0, False, 1, 2**32 - 777, 7, b"")),
        ("both", Packet(0, False, 65535, 2**32 - 160, 7, b"")),
    ],
)
def test_a_counter_that_wraps_around_is_not_noticed(field, first):
    assert hear(one_a_tick(20), FarEnd(first)) == list(range(20))


def test_playing_begins_with_the_second_frame_and_not_before():
    studio, far = Studio(), FarEnd()
    leg = studio.rtp_leg(1)
    studio.arrive(leg, far.packet(0))
    studio.tick(5)
    assert studio.heard(leg) == []
    studio.arrive(leg, far.packet(1))
    studio.tick()
    assert [number(frame) for frame in studio.heard(leg)] == [0]


def test_after_running_dry_two_frames_are_waited_for_again():
    heard = hear([[0], [1], [], [], [], [2], [3], [4], [5]])
    assert heard == [0, 1, None, None, None, 2, 3, 4, 5]


def test_packets_that_keep_coming_late_are_waited_for_longer():
    """The delay grows to what the stream needs, after which nothing is missed."""
    studio, far = Studio(), FarEnd()
    leg = studio.rtp_leg(1)
    for n in range(400):
        if n % 4 == 3:  # four packets at once, every 80 ms
            for late in range(n - 3, n + 1):
                studio.arrive(leg, far.packet(late))
        studio.tick()
    ticks = [output for output in studio.outputs if output.events]
    settled = studio.outputs[200:400]
    assert sum(1 for output in settled if output.events) == len(settled)
    assert len(ticks) > 200


@pytest.mark.parametrize("law", [codecs.PCMU, codecs.PCMA])
def test_a_delay_that_is_not_needed_any_more_is_given_up_in_a_quiet_moment(law: int):
    studio = Studio()
    far, quiet = FarEnd(replace(STREAM, payload_type=law)), bytes([codecs.SILENCE[law]]) * 160
    leg = studio.rtp_leg(1, replace(AGREED, codec=NAMES[law], payload_type=law))
    for n in range(4):
        studio.arrive(leg, far.packet(n, quiet))
    for n in range(4, 4000):
        studio.tick()
        studio.arrive(leg, far.packet(n, quiet if n < 3999 else b"\x20" * 160))
    studio.tick()
    frames = studio.heard(leg)
    assert codecs.encode(law, joined(frames[-1:]))[0] == 0x20, "it came in this very tick"
    assert np.abs(joined(frames[:-1])).max() < 10


@pytest.mark.parametrize("lost", range(44, 60))
def test_frames_are_joined_only_where_both_have_come(lost: int):
    """After a second, of four quiet ones that wait."""
    studio, far = Studio(), FarEnd()
    leg = studio.rtp_leg(1)
    for n in range(90):
        if n != lost:
            studio.arrive(leg, far.packet(n, b"\xe0" * 160))
        if n > 2:
            studio.tick()
    studio.tick(8)
    assert by_tick(studio).count(None) == 1


def test_how_late_packets_come_is_told_by_the_one_that_came_soonest():
    """However late the first of them was."""
    buffers, slot = JitterBuffers(1), np.array([0])
    buffers.reset(0)
    frame = np.zeros((1, SAMPLES), np.uint8)
    for n in range(200):
        late = 0.1 if n == 0 else 0.05 if n % 20 == 19 else 0.0
        stamps = np.array([n * SAMPLES], np.uint32)
        buffers.put(slot, stamps, frame, under_way(stamps, n * FRAME + late))
        buffers.take(1)
    assert buffers.target[0] == 4


@pytest.mark.parametrize(
    ("what", "second"),
    [
        ("another SSRC", Packet(0, False, 9, 5, 0xBEEF, b"")),
        ("a timestamp far ahead", Packet(0, False, 106, 9_000_000, 0xFEED, b"")),
        ("a timestamp far behind", Packet(0, False, 106, 2**32 - 9_000_000, 0xFEED, b"")),
        (
            "a timestamp that skips a little",
            Packet(0, False, 106, 16000 + 6 * 160 + 37, 0xFEED, b""),
        ),
    ],
)
def test_a_stream_that_starts_over_is_followed_at_once(what, second):
    studio, far = Studio(), FarEnd()
    leg = studio.rtp_leg(1)
    for n in range(6):
        studio.arrive(leg, far.packet(n))
        studio.tick()
    for n in range(6):
        studio.arrive(leg, FarEnd(second).packet(n, numbered(40 + n)))
        studio.tick()
    studio.tick(3)
    heard = [number(frame) for frame in studio.heard(leg)]
    assert heard[:5] == [0, 1, 2, 3, 4]
    assert heard[-6:] == [40, 41, 42, 43, 44, 45]


def test_packets_that_only_just_miss_their_tick_are_waited_for_longer():
    """A millisecond of jitter is little, but around a tick it decides what is heard: one frame is
    missed, and no more though it happens every three seconds."""
    studio, far = Studio(), FarEnd()
    leg = studio.rtp_leg(1)
    for n in range(2000):
        studio.arrive(leg, far.packet(n, b"\xff" * 160), after=0.0195)
        studio.tick()
    late: list[int] = []
    for n in range(2000, 3000):
        for missed in late:
            studio.arrive(leg, far.packet(missed, b"\xff" * 160), after=0.0005)
        late = [n] if n % 150 == 0 else []
        if not late:
            studio.arrive(leg, far.packet(n, b"\xff" * 160), after=0.0195)
        studio.tick()
    silent = [output for output in studio.outputs[2000:3000] if not output.events]
    assert len(silent) == 1


@pytest.mark.parametrize("length", [80, 240, 320, 400, 480])
def test_packets_of_other_lengths_are_cut_into_frames(length):
    studio, far = Studio(), FarEnd()
    leg = studio.rtp_leg(1)
    stream = b"".join(numbered(n) for n in range(60))
    sent = 0
    for tick in range(60):
        while sent + length <= min((tick + 1) * 160, len(stream)):
            part = stream[sent : sent + length]
            studio.arrive(leg, far.packet(sent // length, part, ts=16000 + sent))
            sent += length
        studio.tick()
    heard = [number(frame) for frame in studio.heard(leg)]
    wanted = [n for n in heard if n is not None]
    assert wanted == list(range(len(wanted)))
    assert len(wanted) > 40


def test_a_lost_packet_of_another_length_leaves_the_rest_in_place():
    studio, far = Studio(), FarEnd()
    leg = studio.rtp_leg(1)
    for n in range(20):
        if n != 8:
            payload = numbered(2 * n) + numbered(2 * n + 1)
            studio.arrive(leg, far.packet(n, payload, ts=16000 + n * 320))
        studio.tick(2)
    heard = by_tick(studio)
    at = heard.index(15)
    assert heard[at : at + 4] == [15, None, None, 18]


@pytest.mark.parametrize("law", [codecs.PCMU, codecs.PCMA])
def test_of_half_a_frame_that_is_lost_the_rest_is_heard(law: int):
    studio = Studio()
    leg = studio.rtp_leg(1, replace(AGREED, codec=NAMES[law], payload_type=law))
    far = FarEnd(replace(STREAM, payload_type=law))
    for n in range(20):
        if n != 9:
            studio.arrive(leg, far.packet(n, b"\x20" * 80, ts=16000 + n * 80))
        if n % 2:
            studio.tick()
    studio.tick(2)
    (halved,) = [one for one in map(joined, zip(studio.heard(leg))) if np.abs(one).min() < 10]
    first, second = np.split(halved, 2)
    assert np.abs(first).min() > 1000
    assert np.abs(second).max() < 10
