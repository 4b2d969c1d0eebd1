"""`offhook up` as a process of its own, and an application in a thread that it asks."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

PROGRAM = str(Path(sys.executable).with_name("offhook"))
READY = "Stop with Ctrl-C."
PATIENCE = 30.0  # seconds that something has to happen in; a loaded machine is slow


def environment(**more: str) -> dict[str, str]:
    """Ours, without settings of whoever runs the tests."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")}
    return own | more


class Lines:
    """What a program prints, read by a thread of its own so that it never waits for us."""

    def __init__(self, stream: Any) -> None:
        self.seen: list[str] = []
        self._fresh: Queue[str | None] = Queue()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self.seen.append(line.rstrip("\n"))
                self._fresh.put(line.rstrip("\n"))
        self._fresh.put(None)

    def until(self, words: str, seconds: float = PATIENCE) -> str:
        """The next line with these words."""
        try:
            while (line := self._fresh.get(timeout=seconds)) is not None:
                if words in line:
                    return line
        except Empty:
            raise AssertionError(f"{words!r} was not printed in {seconds} s: {self.text}") from None
        raise AssertionError(f"{words!r} was not printed before the end: {self.text}")

    @property
    def text(self) -> str:
        return "\n".join(self.seen)

    def rest(self) -> str:
        """All of it, once the program has ended."""
        self._thread.join(PATIENCE)
        return self.text


class Program:
    """A running program with its output."""

    def __init__(self, *command: str, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command, env=env or environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.out, self.err = Lines(self.process.stdout), Lines(self.process.stderr)

    def types(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def ends(self, seconds: float = PATIENCE) -> int:
        """The exit code."""
        code = self.process.wait(seconds)
        self.out.rest()
        self.err.rest()
        return code

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.out.rest()
        self.err.rest()


class Up(Program):
    """`offhook up` on free ports. It is up when this returns."""

    def __init__(
        self,
        data: Path,
        *options: str,
        ports: Sequence[str] = ("--http", "127.0.0.1:0", "--sip", "127.0.0.1:0"),
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(PROGRAM, "up", "--data", str(data), *ports, *options, env=env)
        self.data = data
        try:
            self.out.until(READY)
        except AssertionError:
            self.__exit__()
            raise AssertionError(f"it did not start: {self.err.text}") from None
        known = json.loads((data / "running.json").read_text())
        self.api, self.sip, self.demo = known["api"], known["sip"], known["demo_number"]
        self.account_sid, self.auth_token = known["account_sid"], known["auth_token"]
        self.sip_host, _, port = self.sip.rpartition(":")
        self.sip_port = int(port)

    def asks_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stops(self) -> int:
        self.asks_to_stop()
        return self.ends()

    def get(self, path: str, **params: str) -> Any:
        return self._request("GET", f"{path}?{urlencode(params)}")

    def post(self, path: str, **form: Any) -> Any:
        return self._request("POST", path, urlencode(form, doseq=True).encode())

    def post_once(self, path: str, key: str, **form: Any) -> Any:
        body = urlencode(form, doseq=True).encode()
        return self._request("POST", path, body, {"Idempotency-Key": key})

    def call(self, sid: str) -> Any:
        return self.get(f"Calls/{sid}.json")

    def delete(self, path: str) -> None:
        self._request("DELETE", path)

    def number(self, number: str, **urls: str) -> None:
        self.post("IncomingPhoneNumbers.json", PhoneNumber=number, **urls)

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Any:
        """JSON of the account's resource, or of an absolute path."""
        place = path if path[0] == "/" else f"/2010-04-01/Accounts/{self.account_sid}/{path}"
        request = urllib.request.Request(self.api + place, body, dict(headers), method=method)
        login = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")

    def health(self) -> int:
        """The status of `/healthz`."""
        try:
            with urllib.request.urlopen(f"{self.api}/healthz", timeout=PATIENCE) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code


@dataclass(frozen=True)
class Asked:
    """A request that the application got."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]


Answer = str | Callable[[Asked], str]


class Application:
    """A web application by path. What it is asked is kept in `requests`.

    A path that is on hold keeps who asks waiting until it is released.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = dict(answers)
        self.requests: list[Asked] = []
        self._news = threading.Condition()
        self._held: set[str] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, asked: Asked) -> str:
        with self._news:
            self.requests.append(asked)
            self._news.notify_all()
            self._news.wait_for(lambda: asked.path not in self._held, PATIENCE)
        answer = self.answers.get(asked.path, "")
        return answer if isinstance(answer, str) else answer(asked)

    def hold(self, path: str) -> None:
        self._held.add(path)

    def release(self, path: str) -> None:
        with self._news:
            self._held.discard(path)
            self._news.notify_all()

    def asked(self, path: str, **params: str) -> list[Asked]:
        """The requests so far to this path with these parameters."""
        wanted = params.items()
        return [one for one in self.requests if one.path == path and wanted <= one.params.items()]

    def gets(self, path: str, *, times: int = 1, **params: str) -> Asked:
        """Waits for the request, or for so many of them; gives the last."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.asked(path, **params)) >= times, PATIENCE):
                raise AssertionError(
                    f"{path} {params} was asked {len(self.asked(path, **params))} times, "
                    f"not {times}: {self.requests}"
                )
            return self.asked(path, **params)[-1]


@contextmanager
def serving(application: Application, port: int = 0) -> Iterator[Application]:
    """The application on a port of loopback; 0 is a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(urlsplit(self.path).query)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            self.answer(self.rfile.read(length).decode())

        def answer(self, form: str) -> None:
            params = dict(parse_qsl(form, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = application.take(Asked(urlsplit(self.path).path, params, headers)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 256

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Whoever asked has gone: nothing to be told of."""

    with Server(("127.0.0.1", port), Handler) as server:
        application.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield application
        finally:
            server.shutdown()
            thread.join()


def response(*verbs: str) -> str:
    return f"<Response>{''.join(verbs)}</Response>"
