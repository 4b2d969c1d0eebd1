"""Speech markup inside `<Say>`: which tags there are, and what is left of it when it is cleaned.

https://www.twilio.com/docs/voice/twiml/say/text-speech
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from offhook.frozen import frozen
from offhook.twiml.markup import Node
from offhook.twiml.schema import (
    SCHEMA_WARNING,
    Kind,
    Report,
    anything,
    language_tag,
    matching,
    one_of,
    suggestion,
)


@frozen
class Tag:
    attributes: dict[str, Kind]
    children: frozenset[str]


def _some(names: str) -> frozenset[str]:
    return frozenset(names.split())


_INLINE = _some("break emphasis lang phoneme prosody say-as sub w")
_ALL = _INLINE | _some("p s")
_NONE: frozenset[str] = frozenset()

_STRENGTH = one_of("none", "x-weak", "weak", "medium", "strong", "x-strong")
_TIME = matching("a time such as 2s or 500ms", r"\d+(\.\d+)?m?s")
_ALPHABET = one_of(
    "ipa", "x-sampa", "x-amazon-jyutping", "x-amazon-pinyin", "x-amazon-pron-kana",
    "x-amazon-yomigana",
)  # fmt: skip
_VOLUME = matching(
    "default, silent, x-soft to x-loud, or a change in dB",
    r"default|silent|x-soft|soft|medium|loud|x-loud|[+-]?\d+(\.\d+)?dB",
)
_RATE = matching("x-slow to x-fast, or a percentage", r"x-slow|slow|medium|fast|x-fast|\d+%")
_PITCH = matching(
    "default, x-low to x-high, or a change in percent",
    r"default|x-low|low|medium|high|x-high|[+-]?\d+(\.\d+)?%",
)
_SAY_AS = one_of(
    "characters", "spell-out", "cardinal", "number", "ordinal", "digits", "fraction", "unit",
    "date", "time", "address", "expletive", "telephone",
)  # fmt: skip
_DATE = one_of("mdy", "dmy", "ymd", "md", "dm", "ym", "my", "d", "m", "y", "yyyymmdd")
_ROLE = matching("a role such as amazon:VB", r"(amazon|ivona):(VBD?|NN|SENSE_1)")

TAGS = {
    "break": Tag({"strength": _STRENGTH, "time": _TIME}, _NONE),
    "emphasis": Tag({"level": one_of("strong", "moderate", "reduced")}, _INLINE),
    "lang": Tag({"xml:lang": language_tag}, _ALL),
    "p": Tag({}, _INLINE | {"s"}),
    "phoneme": Tag({"alphabet": _ALPHABET, "ph": anything}, _NONE),
    "prosody": Tag({"volume": _VOLUME, "rate": _RATE, "pitch": _PITCH}, _ALL),
    "s": Tag({}, _INLINE),
    "say-as": Tag({"interpret-as": _SAY_AS, "format": _DATE}, _NONE),
    "sub": Tag({"alias": anything}, _NONE),
    "w": Tag({"role": _ROLE}, _some("break emphasis phoneme prosody say-as sub")),
}


def plain(node: Node, report: Report) -> str:
    """All the words, tags taken away, with single blanks between them."""
    return " ".join(node.whole_text.split())


def markup(node: Node, report: Report) -> str:
    """What is inside, as XML, with only the tags and attributes named above; "" if there are none.

    The words in an unknown tag stay.
    """
    cleaned = _cleaned(node, report)
    return cleaned.strip() if any(each.name in TAGS for each in _descendants(node)) else ""


def fault(node: Node, report: Report) -> str:
    """What makes the markup unreadable, "" if nothing does."""
    return next(_faults(node, _ALL), "")


def _descendants(node: Node) -> Iterator[Node]:
    for child in node.children:
        yield child
        yield from _descendants(child)


def _cleaned(node: Node, report: Report) -> str:
    return "".join(
        escape(re.sub(r"\s+", " ", part)) if isinstance(part, str) else _cleaned_tag(part, report)
        for part in node.parts
    )


def _cleaned_tag(node: Node, report: Report) -> str:
    inner = _cleaned(node, report)
    if node.name not in TAGS:
        known = suggestion(node.name, tuple(TAGS))
        report(node, SCHEMA_WARNING, f"<Say> knows no <{node.name}>{known}; its words are read")
        return inner
    kept = ""
    for name, value in node.attributes.items():
        if name in TAGS[node.name].attributes:
            kept += f" {name}={quoteattr(value)}"
        else:
            known = suggestion(name, tuple(TAGS[node.name].attributes))
            report(node, SCHEMA_WARNING, f"<{node.name}> has no attribute {name}{known}")
    return f"<{node.name}{kept}>{inner}</{node.name}>" if inner else f"<{node.name}{kept}/>"


def _faults(node: Node, allowed: frozenset[str]) -> Iterator[str]:
    for child in node.children:
        tag = TAGS.get(child.name)
        if tag is None:
            yield from _faults(child, allowed)
            continue
        if child.name not in allowed:
            yield f"<{child.name}> may not stand in <{node.name}>"
        for name, kind in tag.attributes.items():
            if name in child.attributes and not _is_good(kind, child.attributes[name]):
                yield f'<{child.name} {name}="{child.attributes[name]}"> must be {kind.wanted}'
        yield from _faults(child, tag.children)


def _is_good(kind: Kind, text: str) -> bool:
    try:
        kind.read(text)
    except ValueError:
        return False
    return True
