"""Elements that are known and checked but not yet run."""

from __future__ import annotations

from offhook.twiml.schema import Element

VERBS: dict[str, Element] = {}
