"""What the measurements share: the load generator, and what processes cost by /proc."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent / "vload.c"
TICKS = os.sysconf("SC_CLK_TCK")


class CannotMeasure(Exception):
    """Something that measuring needs is not there; the message is for the user."""


def compiled(folder: Path) -> Path:
    """The load generator, built with gcc. Raises CannotMeasure."""
    gcc = shutil.which("gcc")
    if gcc is None:
        raise CannotMeasure(
            "make bench needs gcc, to build the load generator bench/vload.c. "
            "On Debian or Ubuntu: apt-get install gcc libc6-dev"
        )
    program = folder / "vload"
    made = subprocess.run(
        [gcc, "-O2", "-o", str(program), str(SOURCE), "-lm"], capture_output=True, text=True
    )
    if made.returncode:
        raise CannotMeasure(f"gcc could not build {SOURCE.name}:\n{made.stderr}")
    return program


class Load:
    """One run of the load generator. Its standard output says how many calls are up, each second,
    and at the end what they heard."""

    def __init__(self, program: Path, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [str(program), *map(str, arguments)], stdout=subprocess.PIPE, text=True
        )

    def wait_until_up(self, calls: int) -> int:
        """How many are up: all of them, or as many as there are when some have failed."""
        for line in self._process.stdout or ():
            if line.startswith("STATE"):
                state = json.loads(line[6:])
                if state["up"] + state["ended"] >= calls:
                    return int(state["up"])
            elif line.startswith("RESULT"):
                break
        return 0

    def result(self) -> dict[str, Any]:
        """What it says at its end. Raises CannotMeasure when it died."""
        found: dict[str, Any] | None = None
        for line in self._process.stdout or ():
            if line.startswith("RESULT"):
                found = json.loads(line[7:])
        self._process.wait()
        if found is None:
            raise CannotMeasure(f"the load generator ended with {self._process.returncode}")
        return found

    def stop(self) -> None:
        """End the calls there are (an answerer runs until then)."""
        self._process.terminate()

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


@dataclass(frozen=True, slots=True)
class Sipp:
    """How a run of SIPp went: calls that ended well, milliseconds to their answers in order."""

    good: int
    answered: list[float]

    def percentile(self, part: float) -> float:
        if not self.answered:
            return math.inf
        return self.answered[min(int(part * len(self.answered)), len(self.answered) - 1)]


def run_sipp(folder: Path, target: str, *arguments: object) -> Sipp:
    """Its files are left in `folder`. Raises CannotMeasure where there is no SIPp."""
    if not shutil.which("sipp"):
        raise CannotMeasure(
            "this measurement needs SIPp. On Debian or Ubuntu: apt-get install sip-tester"
        )
    stats = folder / "sipp.csv"
    each = ("-trace_stat", "-stf", stats, "-trace_rtt", "-rtt_freq", "1")
    command = ["sipp", target, "-i", "127.0.0.1", "-nostdin", *each, *arguments]
    quiet = subprocess.DEVNULL
    subprocess.run([str(one) for one in command], cwd=folder, stdout=quiet, stderr=quiet)
    names, *_, last = (line.split(";") for line in stats.read_text().splitlines())
    found = dict(zip(names, last, strict=False))
    times = [
        float(line.split(";")[1])
        for file in folder.glob("*_rtt.csv")
        for line in file.read_text().splitlines()[1:]
    ]
    return Sipp(int(found["SuccessfulCall(C)"]), sorted(times))


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children.get(one, [])
    return found


def cpu(pid: int) -> float:
    """Seconds of CPU that a process and its descendants have used, ended ones not counted."""
    fields = (_stat(one) for one in family(pid))
    return sum(int(each[11]) + int(each[12]) for each in fields if each) / TICKS


def memory(pid: int) -> int:
    """Kilobytes in use by a process and its descendants, shared ones divided."""
    total = 0
    for one in family(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name; the first is the state."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="offhook-bench-")
