"""The Offhook that is measured, in processes of its own, and the application it asks."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.application import ANSWERS
from bench.rig import CannotMeasure

HOST = "127.0.0.1"
SID = "AC" + "be" * 16
TOKEN = "be" * 16
ACCOUNT = f"/2010-04-01/Accounts/{SID}"
LOGIN = "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
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
    """An Offhook with a number for each measurement. Raises CannotMeasure."""
    answerer, sip = free_port(), f"{HOST}:{free_port()}"
    where = ("--sip", sip, "--rtp", "20000-29999", "--workers", str(workers))
    with application(answerer) as answers, started(folder, *where) as (process, api):
        for name, number in NUMBERS.items():
            _add(api, number, f"{answers}/{name}")
        yield Target(sip, process.pid, answerer)


@contextmanager
def started(
    folder: Path, *options: str, **settings: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """An Offhook and where its API is; its data and its log are in `folder`.

    Raises CannotMeasure.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, log = folder / "data", folder / "log"
    account = {"OFFHOOK_ACCOUNT_SID": SID, "OFFHOOK_AUTH_TOKEN": TOKEN}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [PROGRAM, "up", "--data", data, "--http", f"{HOST}:0", *options],
            stdout=file,
            stderr=file,
            env=os.environ | account | settings,
        )
    try:
        yield process, _api(process, data, log)
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


def _api(process: subprocess.Popen[bytes], data: Path, log: Path) -> str:
    until = time.monotonic() + STARTUP
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError, ValueError):
            api = str(json.loads((data / "running.json").read_text())["api"])
            with urllib.request.urlopen(f"{api}/healthz", timeout=2):
                return api
        time.sleep(0.2)
    raise CannotMeasure(f"Offhook did not start:\n{log.read_text()}")


def _add(api: str, number: str, url: str) -> None:
    """Give Offhook a number whose calls `url` answers."""
    form = urllib.parse.urlencode({"PhoneNumber": number, "VoiceUrl": url}).encode()
    request = urllib.request.Request(f"{api}{ACCOUNT}/IncomingPhoneNumbers.json", form)
    request.add_header("Authorization", LOGIN)
    try:
        with urllib.request.urlopen(request, timeout=10):
            pass
    except urllib.error.HTTPError as error:
        raise CannotMeasure(f"{number} was refused: {error.read().decode()}") from error
