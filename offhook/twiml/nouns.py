"""Elements that stand in several verbs."""

from __future__ import annotations

from dataclasses import dataclass

from offhook.twiml.schema import anything, attribute


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value of the application's own."""

    name: str = attribute(anything)
    value: str = attribute(anything)
