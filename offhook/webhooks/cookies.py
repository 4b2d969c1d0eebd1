"""A cookie jar.  RFC 6265, reference: webhooks section 6."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from offhook.frozen import frozen

_MOST, _LONGEST = 50, 4096
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?!\d)")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


@frozen
class Cookie:
    """`host_only` when no Domain was given; `expires` None for the length of the session."""

    name: str
    value: str
    domain: str
    path: str
    host_only: bool
    secure: bool
    expires: datetime | None


class Jar:
    """The cookies of one session."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[str, str, str], Cookie] = {}

    def __bool__(self) -> bool:
        return bool(self._cookies)

    def keep(self, url: str, set_cookie: Iterable[str], now: datetime) -> None:
        """Take in the Set-Cookie headers of an answer from `url` (section 5.3)."""
        for text in set_cookie:
            cookie = parse(url, text, now)
            if cookie is None:
                continue
            key = (cookie.domain, cookie.path, cookie.name)
            created = self._cookies.pop(key, None)
            if cookie.expires is None or cookie.expires > now:
                self._cookies[key] = cookie
            if not created and len(self._cookies) > _MOST:
                del self._cookies[next(iter(self._cookies))]

    def header(self, url: str, now: datetime) -> str:
        """What Cookie says in a request to `url`, "" for nothing (section 5.4)."""
        fitting = [each for each in self._cookies.values() if _fits(each, url, now)]
        fitting.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{each.name}={each.value}" for each in fitting)


def parse(url: str, text: str, now: datetime) -> Cookie | None:
    """A Set-Cookie header from `url`, None when it is to be ignored (section 5.2)."""
    pair, *rest = text.split(";")
    name, equals, value = (part.strip() for part in pair.partition("="))
    if not name or not equals or len(text) > _LONGEST:
        return None
    attributes: dict[str, str] = {}
    for each in rest:
        key, _, given = each.partition("=")
        attributes[key.strip().lower()] = given.strip()
    parts = urlsplit(url)
    host = parts.hostname or ""
    domain = attributes.get("domain", "").removeprefix(".").lower()
    if domain and not _may_set(domain, host):
        return None
    path = attributes.get("path", "")
    return Cookie(
        name=name,
        value=value,
        domain=domain or host,
        path=path if path.startswith("/") else _default_path(parts.path),
        host_only=not domain,
        secure="secure" in attributes,
        expires=_expiry(attributes, now),
    )


def _may_set(domain: str, host: str) -> bool:
    # Without a list of public suffixes, at least no cookie for a whole top level domain.
    return domain == host or ("." in domain and _domain_matches(host, domain))


def _fits(cookie: Cookie, url: str, now: datetime) -> bool:
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path or "/"
    if cookie.expires is not None and cookie.expires <= now:
        return False
    if cookie.secure and parts.scheme != "https":
        return False
    if not (
        host == cookie.domain or (not cookie.host_only and _domain_matches(host, cookie.domain))
    ):
        return False
    under = path.startswith(cookie.path)
    return path == cookie.path or (
        under and (cookie.path.endswith("/") or path[len(cookie.path)] == "/")
    )


def _domain_matches(host: str, domain: str) -> bool:
    return host == domain or (host.endswith("." + domain) and not _is_address(host))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _default_path(path: str) -> str:
    return path[: path.rindex("/")] or "/" if path.startswith("/") else "/"


def _expiry(attributes: dict[str, str], now: datetime) -> datetime | None:
    age = attributes.get("max-age", "")
    if re.fullmatch(r"-?\d+", age):
        seconds = min(int(age), 400 * 86_400)
        return now + timedelta(seconds=seconds) if seconds > 0 else datetime.min.replace(tzinfo=UTC)
    return _date(attributes.get("expires", ""))


def _date(text: str) -> datetime | None:
    """A cookie date, None for what is none: its fields in any order (section 5.1.1)."""
    time = _TIME.search(text)
    words = re.split(r"[\s,;/-]+", _TIME.sub(" ", text).lower())
    months = [_MONTHS.index(word[:3]) + 1 for word in words if word[:3] in _MONTHS]
    numbers = [int(word) for word in words if word.isdecimal()]
    if not time or not months or len(numbers) < 2:
        return None
    day, year = (numbers[0], numbers[1]) if numbers[0] <= 31 else (numbers[1], numbers[0])
    year += 1900 if 70 <= year <= 99 else 2000 if year < 70 else 0
    try:
        hour, minute, second = map(int, time.groups())
        return datetime(year, months[0], day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
