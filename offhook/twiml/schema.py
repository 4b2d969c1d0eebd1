"""How elements are described: a verb's dataclass fields are its attribute table.

A field made by `attribute` reads the attribute of the same name in camelCase, one made by
`content` reads what stands inside the element, one made by `nested` holds its child elements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, fields
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any

from offhook.frozen import frozen
from offhook.twiml.markup import Node

SCHEMA_WARNING = 12200


@frozen
class Kind:
    """What an attribute's text may be, `wanted` in words. `read` raises ValueError on the rest."""

    wanted: str
    read: Callable[[str], Any]
    words: tuple[str, ...] = ()


@frozen
class Attribute:
    """A bad value is problem `code`: `default` stands in for it, or the element is skipped.

    `otherwise` stands in where that differs from the value of an attribute that is not there.
    """

    name: str
    kind: Kind
    default: Any = ""
    code: int = SCHEMA_WARNING
    skip: bool = False
    otherwise: Any = None


@frozen
class Complaint:
    """What is wrong with an element as a whole. `skip`: it is left out of the document."""

    code: int
    message: str
    skip: bool = False


Report = Callable[[Node, int, str], None]
Content = Callable[[Node, Report], Any]


@frozen
class Element:
    """`make` gets the values by field name. `text`: whether words may stand in it."""

    name: str
    make: Callable[..., Any]
    attributes: Mapping[str, Attribute]
    field_of: Mapping[str, str]
    contents: Mapping[str, Content]
    children: Mapping[str, Element]
    child_field: str = ""
    child_code: int = SCHEMA_WARNING
    child_codes: Mapping[int, int] | None = None  # codes of problems inside, where they differ here
    mixed: bool = False  # the content readers look after the child elements


def attribute(
    kind: Kind,
    default: Any = "",
    code: int = SCHEMA_WARNING,
    *,
    name: str = "",
    skip: bool = False,
    otherwise: Any = None,
) -> Any:
    table = Attribute(name, kind, default, code, skip, otherwise)
    return field(default=default, metadata={"attribute": table})


def content(read: Content, *, mixed: bool = False) -> Any:
    return field(default="", metadata={"content": read, "mixed": mixed})


def nested(
    *allowed: Any, code: int = SCHEMA_WARNING, codes: Mapping[int, int] | None = None
) -> Any:
    """`allowed` are dataclasses or Elements."""
    return field(default=(), metadata={"nested": allowed, "code": code, "codes": codes})


@cache
def described(cls: Any) -> Element:
    """The element that a dataclass describes; its name is the class's."""
    attributes: dict[str, Attribute] = {}
    field_of: dict[str, str] = {}
    contents: dict[str, Content] = {}
    about: dict[str, Any] = {}
    for each in fields(cls):
        data = each.metadata
        if "attribute" in data:
            name = data["attribute"].name or camel(each.name)
            attributes[name], field_of[name] = data["attribute"], each.name
        elif "content" in data:
            contents[each.name] = data["content"]
            about["mixed"] = about.get("mixed", False) or data["mixed"]
        elif "nested" in data:
            about["children"] = elements(*data["nested"])
            about |= {"child_field": each.name, "child_code": data["code"]}
            about["child_codes"] = data["codes"]
    about.setdefault("children", {})
    return Element(cls.__name__, cls, attributes, field_of, contents, **about)


def elements(*allowed: Any) -> dict[str, Element]:
    """By name; dataclasses are described."""
    found = [one if isinstance(one, Element) else described(one) for one in allowed]
    return {element.name: element for element in found}


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name.rstrip("_"))


@lru_cache(maxsize=512)
def suggestion(word: str, known: tuple[str, ...]) -> str:
    """`, did you mean ...?` or nothing."""
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f", did you mean {by_lower[close[0]]}?" if close else ""


# -- kinds of attribute values --------------------------------------------------------------


def one_of(*words: str, **aliases: Any) -> Kind:
    """One of the words; an alias stands for the value given with it."""
    values = {word: word for word in words} | aliases
    *most, last = values
    wanted = f"{', '.join(most)} or {last}" if most else last
    return Kind(wanted, lambda given: _lookup(values, given), tuple(values))


def _lookup(values: Mapping[str, Any], text: str) -> Any:
    if text not in values:
        raise ValueError(text)
    return values[text]


def several_of(*words: str) -> Kind:
    """A tuple of some of the words, separated by spaces."""

    def read(text: str) -> tuple[str, ...]:
        given = tuple(text.split())
        if not given or not set(given) <= set(words):
            raise ValueError(text)
        return given

    return Kind("some of " + " ".join(words), read, words)


def whole(low: int, high: int = 999_999_999, **aliases: int) -> Kind:
    """A whole number within bounds, both included."""

    def read(text: str) -> int:
        if text in aliases:
            return aliases[text]
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    bounds = f"from {low}" if high == 999_999_999 else f"from {low} to {high}"
    return Kind(f"a whole number {bounds}", read)


def matching(wanted: str, pattern: str) -> Kind:
    """The text itself, if the whole of it matches."""
    shape = re.compile(pattern)

    def read(text: str) -> str:
        if not shape.fullmatch(text):
            raise ValueError(text)
        return text

    return Kind(wanted, read)


def _callback_url(text: str) -> str:
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):(?!\d)", text)
    if re.search(r"\s", text) or (scheme and not re.match(r"https?://[^/]", text, re.I)):
        raise ValueError(text)
    return text


def _refuse(text: str) -> str:
    raise ValueError(text)


anything = Kind("text", str)
nothing = Kind("left out here", _refuse)
boolean = one_of(true=True, false=False)
METHODS = {"GET": "GET", "POST": "POST"}
http_method = Kind("GET or POST", lambda text: _lookup(METHODS, text.upper()))
callback_url = Kind("an http or https URL", _callback_url)
language_tag = matching("a language tag such as en-GB", r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
REPEATS = 1000  # what "until the caller hangs up" comes to
repeats = Kind(
    "a whole number from 0, which repeats until the caller hangs up",
    lambda text: min(whole(0).read(text) or REPEATS, REPEATS),
)


def _phone_number(text: str) -> str:
    if not re.fullmatch(r"\+?[0-9]{2,20}", re.sub(r"[ ./()-]", "", text)):
        raise ValueError(text)
    return text


phone_number = Kind("a phone number", _phone_number)
touch_tones = matching("made of 0-9 A-D * # w W", r"[0-9A-D*#wW]+")


# -- kinds of content ------------------------------------------------------------------------


def trimmed(node: Node, report: Report) -> str:
    """The words without the blanks around them."""
    return node.text.strip()


def collapsed(node: Node, report: Report) -> str:
    """The words with single blanks between them."""
    return " ".join(node.text.split())


def lines(node: Node, report: Report) -> str:
    """The words line by line, without the blanks at both ends and each line's indentation."""
    return "\n".join(line.strip() for line in node.text.strip().splitlines())


def complaints(made: Any) -> Iterable[Complaint]:
    """What the finished element says against itself; most have nothing to say."""
    check = getattr(made, "check", None)
    found: Iterable[Complaint] = check() if check else ()
    return found
