"""The measurements: what calls cost while they last, and how many can be set up."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.rig import CannotMeasure, Load, cpu, memory, run_sipp
from bench.target import NUMBERS, Target

RAMP = 20  # calls a second until all are up
SETTLE = 2.0  # seconds between the last call's answer and the measurement
WARM = 10  # calls at a time before a measurement: what the first ones cost is not each one's
MEMORY = 100.0  # kB a call, at most
ROOM = 10  # seats in a conference
HEARD = 0.9  # of the packets, at least, or nothing was measured
SHORT = Path(__file__).with_name("short.xml")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. `target` is at most (or, for rates, at least) what is hoped for."""

    what: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure: calls held at a time, seconds of each window, rates of set-up."""

    calls: int
    window: float
    rates: tuple[int, ...]
    rate_seconds: float


QUICK = Plan(calls=100, window=8, rates=(20, 100), rate_seconds=5)
FULL = Plan(calls=200, window=20, rates=(20, 100, 200, 300), rate_seconds=10)


@dataclass(frozen=True, slots=True)
class Held:
    """What holding calls for a while cost, and what their callers heard."""

    up: int
    cpu_ms: float  # a second, a call
    memory_kb: float  # a call
    off20_ms: float  # 99th percentile of how far arrivals were from 20 ms apart
    longest_gap_ms: float
    lost: int
    failed: int


def held(program: Path, target: Target, number: str, plan: Plan, *extra: object) -> Held:
    """Calls held for a window; CPU and memory of all of the server's processes."""
    size: tuple[object, ...] = ("-n", 5 * WARM, "-c", WARM, "-r", RAMP, "-d", 1)
    with Load(program, "-t", target.sip, "-u", number, *size, *extra) as load:
        load.result()
    before = memory(target.pid)
    hold = plan.calls / RAMP + SETTLE + plan.window + 1
    size = ("-n", plan.calls, "-c", plan.calls, "-r", RAMP, "-d", hold)
    with Load(program, "-t", target.sip, "-u", number, *size, *extra) as load:
        up = load.wait_until_up(plan.calls)
        time.sleep(SETTLE)
        grown = memory(target.pid) - before
        began, used = time.monotonic(), cpu(target.pid)
        time.sleep(plan.window)
        used, elapsed = cpu(target.pid) - used, time.monotonic() - began
        grown = min(grown, memory(target.pid) - before)  # without what waits for the collector
        result = load.result()
    return Held(
        up=up,
        cpu_ms=used / elapsed / max(up, 1) * 1000,
        memory_kb=max(grown, 0) / max(up - WARM, 1),
        off20_ms=result["rtp"]["off20_ms"]["p99"],
        longest_gap_ms=result["rtp"]["maxgap_ms"],
        lost=result["rtp"]["lost"],
        failed=result["fail"],
    )


def _held_figures(what: str, calls: Held, target: float | None, each: int = 1) -> Iterator[Figure]:
    """`each` is how many calls of ours one call of the load is."""
    title = f"{what}, {calls.up} calls"
    yield Figure(f"{title}: CPU a call", calls.cpu_ms, "ms/s", target)
    yield Figure(f"{title}: memory a call of ours", calls.memory_kb / each, "kB", MEMORY)
    yield Figure(f"{title}: p99 of |inter-arrival - 20 ms|", calls.off20_ms, "ms", 3.0)
    yield Figure(f"{title}: longest gap", calls.longest_gap_ms, "ms", 40.0)
    yield Figure(f"{title}: failed", calls.failed, "calls", 0)


def playback(program: Path, target: Target, plan: Plan) -> Iterator[Figure]:
    """1. Every call hears a prompt and sends sound."""
    yield from _held_figures("Playback", held(program, target, NUMBERS["playback"], plan), 0.8)


def warm_up(program: Path, target: Target) -> None:
    """The voice has spoken, the tables are read."""
    size = ("-n", 4 * WARM, "-c", 4 * WARM, "-r", RAMP, "-d", 0, "-w", 6)
    with Load(program, "-t", target.sip, "-u", NUMBERS["setup"], *size) as load:
        load.result()


def setup(program: Path, target: Target, plan: Plan) -> Iterator[Figure]:
    """2. Short calls at rising rates: a request to the application, a second of speech, BYE."""
    warm_up(program, target)
    sustained = 0
    for rate in plan.rates:
        count = round(rate * plan.rate_seconds)
        used = cpu(target.pid)
        size = ("-n", count, "-c", 4000, "-r", rate, "-d", 0, "-w", 6)
        with Load(program, "-t", target.sip, "-u", NUMBERS["setup"], *size) as load:
            result = load.result()
        cost = (cpu(target.pid) - used) / count * 1000
        title = f"Set-up, {rate} calls a second"
        yield Figure(f"{title}: failed", result["fail"], "calls", 0)
        yield Figure(f"{title}: time to answer, p50", result["setup_ms"]["p50"], "ms")
        aim = 100.0 if rate <= 100 else None
        yield Figure(f"{title}: time to answer, p99", result["setup_ms"]["p99"], "ms", aim)
        most = 4.0 if rate >= 100 else None
        yield Figure(f"{title}: CPU a call, its second of sound included", cost, "ms", most)
        if result["fail"] > 0.01 * count:
            break
        sustained = rate
        time.sleep(1)
    yield Figure("Set-up: sustained, of the rates tried", sustained, "calls/s", 100, at_least=True)


def sipp(program: Path, target: Target, plan: Plan) -> Iterator[Figure]:
    """3. The same by SIPp, without sound of its own: 100 calls a second."""
    warm_up(program, target)
    rate, count, folder = 100, round(100 * plan.rate_seconds), program.parent
    used = cpu(target.pid)
    size = ("-r", rate, "-m", count, "-l", 4000)
    ended = run_sipp(folder, target.sip, "-sf", SHORT, "-s", NUMBERS["setup"], *size)
    cost = (cpu(target.pid) - used) / count * 1000
    title = f"SIPp, {rate} calls a second"
    yield Figure(f"{title}: failed", count - ended.good, "calls", 0)
    yield Figure(f"{title}: time to answer, p50", ended.percentile(0.5), "ms")
    yield Figure(f"{title}: time to answer, p99", ended.percentile(0.99), "ms", 100)
    yield Figure(f"{title}: CPU a call, its second of sound included", cost, "ms", 4.0)


def bridge(program: Path, target: Target, plan: Plan) -> Iterator[Figure]:
    """4. Every call is dialled on to an answerer; sound goes both ways through the server."""
    with Load(program, "-S", "-p", target.answerer, "-R", 40000, "-T") as answerer:
        time.sleep(0.5)
        calls = held(program, target, NUMBERS["bridge"], plan, "-T")
        answerer.stop()
        far = answerer.result()
    yield from _held_figures("Bridge", calls, 1.5, each=2)
    if delay := far.get("oneway_ms"):
        yield Figure("Bridge: one way through it, p99", delay["p99"], "ms")


def conference(program: Path, target: Target, plan: Plan) -> Iterator[Figure]:
    """5. Rooms of ten, everybody speaks: the media plane's rooms, with SIP alone above them."""
    calls = held(program, target, "room%d", plan, "-g", ROOM)
    yield from _held_figures("Conference, a seat", calls, 0.9)


def record(program: Path, target: Target, plan: Plan) -> Iterator[Figure]:
    """6. Every caller is recorded. Nothing is played: what it adds shows beside measurement 1."""
    calls = held(program, target, NUMBERS["record"], plan)
    yield from _held_figures("Recording", calls, 0.8 + 0.3)


def sealed(program: Path, target: Target, plan: Plan) -> Iterator[Figure]:
    """7. Legs talk in the clear and with SRTP in turn: the media plane alone, two workers of it."""
    command = [sys.executable, "-m", "bench.sealed", str(plan.calls), str(plan.window)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if ended.returncode:
        raise CannotMeasure(f"the legs ended with {ended.returncode}")
    told = json.loads(ended.stdout)
    if told["heard"] < HEARD:
        raise CannotMeasure(f"of what was sealed, {told['heard']:.0%} was heard")
    yield Figure(f"In the clear, {plan.calls} legs a worker: CPU a leg", told["clear"], "ms/s")
    yield Figure(f"Sealed, {plan.calls} legs a worker: CPU a leg", told["sealed"], "ms/s")
    yield Figure("What sealing adds", told["sealed"] - told["clear"], "ms/s", 0.22)


MEASURES = {
    "playback": playback,
    "setup": setup,
    "sipp": sipp,
    "bridge": bridge,
    "conference": conference,
    "record": record,
    "sealed": sealed,
}
