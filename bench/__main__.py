"""Start an Offhook, call it, and print what it cost beside what is aimed at."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bench.measures import FULL, MEASURES, QUICK, Figure
from bench.rig import CannotMeasure, compiled, scratch
from bench.target import NOWHERE, Target, offhook, rooms
from bench.yardstick import yardstick


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more calls, longer, higher rates")
    parser.add_argument("--only", choices=MEASURES, action="append", help="not the others")
    parser.add_argument("--workers", type=int, default=1, help="media workers of the Offhook")
    asked = parser.parse_args()
    try:
        if not sys.platform.startswith("linux"):
            raise CannotMeasure("make bench reads /proc and kernel time stamps: it needs Linux")
        measure(asked.only or list(MEASURES), asked.full, asked.workers)
    except CannotMeasure as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def measure(names: list[str], full: bool, workers: int) -> None:
    plan = FULL if full else QUICK
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; the callers run here too")
    warm, rested = yardstick()
    print(f"A piece of Python takes {warm:.2f} ms, and {rested:.2f} ms after 5 ms of rest")
    with scratch() as folder:
        program = compiled(Path(folder))
        for name in names:
            print(f"\n{MEASURES[name].__doc__} Load average {os.getloadavg()[0]:.1f}.")
            with world(name, Path(folder), workers) as target:
                for figure in MEASURES[name](program, target, plan):
                    print(row(figure), flush=True)


def world(name: str, folder: Path, workers: int) -> AbstractContextManager[Target]:
    """What is measured: an Offhook, or as much of it as that takes."""
    if name == "sealed":
        return nullcontext(NOWHERE)  # it brings its own
    return rooms(workers) if name == "conference" else offhook(folder / name, workers)


def row(figure: Figure) -> str:
    verdict = {None: "", True: "ok", False: "MISSED"}[figure.met]
    target = ""
    if figure.target is not None:
        target = f"{'>=' if figure.at_least else '<='} {figure.target:g}"
    return f"  {figure.what:<68}{figure.value:>9.2f} {figure.unit:<8}{target:<9}{verdict}"


if __name__ == "__main__":
    sys.exit(main())
