"""The Offhook that is soaked, the application it asks, and the API as the soak uses it."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import wave
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench.target import ACCOUNT, HOST, LOGIN, free_port, started

WORDS = "This goes on for as long as anybody listens, and then somebody hangs up."
STREAM = socket.SOCK_STREAM
PATIENCE = 15  # seconds without sound after which a call is dead
SLOW = 1.5  # seconds that the slow application takes

DOCUMENTS = {
    "say": f'<Say loop="0">{WORDS}</Say>',
    "play": '<Play loop="0">/tone.wav</Play>',
    "gather": f'<Gather timeout="2" numDigits="4"><Say>{WORDS}</Say></Gather><Redirect/>',
    "record": '<Record timeout="3" maxLength="4" playBeep="true"/>',
    "dial": '<Dial timeout="5" timeLimit="9" action="after"><Sip>sip:d{n}@{answerer}</Sip></Dial>',
    "phone": '<Dial timeout="5" action="after"><Sip>{phone}</Sip></Dial>',
    "ring": f'<Pause length="3"/><Say>{WORDS}</Say>',
    "slow": f"<Say>{WORDS}</Say><Hangup/>",
    "after": f"<Say>{WORDS}</Say>",
}
KINDS = tuple(kind for kind in DOCUMENTS if kind != "after")
AT_ONCE = ("say", "play", "gather", "record")  # these answer
DOMAIN, PASSWORD = "soak.example", "Correct-Horse-1"
USERS = tuple(f"user{n}" for n in range(4))  # each has phones of several kinds, and all ring
NUMBERS = {kind: f"+155501004{n:02}" for n, kind in enumerate(KINDS)}


@dataclass
class Soaked:
    """A running Offhook. `places` are its ports by transport, `callbacks` the final statuses that
    the application was told, `talking` calls in that were answered at once, and when."""

    process: subprocess.Popen[bytes]
    api: str
    sip: str
    application: str
    answerer: int
    places: dict[str, int]
    callbacks: dict[str, list[str]]
    talking: deque[tuple[float, str]]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def pid(self) -> int:
        return self.process.pid

    def metrics(self) -> dict[str, float]:
        """Gauges and counters of /metrics by name, summed over their labels."""
        found: dict[str, float] = {}
        with urllib.request.urlopen(f"{self.api}/metrics", timeout=30) as answer:
            for line in answer.read().decode().splitlines():
                name, _, value = line.rpartition(" ")
                if not line.startswith("#") and "_bucket" not in name:
                    name = name.partition("{")[0]
                    found[name] = found.get(name, 0) + float(value)
        return found

    def number(self, kind: str) -> None:
        """A number whose calls are of that kind."""
        self.post(
            "IncomingPhoneNumbers.json",
            PhoneNumber=NUMBERS[kind],
            VoiceUrl=f"{self.application}/{kind}",
            StatusCallback=f"{self.application}/status",
        )

    def domain(self) -> None:
        """Where phones register; whom they call there is the kind of the call."""
        domain = self.post(
            "SIP/Domains.json",
            DomainName=DOMAIN,
            SipRegistration="true",
            VoiceUrl=f"{self.application}/domain",
            VoiceStatusCallbackUrl=f"{self.application}/status",
        )["sid"]
        listed = self.post("SIP/CredentialLists.json", FriendlyName="users")["sid"]
        for user in USERS:
            users = f"SIP/CredentialLists/{listed}/Credentials.json"
            self.post(users, Username=user, Password=PASSWORD)
        for what in ("Registrations", "Calls"):
            mappings = f"SIP/Domains/{domain}/Auth/{what}/CredentialListMappings.json"
            self.post(mappings, CredentialListSid=listed)

    def place(self, kind: str, phone: str, **more: str) -> str:
        """A call to somebody registered, or else to the answerer; its SID."""
        call = self.post(
            "Calls.json",
            To=phone or f"sip:a{next(self._numbers)}@{HOST}:{self.answerer}",
            From=NUMBERS[kind],
            Url=f"{self.application}/{kind}",
            StatusCallback=f"{self.application}/status",
            Timeout="5",
            **more,
        )
        return str(call["sid"])

    def end(self, sid: str, status: str) -> None:
        """As `canceled` or `completed`; it may have ended by itself."""
        with contextlib.suppress(urllib.error.HTTPError):
            self.post(f"Calls/{sid}.json", Status=status)

    def calls(self) -> list[dict[str, Any]]:
        """Every record."""
        found: list[dict[str, Any]] = []
        page = f"{ACCOUNT}/Calls.json?PageSize=1000"
        while page:
            answer = self._ask(page)
            found += answer["calls"]
            page = answer["next_page_uri"]
        return found

    def post(self, path: str, **form: str) -> dict[str, Any]:
        body = urllib.parse.urlencode(form).encode()
        return self._ask(f"{ACCOUNT}/{path}", body)

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(self.api + path, body, {"Authorization": LOGIN})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.loads(answer.read()))


@contextmanager
def soaked(folder: Path, workers: int) -> Iterator[Soaked]:
    """An Offhook on free ports, with a number for each kind of call. Raises CannotMeasure."""
    answerer, sip = free_port(), free_port()
    places = {"TLS": free_port(STREAM), "WSS": free_port(STREAM), "TCP": sip}
    callbacks, talking = dict[str, list[str]](), deque[tuple[float, str]]()
    settings = {
        "OFFHOOK_SIP_TLS": f"{HOST}:{places['TLS']}", "OFFHOOK_SIP_WSS": f"{HOST}:{places['WSS']}",
        "OFFHOOK_SIP_VERIFY": "false", "OFFHOOK_RTP_TIMEOUT": str(PATIENCE),
    }  # fmt: skip
    where = ("--sip", f"{HOST}:{sip}", "--rtp", "20000-23999", "--workers", str(workers))
    with (
        application(answerer, callbacks, talking) as asked,
        started(folder, *where, **settings) as (process, api),
    ):
        there = Soaked(process, api, f"{HOST}:{sip}", asked, answerer, places, callbacks, talking)
        there.domain()
        for kind in KINDS:
            there.number(kind)
        yield there


@contextmanager
def application(
    answerer: int, callbacks: dict[str, list[str]], talking: deque[tuple[float, str]]
) -> Iterator[str]:
    """A web server with a document for each kind of call, and a sound; its address."""
    sound, numbers = tone(), itertools.count()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self.answer(sound, "audio/wav")

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            told = dict(urllib.parse.parse_qsl(form))
            kind = self.path.strip("/").partition("?")[0]
            if kind == "status":
                callbacks.setdefault(told["CallSid"], []).append(told["CallStatus"])
            if kind == "domain":
                kind = told["To"].removeprefix("sip:").partition(".")[0]
            if kind == "slow":
                time.sleep(SLOW)
            if kind in AT_ONCE and told["Direction"] == "inbound":
                talking.append((time.monotonic(), told["CallSid"]))
            number = next(numbers)
            verbs = DOCUMENTS.get(kind, "").format(
                n=number, answerer=f"{HOST}:{answerer}", phone=registered(number)
            )
            self.answer(f"<Response>{verbs}</Response>".encode(), "text/xml")

        def answer(self, body: bytes, media_type: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Whoever asked has gone: nothing to be told of."""

    with Server((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def registered(number: int) -> str:
    """Somebody's address, every other time to be called with sealed sound alone."""
    return f"sip:{USERS[number % len(USERS)]}@{DOMAIN}" + ";secure=true" * (
        number // len(USERS) % 2
    )


def tone() -> bytes:
    """Three seconds of sound as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        samples = (round(8000 * math.sin(n / 8)) for n in range(3 * 8000))
        wav.writeframes(b"".join(struct.pack("<h", one) for one in samples))
    return file.getvalue()
