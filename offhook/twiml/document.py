"""TwiML text to verbs: `schema` describes elements, `vocabulary` says which there are.

An unknown element, attribute or nesting is a warning and left out; a bad value is the attribute's
own code, and its default is used unless the tables say that the element is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, overload

from offhook.errors import DocumentError
from offhook.model import catalogue
from offhook.model.fetch import Fetch
from offhook.twiml import vocabulary
from offhook.twiml.markup import Node, read_xml
from offhook.twiml.messaging import Reply
from offhook.twiml.program import Document, Placed, Problem, Verb, perform
from offhook.twiml.schema import SCHEMA_WARNING, Attribute, Element, complaints, suggestion

__all__ = ["Channel", "Document", "Placed", "Problem", "Verb", "parse", "perform"]

Channel = Literal["voice", "messaging"]
MOST_KEPT = 2048  # bytes of a document that is not read anew when it comes again
MOST_PROBLEMS = 100  # the rest of a hopeless document is not worth the reading


@overload
def parse(
    body: bytes | str, charset: str = "", channel: Literal["voice"] = "voice"
) -> Document[Verb]: ...


@overload
def parse(
    body: bytes | str, charset: str, channel: Literal["messaging"]
) -> Document[Reply | Fetch]: ...


@overload
def parse(
    body: bytes | str, charset: str = "", *, channel: Literal["messaging"]
) -> Document[Reply | Fetch]: ...


def parse(body: bytes | str, charset: str = "", channel: Channel = "voice") -> Document[Any]:
    """Raises DocumentError 11750, 12100, 12101 or 12102; everything else is among the problems.

    A declared encoding goes before `charset`. An empty body has nothing to do, and says so (11770).
    """
    if not body.strip():
        return Document((), (problem(11770, catalogue.message(11770), 1, 1),))
    if len(body) > MOST_KEPT:
        return read_response(read_xml(body, charset), channel)
    return _read_before(body, charset, channel)


@lru_cache(maxsize=256)
def _read_before(body: bytes | str, charset: str, channel: Channel) -> Document[Any]:
    """Many calls begin with the same words."""
    return read_response(read_xml(body, charset), channel)


def read_response(root: Node, channel: Channel) -> Document[Any]:
    """Attributes of the root are nobody's business. Raises DocumentError 12102."""
    if root.name != "Response":
        message = f"<Response> expected, found <{root.name}>{suggestion(root.name, ('Response',))}"
        raise DocumentError(12102, message, root.line, root.column)
    reader = _Reader()
    verbs = reader.children(vocabulary.response(channel), root)
    if root.text.strip():
        reader.report(root, SCHEMA_WARNING, "Words may not stand directly in <Response>")
    order = sorted(reader.problems, key=lambda found: (found.line, found.column))
    return Document(verbs, tuple(order))


def problem(code: int, message: str, line: int, column: int) -> Problem:
    return Problem(code, message, line, column, catalogue.level(code))


class _Reader:
    """Reads one document. `codes` renames problems inside elements that have codes of their own."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.codes: Mapping[int, int] = {}

    @property
    def is_full(self) -> bool:
        return len(self.problems) >= MOST_PROBLEMS

    def report(self, node: Node, code: int, message: str) -> None:
        if not self.is_full:
            code = self.codes.get(code, code)
            self.problems.append(problem(code, message, node.line, node.column))

    def children(self, parent: Element, node: Node) -> tuple[Placed[Any], ...]:
        placed = []
        for child in node.children:
            element = parent.children.get(child.name)
            if element is None:
                if not self.is_full:
                    self._unknown(parent, child)
            elif (made := self.element(element, child)) is not None:
                placed.append(Placed(made, child.name, child.line, child.column))
        return tuple(placed)

    def element(self, element: Element, node: Node) -> Any | None:
        """What the node stands for, or None where it has to be skipped."""
        values: dict[str, Any] = {}
        for name, text in node.attributes.items():
            if name in element.attributes:
                if not self._value(element, node, name, text.strip(), values):
                    return None
            elif not name.startswith("xml") and not self.is_full:
                known = suggestion(name, tuple(element.attributes))
                self.report(node, SCHEMA_WARNING, f"<{node.name}> has no attribute {name}{known}")
        values |= {each: read(node, self.report) for each, read in element.contents.items()}
        if not element.mixed:
            self._inside(element, node, values)
        made = element.make(**values)
        for complaint in complaints(made):
            self.report(node, complaint.code, complaint.message)
            if complaint.skip:
                return None
        return made

    def _value(
        self, element: Element, node: Node, name: str, text: str, values: dict[str, Any]
    ) -> bool:
        """Puts the attribute's value among the others. False: the element cannot be used."""
        attribute = element.attributes[name]
        try:
            values[element.field_of[name]] = attribute.kind.read(text)
            return True
        except ValueError:
            self.report(node, attribute.code, _bad_value(node.name, name, text, attribute))
        if attribute.otherwise is not None:
            values[element.field_of[name]] = attribute.otherwise
        return not attribute.skip

    def _inside(self, element: Element, node: Node, values: dict[str, Any]) -> None:
        if not element.contents and node.text.strip():
            self.report(node, SCHEMA_WARNING, f"Words may not stand directly in <{node.name}>")
        outer, self.codes = self.codes, element.child_codes or self.codes
        found = self.children(element, node)
        self.codes = outer
        if element.child_field:
            values[element.child_field] = found

    def _unknown(self, parent: Element, child: Node) -> None:
        where = f"<{child.name}> may not stand in <{parent.name}>"
        if not vocabulary.is_known(child.name):
            where = f"There is no <{child.name}>" + suggestion(child.name, tuple(parent.children))
        self.report(child, parent.child_code, where)


def _bad_value(element: str, name: str, text: str, attribute: Attribute) -> str:
    close = suggestion(text, attribute.kind.words) if attribute.kind.words else ""
    shown = text if len(text) <= 40 else text[:40] + "..."
    return f'<{element} {name}="{shown}"> must be {attribute.kind.wanted}{close}'
