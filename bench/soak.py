"""`make soak`: calls of random length with hang-ups at random moments, for as long as you like.

It starts an Offhook and calls it: callers hang up while it speaks, plays, gathers, records, dials
or only rings; answerers ring for a while, refuse, or hang up; phones register over TCP, TLS and
WSS, call, are called, hold, and go with and without a word; and the API places calls and ends them
under way. At the end nothing may be left over, memory must have been flat, and every call's record
must say what its phone saw.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.phones import Phones
from bench.rig import CannotMeasure, compiled, scratch
from bench.soaked import KINDS, Soaked, registered, soaked
from bench.verdicts import Sample, Verdict, leaks, memory, sample, statuses, troubles

STEP = 5.0  # seconds between two looks at memory
EVERY = 6  # of which one is told
WARM = 20.0  # seconds of load, at most, before the first account of what there is
ANEW = 1_000_000  # what tells the callers of the soak from those of before
QUIET = 90.0  # seconds that everything has to be given back in


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--calls", type=int, default=100, help="at a time")
    parser.add_argument("--workers", type=int, default=1, help="media workers of the Offhook")
    parser.add_argument("--keep", type=Path, help="a folder for Offhook's data and log")
    asked = parser.parse_args()
    try:
        if not sys.platform.startswith("linux"):
            raise CannotMeasure("make soak reads /proc: it needs Linux")
        with contextlib.ExitStack() as stack:
            folder = asked.keep or Path(stack.enter_context(scratch()))
            folder.mkdir(parents=True, exist_ok=True)
            verdicts = soak(folder, asked.seconds, asked.calls, asked.workers)
    except CannotMeasure as error:
        print(error, file=sys.stderr)
        return 2
    print()
    for verdict in verdicts:
        print(verdict.row())
    wrong = [verdict for verdict in verdicts if not verdict.well]
    print(f"\n{len(wrong)} of {len(verdicts)} are not as they should be" if wrong else "\nall well")
    return 1 if wrong else 0


def soak(folder: Path, seconds: float, calls: int, workers: int) -> list[Verdict]:
    """The load, and what is thought of it. Raises CannotMeasure."""
    program = compiled(folder)
    with soaked(folder, workers) as there:
        with Phones(program, there, calls) as phones, ordering(there, calls):
            time.sleep(min(WARM, seconds / 8))
            phones.hang_up()
        before = settled(there)
        print(f"begins: {before.told()}", flush=True)
        with Phones(program, there, calls, ANEW) as again, ordering(there, calls):
            samples = list(watch(there, seconds))
            again.hang_up()
        seen, told = phones.seen + again.seen, phones.troubles + again.troubles
        after = settled(there, before)
        return [
            *memory(samples, seconds),
            *leaks(before, after),
            *troubles(seen, told),
            *statuses(there, seen),
        ]


def watch(there: Soaked, seconds: float) -> Iterator[Sample]:
    """Looks every few seconds, and tells of some."""
    began, looks = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        look = sample(there, now)
        if looks % EVERY == 0:
            print(look.told(), flush=True)
        looks += 1
        yield look
        time.sleep(STEP)


def settled(there: Soaked, like: Sample | None = None) -> Sample:
    """When everything has been given back that will be, or that was there `like` before."""
    until = time.monotonic() + QUIET
    while True:
        time.sleep(2)
        now = sample(there, 0.0)
        if now.idle and (like is None or not any(not each.well for each in leaks(like, now))):
            return now
        if time.monotonic() > until:
            return now


@contextlib.contextmanager
def ordering(there: Soaked, calls: int) -> Iterator[None]:
    """Calls placed by the API meanwhile, some of them ended under way."""
    over = threading.Event()
    thread = threading.Thread(target=_order, args=(there, calls / 60, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _order(there: Soaked, rate: float, over: threading.Event) -> None:
    chance = random.Random(7)
    due: list[tuple[float, str, str]] = []
    while not over.wait(1 / rate):
        sid = _placed(there, chance)
        now = time.monotonic()
        if chance.random() < 0.4:
            word = chance.choice(("canceled", "completed"))
            due.append((now + chance.uniform(0, 8), sid, word))
        while there.talking and there.talking[0][0] < now - 2:
            _, sid = there.talking.popleft()
            if chance.random() < 0.05:
                due.append((now + chance.uniform(0, 8), sid, "completed"))
        for each in [each for each in due if each[0] < now]:
            due.remove(each)
            there.end(each[1], each[2])


def _placed(there: Soaked, chance: random.Random) -> str:
    phone = registered(chance.randrange(1000)) if chance.random() < 0.3 else ""
    limit = {"TimeLimit": "5"} if chance.random() < 0.2 else {}
    return there.place(chance.choice(KINDS), phone, **limit)


if __name__ == "__main__":
    sys.exit(main())
