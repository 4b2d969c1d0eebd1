"""`make fuzz`: every target in turn, for its share of the seconds.

    python tests/fuzz/fuzz_run.py [seconds in all] [target ...]

Guided by coverage where atheris is installed, and with hypothesis's shapes everywhere. Inputs that
lead somewhere new are kept in build/fuzz for the next time; one that breaks something is named at
the end, and belongs into `corpus` with its repair.
"""

from __future__ import annotations

import gc
import importlib.util
import itertools
import operator
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BUILD = Path("build/fuzz")
GUIDED = importlib.util.find_spec("atheris") is not None
SHAPED = 0.2  # of a target's time goes to hypothesis
SLOW, LARGE = 5, 600  # seconds for one input, MB of memory for all: beyond is a finding
STATISTICS = re.compile(r"stat::(\w+):\s+(\d+)")
COVERED = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")
EXAMPLES = 50
SWEEP = 200  # inputs between two collections
COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)
Target = Callable[[bytes], None]


def targets() -> dict[str, Target]:
    from fuzz_carrier import carrier
    from fuzz_endpoints import ENDPOINTS
    from fuzz_targets import PARSERS

    return PARSERS | ENDPOINTS | {"carrier": carrier}


def one(name: str, seconds: float) -> None:
    """A target, in a process of its own: atheris does not come back."""
    if not GUIDED:
        shaped(name, targets()[name], seconds)
        return
    import atheris

    let_arrays_go()
    with atheris.instrument_imports(include=["offhook"]):
        target = targets()[name]
    shaped(name, target, SHAPED * seconds)
    known, found = HERE / "corpus" / name, BUILD / name
    found.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={max(1, round((1 - SHAPED) * seconds))}", f"-timeout={SLOW}",
        f"-rss_limit_mb={LARGE}", f"-dict={HERE / 'words.dict'}",
        f"-artifact_prefix={BUILD / name}-", "-print_final_stats=1",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(found), str(known)], swept(target))
    atheris.Fuzz()


def let_arrays_go() -> None:
    """Arrays are compared past atheris, whose 3.0.0 keeps for ever what a comparison gives: that is
    True or False, which cost nothing, for all but arrays."""
    import atheris
    import numpy
    from atheris import instrument_bytecode
    from atheris.version_dependent import CMP_OP_SHIFT_AMOUNT

    array = numpy.ndarray

    def compared(left: Any, right: Any, code: int, place: int, constant: bool) -> Any:
        if isinstance(left, array) or isinstance(right, array):
            return COMPARISONS[code >> CMP_OP_SHIFT_AMOUNT](left, right)
        return atheris._trace_cmp(left, right, code, place, constant)

    # Its own name for that would be given back to its own function when it begins.
    atheris.compared, instrument_bytecode._COMPARE_FUNCTION = compared, "compared"


def swept(target: Target) -> Target:
    """The same; what it leaves to the collector is collected, so that LARGE is about leaks."""
    turns = itertools.count(1)

    def swept_target(data: bytes) -> None:
        target(data)
        if next(turns) % SWEEP == 0:
            gc.collect()

    return swept_target


def shaped(name: str, target: Target, seconds: float) -> None:
    """Says how many inputs there were. A failure is shrunk, shown and left in build/fuzz."""
    from fuzz_shapes import shaped
    from hypothesis import HealthCheck, given, settings

    tried, until, last = 0, time.monotonic() + seconds, BUILD / f"{name}-shaped"
    quiet = settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )

    @quiet
    @given(shaped(name))
    def once(data: bytes) -> None:
        nonlocal tried
        tried += 1
        try:
            target(data)
        except BaseException:
            last.parent.mkdir(parents=True, exist_ok=True)
            last.write_bytes(data)
            raise

    while time.monotonic() < until:
        once()
    print(f"shaped inputs: {tried}", flush=True)


def part(name: str, seconds: float) -> tuple[str, bool]:
    """All that it said, and whether nothing was found."""
    command = [sys.executable, __file__, "one", name, str(seconds)]
    patience = 120 + 10 * seconds
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{name} hangs", False
    return done.stdout + done.stderr, done.returncode == 0


def told(name: str, text: str) -> str:
    numbers = dict(STATISTICS.findall(text))
    tried = re.search(r"shaped inputs: (\d+)", text)
    covered = COVERED.findall(text)
    branches, corpus = (covered[-1][0], covered[-1][2]) if covered else ("-", "-")
    return (
        f"{name:12} {numbers.get('number_of_executed_units', '-'):>9} guided "
        f"{tried[1] if tried else '-':>7} shaped, {branches:>5} places covered, "
        f"{corpus:>5} inputs kept, {numbers.get('peak_rss_mb', '-'):>4} MB"
    )


def why(text: str) -> str:
    """What it said, without the fuzzer's own progress."""
    lines = (line for line in text.splitlines() if not line.startswith(("#", "stat:", "INFO:")))
    return "\n".join(lines)[-4000:]


def run(seconds: float, names: list[str]) -> int:
    broken = []
    for name in names:
        text, fine = part(name, seconds / len(names))
        print(told(name, text), flush=True)
        if not fine:
            broken.append(name)
            print(why(text), flush=True)
    if broken:
        print(f"broken: {', '.join(broken)}; their inputs are {BUILD}/<target>-...")
    return 1 if broken else 0


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["one"]:
        one(arguments[1], float(arguments[2]))
        return 0
    seconds = float(arguments[0]) if arguments else 600.0
    return run(seconds, arguments[1:] or sorted(targets()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
