"""How long a session lasts unless it is refreshed.  RFC 4028."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from offhook.frozen import frozen
from offhook.sip.message import Field, Message, Request
from offhook.sip.transactions import earliest

LEAST = 90  # seconds, section 4
SHORTEST = 4  # seconds, of those who answer with less all the same: we refresh no more often
MARGIN = 32.0  # seconds before the end at which the side that waits gives up, section 10
AGAIN = 10.0  # seconds until a refresh that went wrong is tried again

Role = Literal["uac", "uas"]
Due = Literal["refresh", "expired", ""]
_SECONDS = re.compile(r"([0-9]{1,9})\s*(;.*)?")


@frozen
class Interval:
    """What we ask for, and the shortest that we take, in seconds. `seconds` 0 asks for none."""

    seconds: int = 1800
    least: int = LEAST


def expires(message: Message) -> tuple[int, str] | None:
    """Session-Expires: the seconds and who refreshes, "" where that is open. None without one."""
    found = _SECONDS.fullmatch(message.get("session-expires"))
    if not found:
        return None
    refresher = re.search(r"refresher\s*=\s*(uac|uas)", (found[2] or "").lower())
    return int(found[1]), refresher[1] if refresher else ""


def least(message: Message) -> int:
    """Min-SE, or what it is without one."""
    found = _SECONDS.fullmatch(message.get("min-se"))
    return max(int(found[1]), LEAST) if found else LEAST


def supports(message: Message, extension: str) -> bool:
    """Whether its sender has the extension, or insists on it."""
    tags = (*message.tags("supported"), *message.tags("require"))
    return extension in map(str.lower, tags)


def too_short(request: Request, ours: Interval) -> tuple[Field, ...]:
    """The fields of a 422 (section 9), or () when the request may pass."""
    asked = expires(request)
    if asked is None or asked[0] >= ours.least or not supports(request, "timer"):
        return ()
    return (("Min-SE", str(ours.least)),)


def _nobody() -> None:
    """Whom a timer tells that is over."""


class SessionTimer:
    """The interval of one session: agreed in each INVITE and UPDATE, and by whom refreshed.

    Methods that change it are followed by `changed`, so that the alarm can be set anew.
    """

    def __init__(self, ours: Interval, changed: Callable[[], None]) -> None:
        self._ours, self._changed = ours, changed
        self.seconds, self.least = 0, ours.least
        self.refreshing = False  # we do
        self._refresh_at: float | None = None
        self._expire_at: float | None = None

    @property
    def wake_at(self) -> float | None:
        return earliest(self._refresh_at, self._expire_at)

    def due(self, now: float) -> Due:
        """What is to be done, once."""
        if self._expire_at is not None and now >= self._expire_at:
            self.stop()
            return "expired"
        if self._refresh_at is not None and now >= self._refresh_at:
            self._refresh_at = None
            return "refresh"
        return ""

    def stop(self) -> None:
        self._refresh_at = self._expire_at = None

    def forget(self) -> None:
        """Its session is over, and is held no longer."""
        self.stop()
        self._changed = _nobody

    def again(self, now: float, wait: float = AGAIN) -> None:
        """A refresh that could not be made, or was refused, is tried again."""
        if self.refreshing and self.seconds:
            self._refresh_at = now + wait
            self._changed()

    # As the side that asks

    def fields(self) -> tuple[Field, ...]:
        """Of a request of ours that refreshes the session (section 7.4)."""
        if not self.seconds:
            return ()
        role: Role = "uac" if self.refreshing else "uas"
        return (
            ("Session-Expires", f"{self.seconds};refresher={role}"),
            ("Min-SE", str(self.least)),
        )

    def lengthen(self, least: int) -> bool:
        """After a 422; False when asking for it again would lead nowhere (section 7.3)."""
        if least <= self.seconds:
            return False
        self.seconds = self.least = least
        return True

    def answered(self, response: Message, now: float) -> None:
        """By a 2xx to our request (section 7.2): without the field, the session has no end."""
        agreed = expires(response)
        seconds, refresher = agreed or (0, "")
        seconds = max(seconds, SHORTEST) if seconds else 0
        self._begin(seconds, refresher != "uas", now)

    # As the side that answers

    def answer(self, request: Message, now: float) -> tuple[Field, ...]:
        """The fields of our 2xx (section 9). Who asked refreshes, where that is open and it can."""
        able, asked = supports(request, "timer"), expires(request)
        if not self._ours.seconds or not (able or asked):
            self._begin(0, False, now)
            return ()
        seconds, refresher = asked or (self._ours.seconds, "")
        seconds = max(seconds, least(request))
        role: Role = "uas" if refresher == "uas" or not able else "uac"
        self._begin(seconds, role == "uas", now)
        shown = ("Session-Expires", f"{seconds};refresher={role}")
        return (("Require", "timer"), shown) if role == "uac" else (shown,)

    def _begin(self, seconds: int, refreshing: bool, now: float) -> None:
        self.seconds, self.refreshing = seconds, refreshing
        self.stop()
        if seconds:
            self._expire_at = now + seconds - min(MARGIN, seconds / 3)
            self._refresh_at = now + seconds / 2 if refreshing else None
        self._changed()
