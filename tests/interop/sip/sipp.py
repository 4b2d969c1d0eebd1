"""Drives SIPp: one scenario of this folder, run to its end, and what became of its calls."""

from __future__ import annotations

import contextlib
import csv
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from dialogue import compiled
from peers import free_port

HERE = Path(__file__).parent


def available() -> bool:
    return which("sipp") is not None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of all calls of one run. `retransmissions` are messages that SIPp had to repeat."""

    successful: int
    failed: int
    retransmissions: int
    exit_code: int
    output: str  # the end of what SIPp said, for whoever reads a failure

    @property
    def calls(self) -> int:
        return self.successful + self.failed


@dataclass(frozen=True, slots=True)
class Run:
    """How to run a scenario. `pause` is in milliseconds; `transport` is SIPp's: u1, t1 or tn."""

    scenario: str
    calls: int = 1
    rate: float = 10
    at_once: int = 1000
    local_ip: str = "127.0.0.1"
    local_port: int = 0
    transport: str = "u1"
    pause: int = 500
    username: str = ""
    password: str = ""
    login_at: str = ""  # the host in the URI of answers to challenges; the remote one without it
    lost: int = 0  # of a hundred messages, both ways
    seconds: float = 60  # after which the run is a failure

    def call(self, host: str, port: int, number: str) -> Statistics:
        """SIPp calls `number` at host:port."""
        return self.begin(host, port, number).wait()

    def begin(self, host: str, port: int, number: str) -> Running:
        """As `call`, in the background."""
        return self._start(f"{host}:{port}", "-s", number)

    def listen(self) -> Running:
        """SIPp waits for `calls` calls at `local_port`; over TCP, once it listens."""
        running = self._start()
        if self.transport != "u1":
            running.listens(self.local_ip, self.local_port)
        return running

    def _start(self, *args: str) -> Running:
        folder = tempfile.TemporaryDirectory()
        with (Path(folder.name) / "output").open("wb") as output:
            started = subprocess.Popen(
                ["sipp", *args, *self._args(folder.name)], stdout=output, stderr=subprocess.STDOUT
            )
        return Running(started, self.seconds, folder)

    def _args(self, folder: str) -> list[str]:
        args = [
            "-sf", str(_written(self.scenario, Path(folder))),
            "-i", self.local_ip, "-t", self.transport,
            "-m", str(self.calls), "-l", str(self.at_once), "-d", str(self.pause),
            "-r", f"{self.rate:g}", "-nostdin", "-max_socket", "10000",
            "-trace_stat", "-stf", f"{folder}/stats.csv",
            "-trace_err", "-error_file", f"{folder}/errors.log",
            "-timeout", f"{self.seconds:g}s", "-timeout_error",
        ]  # fmt: skip
        args += ["-lost", str(self.lost), "-max_retrans", "9"] if self.lost else []
        # Left to itself it tries ports from 5060 on, and several at once find the same one free.
        args += ["-p", str(self.local_port or free_port())]
        args += ["-au", self.username, "-ap", self.password] if self.username else []
        args += ["-auth_uri", self.login_at] if self.login_at else []
        return args


class Running:
    """SIPp in the background; `wait` for its calls to be over."""

    def __init__(
        self,
        started: subprocess.Popen[bytes],
        seconds: float,
        folder: tempfile.TemporaryDirectory[str],
    ) -> None:
        self._started, self._seconds, self._folder = started, seconds, folder
        self._statistics: Statistics | None = None

    def listens(self, host: str, port: int) -> None:
        """Returns when it takes connections."""
        while self._started.poll() is None:
            try:
                socket.create_connection((host, port), 1).close()
            except OSError:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._started.wait(0.05)
            else:
                return

    def wait(self) -> Statistics:
        """What became of it, however often it is asked."""
        if self._statistics is None:
            with self._folder as folder:
                self._statistics = _finished(self._started, self._seconds, Path(folder))
        return self._statistics

    def stop(self) -> None:
        if self._statistics is None:
            self._started.kill()
            self._started.wait()
            self._folder.cleanup()


def _written(scenario: str, folder: Path) -> Path:
    """The scenario as SIPp reads it; a dialogue is made into that."""
    dialogue = HERE / f"{scenario}.txt"
    if not dialogue.exists():
        return HERE / f"{scenario}.xml"
    made = folder / f"{scenario}.xml"
    made.write_text(compiled(scenario, dialogue.read_text()))
    return made


def _finished(started: subprocess.Popen[bytes], seconds: float, folder: Path) -> Statistics:
    try:
        started.wait(seconds + 10)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
    said = [folder / name for name in ("output", "errors.log") if (folder / name).exists()]
    output = "".join(path.read_text(errors="replace") for path in said)
    totals = _last_row(folder / "stats.csv")
    return Statistics(
        successful=int(totals.get("SuccessfulCall(C)", 0)),
        failed=int(totals.get("FailedCall(C)", 0)),
        retransmissions=int(totals.get("Retransmissions(C)", 0)),
        exit_code=started.returncode,
        output=output[-4000:],
    )


def _last_row(path: Path) -> dict[str, str]:
    """The totals at the end: SIPp writes a row now and then, and a last one."""
    if not path.exists():
        return {}
    with path.open() as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return rows[-1] if rows else {}
