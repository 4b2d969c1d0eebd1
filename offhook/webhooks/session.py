"""What is kept between the requests of a call or conversation.  reference: webhooks 5 and 6."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakValueDictionary

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

    @property
    def filled(self) -> bool:
        return bool(self._logins) or bool(self.cookies)

    def login(self, to: Target, random_hex: Callable[[], str]) -> Login | None:
        """How to log in there: by the credentials of this URL, or of an earlier one."""
        known = self._logins.get(to.origin)
        if to.credentials is None or (known and known.credentials == to.credentials):
            return known
        self._logins[to.origin] = Login(to.credentials, random_hex)
        return self._logins[to.origin]


class Sessions:
    """Sessions by key: a CallSid, or `own|remote` for a conversation. Times in the loop's seconds.

    A conversation's lasts until 4 hours after its last use, a call's until `forget`. One with
    nothing in it lasts only while it is in use.
    """

    def __init__(self) -> None:
        self._in_use: WeakValueDictionary[str, Session] = WeakValueDictionary()
        self._kept: dict[str, tuple[Session, float]] = {}
        self._swept = 0.0

    def of(self, key: str, now: float) -> Session:
        """The session, begun if need be; without a key, one that nobody else will see."""
        self._sweep(now)
        if key not in self._kept:
            session = self._in_use.get(key) if key else None
            return session or self._begun(key)
        session, used = self._kept[key]
        return self._begun(key) if now - used >= _lifetime(key) else session

    def keep(self, key: str, session: Session, now: float) -> None:
        """Note that the session was used, and remember it when there is anything in it."""
        if key and session.filled:
            self._kept[key] = (session, now)

    def forget(self, key: str) -> None:
        self._kept.pop(key, None)
        self._in_use.pop(key, None)

    def _begun(self, key: str) -> Session:
        self._kept.pop(key, None)
        self._in_use[key] = session = Session()
        return session

    def _sweep(self, now: float) -> None:
        if now - self._swept < _SWEEP_SECONDS:
            return
        self._swept = now
        over = [key for key, (_, used) in self._kept.items() if now - used >= _lifetime(key)]
        for key in over:
            del self._kept[key]


def _lifetime(key: str) -> float:
    return CONVERSATION_SECONDS if "|" in key else CALL_SECONDS
