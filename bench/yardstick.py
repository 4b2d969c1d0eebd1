"""How soon this machine's caches forget: what a call costs depends on it more than on its work."""

from __future__ import annotations

import email
import json
import statistics
import time
import urllib.parse
from datetime import datetime

REST = 0.005  # seconds
_MESSAGE = "".join(f"Field-{n}: value {n}; a={n}\r\n" for n in range(20))


def yardstick() -> tuple[float, float]:
    """Milliseconds that a piece of Python takes again and again, and each time after a REST."""
    for _ in range(100):
        _timed(0)
    warm, rested = (statistics.median(_timed(rest) for _ in range(200)) for rest in (0, REST))
    return warm, rested


def _timed(rest: float) -> float:
    time.sleep(rest)
    began = time.perf_counter()
    fields = dict(email.message_from_string(_MESSAGE))
    form = urllib.parse.parse_qsl(urllib.parse.urlencode(fields))
    json.loads(json.dumps(form))
    datetime.strptime("30 Nov 2026", "%d %b %Y").strftime("%A")
    return (time.perf_counter() - began) * 1000
