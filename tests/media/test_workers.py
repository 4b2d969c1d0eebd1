"""The same plane with its engine in worker processes, on real sockets and in real time."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from media_sounds import FarEnd, alike, clip, joined, share, tone
from rtp_ports import free_ports
from web_browser import THEIRS, Browser

from offhook.media import remote
from offhook.media.clip import Clip
from offhook.media.orders import Web
from offhook.media.plane import MediaFull, MediaLeg, MediaPlane, RecordOrder, Remote, RtpLeg, Stats
from offhook.media.ports import Ports
from offhook.media.remote import WorkerHost

pytestmark = pytest.mark.real_time
LOOPBACK = "127.0.0.1"
UNTORN = tone(440, 0.1)  # of a second of it: a busy machine comes late now and then


@asynccontextmanager
async def workers(count: int = 1, ports: int | range = 40) -> AsyncIterator[MediaPlane]:
    async with asyncio.timeout(20):
        chosen = free_ports(ports) if isinstance(ports, int) else ports
        plane = await MediaPlane.workers(count, chosen)
        try:
            yield plane
        finally:
            await plane.close()


async def real_pair(plane: MediaPlane) -> tuple[RtpLeg, RtpLeg]:
    here = await plane.open_rtp(LOOPBACK)
    there = await plane.open_rtp(LOOPBACK, near=here)
    here.connect(Remote(LOOPBACK, there.port, "PCMU", 0, 101))
    there.connect(Remote(LOOPBACK, here.port, "PCMU", 0, 101))
    return here, there


def worker_of(leg: MediaLeg) -> int:
    assert isinstance(leg.host, WorkerHost)
    return leg.host.pid


async def test_a_clip_and_keys_go_from_one_leg_to_another(tmp_path: Path):
    """Over the loopback: heard by a tap, written by a recorder, counted at the end."""
    prompt = tmp_path / "prompt"
    prompt.write_bytes(tone(440, 1).astype("<i2").tobytes())
    path = str(tmp_path / "call.wav")
    async with workers() as plane:
        here, there = await real_pair(plane)
        heard: list[bytes] = []
        there.tap(heard.append)
        order = RecordOrder(path, (((there, "in"),),), silence_seconds=0.4, trim=True)
        recorder = await plane.record(order)
        await here.play(Clip(1, path=str(prompt)))
        recorded = await recorder.done()
        await here.send_digits("5#")
        keys = [await there.keys.get() for _ in range(2)]
        figures = await here.close()
    assert alike(joined(heard), UNTORN) > 0.98
    assert keys == ["5", "#"]
    assert recorded.reason == "silence"
    assert figures.packets_sent > 60
    assert figures.packets_received > 60
    with wave.open(path) as file:
        sound = np.frombuffer(file.readframes(10**6), "<i2")
    assert len(sound) == recorded.seconds * 8000
    assert alike(sound, UNTORN) > 0.98


async def test_a_bridge_in_a_worker_carries_the_sound(tmp_path: Path):
    async with workers() as plane:
        caller, ours = await real_pair(plane)
        callee, theirs = await real_pair(plane)
        await plane.open_room(ours, theirs)
        heard: list[bytes] = []
        callee.tap(heard.append)
        await caller.play(clip(tone(700, 1)))
        await asyncio.sleep(0.2)
        sound = joined(heard)
        assert alike(sound, tone(700, 0.1)) > 0.95
        assert share(sound, 700) > 0.2


async def test_cancelling_reaches_the_worker():
    async with workers() as plane:
        here, there = await plane.open_wire()
        heard: list[bytes] = []
        there.tap(heard.append)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await here.play(clip(tone(440, 10)))
        await asyncio.sleep(0.1)
        count = len(heard)
        await asyncio.sleep(0.2)
        assert 0 < len(heard) == count < 30


async def test_legs_spread_over_the_workers_and_neighbours_stay_together():
    async with workers(2) as plane:
        first, second = await asyncio.gather(*(plane.open_rtp(LOOPBACK) for _ in range(2)))
        third = await plane.open_rtp(LOOPBACK, near=second)
        assert worker_of(first) != worker_of(second) == worker_of(third)
        assert worker_of(await plane.open_rtp(LOOPBACK)) == worker_of(first)
        with pytest.raises(ValueError, match="one worker"):
            await plane.record(RecordOrder("x.wav", (((first, "in"), (second, "in")),)))


async def apart(plane: MediaPlane) -> tuple[RtpLeg, RtpLeg]:
    """A far end's phone, and our leg to it on the worker that has the fewest."""
    ours = await plane.open_rtp(LOOPBACK)
    phone = await plane.open_rtp(LOOPBACK, near=ours)
    phone.connect(Remote(LOOPBACK, ours.port, "PCMU", 0, 101))
    ours.connect(Remote(LOOPBACK, phone.port, "PCMU", 0, 101))
    return phone, ours


def listen(leg: MediaLeg) -> list[bytes]:
    heard: list[bytes] = []
    leg.tap(heard.append)
    return heard


async def test_a_bridge_over_two_workers_carries_sound_and_keys_both_ways():
    async with workers(2) as plane:
        (caller, here), (callee, there) = await apart(plane), await apart(plane)
        assert worker_of(here) != worker_of(there)
        room = await plane.open_room(here, there)
        at_callee, at_caller = listen(callee), listen(caller)
        await asyncio.gather(caller.play(clip(tone(700, 1))), callee.play(clip(tone(440, 1))))
        await asyncio.gather(caller.send_digits("12"), callee.send_digits("9#"))
        assert [await callee.keys.get() for _ in range(2)] == ["1", "2"]
        assert [await caller.keys.get() for _ in range(2)] == ["9", "#"]
        assert alike(joined(at_callee), tone(700, 0.1)) > 0.95
        assert alike(joined(at_caller), tone(440, 0.1)) > 0.95
        assert sum(plane.legs.values()) == 4, "of the link nobody is told"
        ports = plane.free_ports
        await room.close()
        assert plane.free_ports == ports + 2
        at_callee.clear()
        await caller.play(clip(tone(700, 0.4)))
        assert share(joined(at_callee)[-1600:], 700) < 0.1


async def test_a_room_over_three_workers_lets_everybody_hear_everybody_else():
    async with workers(3, ports=60) as plane:
        pairs = [await apart(plane) for _ in range(4)]
        assert len({worker_of(ours) for _, ours in pairs}) == 3
        room = await plane.open_room(*(ours for _, ours in pairs))
        heard = [listen(phone) for phone, _ in pairs]
        pitches = (400, 700, 1100, 1900)
        await asyncio.gather(
            *(
                phone.play(clip(tone(hertz, 1, 3000)))
                for (phone, _), hertz in zip(pairs, pitches, strict=True)
            )
        )
        for n, frames in enumerate(heard):
            sound = joined(frames)
            there = {hertz for hertz in pitches if share(sound, hertz) > 0.05}
            assert there == set(pitches) - {pitches[n]}, "and nobody himself, or anybody twice"
        room.mute(pairs[0][1], True)
        await room.remove(pairs[3][1])
        await asyncio.sleep(0.2)
        for frames in heard:
            frames.clear()
        await asyncio.gather(*(phone.play(clip(tone(500, 0.4, 3000))) for phone, _ in pairs[::3]))
        assert all(share(joined(heard[n]), 500) < 0.1 for n in (1, 2))


async def test_a_worker_that_dies_takes_only_its_own_calls_with_it():
    """Those on the others go on and still meet in rooms; new ones spread over all again."""
    async with workers(3, ports=60) as plane:
        pairs = [await apart(plane) for _ in range(3)]
        dead, *others = [worker_of(ours) for _, ours in pairs]
        room = await plane.open_room(*(ours for _, ours in pairs))
        told = asyncio.Event()
        pairs[0][1].on_timeout(3600, lambda why: told.set())
        os.kill(dead, signal.SIGKILL)
        await told.wait()
        assert [phone.closed for phone, _ in pairs] == [True, False, False]
        while not plane.healthy:
            await asyncio.sleep(0.05)
        heard = listen(pairs[2][0])
        await pairs[1][0].play(clip(tone(700, 0.8)))
        await asyncio.sleep(0.2)
        assert alike(joined(heard), tone(700, 0.1)) > 0.95, "the room had its home on the dead one"
        phone, ours = await apart(plane)
        assert worker_of(ours) not in (dead, *others)
        await room.add(ours)
        heard.clear()
        await phone.play(clip(tone(440, 0.8)))
        await asyncio.sleep(0.2)
        assert alike(joined(heard), tone(440, 0.1)) > 0.95


async def mended(plane: MediaPlane, killed: int) -> None:
    """That worker is killed, and another has taken its place."""
    os.kill(killed, signal.SIGKILL)
    while plane.healthy:
        await asyncio.sleep(0.01)
    while not plane.healthy:
        await asyncio.sleep(0.05)


async def test_who_moved_to_another_room_is_not_fetched_back_when_the_first_mends():
    async with workers(3, ports=60) as plane:
        pairs = [await apart(plane) for _ in range(3)]
        first = await plane.open_room(*(ours for _, ours in pairs))
        second = await plane.open_room(pairs[1][1], pairs[2][1])
        await mended(plane, worker_of(pairs[0][1]))
        heard = listen(pairs[2][0])
        await first.close()
        await pairs[1][0].play(clip(tone(700, 0.8)))
        await asyncio.sleep(0.2)
        assert alike(joined(heard), tone(700, 0.1)) > 0.95
        await second.close()


async def test_who_was_muted_stays_so_when_the_room_mends():
    async with workers(3, ports=60) as plane:
        pairs = [await apart(plane) for _ in range(3)]
        room = await plane.open_room(*(ours for _, ours in pairs))
        room.mute(pairs[1][1], True)
        await mended(plane, worker_of(pairs[0][1]))
        heard = listen(pairs[2][0])
        await pairs[1][0].play(clip(tone(700, 0.6)))
        assert share(joined(heard), 700) < 0.1
        room.mute(pairs[1][1], False)
        await pairs[1][0].play(clip(tone(700, 0.8)))
        assert alike(joined(heard), tone(700, 0.1)) > 0.95


async def test_ports_are_bound_in_the_worker_and_run_out():
    async with workers(ports=4) as plane:
        legs = [await plane.open_rtp(LOOPBACK) for _ in range(2)]
        with pytest.raises(MediaFull):
            await plane.open_rtp(LOOPBACK)
        with (
            pytest.raises(OSError, match="in use"),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken,
        ):
            taken.bind((LOOPBACK, legs[0].port))
        await legs[0].close()
        assert (await plane.open_rtp(LOOPBACK)).port == legs[0].port


async def test_an_address_that_is_not_ours_is_refused():
    async with workers() as plane:
        with pytest.raises(MediaFull, match=r"192\.0\.2\.1"):
            await plane.open_rtp("192.0.2.1")


async def test_a_browser_is_heard_by_a_worker():
    """What it sends before there is sound is longer than any sound, and not for the engine."""
    browser, loop = Browser("ours", "our password of 22 ch."), asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.setblocking(False)
        async with workers() as plane:
            leg = await plane.open_rtp(LOOPBACK)
            web = Web(browser.user, browser.password, THEIRS.fingerprint, plane.identity)
            leg.connect(Remote("0.0.0.0", 9, "PCMU", 0, None, web=web))
            heard: asyncio.Queue[bytes] = asyncio.Queue()
            leg.tap(heard.put_nowait)
            far.connect((LOOPBACK, leg.port))
            for data in (browser.check(), bytes(3000), b"".join(browser.shake())):
                far.send(data)
            while browser.seals is None:
                reply = await loop.sock_recv(far, 4096)
                for data in browser.receive(reply) if reply[0] >= 20 else []:
                    far.send(data)
            for n in range(10):
                far.send(browser.seals.protect(FarEnd().packet(n)))
            assert len(await heard.get()) == 320
            assert (await leg.close()).refused == 1


async def test_a_worker_that_dies_ends_its_legs_and_another_takes_its_place(tmp_path: Path):
    async with workers() as plane:
        here, there = await real_pair(plane)
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        here.on_timeout(3600, told.set_result)
        path = str(tmp_path / "x.wav")
        recorder = await plane.record(RecordOrder(path, (((there, "in"),),)))
        playing = asyncio.ensure_future(here.play(clip(tone(440, 60))))
        await asyncio.sleep(1.3)
        dead = worker_of(here)
        os.kill(dead, signal.SIGKILL)
        await playing
        assert await told == "the media worker died"
        assert not plane.healthy
        with pytest.raises(MediaFull, match="died"):
            await plane.open_rtp(LOOPBACK, near=here)
        assert await here.close() == Stats()
        recorded = await recorder.done()
        assert (recorded.seconds, recorded.reason) == (1.0, "ended"), "what had been written"
        while not plane.healthy:
            await asyncio.sleep(0.05)
        here, there = await real_pair(plane)
        assert worker_of(here) != dead
        await here.play(clip(tone(440, 0.1)))


async def test_so_does_one_that_hangs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote, "LOOK", 0.1)
    monkeypatch.setattr(remote, "HUNG", 0.5)
    async with workers(2) as plane:
        legs = [await plane.open_rtp(LOOPBACK) for _ in range(2)]
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        legs[0].on_timeout(3600, told.set_result)
        hung = worker_of(legs[0])
        os.kill(hung, signal.SIGSTOP)
        assert await told == "the media worker died"
        while not plane.healthy:
            await asyncio.sleep(0.05)
        assert legs[0].host not in plane.hosts
        assert legs[1].host in plane.hosts, "it had nothing to say, and said so"


async def test_one_that_hangs_does_not_keep_the_others_from_ending(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote, "HUNG", 0.5)
    ports = Ports(free_ports(2))
    async with asyncio.timeout(20):
        host = await WorkerHost.start(ports, lambda event: None, lambda lost: None)
        os.kill(host.pid, signal.SIGSTOP)
        await host.close()
        with pytest.raises(ProcessLookupError):
            os.kill(host.pid, 0)


async def test_a_worker_starts_beside_a_thousand_open_files():
    """As many connections as phones have; its end of the socket pair has a large number then."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 2000:
        pytest.skip("so many files cannot be opened here")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2000, most))
    held = [os.dup(0) for _ in range(1100)]
    try:
        async with workers() as plane:
            here, _ = await real_pair(plane)
            await here.play(clip(tone(440, 0.1)))
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_worker_ends_when_the_main_process_is_gone():
    """Its end of the socket pair closes, however the main process died."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "offhook.media.worker", str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        ours.settimeout(10)
        assert await asyncio.to_thread(ours.recv, 1000), "it has begun"
        ours.close()
        assert await asyncio.wait_for(worker.wait(), 10) == 0
