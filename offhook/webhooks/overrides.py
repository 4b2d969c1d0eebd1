"""Connection overrides in a URL's fragment.  reference: webhooks section 3.1."""

from __future__ import annotations

import re
from urllib.parse import unquote

from offhook.frozen import frozen

Failure = str  # one of FAILURES
FAILURES = ("4xx", "5xx", "ct", "rt")
_MILLISECONDS = {"ct": (100, 10_000), "rt": (100, 15_000), "tt": (100, 15_000)}
_EDGE = re.compile(r"[a-z][a-z0-9-]*")


@frozen
class Overrides:
    """Times in seconds; `retry_on` are the FAILURES after which another attempt is made.

    `edges` are read and not acted on: there is one way out of here.
    """

    connect: float = 5.0
    read: float = 15.0
    total: float = 15.0
    retries: int = 1
    retry_on: frozenset[Failure] = frozenset({"ct"})
    server_name: bool = True
    edges: tuple[str, ...] = ()


@frozen
class Note:
    """Something the debugger should hear of a request that was made nevertheless."""

    code: int
    message: str


def read(fragment: str) -> tuple[Overrides, tuple[Note, ...]]:
    """What a fragment asks for. Ranges are clamped, unknown keys are not ours, bad values noted."""
    given: dict[str, str] = {}
    for pair in unquote(fragment).split("&"):
        key, equals, value = pair.partition("=")
        if equals:
            given[key.strip()] = value.strip()
    notes: list[Note] = []
    seconds = {key: _seconds(key, given, notes) for key in _MILLISECONDS}
    return Overrides(
        connect=seconds["ct"] or 5.0,
        read=seconds["rt"] or 15.0,
        total=seconds["tt"] or 15.0,
        retries=_retries(given, notes),
        retry_on=_policy(given, notes),
        server_name=_server_name(given, notes),
        edges=_edges(given, notes),
    ), tuple(notes)


def _seconds(key: str, given: dict[str, str], notes: list[Note]) -> float | None:
    text = given.get(key)
    if text is None:
        return None
    if not re.fullmatch(r"-?\d{1,9}", text):
        notes.append(Note(11243, f"{key}={text}: milliseconds expected"))
        return None
    low, high = _MILLISECONDS[key]
    return min(max(int(text), low), high) / 1000


def _retries(given: dict[str, str], notes: list[Note]) -> int:
    text = given.get("rc", "1")
    if not re.fullmatch(r"-?\d{1,9}", text):
        notes.append(Note(11243, f"rc={text}: a count of retries expected"))
        return 1
    return min(max(int(text), 0), 5)


def _policy(given: dict[str, str], notes: list[Note]) -> frozenset[Failure]:
    words = {word.strip() for word in given.get("rp", "ct").split(",")}
    if not words <= {*FAILURES, "all"}:
        notes.append(Note(11243, f"rp={given['rp']}: one of {', '.join(FAILURES)}, all expected"))
        return frozenset({"ct"})
    return frozenset(FAILURES) if "all" in words else frozenset(words)


def _server_name(given: dict[str, str], notes: list[Note]) -> bool:
    text = given.get("sni", "y")
    if text not in {"y", "n"}:
        notes.append(Note(11243, f"sni={text}: y or n expected"))
    return text != "n"


def _edges(given: dict[str, str], notes: list[Note]) -> tuple[str, ...]:
    if "e" not in given:
        return ()
    names = tuple(name.strip() for name in given["e"].split(","))
    if not all(_EDGE.fullmatch(name) for name in names):
        notes.append(Note(11240, f"e={given['e']}: names of edges expected"))
        return ()
    return names
