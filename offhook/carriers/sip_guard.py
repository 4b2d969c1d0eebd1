"""How much a stranger may ask of us, and who is not listened to any more. No sockets, no clock.

Trunks and this machine itself are never limited: what they may do is theirs to know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network

from offhook.frozen import frozen

MOST_SOURCES = 10_000  # remembered at a time; the one that was quiet for longest is forgotten first


@frozen
class Limits:
    """Of one source (`site`): `rate` messages a second, `burst` at once; `strikes` refusals within
    `ban_seconds` and nothing from it is read for so long (0 strikes: never).

    Of all together: `calls`, `transactions`, `connections`, of which one source has `per_source`;
    a connection ends when nothing came by it for `idle` seconds, or no message at all at first.
    Before TLS or a WebSocket is agreed on there are `handshakes`, and `handshakes_per_source`.
    """

    rate: float = 50
    burst: int = 200
    strikes: int = 30
    ban_seconds: float = 600
    calls: int = 5_000
    transactions: int = 50_000
    connections: int = 2_000
    per_source: int = 100
    idle: float = 4_000
    handshakes: int = 200
    handshakes_per_source: int = 20


USUAL = Limits()


@dataclass(slots=True)
class Bucket:
    """Fills by `rate` a second up to `size`; each event takes one out."""

    rate: float
    size: float
    left: float
    at: float

    def take(self, now: float) -> bool:
        self.left = min(self.size, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@lru_cache(maxsize=4096)
def site(host: str) -> str:
    """Who counts as one source: with IPv6 the whole /64, which is one customer's to choose from."""
    return str(ip_network(f"{host.partition('%')[0]}/64", strict=False)) if ":" in host else host


class Guard:
    """`trusted(host)` says who is exempt. What was turned away is counted."""

    def __init__(self, limits: Limits, trusted: Callable[[str], bool]) -> None:
        self.limits, self._trusted = limits, trusted
        self.counts: Counter[str] = Counter()
        self._heard: dict[str, Bucket] = {}
        self._strikes: dict[str, Bucket] = {}
        self._banned: dict[str, float] = {}  # until when

    def hears(self, host: str, now: float) -> bool:
        """Whether one more message of this source is read."""
        if self._trusted(host):
            return True
        if self.bans(host, now):
            self.counts["banned"] += 1
            return False
        limits = self.limits
        if self._bucket(self._heard, site(host), limits.rate, limits.burst, now).take(now):
            return True
        self.counts["limited"] += 1
        return False

    def strike(self, host: str, now: float, spared: Callable[[], bool] = lambda: False) -> bool:
        """It was refused, or sent nonsense; True when that was once too often, and it is not
        `spared`, which is asked then."""
        limits = self.limits
        if not limits.strikes or self._trusted(host):
            return False
        rate = limits.strikes / limits.ban_seconds
        bucket = self._bucket(self._strikes, site(host), rate, limits.strikes, now)
        if bucket.take(now) or spared():
            return False
        self._make_room(self._banned)
        self._banned[site(host)] = now + limits.ban_seconds
        self.counts["bans"] += 1
        return True

    def login(self, verdict: str) -> None:
        """Somebody answered a challenge: `right`, `wrong`, or with a nonce that is `stale`."""
        if verdict in ("wrong", "stale"):
            self.counts[f"login {verdict}"] += 1

    def forgive(self, host: str) -> None:
        """It knew its password: what was before were mistakes."""
        self._strikes.pop(site(host), None)

    def banned(self, now: float) -> Iterator[tuple[str, float]]:
        """Who is not listened to, and for how many seconds more."""
        return ((host, until - now) for host, until in self._banned.items() if until > now)

    def bans(self, host: str, now: float) -> bool:
        """Whether nothing of this source is read."""
        host = site(host)
        until = self._banned.get(host)
        if until is not None and until <= now:
            del self._banned[host]
            return False
        return until is not None

    def _bucket(
        self, buckets: dict[str, Bucket], host: str, rate: float, size: float, now: float
    ) -> Bucket:
        """The one of this source, as the latest of all."""
        bucket = buckets.pop(host, None)
        if bucket is None:
            self._make_room(buckets)
            bucket = Bucket(rate, size, size, now)
        buckets[host] = bucket
        return bucket

    @staticmethod
    def _make_room(table: dict[str, Bucket] | dict[str, float]) -> None:
        if len(table) >= MOST_SOURCES:
            del table[next(iter(table))]
