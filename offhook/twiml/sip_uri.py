"""`sip:` targets as `<Sip>` writes them: an address, and headers behind a question mark.

RFC 3261 section 19.1.1.  https://www.twilio.com/docs/voice/twiml/sip
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

LONGEST_URI = 254  # characters, without the headers
LONGEST_HEADERS = 1023  # characters, as written
NOT_A_URI, BAD_NAME, TOO_LONG = 13243, 13252, 13253  # reference: error codes
OTHER_HEADERS = (
    *("User-to-User", "Remote-Party-ID", "P-Preferred-Identity", "P-Called-Party-ID"),
    "Replaces",  # behind the target of a transfer: what it is to replace (RFC 3891)
)

_SHAPE = re.compile(
    r"sips?:([^\s@<>?]+@)?([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(;[^\s?<>]*)?", re.I
)
_NAME = re.compile(r"X-[\w.!%*+`'~-]+", re.I)

Header = tuple[str, str]


def is_sip_uri(text: str) -> bool:
    """Of the part before the question mark."""
    return len(text) <= LONGEST_URI and bool(_SHAPE.fullmatch(text))


def may_be_sent(name: str) -> bool:
    others = {other.lower() for other in OTHER_HEADERS}
    return bool(_NAME.fullmatch(name)) or name.lower() in others


def split(text: str) -> tuple[str, str]:
    """The URI, and what stands behind its question mark."""
    uri, _, behind = text.partition("?")
    return uri, behind


def faults(text: str) -> Iterator[tuple[int, str]]:
    """What is wrong with a URI and its headers: codes and sentences."""
    uri, behind = split(text)
    if not is_sip_uri(uri):
        yield NOT_A_URI, f"{uri!r} is not a SIP URI"
    if len(behind) > LONGEST_HEADERS:
        yield TOO_LONG, "The headers of the SIP URI are too long"
    for name, _ in headers(behind):
        if not may_be_sent(name):
            yield BAD_NAME, f"A header named {name!r} may not be sent"


def headers(behind: str) -> tuple[Header, ...]:
    """Names and values, percent signs decoded."""
    pairs = (pair.partition("=") for pair in behind.split("&") if pair)
    return tuple((unquote(name), unquote(value)) for name, _, value in pairs)


def written(text: str) -> str:
    """The URI with the headers that may be sent, as it may stand in angle brackets."""
    uri, behind = split(text)
    kept = [(quote(name), quote(value)) for name, value in headers(behind) if may_be_sent(name)]
    return uri + ("?" if kept else "") + "&".join(f"{name}={value}" for name, value in kept)
