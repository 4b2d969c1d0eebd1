"""What a soak looks at, and what it thinks of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.phones import REGISTERED, Seen
from bench.rig import family
from bench.soaked import DOMAIN, Soaked

PAGE_KB = 4
GAUGES = {
    "offhook_calls_live": "calls",
    "offhook_sip_calls": "calls of SIP",
    "offhook_sip_dialogs": "SIP dialogs",
    "offhook_sip_transactions": "SIP transactions",
    "offhook_sip_tasks": "SIP tasks",
    "offhook_media_legs": "legs",
    "offhook_recordings_live": "recordings",
    "offhook_webhooks_in_flight": "requests to applications",
    "offhook_callbacks_waiting": "callbacks",
    "offhook_store_writes_waiting": "writes",
    "offhook_speech_waiting": "requests to speech",
    "offhook_sip_connections": "connections of SIP",
    "offhook_sip_registrations": "registered phones",
    "offhook_tasks": "tasks of the loop",
}
PORTS = "offhook_rtp_port_pairs_free"
CROSSED = 0.01  # of the calls may have been answered while we gave them up
GROWN = 0.01  # of a process, that the second half of the soak may add to it
LEAST_KB = 1500  # that it may in any case
WARMED = 600.0  # seconds; a shorter soak is over while caches fill,
COLD_KB = 6000  # and so much may be added to a process by that
UNSEEN = (0, 487)  # who was cut off, or had hung up when our CANCEL came, saw no BYE of ours
FINAL = {"completed", "busy", "failed", "no-answer", "canceled"}


@dataclass(frozen=True, slots=True)
class Verdict:
    what: str
    value: str
    bound: str
    well: bool

    def row(self) -> str:
        return f"  {self.what:<46}{self.value:>26}  {self.bound:<22}{'ok' if self.well else 'BAD'}"


@dataclass(frozen=True, slots=True)
class Process:
    rss_kb: int
    files: int
    threads: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment: what /metrics and /proc say."""

    at: float
    gauges: dict[str, float]
    processes: dict[str, Process]

    @property
    def idle(self) -> bool:
        return not any(self.gauges.get(name) for name in GAUGES if name != "offhook_tasks")

    def told(self) -> str:
        sizes = " ".join(f"{name} {one.rss_kb / 1024:.1f}" for name, one in self.processes.items())
        files = sum(one.files for one in self.processes.values())
        threads = sum(one.threads for one in self.processes.values())
        ended, live = (self.gauges.get(f"offhook_calls_{each}", 0) for each in ("total", "live"))
        return (
            f"{self.at:6.0f} s  {live:4.0f} calls, {ended:6.0f} ended  MB: {sizes}  "
            f"files {files} threads {threads} tasks {self.gauges['offhook_tasks']:.0f} "
            f"transactions {self.gauges['offhook_sip_transactions']:.0f}"
        )


def sample(there: Soaked, at: float) -> Sample:
    return Sample(at, there.metrics(), processes(there.pid))


def processes(pid: int) -> dict[str, Process]:
    """Offhook's, by what they are."""
    found: dict[str, Process] = {}
    for one in sorted(family(pid)):
        place = Path(f"/proc/{one}")
        try:
            words = place.joinpath("cmdline").read_bytes().decode().split("\0")
            rss = int(place.joinpath("statm").read_text().split()[1]) * PAGE_KB
            files = len(list(place.joinpath("fd").iterdir()))
            threads = len(list(place.joinpath("task").iterdir()))
        except OSError:
            continue
        name = _role(words)
        found[name if name not in found else f"{name} {one}"] = Process(rss, files, threads)
    return found


def _role(words: Sequence[str]) -> str:
    if "offhook.media.worker" in words:
        return "sound"
    if "offhook.speech.worker" in words:
        return words[words.index("offhook.speech.worker") + 1]
    return "main"


def memory(samples: list[Sample], seconds: float) -> Iterator[Verdict]:
    """How much each process grew in the second half, by the line that fits best."""
    half = [one for one in samples if one.at >= seconds / 2]
    for name in half[0].processes if len(half) > 2 else ():
        points = [(one.at, one.processes[name].rss_kb) for one in half if name in one.processes]
        grown = slope(points) * seconds / 2
        size = sum(kb for _, kb in points) / len(points)
        most = max(LEAST_KB if seconds >= WARMED else COLD_KB, GROWN * size)
        told = f"{size / 1024:.1f} MB {grown / 1024:+.2f}"
        yield Verdict(f"memory of {name}", told, f"<= {most / 1024:+.1f} MB", grown <= most)
    if len(half) <= 2:
        yield Verdict("memory", "too short to tell", "", True)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line nearest to them, by least squares."""
    x = sum(at for at, _ in points) / len(points)
    y = sum(value for _, value in points) / len(points)
    width = sum((at - x) ** 2 for at, _ in points)
    return sum((at - x) * (value - y) for at, value in points) / width if width else 0.0


def leaks(before: Sample, after: Sample) -> Iterator[Verdict]:
    """What was there without a call, before and after: it must be the same."""
    for name, what in GAUGES.items():
        one, other = before.gauges.get(name, 0), after.gauges.get(name, 0)
        yield Verdict(what, f"{one:.0f} -> {other:.0f}", "no more", other <= one)
    one, other = before.gauges[PORTS], after.gauges[PORTS]
    yield Verdict("free pairs of RTP ports", f"{one:.0f} -> {other:.0f}", "no fewer", other >= one)
    same = set(before.processes) == set(after.processes)
    told = f"{len(before.processes)} -> {len(after.processes)}"
    yield Verdict("processes", told, "the same", same)
    for name in sorted(set(before.processes) & set(after.processes)):
        was, now = before.processes[name], after.processes[name]
        yield _same(f"files of {name}", was.files, now.files)
        yield _same(f"threads of {name}", was.threads, now.threads)


def _same(what: str, one: int, other: int) -> Verdict:
    return Verdict(what, f"{one} -> {other}", "no more", other <= one)


def troubles(seen: list[Seen], told: list[str]) -> Iterator[Verdict]:
    """Whether registered phones of every kind were heard and hear, and what else they met."""
    for by in REGISTERED:
        talked = sum(one.by == by and one.up for one in seen)
        yield Verdict(f"phones by {by} that talked", str(talked), "some", talked > 0)
    for text in told[:20]:
        print(f"  {text}")
    yield Verdict("troubles of registered phones", str(len(told)), "none", not told)
    mute = [one for one in seen if one.mute]
    for one in mute[:20]:
        print(f"  heard nothing: {one}")
    yield Verdict("phones that heard nothing", str(len(mute)), "none", not mute)


def statuses(there: Soaked, seen: list[Seen]) -> Iterator[Verdict]:
    """Every record says what the phone at its other end saw, and so did its last callback."""
    calls = there.calls()
    for (direction, status), count in sorted(_counted(calls).items()):
        yield Verdict(f"{direction} {status}", str(count), "", True)
    unfinished = [call["sid"] for call in calls if call["status"] not in FINAL]
    yield Verdict("records that are not final", _some(unfinished), "none", not unfinished)
    by_phone = dict[tuple[str, str], Seen]()
    for one in seen:
        by_phone[_key(one)] = _telling(one, by_phone.get(_key(one), one))
    wrong, crossed = list[str](), 0
    for call in calls:
        verdict = _agrees(call, by_phone.pop(_key_of(call), None))
        crossed += verdict == "crossed"
        if verdict not in ("", "crossed"):
            wrong.append(f"{call['sid']} {call['direction']} {call['status']}: {verdict}")
    for text in wrong[:20]:
        print(f"  {text}")
    yield Verdict("records that their phones deny", str(len(wrong)), "none", not wrong)
    many = crossed <= max(2, CROSSED * len(calls))
    yield Verdict("answers that crossed our giving up", str(crossed), f"<= {CROSSED:.0%}", many)
    lost = [one for one in by_phone.values() if one.up or one.code not in (0, 486, 487)]
    for each in lost[:20]:
        print(f"  no record: {each}")
    yield Verdict("calls of phones without a record", str(len(lost)), "none", not lost)
    untold = [call["sid"] for call in calls if _untold(call, there)]
    yield Verdict("calls without their one callback", _some(untold), "none", not untold)


def _counted(calls: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter((call["direction"], call["status"]) for call in calls)


def _some(sids: list[str]) -> str:
    return f"{len(sids)} {sids[0][:8] if sids else ''}".strip()


def _key(one: Seen) -> tuple[str, str]:
    """Callers by both numbers; answerers by their own name, which is another for each call, and
    registered phones by the call's."""
    if one.sid:
        return "", one.sid
    return ("", one.to) if one.to[:1] in "ad" else (one.from_, one.to)


def _telling(one: Seen, other: Seen) -> Seen:
    """Of two phones that rang for one call, the one that took it, or else ..."""
    return max(one, other, key=lambda each: (each.up, each.code))


def _key_of(call: dict[str, Any]) -> tuple[str, str]:
    to = call["to"]
    if call["direction"] == "inbound":
        return call["from"], to
    return "", call["sid"] if DOMAIN in to else to.removeprefix("sip:").partition("@")[0]


def _agrees(call: dict[str, Any], one: Seen | None) -> str:
    """ "" when the phone saw what the record says, else what it saw."""
    status, gave_up = call["status"], ("canceled", "no-answer")
    if one is None:
        nobody = (*gave_up, "failed") if DOMAIN in call["to"] else gave_up
        return "" if status in nobody else "no phone had it"
    if one.up:
        if status in gave_up and (one.far_end or one.code in UNSEEN):
            return "crossed"
        return "" if status == "completed" else "it was answered"
    if not one.code:
        return ""
    expected = {486: ("busy", *gave_up), 487: gave_up}.get(one.code, ())
    return "" if status in expected else f"the phone saw {one.code}"


def _untold(call: dict[str, Any], there: Soaked) -> bool:
    """Children of <Dial> have no callback here, nor have calls that were never dialled."""
    told = there.callbacks.get(call["sid"], [])
    if call["direction"] == "outbound-dial":
        return bool(told)
    return told != [call["status"]] and not (call["status"] == "canceled" and not told)
