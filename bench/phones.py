"""Callers and answerers of a soak: one load generator for each kind of call, one that answers, and
registered phones in a process of their own.

What each of their calls came to is kept, to be held against the records.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.soaked import KINDS, NUMBERS, Soaked

TALKS = "0.2:20"  # seconds until a phone hangs up
RINGS = "0.1:6"  # seconds that an answerer rings
GIVES_UP = "0.25:0.05:2.5"  # a share of the callers, after so many seconds without an answer
BUSY = 0.15  # share of the calls that an answerer refuses
REGISTERED = {"TCP": 0.03, "TLS": 0.08, "WSS": 0.05}  # phones for each call at a time
PLAIN = 0.75  # calls of the load generators for each call at a time
ENDS = 60.0  # seconds for the last calls
PORTS = 600  # of each load generator, for sound


@dataclass(frozen=True, slots=True)
class Seen:
    """What a phone saw of a call: whether it was up, who hung up, and the final SIP status (0: it
    did not live to see it).

    `sid` is what the platform called it by, where that is known, `by` the transport of a registered
    phone; `mute`: nothing could be heard.
    """

    from_: str
    to: str
    up: bool
    far_end: bool
    code: int
    sid: str = ""
    by: str = ""
    mute: bool = False


def span(text: str) -> list[float]:
    return [float(one) for one in text.split(":")]


class Phones:
    """Calls until they are told to hang up. `first` is in the numbers of the first callers."""

    def __init__(self, program: Path, there: Soaked, calls: int, first: int = 0) -> None:
        self.seen: list[Seen] = []
        self.troubles: list[str] = []
        answers = ("-S", "-p", there.answerer, "-a", RINGS, "-b", BUSY, "-n", 4000)
        self._answering = self._start(program, *answers, "-R", 40000)
        each = max(1, round(calls * PLAIN / len(KINDS)))
        self._calling = [
            self._start(
                program, "-t", there.sip, "-u", NUMBERS[kind], "-n", 500_000, "-c", each,
                "-r", max(1, each / 4), "-k", GIVES_UP, "-s", 40, "-f", first,
                "-R", 30000 + PORTS * number, "-P", PORTS,
            )
            for number, kind in enumerate(KINDS)
        ]  # fmt: skip
        registered = [
            f"{transport}:{there.places[transport]}:{max(2, round(share * calls))}"
            for transport, share in REGISTERED.items()
        ]
        handsets = (sys.executable, "-m", "bench.handsets", "--first", str(first), *registered)
        self._calling.append(self._read(handsets))

    def _start(self, program: Path, *options: object) -> tuple[subprocess.Popen[str], Reader]:
        return self._read((str(program), "-L", "-N", "-x", TALKS, *map(str, options)))

    def _read(self, command: Sequence[str]) -> tuple[subprocess.Popen[str], Reader]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return process, Reader(process, self.seen, self.troubles)

    def hang_up(self) -> None:
        """All of them, and those who answer last: somebody may be dialling them."""
        for ends in (self._calling, [self._answering]):
            for process, _ in ends:
                process.terminate()
            for process, reader in ends:
                process.wait(ENDS)
                reader.join()

    def __enter__(self) -> Phones:
        return self

    def __exit__(self, *_: object) -> None:
        for process, reader in (*self._calling, self._answering):
            process.kill()
            process.wait()
            reader.join()


class Reader(threading.Thread):
    """Reads what phones say, and keeps their calls."""

    def __init__(
        self, process: subprocess.Popen[str], seen: list[Seen], troubles: list[str]
    ) -> None:
        super().__init__(daemon=True)
        self._process, self._seen, self._troubles = process, seen, troubles
        self.start()

    def run(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                if line.startswith("CALL "):
                    told = json.loads(line[5:])
                    told["from_"] = told.pop("from")
                    self._seen.append(Seen(**told))
                elif line.startswith("TROUBLE "):
                    self._troubles.append(line[8:].strip())
