"""Bodies of several parts, of which a call needs one.  RFC 5621, RFC 2046 section 5.1."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

from offhook.sip.grammar import BadSip, split_params
from offhook.sip.message import M, Message, Response

_SDP = "application/sdp"
_DESCRIBES = ("INVITE", "ACK", "UPDATE", "PRACK")
_OPTIONAL = re.compile(
    rb"^content-disposition[ \t]*:.*;[ \t]*handling[ \t]*=[ \t]*optional", re.I | re.M
)
_IS_SDP = re.compile(rb"^content-type[ \t]*:[ \t]*application/sdp[ \t]*(;|\r|$)", re.I | re.M)


def alone(message: M) -> M:
    """The message with its description only, where that comes in the company of others, as with
    ISUP or the caller's whereabouts. Where only others are, it is one without a body; but a request
    that insists on them stays as it is."""
    if not message.body or message.content_type in ("", _SDP):
        return message
    if message.cseq.method not in _DESCRIBES:
        return message
    parts = _parts(message)
    found = next((part for head, part in parts if _IS_SDP.search(head)), b"")
    if not found and _insists(message, [head for head, _ in parts]):
        return message
    kept = [each for each in message.fields if each[0].lower() not in ("content-type", "c")]
    kept += [("Content-Type", _SDP)] if found else []
    return replace(message, fields=tuple(kept), body=found)


def _insists(message: Message, heads: list[bytes]) -> bool:
    """Whether it may be refused for what is in it, and is meant to be (RFC 3261 section 8.2.3)."""
    if isinstance(message, Response) or message.cseq.method == "ACK":
        return False
    return not heads or not all(map(_OPTIONAL.search, heads))


def _parts(message: M) -> list[tuple[bytes, bytes]]:
    """Head and content of each; of one that is alone, its own."""
    if not message.content_type.startswith("multipart/"):
        head = f"Content-Disposition: {message.get('content-disposition')}"
        return [(head.encode("utf-8", "surrogateescape"), message.body)]
    _, _, params = message.get("content-type").partition(";")
    boundary = ""
    with suppress(BadSip):
        named = {name.lower(): value for name, value in split_params(f";{params}")}
        boundary = named.get("boundary", "")
    if not boundary:
        return []
    line = b"\r\n--" + boundary.encode("utf-8", "surrogateescape")
    _, *parts = (b"\r\n" + message.body).split(line)
    pieces = (part.partition(b"\r\n\r\n") for part in parts if not part.startswith(b"--"))
    return [(head.strip(), content) for head, _, content in pieces]
