"""The lines of a session description, part by part.  RFC 4566 section 5."""

from __future__ import annotations


class BadSdp(Exception):
    """A description that cannot be read, or in which there is nothing that we speak (488)."""


class Part:
    """What the lines say of the session, or of one section of it. `media` is the m= line that
    begins a section, `connection` the first c= line, `flags` the attributes without a value."""

    def __init__(self, media: str = "") -> None:
        self.media = media
        self.connection: str | None = None
        self.flags: list[str] = []
        self._values: dict[str, list[str]] = {}

    def attribute(self, said: str) -> None:
        name, colon, value = said.partition(":")
        if colon:
            self._values.setdefault(name, []).append(value)
        else:
            self.flags.append(name)

    def values(self, attribute: str) -> list[str]:
        """As they were written, without spaces at the end."""
        return self._values.get(attribute, [])


def parts(body: bytes) -> list[Part]:
    """The session, then its sections. Raises BadSdp."""
    text = body.decode("utf-8", "replace")
    lines = [line for each in text.split("\n") if (line := each.rstrip())]
    if not lines or lines[0] != "v=0":
        raise BadSdp("not a session description")
    part = Part()
    found = [part]
    for line in lines:
        kind, equals, said = line.partition("=")
        if not equals or len(kind) != 1:
            raise BadSdp("not a session description")
        if kind == "a":
            part.attribute(said)
        elif kind == "m":
            part = Part(said)
            found.append(part)
        elif kind == "c" and part.connection is None:
            part.connection = said
    return found
