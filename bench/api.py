"""`python -m bench.api`: requests a second of the REST API, and what long lists cost.

wrk asks with 32 connections from the same machine; a route of Starlette alone, served in the same
way, shows what there is to be had.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import make_url

from bench.target import ACCOUNT, HOST, LOGIN, SID, started
from offhook.store import engines, records
from offhook.store.migrate import migrate
from offhook.store.store import sqlite_url

CONNECTIONS = 32
CALLS = 1_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)
OURS, THEIRS = "+15550100100", "+15550100300"
BARE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def hello(request): return Response(b'{"sid": "x"}' * 80, media_type="application/json")
uvicorn.run(Starlette(routes=[Route("/", hello)]), port=int(sys.argv[1]), log_level="error")
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--calls", type=int, default=CALLS, help="in the long list")
    asked = parser.parse_args()
    if not shutil.which("wrk"):
        print("python -m bench.api needs wrk. On Debian or Ubuntu: apt-get install wrk")
        return 2
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as folder:
        speed(Path(folder), asked.seconds)
        lists(Path(folder), asked.calls)
    return 0


def speed(folder: Path, seconds: int) -> None:
    with bare() as url:
        show("a bare Starlette route", wrk(url, seconds), None)
    with up(folder / "speed") as url:
        post(f"{url}/IncomingPhoneNumbers.json", PhoneNumber=THEIRS)
        sent = post(f"{url}/Messages.json", To=THEIRS, From=OURS, Body="Hi")
        call = post(f"{url}/Calls.json", To=THEIRS, From=OURS, Twiml="<Response/>")
        show("GET of a call", wrk(f"{url}/Calls/{call['sid']}.json", seconds), 1000)
        show("GET of a message", wrk(f"{url}/Messages/{sent['sid']}.json", seconds), None)
        script = folder / "post.lua"
        form = urlencode({"To": "+14155550199", "From": OURS, "Body": "Hi"})
        script.write_text(
            f'wrk.method = "POST"\nwrk.body = "{form}"\n'
            'wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"\n'
        )
        created = wrk(f"{url}/Messages.json", seconds, "-s", str(script))
        show("creation of a message, which is delivered meanwhile", created, 500)


def lists(folder: Path, many: int) -> None:
    """The first page and a filtered one, with a thousand calls and with very many."""
    costs = {}
    for count in (1000, many):
        data = folder / f"calls-{count}"
        fill(data / "data", count)
        with up(data) as url:
            last = "+14155550007"
            costs[count] = [
                millis(f"{url}/Calls.json?PageSize=50"),
                millis(f"{url}/Calls.json?{urlencode({'To': last, 'PageSize': 50})}"),
                millis(f"{url}/Calls.json?{urlencode({'Status': 'busy', 'PageSize': 50})}"),
                millis(f"{url}/Calls.json?{urlencode({'StartTime>': '2026-01-01'})}"),
            ]
    for n, what in enumerate(("first page", "by To", "by Status", "by StartTime")):
        few, much = costs[1000][n], costs[many][n]
        verdict = "ok" if much <= 5 * few else "MISSED"
        print(f"  list, {what}: {few:.1f} ms of 1,000, {much:.1f} ms of {many:,} (<= 5x) {verdict}")


def fill(data: Path, count: int) -> None:
    """Calls of one account straight into its database."""
    data.mkdir(parents=True)
    engine = engines.writing(make_url(sqlite_url(data / "offhook.db")))
    migrate(engine)
    with engine.begin() as connection:
        for first in range(0, count, 10_000):
            rows = [row(n) for n in range(first, min(first + 10_000, count))]
            connection.execute(records.calls.table.insert(), rows)
    engine.dispose()


def row(n: int) -> dict[str, Any]:
    at = START + timedelta(seconds=n)
    known: dict[str, Any] = {
        "sid": f"CA{n:032x}", "account_sid": SID, "to": f"+1415{5550000 + n % 20}",
        "from_": OURS, "direction": "outbound-api", "status": "completed" if n % 10 else "busy",
        "date_created": at, "date_updated": at, "start_time": at, "end_time": at, "duration": 1,
        "price": None, "callbacks_sent": 0, "queue_time": 0, "sip_response_code": 0,
        "api_version": "2010-04-01", "price_unit": "USD", "details": {}, "callback_events": [],
        "callback_method": "POST",
    }  # fmt: skip
    return {
        column.name: known.get(column.name, "" if not column.nullable else None)
        for column in records.calls.table.columns
        if column.name != "row"
    }


@contextmanager
def up(folder: Path) -> Iterator[str]:
    """An Offhook on free ports; the URL of its account."""
    with started(folder, "--sip", f"{HOST}:0") as (_, api):
        yield f"{api}{ACCOUNT}"


@contextmanager
def bare() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", BARE, str(port)]) as process:
        try:
            until = time.monotonic() + 15
            while time.monotonic() < until:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


def wrk(url: str, seconds: int, *more: str) -> float:
    """Requests a second that were answered well."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"Authorization: {LOGIN}"]
    told = subprocess.run([*command, *more, url], capture_output=True, text=True).stdout
    total = int(re.findall(r"(\d+) requests in", told)[0])
    bad = sum(int(each) for each in re.findall(r"Non-2xx or 3xx responses: (\d+)", told))
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", told)[0])
    return rate * (total - bad) / max(total, 1)


def ask(url: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, body, {"Authorization": LOGIN})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def post(url: str, **form: str) -> Any:
    return ask(url, urlencode(form).encode())


def millis(url: str) -> float:
    """The middle one of 21 requests, one after the other."""
    times = []
    for _ in range(21):
        began = time.perf_counter()
        ask(url)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def show(what: str, rate: float, target: float | None) -> None:
    aim = "" if target is None else f" (>= {target:g}) {'ok' if rate >= target else 'MISSED'}"
    print(f"  {what}: {rate:.0f} requests/s{aim}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
