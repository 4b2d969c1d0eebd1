"""SIP messages as bytes and back.  RFC 3261 sections 7, 8.1.1 and 20.

Parsing splits a message into its fields and no further: what a field says is found out when it is
asked for, and raises BadSip then. Text is UTF-8 with surrogate escapes, so any bytes survive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple, TypeVar

from offhook.frozen import frozen
from offhook.sip.grammar import TOKEN, BadSip, legible, split_list
from offhook.sip.lazy import Lazy, Reading
from offhook.sip.uri import Address, parse_address, parse_uri
from offhook.sip.via import Via, parse_via

MAX_MESSAGE = 65_535
MAX_HEAD = 32_768
MAX_FIELDS = 256

Field = tuple[str, str]
Index = dict[str, list[str]]  # the values of fields, by their names in lower case

_COMPACT = {
    "i": "call-id",
    "m": "contact",
    "e": "content-encoding",
    "l": "content-length",
    "c": "content-type",
    "f": "from",
    "s": "subject",
    "k": "supported",
    "t": "to",
    "v": "via",
    "r": "refer-to",
    "x": "session-expires",
    "o": "event",
    "u": "allow-events",
    "b": "referred-by",
}
_USUAL = (
    *("Accept", "Allow", "Authorization", "CSeq", "Call-ID", "Contact", "Content-Length"),
    *("Content-Type", "Date", "Event", "Expires", "From", "Max-Forwards", "Min-SE", "Path"),
    *("P-Asserted-Identity", "Privacy", "Proxy-Authorization", "RAck", "RSeq", "Reason"),
    *("Record-Route", "Refer-To", "Require", "Route", "Server", "Session-Expires", "Supported"),
    *("Subscription-State", "To", "User-Agent", "Via"),
)
# Names as they are spelled nearly always, so that nothing has to be found out about them.
_KEYS = {name: name.lower() for name in _USUAL} | _COMPACT
_ONCE = ("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type")
_CSEQ = re.compile(rf"([0-9]{{1,10}})\s+({TOKEN.pattern})")
_LENGTH = re.compile(r"[0-9]{1,9}")
_BARE_NUL = re.compile(r"(?<!\\)\0")  # a quoted pair may be any character, NUL as well
_RESPONSE_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?")

REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    469: "Bad Info Package",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
}


class CSeq(NamedTuple):
    number: int
    method: str


M = TypeVar("M", "Request", "Response")


@frozen
class Message(Reading):
    """Fields in their order, names as they were written; `get` and `all` know compact forms."""

    fields: tuple[Field, ...]
    body: bytes = b""

    @Lazy
    def _index(self) -> Index:
        index: Index = {}
        for name, value in self.fields:
            index.setdefault(_key(name), []).append(value)
        return index

    def get(self, name: str) -> str:
        """The first value of a field named in lower case, or ""."""
        values = self._index.get(name)
        return values[0] if values else ""

    def all(self, name: str) -> list[str]:
        """Every value, with comma-separated ones split."""
        return [element for value in self.values(name) for element in split_list(value)]

    def tags(self, name: str) -> list[str]:
        """The words of Require, Supported, Allow ..., whatever stands between them."""
        return [tag for value in self.values(name) for tag in TOKEN.findall(value)]

    def values(self, name: str) -> list[str]:
        """Every value as it was written, one a line."""
        return self._index.get(name, [])

    @Lazy
    def via(self) -> Via:
        vias = split_list(self.get("via"))
        if not vias:
            raise BadSip("no Via")
        return parse_via(vias[0])

    @Lazy
    def cseq(self) -> CSeq:
        found = _CSEQ.fullmatch(self.get("cseq"))
        if not found or int(found[1]) >= 2**31:
            raise BadSip(f"not a CSeq: {self.get('cseq')[:80]!r}")
        return CSeq(int(found[1]), found[2])

    @Lazy
    def from_(self) -> Address:
        return parse_address(self.get("from"))

    @Lazy
    def to(self) -> Address:
        return parse_address(self.get("to"))

    @Lazy
    def contact(self) -> Address | None:
        """The first Contact that names a place; None without one or for `*`."""
        contacts = self.all("contact")
        return parse_address(contacts[0]) if contacts and contacts[0] != "*" else None

    @property
    def call_id(self) -> str:
        return self.get("call-id")

    @property
    def content_type(self) -> str:
        """Lower case, without parameters."""
        return self.get("content-type").partition(";")[0].strip().lower()

    def _encode(self, start: str) -> bytes:
        lines = [start]
        lines += [
            f"{name}: {value}"
            for name, value in self.fields
            if name.lower() not in ("content-length", "l")
        ]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        text = "\r\n".join(lines)
        if _is_broken(lines) or _has_nul(text):
            raise ValueError("a line break inside a header field")
        return text.encode("utf-8", "surrogateescape") + self.body


@frozen
class Request(Message):
    method: str = ""
    uri: str = ""
    version: str = "SIP/2.0"

    def encode(self) -> bytes:
        """Raises ValueError where a field or the URI would break out of its line."""
        if " " in self.uri or not TOKEN.fullmatch(self.method):
            raise ValueError(f"not a request line: {self.method!r} {self.uri!r}")
        return self._encode(f"{self.method} {self.uri} SIP/2.0")

    def with_fields(self, fields: tuple[Field, ...]) -> Request:
        return Request(fields, self.body, self.method, self.uri, self.version)

    def extended(self, *fields: Field) -> Request:
        return self.with_fields((*self.fields, *fields))

    def from_via(self, via: str) -> Request:
        """With another first Via; what was found out about the other fields stays known."""
        at = next(place for place, (name, _) in enumerate(self.fields) if _key(name) == "via")
        field = (self.fields[at][0], via)
        other = self.with_fields((*self.fields[:at], field, *self.fields[at + 1 :]))
        index = self._index | {"via": [via, *self.values("via")[1:]]}
        other.__dict__.update(self.__dict__, _index=index)
        other.__dict__.pop("via", None)
        return other

    def via_first(self, via: str) -> Request:
        return self.with_fields((("Via", via), *self.fields))


@frozen
class Response(Message):
    status: int = 0
    reason: str = ""

    def encode(self) -> bytes:
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")


def respond(
    request: Request,
    status: int,
    fields: Iterable[Field] = (),
    *,
    tag: str = "",
    body: bytes = b"",
    reason: str = "",
) -> Response:
    """The response that RFC 3261 section 8.2.6 builds; `tag` is added to a To that has none."""
    to = request.get("to")
    if tag and not request.to.tag:
        to = f"{to};tag={tag}"
    copied = [("Via", value) for value in request.values("via")]
    if status == 100:  # section 8.2.6.1
        copied += [("Timestamp", value) for value in request.values("timestamp")]
    if 100 < status < 300 and request.method == "INVITE":
        copied += [("Record-Route", value) for value in request.values("record-route")]
    parties = (
        ("From", request.get("from")),
        ("To", to),
        ("Call-ID", request.call_id),
        ("CSeq", request.get("cseq")),
    )
    copied += [field for field in parties if field[1]]  # what was missing stays so
    return Response((*copied, *fields), body, status, reason or REASONS.get(status, "Refused"))


def parse(data: bytes) -> Request | Response:
    """One message. A datagram's surplus after Content-Length is cut (RFC 3261 section 18.3).

    Raises BadSip where the bytes are not SIP at all; see `fault` for messages that are, badly.
    """
    data = data.lstrip(b"\r\n")
    if len(data) > MAX_MESSAGE:
        raise BadSip("too large", 513)
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank or len(head) > MAX_HEAD:
        raise BadSip("no end of the header" if not blank else "too large a header", 513)
    text = head.decode("utf-8", "surrogateescape")
    if "\r\n " in text or "\r\n\t" in text:
        text = re.sub(r"\r\n[ \t]+", " ", text)
    lines = text.split("\r\n")
    if len(lines) > MAX_FIELDS + 1 or _has_nul(text):
        raise BadSip("too many fields or a NUL")
    if _is_broken(lines):
        raise BadSip("a line break inside a line")  # it could not be sent back
    start, *rest = lines
    fields, index = _fields(rest)
    if start.startswith("SIP/"):
        return _cut(_response(start, fields, body), index)
    return _cut(_request(start, fields, body), index)


def _is_broken(lines: list[str]) -> bool:
    """Whether a line breaks within."""
    text = "".join(lines)
    return "\n" in text or "\r" in text


def _has_nul(text: str) -> bool:
    return "\0" in text and _BARE_NUL.search(text) is not None


def _fields(lines: list[str]) -> tuple[tuple[Field, ...], Index]:
    fields: list[Field] = []
    index: Index = {}
    for line in lines:
        name, colon, value = line.partition(":")
        key = _KEYS.get(name)
        if key is None or not colon:
            name = name.rstrip(" \t")
            if not colon or not TOKEN.fullmatch(name):
                raise BadSip(f"not a header field: {line[:80]!r}")
            key = _key(name)
        value = value.strip(" \t")
        fields.append((name, value))
        index.setdefault(key, []).append(value)
    return tuple(fields), index


def _key(name: str) -> str:
    """What a field is known by."""
    return _KEYS.get(name) or _COMPACT.get(name.lower(), name.lower())


def _response(start: str, fields: tuple[Field, ...], body: bytes) -> Response:
    found = _RESPONSE_LINE.fullmatch(start)
    if not found:
        raise BadSip(f"not a status line: {start[:80]!r}")
    return Response(fields, body, int(found[1]), legible(found[2] or ""))


def _request(start: str, fields: tuple[Field, ...], body: bytes) -> Request:
    method, _, rest = start.rstrip(" ").partition(" ")
    uri, _, version = rest.rpartition(" ")
    version = version.upper()
    if not TOKEN.fullmatch(method) or not version.startswith("SIP/"):
        raise BadSip(f"not a request line: {start[:80]!r}")
    return Request(fields, body, method, uri, version)


def _cut(message: M, index: Index) -> M:
    """Without a surplus of its body; its fields need not be gone through again."""
    message.__dict__["_index"] = index
    length = message.get("content-length")
    if _LENGTH.fullmatch(length) and int(length) < len(message.body):
        return replace(message, body=message.body[: int(length)])
    return message


def answerable(request: Request) -> bool:
    """Whether there is enough of it to send a response back by: a Via."""
    try:
        return bool(request.via)
    except BadSip:
        return False


def fault(message: Request | Response) -> BadSip | None:
    """What is wrong with a message that parsed, with the status its sender is owed, or None."""
    try:
        _look(message)
    except BadSip as wrong:
        return wrong
    return None


def _look(message: Request | Response) -> None:
    index = message._index
    if len(index) < len(message.fields):  # some came more than once
        for name in _ONCE:
            if len(index.get(name, ())) > 1:
                raise BadSip(f"more than one {name}")
    if not message.call_id:
        raise BadSip("no Call-ID")
    method = message.cseq.method
    message.via  # noqa: B018 - raises when it cannot be read
    if "," in message.get("via"):  # where its first element ends is sure only if all can be read
        for one in split_list(message.get("via")):
            parse_via(one)
    for party in (message.from_, message.to):
        for name, value in party.params:
            if not value and name.lower() == "tag":
                raise BadSip("an empty tag")
    length = message.get("content-length")
    if message.values("content-length") and not _LENGTH.fullmatch(length):
        raise BadSip("not a Content-Length")
    if length and int(length) > len(message.body):
        raise BadSip("less body than Content-Length says")
    if isinstance(message, Request):
        _look_at_request(message, method)


def _look_at_request(request: Request, method: str) -> None:
    request.contact  # noqa: B018 - of a response, only some need it
    if request.version != "SIP/2.0":
        raise BadSip(f"version {request.version[:20]}", 505)
    if method != request.method:
        raise BadSip("CSeq names another method")
    hops = request.get("max-forwards")
    if hops and not (_LENGTH.fullmatch(hops) and int(hops) <= 255):
        raise BadSip("not a Max-Forwards")
    if parse_uri(request.uri).scheme not in ("sip", "sips", "tel"):
        raise BadSip("unknown URI scheme", 416)
