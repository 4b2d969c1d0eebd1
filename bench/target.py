"""The Offhook that is measured, in processes of its own, and the application it asks."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.rig import CannotMeasure

HOST = "127.0.0.1"
SID = "AC" + "be" * 16
TOKEN = "be" * 16
PROGRAM = Path(sys.executable).with_name("offhook")
STARTUP = 60.0  # seconds

PROMPT = "This is what every caller of the measurement hears, said again and again. " * 4
ANSWERS = {
    "playback": f'<Say loop="0">{PROMPT}</Say>',
    "setup": "<Say>Good day to you.</Say><Hangup/>",
    "bridge": "<Dial><Sip>sip:answer@{host}:{answerer}</Sip></Dial>",
    "record": '<Record timeout="600" maxLength="600" playBeep="false"/>',
}
NUMBERS = {name: f"+155501002{n:02}" for n, name in enumerate(ANSWERS)}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the measured Offhook listens, and its first process."""

    sip: str
    pid: int
    answerer: int  # the port at which bridged calls are answered


@contextmanager
def offhook(folder: Path, workers: int) -> Iterator[Target]:
    """An Offhook on free ports, with a number for each measurement. Raises CannotMeasure."""
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
    """A web server that answers with TwiML by path; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            verbs = ANSWERS.get(self.path.strip("/"), "").format(host=HOST, answerer=answerer)
            body = f"<Response>{verbs}</Response>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


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
