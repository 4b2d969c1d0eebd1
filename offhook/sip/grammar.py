"""What SIP header fields share: lists, parameters, quotations.  RFC 3261 section 25.1."""

from __future__ import annotations

import re
from collections.abc import Iterator

Pairs = tuple[tuple[str, str], ...]

TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
# One element of a comma-separated list: quotations and <...> keep their commas.
_ELEMENT = re.compile(r'(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^,"<])+')
_PIECE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^;"])+')
_UNSAFE = re.compile(r'[;,"<>\s]')


class BadSip(Exception):
    """A message, or part of one, that breaks the grammar. `status` is what its sender is told."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason, self.status = reason, status


def split_list(value: str) -> list[str]:
    """The elements of a comma-separated header value. Raises BadSip for an open quotation."""
    if "," not in value:
        return [value.strip()] if value.strip() else []
    return [element.strip() for element in _pieces(_ELEMENT, value, ",") if element.strip()]


def split_params(text: str) -> Pairs:
    """`;a=b;c;d="e;f"` as pairs; quotations are taken off; a parameter without value has ""."""
    text = text.strip()
    if not text:
        return ()
    if text[0] != ";":
        raise BadSip(f"not parameters: {text[:80]!r}")
    quotes = '"' in text
    pieces = _pieces(_PIECE, text[1:], ";") if quotes else text[1:].split(";")
    pairs = []
    for piece in pieces:
        name, _, value = piece.partition("=")
        if quotes and '"' in name:
            raise BadSip(f"a quotation in a name: {text[:80]!r}")
        if name := name.strip():
            pairs.append((name, unquoted(value.strip()) if quotes else value.strip()))
    return tuple(pairs)


def join_params(params: Pairs) -> str:
    return "".join(
        f";{name}={quoted(value) if _UNSAFE.search(value) else value}" if value else f";{name}"
        for name, value in params
    )


def unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def legible(text: str) -> str:
    """As others can keep it and send it on: what is not UTF-8 is taken for Latin-1, as old PBXs
    write names."""
    if text.isascii():
        return text
    raw = text.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _pieces(pattern: re.Pattern[str], text: str, separator: str) -> Iterator[str]:
    position = 0
    while position < len(text):
        if text[position] == separator:
            position += 1
            continue
        found = pattern.match(text, position)
        if not found:
            raise BadSip(f"a quotation that is not closed: {text[:80]!r}")
        yield found.group()
        position = found.end()
