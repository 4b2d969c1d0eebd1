"""Calls over two media workers, between SIP phones; and one worker that dies in the middle."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rtp_ports import free_ports
from served import Application, Up, environment, response, serving

from offhook.carriers.sip_carrier import SipCarrier, SipSettings
from offhook.line.leg import HungUp, Leg, Target
from offhook.media.clip import RATE, Clip
from offhook.media.plane import MediaPlane

pytestmark = pytest.mark.real_time
DESK, LINE = "+15550100501", "+15550100502"


def tone(hertz: float, seconds: float) -> Clip:
    wave = 8000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return Clip(seconds, pcm=wave.astype("<i2").tobytes())


def has(frames: list[bytes], hertz: float) -> bool:
    """Whether ten frames of what was heard are hardly anything but this tone."""
    sound = np.frombuffer(b"".join(frames), "<i2").reshape(-1, 160).astype(float)
    turn = np.exp(-2j * np.pi * hertz * np.arange(160) / RATE)
    energy = np.maximum((sound**2).sum(axis=1), 1.0)
    return int((2 * np.abs(sound @ turn) ** 2 / 160 / energy > 0.8).sum()) >= 10


async def talk(one: Leg, other: Leg) -> None:
    """Until each has heard the other."""
    heard: tuple[list[bytes], list[bytes]] = [], []
    one.media.tap(heard[0].append)
    other.media.tap(heard[1].append)
    said = [
        asyncio.ensure_future(leg.media.play(tone(hertz, 60)))
        for leg, hertz in ((one, 700), (other, 440))
    ]
    await until(lambda: has(heard[0], 440) and has(heard[1], 700))
    for saying in said:
        saying.cancel()


class Desk:
    """A SIP phone: it answers by itself, and keeps its legs."""

    def __init__(self) -> None:
        self.legs: list[Leg] = []

    async def __call__(self, leg: Leg, to: str, from_: str) -> None:
        try:
            await leg.answer()
            self.legs.append(leg)
            await asyncio.shield(leg.ended)
        except HungUp:
            pass

    async def calls(self, up: Up, sip: SipCarrier, number: str) -> Leg:
        to = f"sip:{number}@{up.sip}"
        return await sip.dial(Target(to, "+15550007777", "CA1", "AC1"), lambda leg, early: None)


@asynccontextmanager
async def phones(desk: Desk) -> AsyncIterator[SipCarrier]:
    media = await MediaPlane.local(free_ports(40))
    sip = await SipCarrier.open(SipSettings(port=0, tcp=False), media, desk)
    try:
        yield sip
    finally:
        await sip.close()
        await media.close()


def workers_of(up: Up) -> list[int]:
    """The media workers' process ids."""
    told = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True)
    rows = [line.split(None, 2) for line in told.stdout.splitlines()]
    return [
        int(pid)
        for pid, parent, command in rows
        if int(parent) == up.process.pid and "offhook.media.worker" in command
    ]


def files_of(workers: list[int]) -> list[int]:
    """How many files each has open; two of them are a leg's ports."""
    return [len(os.listdir(f"/proc/{pid}/fd")) for pid in workers]


async def until(fact: Callable[[], Any]) -> Any:
    async with asyncio.timeout(30):
        while not (found := await asyncio.to_thread(fact)):
            await asyncio.sleep(0.05)
    return found


def dial(sip: SipCarrier) -> str:
    host, port = sip.address[:2]
    return response(f"<Dial action='/over'><Sip>sip:desk@{host}:{port}</Sip></Dial>")


@pytest.fixture
def up(tmp_path: Path) -> Any:
    ports = free_ports(100)  # too few to have some open for calls to come
    env = environment(OFFHOOK_WORKERS="2", OFFHOOK_RTP=f"{ports[0]}-{ports[-1]}")
    with Up(tmp_path / "data", env=env) as up:
        yield up


@pytest.mark.skipif(not Path("/proc").exists(), reason="what a process has open is told by Linux")
async def test_calls_are_spread_and_a_dial_has_sound_and_keys_both_ways(up: Up) -> None:
    """Each pair of phones shares a worker; two pairs are on two."""
    desk, app = Desk(), Application({"/over": response()})
    with serving(app):
        async with asyncio.timeout(90), phones(desk) as sip:
            app.answers["/voice"] = dial(sip)
            up.number(DESK, VoiceUrl=f"{app.url}/voice")
            idle = files_of(workers_of(up))
            callers = []
            for called in (1, 2):
                callers.append(await desk.calls(up, sip, DESK))
                await until(lambda called=called: len(desk.legs) == called)
            busy = np.subtract(files_of(workers_of(up)), idle)
            assert busy.tolist() == [4, 4], "two legs each"
            for caller, callee in zip(callers, desk.legs, strict=True):
                await talk(caller, callee)
                await caller.media.send_digits("12")
                await callee.media.send_digits("9#")
                assert [await callee.media.keys.get() for _ in "12"] == ["1", "2"]
                assert [await caller.media.keys.get() for _ in "9#"] == ["9", "#"]
            for caller in callers:
                await caller.hang_up()


async def test_a_worker_that_is_killed_ends_its_calls_without_sip_as_well(up: Up) -> None:
    app = Application({"/voice": response("<Say>Hello.</Say><Pause length='600'/>"), "/status": ""})
    with serving(app):
        for _ in range(2):
            up.post(
                "Calls.json", To="+15550004444", From=up.demo, Url=f"{app.url}/voice",
                StatusCallback=f"{app.url}/status",
            )  # fmt: skip
        await asyncio.to_thread(app.gets, "/voice", times=2)
        os.kill(workers_of(up)[0], signal.SIGKILL)
        await asyncio.to_thread(app.gets, "/status", CallStatus="completed")
        calls = up.get("Calls.json")["calls"]
        assert sorted(call["status"] for call in calls) == ["completed", "in-progress"]


async def test_a_worker_that_is_killed_ends_its_calls_and_no_others(up: Up) -> None:
    """With a BYE to the phone, a status and its callback; a new worker takes the next calls."""
    app = Application(
        {"/voice": response("<Play digits='w'/><Pause length='120'/>"), "/status": ""}
    )
    desk = Desk()
    with serving(app):
        async with asyncio.timeout(90), phones(desk) as sip:
            urls = {"VoiceUrl": f"{app.url}/voice", "StatusCallback": f"{app.url}/status"}
            up.number(LINE, **urls)
            callers = [await desk.calls(up, sip, LINE) for _ in range(4)]
            await until(lambda: len(app.asked("/voice")) == 4)
            os.kill(workers_of(up)[0], signal.SIGKILL)
            await until(lambda: sum(leg.ended.done() for leg in callers) == 2)
            ended = [leg for leg in callers if leg.ended.done()]
            assert {leg.ended.result().by for leg in ended} == {"far"}, "by a BYE"
            await asyncio.to_thread(app.gets, "/status", times=2, CallStatus="completed")
            calls = up.get("Calls.json")["calls"]
            statuses = sorted(call["status"] for call in calls)
            assert statuses == ["completed"] * 2 + ["in-progress"] * 2
            await until(lambda: len(workers_of(up)) == 2 and up.health() == 200)
            again = await desk.calls(up, sip, LINE)
            app.gets("/voice", times=5)
            heard: list[bytes] = []
            again.media.tap(heard.append)
            await until(lambda: len(heard) > 25)
            assert sum(leg.ended.done() for leg in callers) == 2
            for leg in (*callers, again):
                await leg.hang_up()
