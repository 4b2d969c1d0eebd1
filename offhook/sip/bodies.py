"""Bodies of several parts, of which a call needs one.  RFC 5621, RFC 2046 section 5.1."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

from offhook.sip.grammar import BadSip, split_params
from offhook.sip.message import M

_SDP = "application/sdp"
_IS_SDP = re.compile(rb"^content-type[ \t]*:[ \t]*application/sdp[ \t]*(;|\r|$)", re.I | re.M)


def alone(message: M) -> M:
    """The message with its description only, where that comes in the company of others, as with
    ISUP or the caller's whereabouts. One in which there is none to be found stays as it is."""
    if not message.body or not message.content_type.startswith("multipart/"):
        return message
    found = next((part for head, part in _parts(message) if _IS_SDP.search(head)), None)
    if found is None:
        return message
    fields = tuple(
        (name, _SDP if name.lower() in ("content-type", "c") else value)
        for name, value in message.fields
    )
    return replace(message, fields=fields, body=found)


def _parts(message: M) -> list[tuple[bytes, bytes]]:
    """Head and content of each."""
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
