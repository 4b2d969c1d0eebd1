"""Drives SIPp: one scenario of this folder, run to its end, and what became of its calls."""

from __future__ import annotations

import csv
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from shutil import which

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
    seconds: float = 60  # after which the run is a failure

    def call(self, host: str, port: int, number: str) -> Statistics:
        """SIPp calls `number` at host:port."""
        with tempfile.TemporaryDirectory() as folder:
            args = [f"{host}:{port}", "-s", number, *self._args(folder)]
            started = subprocess.Popen(
                ["sipp", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            return _finished(started, self.seconds, Path(folder))

    def listen(self) -> Listening:
        """SIPp waits for `calls` calls at `local_port`."""
        folder = tempfile.TemporaryDirectory()
        started = subprocess.Popen(
            ["sipp", *self._args(folder.name)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Listening(started, self.seconds, folder)

    def _args(self, folder: str) -> list[str]:
        args = [
            "-sf", str(HERE / f"{self.scenario}.xml"), "-i", self.local_ip, "-t", self.transport,
            "-m", str(self.calls), "-l", str(self.at_once), "-d", str(self.pause),
            "-r", f"{self.rate:g}", "-nostdin", "-max_socket", "10000",
            "-trace_stat", "-stf", f"{folder}/stats.csv",
            "-trace_err", "-error_file", f"{folder}/errors.log",
            "-timeout", f"{self.seconds:g}s", "-timeout_error",
        ]  # fmt: skip
        args += ["-p", str(self.local_port)] if self.local_port else []
        args += ["-au", self.username, "-ap", self.password] if self.username else []
        args += ["-auth_uri", self.login_at] if self.login_at else []
        return args


class Listening:
    """SIPp in the background; `wait` for its calls to be over."""

    def __init__(
        self,
        started: subprocess.Popen[str],
        seconds: float,
        folder: tempfile.TemporaryDirectory[str],
    ) -> None:
        self._started, self._seconds, self._folder = started, seconds, folder

    def wait(self) -> Statistics:
        with self._folder as folder:
            return _finished(self._started, self._seconds, Path(folder))

    def stop(self) -> None:
        self._started.kill()
        self._started.communicate()
        self._folder.cleanup()


def _finished(started: subprocess.Popen[str], seconds: float, folder: Path) -> Statistics:
    try:
        output, _ = started.communicate(timeout=seconds + 10)
    except subprocess.TimeoutExpired:
        started.kill()
        output, _ = started.communicate()
    errors = folder / "errors.log"
    if errors.exists():
        output += errors.read_text(errors="replace")
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
