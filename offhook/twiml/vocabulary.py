"""Which elements there are: a verb is a file in `verbs`, the rest of the language is in `later`."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal

from offhook.twiml import later, messaging, verbs
from offhook.twiml.program import Placed
from offhook.twiml.schema import Element, described


@cache
def verb_classes() -> dict[str, Any]:
    """`verbs/gather.py` holds `Gather`, and so for every other file there."""
    found: dict[str, Any] = {}
    for module in iter_modules(verbs.__path__):
        members = vars(import_module(f"{verbs.__name__}.{module.name}"))
        found |= {name: each for name, each in members.items() if name.lower() == module.name}
    return found


@cache
def response(channel: Literal["voice", "messaging"]) -> Element:
    """What may stand in a document of that channel."""
    children: dict[str, Element] = messaging.ELEMENTS
    code = messaging.UNKNOWN_VERB
    if channel == "voice":
        ours = {name: described(each) for name, each in verb_classes().items()}
        children, code = later.VERBS | ours, 12200
    return Element("Response", _verbs, {}, {}, {}, children, "verbs", code)


def _verbs(verbs: tuple[Placed[Any], ...] = ()) -> tuple[Placed[Any], ...]:
    return verbs


@cache
def names() -> frozenset[str]:
    """Every element of the language, wherever it may stand."""
    found: set[str] = set()
    waiting = [response("voice"), response("messaging")]
    while waiting:
        element = waiting.pop()
        found.add(element.name)
        waiting += [child for child in element.children.values() if child.name not in found]
    return frozenset(found)


def is_known(name: str) -> bool:
    return name in names()
