"""SSML as strangers write it, cut down to the documented tags (reference page Say, "SSML")."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from offhook.errors import SpeechError

TAGS = {
    "break": {"strength", "time"},
    "emphasis": {"level"},
    "lang": {"xml:lang"},
    "p": set(),
    "phoneme": {"alphabet", "ph"},
    "prosody": {"volume", "rate", "pitch"},
    "s": set(),
    "say-as": {"interpret-as", "format"},
    "sub": {"alias"},
    "w": {"role"},
}
MAX_DEPTH = 32


@dataclass(slots=True)
class Tag:
    """One documented element; `inner` holds text and further elements in order."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    inner: list[str | Tag] = field(default_factory=list)


def read(inner: str) -> list[str | Tag]:
    """What stands between `<Say>` and `</Say>`.

    Tags that are not documented, or nested absurdly deep, are stripped and their text is kept.
    Raises SpeechError 13520 when it is not well-formed.
    """
    root = Tag("speak")
    open_tags: list[Tag | None] = [root]  # None: stripped

    def current() -> Tag:
        return next(tag for tag in reversed(open_tags) if tag)

    def start(name: str, attributes: dict[str, str]) -> None:
        allowed = TAGS.get(name)
        if allowed is None or len(open_tags) > MAX_DEPTH:
            open_tags.append(None if len(open_tags) > 1 else root)
            return
        tag = Tag(name, {key: text for key, text in attributes.items() if key in allowed})
        current().inner.append(tag)
        open_tags.append(tag)

    def end(name: str) -> None:
        open_tags.pop()

    def text(data: str) -> None:
        current().inner.append(data)

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    try:
        parser.Parse(f"<speak>{inner}</speak>", True)
    except expat.ExpatError as error:
        raise SpeechError(13520, f"The SSML is not well-formed: {error}") from None
    return root.inner


def text_of(nodes: list[str | Tag]) -> str:
    """The words alone, as a voice without SSML reads them."""
    return "".join(node if isinstance(node, str) else text_of(node.inner) for node in nodes)
