"""What is kept between the requests of a call or conversation.  reference: webhooks 5 and 6."""

from __future__ import annotations

from collections.abc import Callable

from offhook.webhooks.cookies import Jar
from offhook.webhooks.login import Login
from offhook.webhooks.target import Target

CONVERSATION_SECONDS = 4 * 3600
CALL_SECONDS = 26 * 3600  # a call lasts a day at most, and its last callback follows it
_SWEEP_SECONDS = 60


class Session:
    """Cookies, and the servers that have been logged in to, by origin."""

    def __init__(self) -> None:
        self.cookies = Jar()
        self._logins: dict[str, Login] = {}

    def login(self, to: Target, random_hex: Callable[[], str]) -> Login | None:
        """How to log in there: by the credentials of this URL, or of an earlier one."""
        known = self._logins.get(to.origin)
        if to.credentials is None or (known and known.credentials == to.credentials):
            return known
        self._logins[to.origin] = Login(to.credentials, random_hex)
        return self._logins[to.origin]


class Sessions:
    """Sessions by key: a CallSid, or `own|remote` for a conversation. Times in the loop's seconds.

    A conversation's lasts until 4 hours after its last use, a call's until `forget`.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Session, float]] = {}
        self._swept = 0.0

    def of(self, key: str, now: float) -> Session:
        """The session, begun if need be; without a key, one that nobody else will see."""
        if not key:
            return Session()
        session, used = self._kept.get(key, (Session(), now))
        if now - used >= _lifetime(key):
            session = Session()
        self._kept[key] = (session, now)
        self._sweep(now)
        return session

    def forget(self, key: str) -> None:
        self._kept.pop(key, None)

    def _sweep(self, now: float) -> None:
        if now - self._swept < _SWEEP_SECONDS:
            return
        self._swept = now
        over = [key for key, (_, used) in self._kept.items() if now - used >= _lifetime(key)]
        for key in over:
            del self._kept[key]


def _lifetime(key: str) -> float:
    return CONVERSATION_SECONDS if "|" in key else CALL_SECONDS
