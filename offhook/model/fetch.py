"""Where a call's or a message's next document comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from offhook.frozen import frozen
from offhook.model.document import Document


@frozen
class Fetch:
    """Go on with the document at `url` (relative to the current one), giving it `params`.

    An empty `url` is the current document again. `twiml`, when set, is the document itself, and so
    is `document`, which was asked for before its turn.
    """

    url: str = ""
    method: str = "POST"
    params: Mapping[str, str] = field(default_factory=dict)
    twiml: str = ""
    document: Document[Any] | None = None


@frozen
class Script:
    """What answers for a number, an application or a REST call, with its fallback."""

    url: str = ""
    method: str = "POST"
    fallback_url: str = ""
    fallback_method: str = "POST"
    twiml: str = ""
    application_sid: str = ""

    @property
    def start(self) -> Fetch:
        return Fetch(self.url, self.method, twiml=self.twiml)


@frozen
class Callback:
    """Who is told of events; an empty `url` is nobody."""

    url: str = ""
    method: str = "POST"
    events: tuple[str, ...] = ("completed",)
