"""SIP and tel URIs, and the addresses of From, To, Contact and Route.  RFC 3261 sections 19.1, 20.

Text in, frozen records out. Bytes that are not UTF-8 travel through as surrogate escapes.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from offhook.frozen import frozen
from offhook.sip.grammar import BadSip, Pairs, join_params, split_params, unquoted

MAX_URI = 1024
MAX_KEPT = 512  # characters of an address that is remembered: strangers choose what they send
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # a name that is shown has none
_SHAPE = re.compile(r'[^\x00-\x20\x7f<>"\s]+')
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?)"
    r"(?::([0-9]{1,5}))?(;[^?]*)?(?:\?(.*))?"
)
_USER_SAFE = "-_.!~*'()&=+$,;?/"
_HEADER_SAFE = "-_.!~*'()[]/?:+$"


@frozen
class Uri:
    """`sip:`, `sips:` and `tel:` URIs taken apart; another scheme keeps the rest in `user`.

    `user` and `headers` are unescaped; `params` are as written; an IPv6 `host` has its brackets.
    """

    scheme: str
    user: str = ""
    host: str = ""
    port: int | None = None
    params: Pairs = ()
    headers: Pairs = ()
    password: str = ""

    def param(self, name: str) -> str | None:
        """Unescaped; its name may have been written with escapes as well (section 19.1.4)."""
        for key, value in self.params:
            if _unquoted(key).lower() == name:
                return _unquoted(value)
        return None

    @property
    def transport(self) -> str:
        """UDP, TCP, TLS ... as the parameter says, else UDP, or TLS for sips (RFC 3263 4.1)."""
        return (self.param("transport") or ("tls" if self.scheme == "sips" else "udp")).upper()

    def bare(self) -> Uri:
        """As it may stand in a request line: no headers, no `method` (RFC 3261 table 1), and
        without `secure`, which tells us alone how to call."""
        kept = tuple(pair for pair in self.params if pair[0].lower() not in ("method", "secure"))
        if not self.headers and kept == self.params:
            return self
        return replace(self, headers=(), params=kept)

    def __str__(self) -> str:
        if self.scheme not in ("sip", "sips"):
            user = _quoted(self.user, _USER_SAFE) if self.scheme == "tel" else self.user
            return f"{self.scheme}:{user}{join_params(self.params)}"
        user = _quoted(self.user, _USER_SAFE)
        if self.password:
            user += ":" + _quoted(self.password, "-_.!~*'()&=+$,")
        text = f"{self.scheme}:{user}@{self.host}" if user else f"{self.scheme}:{self.host}"
        if self.port is not None:
            text += f":{self.port}"
        text += join_params(self.params)
        if self.headers:
            escaped = (
                f"{_quoted(name, _HEADER_SAFE)}={_quoted(value, _HEADER_SAFE)}"
                for name, value in self.headers
            )
            text += "?" + "&".join(escaped)
        return text


@lru_cache(maxsize=2048)
def parse_uri(text: str) -> Uri:
    """Raises BadSip for anything that is not one absolute URI."""
    if len(text) > MAX_URI or not _SHAPE.fullmatch(text):
        raise BadSip(f"not a URI: {text[:80]!r}")
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon or not rest or not _SCHEME.fullmatch(scheme):
        raise BadSip(f"a URI without a scheme: {text[:80]!r}")
    if scheme == "tel":
        number, semicolon, params = rest.partition(";")
        return Uri("tel", _unquoted(number), params=split_params(semicolon + params))
    if scheme not in ("sip", "sips"):
        return Uri(scheme, rest)
    return _parse_sip(scheme, rest, text)


def _parse_sip(scheme: str, rest: str, text: str) -> Uri:
    userinfo, at, place = rest.rpartition("@")
    found = _HOST.fullmatch(place)
    if (
        not found
        or ("%" in text and _PERCENT.search(text))
        or (at and not userinfo)
        or "@" in userinfo
    ):
        raise BadSip(f"not a SIP URI: {text[:80]!r}")
    host, port, params, headers = found.groups()
    if port and not 0 < int(port) < 65536:
        raise BadSip(f"no such port: {port}")
    if host[0] == "[" and not is_ipv6(host[1:-1]):
        raise BadSip(f"no such address: {host}")
    user, _, password = userinfo.partition(":")
    return Uri(
        scheme,
        _unquoted(user),
        host,
        int(port) if port else None,
        split_params(params or ""),
        _headers(headers) if headers else (),
        _unquoted(password),
    )


def _headers(text: str) -> Pairs:
    pairs = (piece.partition("=") for piece in text.split("&") if piece)
    return tuple((_unquoted(name), _unquoted(value)) for name, _, value in pairs)


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text
    raw = unquote_to_bytes(text.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def _quoted(text: str, safe: str) -> str:
    plain = text.isalnum() and text.isascii()
    return text if plain else quote(text, safe, errors="surrogateescape")


def as_sips(text: str) -> str:
    """A `sip:` URI as `sips:`, which says what `transport=tls` would (RFC 5630 section 3.1.4)."""
    uri = parse_uri(text)
    kept = tuple(pair for pair in uri.params if pair != ("transport", "tls"))
    return str(replace(uri, scheme="sips", params=kept))


def is_sips(text: str) -> bool:
    return text[:5].lower() == "sips:"


def is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


@frozen
class Address:
    """A name-addr with the parameters of its header field; `uri` is text, parsed on demand."""

    uri: str
    display: str = ""
    params: Pairs = ()

    @property
    def parsed(self) -> Uri:
        return parse_uri(self.uri)

    def param(self, name: str) -> str:
        for key, value in self.params:
            if key.lower() == name:
                return value
        return ""

    @property
    def tag(self) -> str:
        return self.param("tag")

    def __str__(self) -> str:
        display = self.display.replace("\\", "\\\\").replace('"', '\\"')
        shown = f'"{display}" ' if display else ""
        return f"{shown}<{self.uri}>{join_params(self.params)}"


def parse_address(text: str) -> Address:
    """`"Name" <uri>;params`, `Name <uri>`, or `uri;params` where those are not the URI's."""
    return _kept_address(text) if len(text) < MAX_KEPT else _address(text)


def _address(text: str) -> Address:
    text = text.strip()
    if text.startswith('"'):
        end = _closing_quote(text)
        display, rest = unquoted(text[: end + 1]), text[end + 1 :].lstrip()
        if not rest.startswith("<"):
            raise BadSip(f"a name without an address: {text[:80]!r}")
    else:
        before, angle, rest = text.partition("<")
        if not angle:
            uri, semicolon, params = text.partition(";")
            if parse_uri(uri.rstrip()).headers:  # whose they are cannot be told (section 20)
                raise BadSip("headers of a URI that is not in brackets")
            return Address(uri.rstrip(), "", split_params(semicolon + params))
        display, rest = before.strip(), "<" + rest
    uri, closed, params = rest[1:].partition(">")
    if not closed:
        raise BadSip(f"an address that is not closed: {text[:80]!r}")
    parse_uri(uri)
    if not display.isprintable():
        display = _CONTROL.sub("", display)
    return Address(uri, display, split_params(params))


_kept_address = lru_cache(maxsize=1024)(_address)


def _closing_quote(text: str) -> int:
    position = 1
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == '"':
            return position
        position += 1
    raise BadSip(f"a quotation that is not closed: {text[:80]!r}")
