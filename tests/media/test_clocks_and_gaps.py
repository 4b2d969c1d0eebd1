"""Senders whose clock is not ours, who fall silent, who send in bursts or change their packets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from media_sounds import AGREED, FAR, FarEnd, Sound, Studio, joined, number, numbered, share, tone

from offhook.media import codecs, rtp
from offhook.media.clip import FRAME, RATE, SAMPLES
from offhook.media.coding import Coder
from offhook.media.jitter import JitterBuffers, under_way

PARTS_PER_MILLION = (-500, -200, -50, 0, 50, 200, 500)
MINUTES = 10  # in which 200 ppm are six frames


def drifting(minutes: int) -> tuple[JitterBuffers, np.ndarray, np.ndarray]:
    """A leg for each clock: which ticks it missed, and its delay in frames at each."""
    legs, ticks = len(PARTS_PER_MILLION), minutes * 60 * 50
    buffers = JitterBuffers(legs)
    for slot in range(legs):
        buffers.reset(slot)
    all_slots, sent = np.arange(legs), np.zeros(legs, np.int64)
    pace = FRAME * (1 + np.array(PARTS_PER_MILLION) * 1e-6)
    heard, delay = np.zeros((ticks, legs), bool), np.zeros((ticks, legs))
    for tick in range(ticks):
        now = (tick + 1) * FRAME
        while (ready := sent * pace + 0.013 <= now).any():
            slots = np.flatnonzero(ready)
            frames = np.repeat(sent[slots, None] % 64 + 16, SAMPLES, 1).astype(np.uint8)
            stamps = (sent[slots] * SAMPLES).astype(np.uint32)
            arrived = (sent * pace)[slots] + 0.013
            buffers.put(slots, stamps, frames, under_way(stamps, arrived))
            sent[slots] += 1
        heard[tick] = buffers.take(legs)
        began = codecs.encode(codecs.PCMU, buffers.frames(all_slots)[:, 0])
        delay[tick] = (sent - (began.astype(np.int64) - 16)) % 64
    return buffers, heard, np.where(heard, delay, np.nan)


def test_a_clock_that_is_a_little_off_costs_a_frame_now_and_then_and_no_delay():
    buffers, heard, delay = drifting(MINUTES)
    for leg, off in enumerate(PARTS_PER_MILLION):
        frames_off = abs(off) * 1e-6 * MINUTES * 60 / FRAME
        missed = int((~heard[100:, leg]).sum())
        assert missed <= 2 * frames_off + 2 if off > 0 else missed <= 2, off
        assert np.nanmax(delay[100:, leg]) <= 4, off
        assert np.nanmedian(delay[-3000:, leg]) <= 2, off
    assert buffers.late.max() <= 2


class Talker:
    """A far end that sends a tone, and the sound heard of it, silence where nothing came."""

    def __init__(self, pitch: float = 400) -> None:
        self.studio = Studio()
        self.leg = self.studio.rtp_leg(1)
        self.sound = tone(pitch, 60)
        self.seq = 100

    def packet(self, start: int, length: int = SAMPLES, **changes: object) -> bytes:
        """The sound from there on, in samples of the stream."""
        payload = codecs.encode(codecs.PCMU, self.sound[start : start + length]).tobytes()
        made = replace(FarEnd().first, seq=self.seq, ts=4000 + start, payload=payload)
        self.seq += 1
        return rtp.write(replace(made, **changes))  # type: ignore[arg-type]

    def tick(self, *packets: bytes) -> None:
        for packet in packets:
            self.studio.arrive(self.leg, packet)
        self.studio.tick()

    @property
    def heard(self) -> Sound:
        return joined(self.studio.heard(self.leg))


def test_frames_that_are_joined_make_no_click():
    """A burst at the beginning leaves two seconds later no more delay than needed; at the seams the
    sound makes no step that the tone does not make itself."""
    talker = Talker(437)
    talker.tick(*(talker.packet(n * SAMPLES) for n in range(6)))
    for n in range(6, 600):
        talker.tick(talker.packet(n * SAMPLES))
    steps = np.abs(np.diff(talker.heard.astype(int)))
    assert steps.max() < 1.2 * 2 * np.pi * 437 / RATE * 8000
    heard = len(talker.studio.heard(talker.leg))
    talker.studio.tick(8)
    assert len(talker.studio.heard(talker.leg)) - heard <= 2, "what was waiting in the end"


@pytest.mark.parametrize("codec", ["G722", "opus"])
def test_nor_do_those_of_other_codecs(codec: str):
    studio, coder = Studio(), Coder(codec)
    leg = studio.rtp_leg(1, replace(AGREED, codec=codec, payload_type=9))  # type: ignore[arg-type]
    for n, frame in enumerate(tone(437, 12).reshape(-1, SAMPLES)):
        packet = rtp.Packet(9, False, n, n * SAMPLES * coder.clock, 7, coder.encode(frame))
        studio.arrive(leg, rtp.write(packet))
        if n > 4:
            studio.tick()
    heard = joined(studio.heard(leg))[10 * SAMPLES :]
    assert len(heard) < (600 - 10 - 3) * SAMPLES
    assert np.abs(np.diff(heard.astype(int))).max() < 1.5 * 2 * np.pi * 437 / RATE * 8000


@pytest.mark.parametrize("gap", [5, 9, 100, 5000])
def test_after_a_silence_in_which_nothing_was_sent_the_voice_is_heard_at_once(gap: int):
    """RFC 3551 section 4.1: the first packet of a talkspurt is marked, its timestamp is that of its
    sound; no sequence number is missing, so that nothing is lost."""
    talker, far = Talker(), FarEnd()
    for n in (*range(20), *range(20 + gap, 60 + gap)):
        if n == 20 + gap:
            talker.studio.tick(gap)
        shape = {"seq": 100 + (n if n < 20 else n - gap), "marker": n == 20 + gap}
        talker.tick(far.packet(n, **shape))
    heard = [number(frame) for frame in talker.studio.heard(talker.leg)]
    first = heard.index((20 + gap) % 64, 18)
    assert heard[first : first + 30] == [(20 + gap + n) % 64 for n in range(30)]
    assert len(heard) >= 57
    talker.studio.engine.close(talker.leg)
    assert talker.studio.events("closed", 1)[0].value.lost == 0  # type: ignore[attr-defined]


def test_a_timestamp_that_stood_still_in_a_silence_is_followed():
    """Some senders stop their clock with their voice."""
    talker, far = Talker(), FarEnd()
    for n in range(40):
        if n == 20:
            talker.studio.tick(50)
        talker.tick(far.packet(n))
    heard = [number(frame) for frame in talker.studio.heard(talker.leg)]
    assert heard == list(range(len(heard)))
    assert len(heard) >= 38


@pytest.mark.parametrize("length", [SAMPLES, 80])
@pytest.mark.parametrize("frames", [10, 40, 90])
def test_a_clock_that_is_set_back_a_little_costs_a_few_frames(frames: int, length: int):
    """By less than makes a sender another one: nothing comes any more but what seems late."""
    talker = Talker()
    for n in range(0, 200 * SAMPLES, length):
        back = frames * SAMPLES if n >= 100 * SAMPLES else 0
        talker.studio.arrive(talker.leg, talker.packet(n, length, ts=4000 + n - back))
        if (n + length) % SAMPLES == 0:
            talker.studio.tick()
    heard = len(talker.studio.heard(talker.leg))
    assert heard >= 190
    talker.studio.tick(3)  # as if three were lost: no more is waited for than before
    for n in range(203 * SAMPLES, 300 * SAMPLES, length):
        talker.studio.arrive(talker.leg, talker.packet(n, length, ts=4000 + n - back))
        if (n + length) % SAMPLES == 0:
            talker.studio.tick()
    assert len(talker.studio.heard(talker.leg)) >= heard + 94


@pytest.mark.parametrize("late", [3, 6])
def test_a_sender_that_sends_in_bursts_is_heard_whole(late: int):
    """So many packets at once, each time as long as they last."""
    talker = Talker()
    for n in range(0, 600, late):
        burst = [talker.packet(k * SAMPLES) for k in range(n, n + late)]
        talker.tick(*burst)
        for _ in range(late - 1):
            talker.tick()
    assert all(output.events for output in talker.studio.outputs[300:590])
    assert share(talker.heard[-8000:], 400) > 0.99


def test_packets_may_become_longer_and_shorter_in_the_middle_of_a_call():
    """ptime is a wish (RFC 4566 section 6): 20, 30, 10, 60 and 40 ms are all taken."""
    talker, at = Talker(), 0
    for milliseconds in (20, 30, 10, 60, 40, 20):
        length = milliseconds * 8
        for _ in range(3000 // milliseconds):
            talker.studio.arrive(talker.leg, talker.packet(at, length))
            at += length
            while talker.studio.now + FRAME <= at / RATE + 1e-9:
                talker.studio.tick()
    talker.studio.tick(5)
    heard = talker.heard
    assert len(heard) > at - 20 * SAMPLES
    for second in np.array_split(heard, 18):
        assert share(second, 400) > 0.97
    talker.studio.engine.close(talker.leg)
    figures = talker.studio.events("closed", talker.leg)[0].value
    assert (figures.lost, figures.refused) == (0, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("length", [80, 240, 320])
def test_packets_of_other_lengths_may_change_places(length: int):
    straight, swapped = Talker(), Talker()
    for talker, order in ((straight, (0, 1)), (swapped, (1, 0))):
        talker.studio.arrive(talker.leg, talker.packet(0, length))
        for pair in range(1, 60, 2):
            packets = [talker.packet((pair + n) * length, length) for n in (0, 1)]
            for n in order:
                talker.studio.arrive(talker.leg, packets[n])
            while talker.studio.now + FRAME <= (pair + 2) * length / RATE:
                talker.studio.tick()
        talker.studio.tick(6)
    assert (straight.heard == swapped.heard).all()
    assert share(swapped.heard, 400) > 0.99
    for talker in (straight, swapped):
        talker.studio.engine.close(talker.leg)
        figures = talker.studio.events("closed", talker.leg)[0].value
        assert (figures.lost, figures.late) == (0, 0)  # type: ignore[attr-defined]


def test_half_a_frame_is_heard_when_the_other_half_is_lost():
    """Of two packets of 10 ms, one: the frame is heard as far as it came."""
    talker = Talker()
    for half in range(60):
        if half != 31:
            talker.studio.arrive(talker.leg, talker.packet(half * 80, 80))
        if half % 2:
            talker.studio.tick()
    frames = talker.heard.reshape(-1, SAMPLES)
    cut = [frame for frame in frames[2:] if not frame[80:].any()]
    assert len(cut) == 1
    assert cut[0][:80].any()
    assert len(frames) >= 28


def test_a_sender_that_began_anew_may_press_keys_as_before():
    """Another SSRC has other timestamps: lower ones hide no key."""
    studio = Studio()
    studio.rtp_leg(1)
    for ssrc, ts, key in ((1, 4_000_000, 5), (2, 1000, 6)):
        event = bytes([key, 10, 0, 160])
        for n in range(3):
            studio.arrive(1, rtp.write(rtp.Packet(0, False, n, ts + n * 160, ssrc, numbered(n))))
            studio.tick()
        studio.arrive(1, rtp.write(rtp.Packet(101, True, 3, ts + 480, ssrc, event)), FAR)
        studio.tick()
    assert studio.keys(1) == "56"
