"""The lines of a session description, part by part.  RFC 4566 section 5."""

from __future__ import annotations


class BadSdp(Exception):
    """A description that cannot be read, or in which there is nothing that we speak (488)."""


class Part:
    """What the lines say of the session, or of one section of it. `begins` is its first line,
    `connection` the first c= line, `flags` the attributes without a value. Raises BadSdp."""

    def __init__(self, text: str) -> None:
        self.connection: str | None = None
        self.flags: list[str] = []
        self._values: dict[str, list[str]] = {}
        lines = [line for each in text.split("\n") if (line := each.rstrip())]
        self.begins = lines[0] if lines else ""
        for line in lines:
            kind, equals, said = line.partition("=")
            if not equals or len(kind) != 1:
                raise BadSdp("not a session description")
            if kind == "a":
                self._attribute(said)
            elif kind == "c" and self.connection is None:
                self.connection = said

    def _attribute(self, said: str) -> None:
        name, colon, value = said.partition(":")
        if colon:
            self._values.setdefault(name, []).append(value)
        else:
            self.flags.append(name)

    def values(self, attribute: str) -> list[str]:
        """As they were written, without spaces at the end."""
        return self._values.get(attribute, [])


def split(body: bytes) -> list[str]:
    """The session, without its o= line, which is never twice the same and never looked at; then its
    sections, without their `m=`."""
    session, *sections = body.decode("utf-8", "replace").split("\nm=")
    before, _, after = session.partition("\no=")
    _, end, rest = after.partition("\n")
    return [before + end + rest, *sections]
