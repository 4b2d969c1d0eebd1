"""The Offhook that is measured, in processes of its own, and the application it asks."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.application import ANSWERS
from bench.rig import CannotMeasure

HOST = "127.0.0.1"
SID = "AC" + "be" * 16
TOKEN = "be" * 16
PROGRAM = Path(sys.executable).with_name("offhook")
STARTUP = 60.0  # seconds

NUMBERS = {name: f"+155501002{n:02}" for n, name in enumerate(ANSWERS)}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the measured Offhook listens, and its first process."""

    sip: str
    pid: int
    answerer: int  # the port at which bridged calls are answered


NOWHERE = Target("", 0, 0)


@contextmanager
def offhook(folder: Path, workers: int) -> Iterator[Target]:
    """An Offhook on free ports, with a number for each measurement. Raises CannotMeasure."""
    folder.mkdir()
    answerer, sip, http = free_port(), free_port(), free_port(socket.SOCK_STREAM)
    with application(answerer) as answers, (folder / "log").open("wb") as log:
        where = ("--http", f"{HOST}:{http}", "--sip", f"{HOST}:{sip}", "--rtp", "20000-29999")
        process = subprocess.Popen(
            [PROGRAM, "up", "--data", folder / "data", *where, "--workers", str(workers)],
            stdout=log,
            stderr=log,
            env=os.environ | {"OFFHOOK_ACCOUNT_SID": SID, "OFFHOOK_AUTH_TOKEN": TOKEN},
        )
        try:
            _wait(process, f"http://{HOST}:{http}/healthz", folder / "log")
            for name, number in NUMBERS.items():
                _add(http, number, f"{answers}/{name}")
            yield Target(f"{HOST}:{sip}", process.pid, answerer)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def application(answerer: int) -> Iterator[str]:
    """The application, in a process of its own; its address."""
    port = free_port(socket.SOCK_STREAM)
    command = [sys.executable, "-m", "bench.application", str(port), str(answerer)]
    with subprocess.Popen(command) as process:
        try:
            yield f"http://{HOST}:{port}"
        finally:
            process.terminate()


@contextmanager
def rooms(workers: int) -> Iterator[Target]:
    """SIP and the media plane alone, on a free port: see `bench.rooms`. Raises CannotMeasure."""
    sip = free_port()
    command = [sys.executable, "-m", "bench.rooms", str(sip), str(workers)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        if process.stdout.readline() != "open\n":
            raise CannotMeasure("the rooms did not open")
        yield Target(f"{HOST}:{sip}", process.pid, 0)
        process.stdin.close()


def free_port(kind: int = socket.SOCK_DGRAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(round(STARTUP / 0.2)):
        if process.poll() is not None:
            raise CannotMeasure(f"Offhook did not start:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise CannotMeasure(f"Offhook was not healthy after {STARTUP:.0f} s:\n{log.read_text()}")


def _add(http: int, number: str, url: str) -> None:
    """Give Offhook a number whose calls `url` answers."""
    form = urllib.parse.urlencode({"PhoneNumber": number, "VoiceUrl": url}).encode()
    request = urllib.request.Request(
        f"http://{HOST}:{http}/2010-04-01/Accounts/{SID}/IncomingPhoneNumbers.json", form
    )
    login = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
    request.add_header("Authorization", f"Basic {login}")
    try:
        with urllib.request.urlopen(request, timeout=10):
            pass
    except urllib.error.HTTPError as error:
        raise CannotMeasure(f"{number} was refused: {error.read().decode()}") from error
