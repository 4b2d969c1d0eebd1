"""A call's events as a person reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

Event = Mapping[str, Any]


def story(events: Iterable[Event]) -> Iterable[str]:
    """One line an event, the time counted from the first; bodies indented below."""
    began: datetime | None = None
    for event in events:
        at = datetime.fromisoformat(event["at"])
        began = began or at
        first, *rest = lines(event)
        yield f"{(at - began).total_seconds():9.3f}  {first}"
        for line in rest:
            yield f"{'':11}{line}"


def lines(event: Event) -> list[str]:
    """An event in words: what it was, then what came along."""
    teller = TELLERS.get(event["kind"])
    return teller(event["data"]) if teller else [f"{event['kind']}: {_pairs(event['data'])}"]


def _webhook(data: Mapping[str, Any]) -> list[str]:
    outcome = data.get("status") or data.get("message") or "no answer"
    what = f"callback ({data['callback']})" if "callback" in data else "webhook"
    cached = " from the cache" if data.get("cached") else ""
    told = [f"{what}: {data['method']} {data['url']} -> {outcome}{cached}"]
    if data.get("params"):
        told.append("  " + _pairs(data["params"]))
    told += [f"  | {line}" for line in str(data.get("body", "")).splitlines()]
    return told


def _twiml(data: Mapping[str, Any]) -> list[str]:
    where = f"{data['url']}:" if data.get("url") else ""
    return [f"<{data['verb']}> at {where}{data['line']}:{data['column']}"]


def _said(data: Mapping[str, Any]) -> list[str]:
    if "play" in data:
        return [f"plays {data['play']} ({data['seconds']:.1f} s)"]
    return [f"says: {data['text']}"]


def _sip(data: Mapping[str, Any]) -> list[str]:
    text = str(data.get("text", "")).replace("\r\n", "\n").strip().split("\n")
    arrow = "->" if data.get("direction") == "sent" else "<-"
    return [
        f"SIP {arrow} {data.get('remote', '')}: {text[0]}",
        *(f"  | {line}" for line in text[1:]),
    ]


def _debugger(data: Mapping[str, Any]) -> list[str]:
    where = f" at {data['line']}:{data['column']}" if data.get("line") else ""
    return [f"debugger {data['code']}{where}: {data['message']}"]


def _sound(data: Mapping[str, Any]) -> list[str]:
    expected = data["packets_received"] + data["lost"]
    share = f" ({data['lost'] / expected:.1%})" if data["lost"] else ""
    told = [
        f"{data['codec']}: {data['packets_sent']} packets sent",
        f"{data['packets_received']} received",
        f"{data['lost']} lost{share}",
        f"jitter {data['jitter_ms']} ms",
    ]
    told += [f"{data[each]} {each}" for each in ("late", "duplicates", "refused") if data.get(each)]
    if data["round_trip_ms"]:
        told.append(f"round trip {data['round_trip_ms']} ms")
        far_jitter = data.get("far_jitter_ms", 0.0)
        told.append(f"of ours {data['far_lost']} lost, jitter {far_jitter} ms")
    return [f"sound {', '.join(told)}"]


def _pairs(data: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in data.items() if value not in ("", None))


TELLERS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "webhook": _webhook,
    "twiml": _twiml,
    "said": _said,
    "sound": _sound,
    "sip": _sip,
    "debugger": _debugger,
    "key": lambda data: [f"key {data['key']}"],
    "status": lambda data: (
        [f"status {data['status']}"]
        + ([f"  SIP {data['sip_response_code']}"] if data.get("sip_response_code") else [])
    ),
    "recording": lambda data: [f"recording {data['sid']} {data['status']} {data['seconds'] or ''}"],
    "ended": lambda data: [f"ended by {data['by']}, {data['code']} {data['reason']}".rstrip()],
}
