"""Recordings, as the file on disk has them."""

from __future__ import annotations

import resource
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from media_sounds import AGREED, FarEnd, Sound, alike, level, numbered, share, tone
from media_sounds import Studio as Bench

from offhook.media import wav
from offhook.media.clip import FRAME
from offhook.media.orders import Event, Recorded, RecorderOrder
from offhook.media.studio import Studio

LIMITLESS = 3600.0


class Desk(Bench):
    """A studio that writes its files at once, two phones on it, and one recorder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[Event] = []
        engine = Studio(Random(1), lambda work, then: then(work()), self.told.append)
        super().__init__(engine)
        self.wire(1, 101)
        self.wire(2, 102)

    def record(
        self,
        *tracks: tuple[tuple[int, str], ...],
        max_seconds: float = LIMITLESS,
        silence: float = 0,
        trim: bool = False,
        path: Path | None = None,
    ) -> None:
        order = RecorderOrder(str(path or self.path), tracks, max_seconds, silence, trim)  # type: ignore[arg-type]
        self.engine.now = self.now
        self.engine.record(5, order)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / FRAME)):
            self.write(self.tick().blocks)

    def write(self, blocks: object) -> None:
        self.engine.write(blocks)  # type: ignore[attr-defined]

    def say(self, leg: int, sound: Sound) -> None:
        self.engine.play(100 + leg, 900 + leg, sound)

    def order(self, order: Callable[[], None]) -> None:
        self.engine.now = self.now
        order()
        self.write(self.engine.collect().blocks)

    def stop(self) -> Recorded:
        self.order(lambda: self.engine.stop_recorder(5))
        return self.outcome()

    def outcome(self) -> Recorded:
        (outcome,) = [one.value for one in self.told if (one.kind, one.id) == ("recorded", 5)]
        assert isinstance(outcome, Recorded)
        return outcome

    def sound(self) -> Sound:
        """What the file holds, a row for each channel."""
        with wave.open(str(self.path)) as file:
            assert (file.getframerate(), file.getsampwidth()) == (8000, 2)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return samples.reshape(-1, file.getnchannels()).T


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "recording.wav")


def test_the_caller_is_recorded_as_he_was_heard(desk):
    desk.record(((1, "in"),))
    desk.say(1, tone(440, 1.3))
    desk.run(1.5)
    assert desk.stop() == Recorded(1.5, "stopped", 75, silent=False)
    (sound,) = desk.sound()
    assert (sound[:10400] == tone(440, 1.3)).all()
    assert level(sound[10400:]) == 0
    assert len(sound) == 12000


def test_each_channel_is_the_sum_of_its_sources(desk):
    desk.record(((1, "in"), (2, "in")), ((1, "out"),))
    desk.say(1, tone(400, 1, 3000))
    desk.say(2, tone(700, 1, 3000))
    desk.engine.play(1, 9, tone(1100, 1, 3000))
    desk.run(1)
    desk.stop()
    callers, prompt = desk.sound()
    assert [share(callers, hertz) > 0.4 for hertz in (400, 700, 1100)] == [True, True, False]
    assert share(prompt, 1100) > 0.99


def test_a_sum_too_loud_is_as_loud_as_can_be(desk):
    desk.record(((1, "in"), (2, "in")))
    for leg in (1, 2):
        desk.say(leg, np.full(8000, 20_000, np.int16))
    desk.run(1)
    desk.stop()
    assert (desk.sound() == 32_767).all()


def test_the_loudest_that_can_be_is_not_silence(desk):
    desk.record(((1, "in"),))
    desk.say(1, np.tile(np.array([32767, -32768], np.int16), 4000))
    desk.run(1)
    assert not desk.stop().silent


@pytest.mark.parametrize("tracks", [(((3, "in"), (4, "in")),), (((3, "in"),), ((4, "in"),))])
@pytest.mark.parametrize("speaker", [3, 4])
def test_whoever_of_them_speaks_is_received_and_ends_the_silence(desk, tracks, speaker):
    """On a channel together or each on one of his own."""
    for leg in (3, 4):
        desk.rtp_leg(leg)
    desk.record(*tracks, silence=0.5)
    for n in range(51):
        desk.arrive(speaker, FarEnd().packet(n, numbered(5)))
        desk.run(FRAME)
    assert desk.stop() == Recorded(1.02, "stopped", 50, silent=False)


def test_two_recorders_do_not_disturb_each_other(desk, tmp_path):
    other = tmp_path / "other.wav"
    desk.record(((1, "in"),))
    desk.run(0.5)
    desk.engine.record(6, RecorderOrder(str(other), (((2, "in"),),), 1.0, 0, False))
    desk.say(1, tone(400, 2))
    desk.say(2, tone(700, 2))
    desk.run(1.5)
    desk.stop()
    (sound,) = desk.sound()
    assert len(sound) == 16000
    assert share(sound[4000:], 400) > 0.99
    assert wav.seconds(str(other)) == 1.0


def test_what_is_over_is_neither_paused_nor_stopped(desk):
    desk.record(((1, "in"),), max_seconds=1)
    desk.run(2)
    desk.order(lambda: desk.engine.pause_recorder(5, "skip"))
    assert desk.stop() == Recorded(1.0, "max", 50, silent=True)


def test_a_recording_ends_at_its_greatest_length(desk):
    desk.record((((1, "in"),)), max_seconds=1.2)
    desk.say(1, tone(440, 5))
    desk.run(3)
    assert desk.outcome() == Recorded(1.2, "max", 60, silent=False)
    assert len(desk.sound()[0]) == 9600


def test_silence_for_as_long_as_was_asked_ends_it(desk):
    desk.record((((1, "in"),)), silence=2)
    desk.run(1.9)
    desk.say(1, tone(440, 0.5))
    desk.run(2.4)
    assert desk.told == []
    desk.run(0.2)
    assert desk.outcome() == Recorded(4.4, "silence", 220, silent=False)


def test_trimming_takes_the_silence_at_both_ends_off(desk):
    """Of all channels alike; the pauses between stay."""
    desk.record(((1, "in"),), ((2, "in"),), silence=1, trim=True)
    desk.run(0.5)
    desk.say(2, tone(300, 0.3))
    desk.run(0.5)
    desk.say(1, tone(440, 0.7))
    desk.run(3)
    assert desk.outcome() == Recorded(1.2, "silence", 135, silent=False)
    first, second = desk.sound()
    assert level(first[:4000]) == level(second[2400:]) == 0
    assert (first[4000:] == tone(440, 0.7)).all()
    assert (second[:2400] == tone(300, 0.3)).all()


@pytest.mark.parametrize("trim", [True, False])
def test_the_greatest_length_counts_from_the_order_whatever_is_trimmed(desk, trim):
    desk.record(((1, "in"),), max_seconds=2, trim=trim)
    desk.run(1.5)
    desk.say(1, tone(440, 1))
    desk.run(1)
    assert desk.outcome() == Recorded(0.5 if trim else 2.0, "max", 100, silent=False)


def test_nothing_but_silence_trims_to_nothing(desk):
    desk.record((((1, "in"),)), silence=1, trim=True)
    desk.run(1.5)
    assert desk.outcome() == Recorded(0.0, "silence", 50, silent=True)
    assert desk.sound().shape == (1, 0)


def test_faint_noise_is_silence_and_quiet_speech_is_not(desk):
    desk.record((((1, "in"),)), silence=1)
    noise = np.random.default_rng(1).normal(0, 40, 24000).astype(np.int16)
    desk.say(1, np.concatenate((tone(300, 1.5, 500), noise)))
    desk.run(3)
    assert desk.outcome().seconds == 2.5


@pytest.mark.parametrize(("amplitude", "silent"), [(127, True), (128, False)])
def test_what_is_silence_is_less_than_a_256th_of_the_loudest(desk, amplitude, silent):
    """48 dB."""
    desk.record(((1, "in"),))
    desk.say(1, np.tile(np.array([amplitude, -amplitude], np.int16), 4000))
    desk.run(1)
    assert desk.stop().silent is silent


def test_a_line_from_which_nothing_comes_is_not_silence(desk):
    """The timeout counts silence that was received; the time goes on all the same."""
    desk.rtp_leg(3)
    desk.record((((3, "in"),)), silence=1)
    far = FarEnd()
    for n in range(20):
        desk.arrive(3, far.packet(n, b"\xff" * 160))
        desk.run(FRAME)
    desk.run(3)
    assert desk.told == []
    for n in range(170, 210):
        desk.arrive(3, far.packet(n, b"\xff" * 160))
        desk.run(FRAME)
    outcome = desk.outcome()
    assert outcome.reason == "silence"
    assert outcome.frames == 50
    assert 4.0 < outcome.seconds < 4.3


def test_a_moment_in_which_the_machine_stood_still_is_not_silence(desk):
    """What was said meanwhile is lost; that nothing was is not known."""
    leg = desk.rtp_leg(50)
    desk.record(((leg, "in"),), silence=1)
    far = FarEnd()
    for n in range(20):
        desk.arrive(leg, far.packet(n, b"\xff" * 160))
        desk.run(FRAME)
    desk.ticks += 200
    for n in range(220, 245):
        desk.arrive(leg, far.packet(n, b"\xff" * 160))
        desk.run(FRAME)
    assert not [event for event in desk.told if event.kind == "recorded"]
    for n in range(245, 265):
        desk.arrive(leg, far.packet(n, b"\xff" * 160))
        desk.run(FRAME)
    [event] = [event for event in desk.told if event.kind == "recorded"]
    assert event.value.reason == "silence"
    assert event.value.seconds == pytest.approx(4 + 1, abs=0.2)


def test_nothing_received_is_no_frames(desk):
    desk.rtp_leg(3, AGREED)
    desk.record(((3, "in"),))
    desk.run(1)
    assert desk.stop() == Recorded(1.0, "stopped", 0, silent=True)


def test_lost_packets_fade_and_leave_a_gap_of_their_length(desk):
    desk.rtp_leg(3)
    desk.record(((3, "in"),))
    for n in range(40):
        if n not in range(20, 25):
            desk.arrive(3, FarEnd().packet(n, numbered(5)))
        desk.run(FRAME)
    desk.stop()
    (sound,) = desk.sound()
    silent = [n for n, frame in enumerate(sound.reshape(-1, 160)) if not frame.any()]
    assert silent == [0, 24, 25]
    levels = np.abs(sound.reshape(-1, 160)[20:24]).mean(axis=1)
    assert (np.diff(levels) < 0).all()


@pytest.mark.parametrize(("skip", "seconds"), [(True, 1.0), (False, 1.6)])
def test_a_pause_is_left_out_or_silent(desk, skip, seconds):
    desk.record((((1, "in"),)), silence=0.5)
    desk.say(1, tone(440, 5))
    desk.run(0.5)
    desk.order(lambda: desk.engine.pause_recorder(5, "skip" if skip else "silence"))
    desk.run(0.6)
    desk.order(lambda: desk.engine.pause_recorder(5, ""))
    desk.run(0.5)
    assert desk.stop().seconds == seconds
    (sound,) = desk.sound()
    assert level(sound[:4000]) > 5000
    assert level(sound[4000:-4000]) == 0
    assert level(sound[-4000:]) > 5000


def test_what_is_said_in_a_pause_counts_for_nothing(desk):
    desk.record(((1, "in"),), trim=True)
    desk.say(1, tone(440, 5))
    desk.run(0.7)
    desk.order(lambda: desk.engine.pause_recorder(5, "silence"))
    desk.run(0.5)
    assert desk.stop() == Recorded(0.7, "stopped", 35, silent=False)


def test_a_recording_ends_with_the_last_of_its_legs(desk):
    desk.record(((1, "in"),), ((2, "in"),))
    desk.say(1, tone(400, 3))
    desk.say(2, tone(700, 3))
    desk.run(1)
    desk.order(lambda: desk.engine.close(1))
    desk.run(0.5)
    assert desk.told == []
    desk.order(lambda: desk.engine.close(2))
    assert desk.outcome().reason == "ended"
    first, second = desk.sound()
    assert level(first[8000:]) == 0
    assert share(second, 700) > 0.99
    assert len(second) == 12000


def test_time_in_which_nothing_sounds_is_recorded_without_a_tick(desk):
    desk.record((((1, "in"),)), max_seconds=7200, silence=3600)
    desk.say(1, tone(440, 1.5))
    desk.run(1.52)
    assert desk.engine.due() == pytest.approx(3601.5)
    desk.ticks = 100_000
    assert desk.stop().seconds == 2000.0
    (sound,) = desk.sound()
    assert (sound[:12000] == tone(440, 1.5)).all()
    assert level(sound[12000:]) == 0


def test_the_first_of_all_that_end_is_waited_for(desk, tmp_path):
    desk.record(((1, "in"),), max_seconds=60)
    others = tmp_path / "other.wav"
    desk.engine.record(6, RecorderOrder(str(others), (((2, "in"),),), 5, 4, trim=False))
    desk.run(1)
    assert desk.engine.due() == pytest.approx(4.0)
    desk.ticks = 199
    desk.run(FRAME)
    assert wav.seconds(str(others)) == 4.0
    assert desk.engine.due() == pytest.approx(60.0)
    assert desk.stop().seconds == 4.0


def test_a_pause_in_silence_is_as_long_as_the_recording_may_be(desk):
    desk.record(((1, "in"),), max_seconds=5, silence=2)
    desk.run(1)
    desk.order(lambda: desk.engine.pause_recorder(5, "silence"))
    assert desk.engine.due() == pytest.approx(5.0)
    desk.ticks = 249
    desk.run(FRAME)
    assert desk.outcome() == Recorded(5.0, "max", 50, silent=True)


def test_a_pause_that_is_left_out_lasts_as_long_as_it_likes(desk):
    desk.record(((1, "in"),), max_seconds=5, silence=2)
    desk.run(1)
    desk.order(lambda: desk.engine.pause_recorder(5, "skip"))
    assert desk.engine.due() is None
    desk.ticks = 100_000
    desk.order(lambda: desk.engine.pause_recorder(5, ""))
    assert desk.engine.due() == pytest.approx(2001.0)
    assert desk.stop().seconds == 1.0


def test_what_is_ordered_after_such_a_time_is_done_at_the_end_of_it(desk):
    """Also where a tick's time is a little less in floating point."""
    ticks = 29, 60, 119, 206
    assert [tick * FRAME / FRAME < tick for tick in ticks] == [True, False, True, False]
    for tick, order in zip(
        ticks,
        [
            lambda: desk.record(((1, "in"),)),
            lambda: desk.engine.pause_recorder(5, "skip"),
            lambda: desk.engine.pause_recorder(5, ""),
            lambda: desk.engine.close(1),
        ],
        strict=True,
    ):
        desk.ticks = tick
        desk.order(order)
    assert desk.outcome() == Recorded(2.36, "ended", 118, silent=True)


def test_nobody_to_record_is_a_recording_that_has_ended(desk):
    desk.order(lambda: desk.engine.close(1))
    desk.record(((1, "in"),), ((1, "out"),))
    desk.order(lambda: None)
    assert desk.outcome() == Recorded(0.0, "ended", 0, silent=True)
    assert desk.engine.due() is None


def test_who_has_gone_already_is_silent_on_the_recording_of_the_others(desk):
    desk.order(lambda: desk.engine.close(1))
    desk.record(((1, "in"),), ((2, "in"),))
    desk.say(2, tone(440, 1))
    desk.run(1)
    desk.stop()
    gone, other = desk.sound()
    assert level(gone) == 0
    assert (other == tone(440, 1)).all()


def test_no_time_at_all_is_one_frame(desk):
    desk.record(((1, "in"),), max_seconds=0)
    assert desk.engine.due() == FRAME
    desk.run(1)
    assert desk.outcome() == Recorded(0.02, "max", 1, silent=True)


def test_an_order_that_comes_before_a_late_tick_takes_no_time_from_a_real_call(desk):
    leg = desk.rtp_leg(50)
    desk.run(1)
    desk.engine.now = desk.now + 0.05
    desk.engine.record(5, RecorderOrder(str(desk.path), (((leg, "in"),),), 60, 0, trim=False))
    desk.run(1)
    steps = {(b.ts - a.ts) & 0xFFFFFFFF for a, b in pairwise(desk.sent(leg))}
    assert steps == {160}
    assert desk.stop().seconds == 1.0


@pytest.mark.parametrize("seconds", [0.58, 1.18, 5])
def test_a_silent_phone_is_given_up_without_a_tick(desk, seconds):
    """Also after a time that is less than its frames in floating point."""
    desk.record((((1, "in"),)), silence=seconds)
    assert desk.engine.due() == pytest.approx(seconds)
    desk.ticks = frames = round(seconds / FRAME)
    desk.ticks -= 1
    desk.run(FRAME)
    assert desk.outcome() == Recorded(seconds, "silence", frames, silent=True)


@pytest.mark.parametrize("seconds", [0.58, 1.18, 5])
def test_the_greatest_length_is_reached_without_a_tick(desk, seconds):
    desk.record((((1, "in"),)), max_seconds=seconds)
    assert desk.engine.due() == pytest.approx(seconds)
    desk.ticks = frames = round(seconds / FRAME)
    desk.order(lambda: desk.engine.pause_recorder(5, ""))
    assert desk.outcome() == Recorded(seconds, "max", frames, silent=True)


def test_the_file_can_be_read_at_any_moment(desk):
    desk.record(((1, "in"),))
    assert desk.sound().shape == (1, 0)
    desk.say(1, tone(440, 10))
    for second in (1, 2, 3):
        desk.run(1)
        (sound,) = desk.sound()
        assert len(sound) == second * 8000
        assert alike(sound, tone(440, 0.5)) > 0.99
    desk.stop()


def test_a_file_that_cannot_be_written_fails_the_recording_and_nothing_else(desk, tmp_path):
    desk.record((((1, "in"),)), path=tmp_path / "no such folder" / "x.wav")
    desk.say(1, tone(440, 1))
    desk.run(1.5)
    assert desk.stop() == Recorded(0.0, "failed", 0, silent=True)
    desk.engine.tap(1, True)
    desk.say(1, tone(440, 1))
    desk.run(1)
    assert len(desk.heard(1)) == 100


def test_there_is_always_room_for_the_next_when_one_has_ended():
    bench = Bench()
    bench.wire(1, 101)
    for recorder in range(1000):
        bench.engine.record(recorder, RecorderOrder("", (((1, "in"),),), 60, 0, trim=False))
        bench.engine.stop_recorder(recorder)
    ended = [block.id for block in bench.engine.collect().blocks if block.outcome]
    assert ended == list(range(1000))


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\x07" * 20])
def test_what_is_no_recording_holds_no_sound(tmp_path, content):
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    assert wav.seconds(str(path)) == 0.0


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """As good as a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_leaves_what_was_recorded_before(desk):
    with no_file_above(40_000):
        desk.record(((1, "in"),))
        desk.say(1, tone(440, 5))
        desk.run(4.5)
        assert desk.stop() == Recorded(2.0, "failed", 225, silent=False)
    (sound,) = desk.sound()
    assert (sound == tone(440, 2)).all()


def test_where_there_is_room_again_the_recording_goes_on_and_is_as_long_as_its_file(desk):
    desk.record(((1, "in"),))
    desk.say(1, tone(440, 5))
    with no_file_above(40_000):
        desk.run(4)
    desk.run(1)
    assert desk.stop() == Recorded(3.0, "failed", 250, silent=False)
    assert desk.sound().shape == (1, 3 * 8000)
