"""XML with positions, and nothing of XML that could hurt: no DTD, no entities of its own making."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from offhook.errors import DocumentError

MAX_BYTES = 64 * 1024
MAX_DEPTH = 50

_DECLARED = re.compile(rb"""\A<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][\w.-]*)["']""")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(slots=True)
class Node:
    """An element and where it stands, counted from 1. `parts` are words and elements in order."""

    name: str
    attributes: dict[str, str]
    line: int
    column: int
    parts: list[str | Node] = field(default_factory=list)

    @property
    def children(self) -> list[Node]:
        return [part for part in self.parts if isinstance(part, Node)]

    @property
    def text(self) -> str:
        """The words directly inside, without those of child elements."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def whole_text(self) -> str:
        return "".join(part if isinstance(part, str) else part.whole_text for part in self.parts)


def read_xml(body: bytes | str, charset: str = "") -> Node:
    """The root element. Raises DocumentError 11750, 12100 or 12101.

    The encoding is the byte order mark's, else the declaration's, else `charset`, else UTF-8.
    """
    if len(body if isinstance(body, bytes) else body.encode("utf-8", "replace")) > MAX_BYTES:
        raise DocumentError(11750, f"The document is larger than {MAX_BYTES // 1024} kB", 1, 1)
    return _Builder().build(body if isinstance(body, str) else _decoded(body, charset))


def _decoded(body: bytes, charset: str) -> str:
    declared = _DECLARED.search(body)
    encoding = declared[1].decode() if declared else charset or "utf-8"
    for mark, marked in _MARKS:
        if body.startswith(mark):
            body, encoding = body.removeprefix(mark), marked
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        before = body[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        message = f"The text is not {encoding}: byte 0x{body[error.start]:02x}"
        raise DocumentError(12100, message, line, column) from None
    except (LookupError, UnicodeError):
        raise DocumentError(12100, f"Unknown encoding {encoding!r}", 1, 1) from None


class _Builder:
    def __init__(self) -> None:
        self.open: list[Node] = []
        self.root: Node | None = None
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._words
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartDoctypeDeclHandler = self._doctype

    def build(self, text: str) -> Node:
        try:
            self.parser.Parse(text.removeprefix("\ufeff").encode("utf-8", "surrogatepass"), True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code) or "not well-formed"
            message = f"The document is not XML: {reason}"
            raise DocumentError(12100, message, error.lineno, error.offset + 1) from None
        finally:
            del self.parser  # it holds us, as we hold it
        assert self.root is not None, "expat refuses a document without a root"
        return self.root

    def _here(self) -> tuple[int, int]:
        return self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        node = Node(name, attributes, *self._here())
        if len(self.open) == MAX_DEPTH:
            message = f"Elements are nested more than {MAX_DEPTH} deep"
            raise DocumentError(12100, message, node.line, node.column)
        if self.open:
            self.open[-1].parts.append(node)
        else:
            self.root = node
        self.open.append(node)

    def _end(self, name: str) -> None:
        self.open.pop()

    def _words(self, words: str) -> None:
        self.open[-1].parts.append(words)

    def _declaration(self, version: str, *_: Any) -> None:
        if version != "1.0":
            raise DocumentError(12101, f"XML version {version} is not understood", *self._here())

    def _doctype(self, *_: Any) -> None:
        raise DocumentError(12100, "A document type declaration is not allowed", *self._here())
