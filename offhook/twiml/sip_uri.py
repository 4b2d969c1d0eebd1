"""`sip:` targets as `<Sip>` writes them: an address, and headers behind a question mark.

RFC 3261 section 19.1.1.  https://www.twilio.com/docs/voice/twiml/sip
"""

from __future__ import annotations

import re
from urllib.parse import unquote

LONGEST_URI = 254  # characters, without the headers
LONGEST_HEADERS = 1023  # characters, as written
OTHER_HEADERS = ("User-to-User", "Remote-Party-ID", "P-Preferred-Identity", "P-Called-Party-ID")

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


def headers(behind: str) -> tuple[Header, ...]:
    """Names and values, percent signs decoded."""
    pairs = (pair.partition("=") for pair in behind.split("&") if pair)
    return tuple((unquote(name), unquote(value)) for name, _, value in pairs)
