"""What is kept between the requests of a call or conversation.  reference: webhooks 5 and 6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

from offhook.webhooks.cookies import Jar
from offhook.webhooks.login import Login
from offhook.webhooks.target import Target

CONVERSATION_SECONDS = 4 * 3600
AFTERWARDS_SECONDS = 300  # in which a call's last callbacks follow one another
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


@dataclass(slots=True)
class _Kept:
    """`used` last at, and its call found `over` at, in the loop's seconds."""

    session: Session
    used: float
    over: float | None = None


class Sessions:
    """Sessions by key: a CallSid, or `own|remote` for a conversation. Times in the loop's seconds.

    A conversation's lasts until 4 hours after its last use, a call's while the call `goes_on` and
    for its last callbacks. One with nothing in it lasts only while it is in use.
    """

    def __init__(self) -> None:
        self._in_use: WeakValueDictionary[str, Session] = WeakValueDictionary()
        self._kept: dict[str, _Kept] = {}
        self._swept = 0.0
        self.goes_on: Callable[[str], bool] = lambda call_sid: False

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, key: str, now: float) -> Session:
        """The session, begun if need be; without a key, one that nobody else will see."""
        self._sweep(now)
        kept = self._kept.get(key)
        if kept is None:
            session = self._in_use.get(key) if key else None
            return session or self._begun(key)
        return self._begun(key) if self._is_stale(key, kept, now) else kept.session

    def keep(self, key: str, session: Session, now: float) -> None:
        """Note that the session was used, and remember it when there is anything in it."""
        if key and session.filled:
            self._kept.setdefault(key, _Kept(session, now)).used = now

    def _begun(self, key: str) -> Session:
        self._kept.pop(key, None)
        self._in_use[key] = session = Session()
        return session

    def _sweep(self, now: float) -> None:
        if now - self._swept < _SWEEP_SECONDS:
            return
        self._swept = now
        for key in [key for key, kept in self._kept.items() if self._is_stale(key, kept, now)]:
            del self._kept[key]

    def _is_stale(self, key: str, kept: _Kept, now: float) -> bool:
        if "|" in key:
            return now - kept.used >= CONVERSATION_SECONDS
        if self.goes_on(key):
            return False
        kept.over = kept.over or now
        return now - max(kept.used, kept.over) >= AFTERWARDS_SECONDS
