"""A webhook's URL, taken apart once.  reference: webhooks section 3.5, RFC 3986."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit

from offhook.errors import WebhookError
from offhook.frozen import frozen
from offhook.webhooks.overrides import Note, Overrides, read

_PORTS = {"http": 80, "https": 443}
_KEEP = "%:/?#[]@!$&'()*+,;=-._~"
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_ADDRESS = re.compile(r"\[[0-9a-f:.]+\]|\d{1,3}(\.\d{1,3}){3}", re.IGNORECASE)
_LEGACY_ADDRESS = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)\.?", re.IGNORECASE)


@frozen
class Credentials:
    user: str
    password: str


@frozen
class Target:
    """`url` is what is sent and signed: no fragment, no credentials, no default port."""

    url: str
    scheme: str
    host: str
    path: str
    credentials: Credentials | None
    overrides: Overrides
    notes: tuple[Note, ...]

    @property
    def origin(self) -> str:
        return self.url[: self.url.index("/", len(self.scheme) + 3)]

    def asked(self, params: Iterable[tuple[str, str]]) -> str:
        """The URL with parameters behind those it has, as a GET carries them."""
        query = urlencode(list(params), encoding="utf-8")
        if not query:
            return self.url
        if "?" not in self.url:
            return f"{self.url}?{query}"
        return self.url + ("" if self.url.endswith("&") else "&") + query


@lru_cache(maxsize=1024)
def target(text: str, *, underscore: bool = True) -> Target:
    """The parts of an absolute http or https URL. Raises WebhookError 11100.

    Status callbacks go to no host with an underscore in its name (`underscore` False).
    """
    url = quote(text.strip(), safe=_KEEP)
    try:
        parts = urlsplit(url)
        scheme, port = parts.scheme.lower(), parts.port
        host = _host(unquote(parts.hostname or ""))
    except ValueError as error:
        raise _invalid(text, str(error)) from None
    if scheme not in _PORTS:
        raise _invalid(text, "an absolute http or https URL is expected")
    if not underscore and "_" in host:
        raise _invalid(text, "the host name has an underscore")
    place = host if port in {None, _PORTS[scheme]} else f"{host}:{port}"
    path = parts.path or "/"
    overrides, notes = read(parts.fragment)
    return Target(
        url=f"{scheme}://{place}{path}" + (f"?{parts.query}" if parts.query else ""),
        scheme=scheme,
        host=host.strip("[]"),
        path=path,
        credentials=_credentials(parts.username, parts.password),
        overrides=overrides,
        notes=notes,
    )


def resolve(base: str, reference: str) -> str:
    """A URL of TwiML against that of its document (RFC 3986 section 5); empty is the document's.

    What is no URL stays as it is.
    """
    try:
        return urljoin(base, reference.strip())
    except ValueError:
        return reference.strip()


def without_credentials(text: str) -> str:
    """The URL fit for being shown, logged or passed on as ErrorUrl."""
    return re.sub(r"^(\s*[a-z][a-z0-9+.-]*://)[^/?#]*@", r"\1", text.strip(), flags=re.IGNORECASE)


def _host(name: str) -> str:
    if ":" in name:
        name = f"[{name}]"
    if _ADDRESS.fullmatch(name):
        return name.lower()
    ascii_name = name.lower() if name.isascii() else name.encode("idna").decode()
    labels = ascii_name.removesuffix(".").split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("the host name is not valid")
    # 2130706433 and 0x7f.1 are addresses to some resolvers; nobody writes them in good faith.
    if _LEGACY_ADDRESS.fullmatch(ascii_name):
        raise ValueError("the host is neither a name nor an address")
    return ascii_name


def _credentials(user: str | None, password: str | None) -> Credentials | None:
    if user is None:
        return None
    return Credentials(unquote(user), unquote(password or ""))


def _invalid(text: str, why: str) -> WebhookError:
    return WebhookError(11100, without_credentials(text), f"not a URL that can be asked: {why}")
