"""The one catalogue of codes: what each says, how grave it is, and the HTTP status it goes with.

https://www.twilio.com/docs/api/errors lists them; the words are our own.
"""

from __future__ import annotations

from offhook.model.catalogue import messages, phones, rest, verbs, webhooks
from offhook.model.catalogue.entry import Entry, Level

CODES: dict[int, Entry] = webhooks.CODES | verbs.CODES | rest.CODES | messages.CODES | phones.CODES

_UNKNOWN = Entry("Error")


def message(code: int) -> str:
    return CODES.get(code, _UNKNOWN).message


def level(code: int) -> Level:
    """What the debugger files it under; an unknown code is an error."""
    return CODES.get(code, _UNKNOWN).level


def http_status(code: int) -> int:
    """What the REST API answers with it; 400 unless the catalogue says otherwise."""
    return CODES.get(code, _UNKNOWN).status


__all__ = ["CODES", "Entry", "Level", "http_status", "level", "message"]
