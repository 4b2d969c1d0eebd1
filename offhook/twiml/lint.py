"""TwiML checked without being run, by the parser that runs it."""

from __future__ import annotations

from offhook.errors import DocumentError
from offhook.model import catalogue
from offhook.twiml import vocabulary
from offhook.twiml.document import Channel, problem, read_response
from offhook.twiml.markup import Node, read_xml
from offhook.twiml.program import Problem


def lint(body: bytes | str, channel: Channel | None = None) -> list[Problem]:
    """What is wrong, in the order of the text. Without a `channel` the content tells it."""
    if not body.strip():
        return [problem(11770, catalogue.message(11770), 1, 1)]
    try:
        root = read_xml(body)
        return list(read_response(root, channel or channel_of(root)).problems)
    except DocumentError as error:
        return [Problem(error.code, error.message, error.line, error.column, "error")]


def channel_of(root: Node) -> Channel:
    """Messages if it sends one and does nothing that only a call can; a call otherwise."""
    names = {child.name for child in root.children}
    only_calls = vocabulary.response("voice").children.keys() - messages_too()
    return "messaging" if "Message" in names and not names & only_calls else "voice"


def messages_too() -> set[str]:
    """Verbs of messages, which a call may hold as well."""
    return set(vocabulary.response("messaging").children)


def as_line(name: str, found: Problem) -> str:
    """`file:line:column code message`, as editors and CI read it."""
    return f"{name}:{found.line}:{found.column} {found.code} {found.message}"
