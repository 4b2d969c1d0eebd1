"""The media plane on a loop whose time is virtual: what carriers and verbs rely on."""

from __future__ import annotations

import asyncio
import wave
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from media_sounds import alike, clip, joined, level, share, tone

from offhook.media.clip import Clip
from offhook.media.legs import KEYS
from offhook.media.plane import MediaFull, MediaLeg, MediaPlane, RecordOrder, Remote, RtpLeg


def now() -> float:
    return round(asyncio.get_running_loop().time(), 6)


@asynccontextmanager
async def media(ports: range = range(10000, 10100)) -> AsyncIterator[MediaPlane]:
    plane = await MediaPlane.local(ports)
    yield plane
    await plane.close()


def listen(leg: MediaLeg) -> list[bytes]:
    heard: list[bytes] = []
    leg.tap(heard.append)
    return heard


async def ticks(count: int) -> None:
    await asyncio.sleep(count * 0.02)


async def real_pair(plane: MediaPlane) -> tuple[RtpLeg, RtpLeg]:
    """Two RTP legs that talk to each other over the network."""
    here, there = await plane.open_rtp("10.0.0.1"), await plane.open_rtp("10.0.0.2")
    here.connect(Remote("10.0.0.2", there.port, "PCMU", 0, 101))
    there.connect(Remote("10.0.0.1", here.port, "PCMU", 0, 101))
    return here, there


async def test_keys_that_nobody_takes_are_kept_up_to_a_number():
    async with media() as plane:
        here, _ = await plane.open_wire()
        for n in range(KEYS + 100):
            here.pressed(str(n % 10))
        await ticks(100)
        assert here.keys.qsize() == KEYS
        assert [here.keys.get_nowait() for _ in range(12)] == list("012345678901")
        here.pressed("#")
        await ticks(2)
        assert here.keys.qsize() == KEYS - 11


class TestPlaying:
    async def test_playing_takes_as_long_as_the_clip(self):
        async with media() as plane:
            here, there = await plane.open_wire()
            heard = listen(there)
            await here.play(clip(tone(440, 2)))
            assert now() == 2.0
            assert (joined(heard) == tone(440, 2)).all()

    async def test_a_clip_is_read_from_its_file(self, tmp_path):
        path = tmp_path / "prompt"
        async with media() as plane:
            here, there = await plane.open_wire()
            for hertz in (440, 880):
                path.write_bytes(tone(hertz, 0.5 + hertz / 10000).astype("<i2").tobytes())
                heard = listen(there)
                await here.play(Clip(0.5, path=str(path)))
                assert share(joined(heard), hertz) > 0.95, "not the file that was there before"

    async def test_a_clip_that_is_not_there_is_over_at_once(self, tmp_path):
        async with media() as plane:
            here, _ = await plane.open_wire()
            await here.play(Clip(5, path=str(tmp_path / "gone")))
            assert now() == 0.0

    async def test_cancelling_silences_at_once(self):
        async with media() as plane:
            here, there = await plane.open_wire()
            heard = listen(there)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await here.play(clip(tone(440, 60)))
            count = len(heard)
            await ticks(10)
            assert len(heard) == count
            assert count in (49, 50)

    @pytest.mark.parametrize(
        "job",
        [
            lambda leg: leg.play(clip(tone(440, 60))),
            lambda leg: leg.play_tone((((440,), 1.0),)),
            lambda leg: leg.send_digits("12345wwww"),
        ],
        ids=["clip", "tone", "digits"],
    )
    async def test_a_leg_that_closes_ends_what_it_does(
        self, job: Callable[[MediaLeg], Awaitable[None]]
    ):
        async with media() as plane:
            here, _ = await plane.open_wire()
            playing = asyncio.ensure_future(job(here))
            await asyncio.sleep(0.5)
            await here.close()
            await playing
            assert now() == 0.5
            await job(here)
            assert now() == 0.5, "and it does nothing more"

    async def test_a_tone_plays_until_it_is_cancelled(self):
        async with media() as plane:
            here, there = await plane.open_wire()
            heard = listen(there)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(4):
                    await here.play_tone((((440, 480), 0.5), ((), 0.5)))
            loud = [level(np.frombuffer(frame, "<i2")) > 1000 for frame in heard]
            assert loud[:200] == ([True] * 25 + [False] * 25) * 4

    async def test_closing_twice_is_closing_once(self):
        async with media() as plane:
            here, _ = await plane.open_wire()
            assert await here.close() == await here.close()

    async def test_a_closed_leg_holds_nobody_who_listened_or_would(self):
        """Whoever listens holds the leg: they would wait for the garbage collector together."""
        async with media() as plane:
            leg = await plane.open_rtp("10.0.0.1")
            early, late = Listener(), Listener()
            for each in (early, late):
                leg.tap(each.hears)
                leg.on_timeout(60, each.is_told)
                await leg.close()
            held = [weakref.ref(each) for each in (early, late)]
            del early, late, each
            assert [ref() for ref in held] == [None, None]


class Listener:
    """Somebody who wants to know."""

    def hears(self, frame: bytes) -> None: ...

    def is_told(self, why: str) -> None: ...


class TestTime:
    async def test_a_day_of_silence_is_one_jump(self):
        """M03: `<Pause>` and a caller who waits cost nothing; nothing ticks meanwhile."""
        async with media() as plane:
            here, there = await plane.open_wire()
            listen(there)
            room = await plane.open_room(there)
            await here.play(clip(tone(440, 0.1)))
            before = now()
            await asyncio.sleep(86_400)
            assert now() == before + 86_400
            heard = listen(there)
            await here.play(clip(tone(440, 0.1)))
            assert len(heard) == 5
            await room.close()

    async def test_frames_come_every_twentieth_of_a_second_and_none_is_left_out(self):
        async with media() as plane:
            here, there = await plane.open_wire()
            times: list[float] = []
            there.tap(lambda frame: times.append(now()))
            await here.play(clip(tone(440, 3)))
            steps = {round(b - a, 6) for a, b in pairwise(times)}
            assert steps == {0.02}
            assert len(times) == 150

    async def test_a_ten_minute_call_is_heard_frame_by_frame(self):
        async with media() as plane:
            here, there = await plane.open_wire()
            heard = 0

            def count(frame: bytes) -> None:
                nonlocal heard
                heard += len(frame)

            there.tap(count)
            await here.play(clip(tone(440, 600)))
            assert heard == 600 * 16000


class TestRtp:
    async def test_sound_and_keys_cross_the_network(self):
        async with media() as plane:
            here, there = await real_pair(plane)
            heard = listen(there)
            await here.play(clip(tone(440, 1)))
            await here.send_digits("12#D")
            await ticks(10)
            assert alike(joined(heard), tone(440, 0.9)) > 0.99
            assert "".join(there.keys.get_nowait() for _ in range(4)) == "12#D"

    @pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
    async def test_every_codec_carries_the_sound(self, codec):
        async with media() as plane:
            here, there = await real_pair(plane)
            number = {"PCMU": 0, "PCMA": 8}[codec]
            here.connect(Remote("10.0.0.2", there.port, codec, number, 101))
            there.connect(Remote("10.0.0.1", here.port, codec, number, 101))
            heard = listen(there)
            await here.play(clip(tone(440, 1)))
            await ticks(5)
            sound = joined(heard)
            assert alike(sound, tone(440, 0.9)) > 0.999
            assert level(sound[800:7000]) == pytest.approx(level(tone(440, 1)), rel=0.01)

    async def test_the_figures_come_with_the_end(self):
        async with media() as plane:
            here, there = await real_pair(plane)
            await asyncio.sleep(11)
            figures = await here.close()
            assert figures.packets_sent == pytest.approx(550, abs=2)
            assert figures.packets_received == pytest.approx(550, abs=2)
            assert figures.lost == 0
            assert figures.round_trip_ms == pytest.approx(20, abs=1)
            await there.close()

    async def test_a_far_end_gone_silent_is_noticed_once(self):
        async with media() as plane:
            here, there = await real_pair(plane)
            gone: list[float] = []
            here.on_timeout(5, lambda why: gone.append(now()))
            await asyncio.sleep(3)
            await there.close()
            await asyncio.sleep(60)
            assert gone == [pytest.approx(8.0, abs=0.1)]

    async def test_a_name_is_no_address(self):
        async with media() as plane:
            leg = await plane.open_rtp("10.0.0.1")
            with pytest.raises(ValueError, match="does not appear"):
                leg.connect(Remote("phone.example", 4000, "PCMU", 0, None))


class TestPorts:
    async def test_ports_come_in_even_pairs_of_the_range(self):
        async with media(range(10001, 10008)) as plane:
            legs = [await plane.open_rtp("10.0.0.1") for _ in range(3)]
            assert [leg.port for leg in legs] == [10002, 10004, 10006]

    async def test_when_they_are_taken_it_says_so_until_one_is_closed(self):
        async with media(range(10000, 10004)) as plane:
            first, _ = [await plane.open_rtp("10.0.0.1") for _ in range(2)]
            with pytest.raises(MediaFull):
                await plane.open_rtp("10.0.0.1")
            await first.close()
            assert (await plane.open_rtp("10.0.0.1")).port == first.port

    async def test_a_port_that_somebody_else_has_is_passed_over(self):
        loop = asyncio.get_running_loop()
        other, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("10.0.0.1", 10001)
        )
        async with media(range(10000, 10004)) as plane:
            assert (await plane.open_rtp("10.0.0.1")).port == 10002
            with pytest.raises(MediaFull):
                await plane.open_rtp("10.0.0.1")
        other.close()


class TestRooms:
    async def test_a_bridge_carries_sound_and_keys_between_phones(self):
        async with media() as plane:
            (caller, ours), (callee, theirs) = [await plane.open_wire() for _ in range(2)]
            room = await plane.open_room(ours, theirs)
            heard = listen(callee)
            await caller.play(clip(tone(440, 0.5)))
            await caller.send_digits("7")
            assert (joined(heard) == tone(440, 0.5)).all()
            assert callee.keys.get_nowait() == "7"
            assert ours.keys.get_nowait() == "7"
            await room.remove(ours)
            await caller.play(clip(tone(440, 0.5)))
            assert len(heard) == 25
            await room.close()

    async def test_a_muted_leg_is_not_heard(self):
        async with media() as plane:
            (caller, ours), (callee, theirs) = [await plane.open_wire() for _ in range(2)]
            room = await plane.open_room(ours, theirs)
            heard = listen(callee)
            room.mute(ours, True)
            await caller.play(clip(tone(440, 0.5)))
            await ticks(2)
            assert heard == []
            room.mute(ours, False)
            await caller.play(clip(tone(440, 0.5)))
            await ticks(2)
            assert len(heard) == 25


class TestRecording:
    async def test_a_call_is_recorded_a_channel_for_each_side(self, tmp_path):
        path = str(tmp_path / "call.wav")
        async with media() as plane:
            (caller, ours), (callee, theirs) = [await plane.open_wire() for _ in range(2)]
            await plane.open_room(ours, theirs)
            order = RecordOrder(path, (((ours, "in"),), ((theirs, "in"),)))
            recorder = await plane.record(order)
            await caller.play(clip(tone(440, 1)))
            await callee.play(clip(tone(880, 1)))
            recorded = await recorder.stop()
            assert recorded.seconds == pytest.approx(2.0, abs=0.03)
            assert await recorder.stop() == await recorder.done() == recorded
        with wave.open(path) as file:
            sound = np.frombuffer(file.readframes(10**6), "<i2").reshape(-1, 2).T
        assert share(sound[0][:8000], 440) > 0.99
        assert level(sound[1][:7000]) == 0
        assert share(sound[1][8500:15500], 880) > 0.99

    async def test_it_ends_with_the_call(self, tmp_path):
        async with media() as plane:
            here, there = await plane.open_wire()
            order = RecordOrder(str(tmp_path / "x.wav"), (((there, "in"),),))
            recorder = await plane.record(order)
            await here.play(clip(tone(440, 1)))
            await there.close()
            recorded = await recorder.done()
            assert (recorded.seconds, recorded.reason) == (1.0, "ended")

    async def test_a_caller_who_says_nothing_is_given_up_after_the_timeout(self, tmp_path):
        async with media() as plane:
            _, there = await plane.open_wire()
            path = str(tmp_path / "x.wav")
            order = RecordOrder(path, (((there, "in"),),), silence_seconds=5, trim=True)
            recorded = await (await plane.record(order)).done()
            assert now() == pytest.approx(5.0, abs=0.021)
            assert (recorded.reason, recorded.seconds, recorded.silent) == ("silence", 0.0, True)

    async def test_nothing_is_recorded_in_a_pause(self, tmp_path):
        async with media() as plane:
            here, there = await plane.open_wire()
            path = str(tmp_path / "x.wav")
            recorder = await plane.record(RecordOrder(path, (((there, "in"),),)))
            await here.play(clip(tone(440, 1)))
            recorder.pause(skip=True)
            await here.play(clip(tone(440, 1)))
            recorder.resume()
            await here.play(clip(tone(440, 1)))
            assert (await recorder.stop()).seconds == pytest.approx(2.0, abs=0.021)


async def test_chance_and_time_alone_decide_what_is_sent():
    """The same call, twice, sends the same packets: nothing depends on the real clock."""

    async def packets() -> bytes:
        plane = await MediaPlane.local(range(10000, 10010), Random(5))
        leg = await plane.open_rtp("10.0.0.1")
        sent: list[bytes] = []

        class Far(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: object) -> None:
                sent.append(data)

        loop = asyncio.get_running_loop()
        far, _ = await loop.create_datagram_endpoint(Far, local_addr=("10.0.0.9", 9))
        leg.connect(Remote("10.0.0.9", 9, "PCMU", 0, None))
        await asyncio.sleep(0.5)
        await plane.close()
        await ticks(5)
        far.close()
        return b"".join(sent[:20])

    assert await packets() == await packets()


async def test_a_key_told_by_signalling_is_a_key_and_crosses_a_bridge():
    """SIP INFO, from phones that send neither events nor tones."""
    async with media() as plane:
        here, there = await real_pair(plane)
        mine, far = await plane.open_wire()
        await plane.open_room(here, mine)
        here.pressed("5")
        await ticks(10)
        assert (here.keys.get_nowait(), far.keys.get_nowait()) == ("5", "5")
        assert there.keys.empty()
