"""Basic and digest credentials.  reference: webhooks section 5, RFC 7617, RFC 7616."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator

from offhook.frozen import frozen
from offhook.webhooks.target import Credentials

_HASHES = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
_SCHEME = re.compile(r"\s*,?\s*([A-Za-z][A-Za-z0-9_-]*)(?=\s+[A-Za-z]|\s*,|\s*$)\s*")
_FIELD = re.compile(r'\s*,?\s*([A-Za-z0-9_-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*)')


@frozen
class Challenge:
    """One way in that a server offers; `scheme` and the names of `fields` are lower case."""

    scheme: str
    fields: dict[str, str]


class Login:
    """One server's door: credentials, and once it has asked for them, how it wants them."""

    def __init__(self, credentials: Credentials, random_hex: Callable[[], str]) -> None:
        self.credentials = credentials
        self._random_hex = random_hex
        self._challenge: Challenge | None = None
        self._count = 0

    @property
    def challenged(self) -> bool:
        return self._challenge is not None

    def meet(self, headers: Iterable[str]) -> bool:
        """Note the WWW-Authenticate headers of a 401; whether one of them can be met."""
        challenge = best(challenges(headers))
        if challenge is not None:
            self._challenge, self._count = challenge, 0
        return challenge is not None

    def authorization(self, method: str, request_target: str) -> str:
        """The header, "" before the first challenge: the first request goes without."""
        if self._challenge is None:
            return ""
        if self._challenge.scheme == "basic":
            pair = f"{self.credentials.user}:{self.credentials.password}"
            return "Basic " + base64.b64encode(pair.encode()).decode()
        self._count += 1
        cnonce = self._random_hex()
        return digest(
            self.credentials, self._challenge, method, request_target, self._count, cnonce
        )


def challenges(headers: Iterable[str]) -> Iterator[Challenge]:
    """Every challenge of the WWW-Authenticate headers, several to a header or not."""
    for text in headers:
        position = 0
        while scheme := _SCHEME.match(text, position):
            position, fields = scheme.end(), dict[str, str]()
            while field := _FIELD.match(text, position):
                fields[field[1].lower()] = _unquoted(field[2])
                position = field.end()
            yield Challenge(scheme[1].lower(), fields)


def best(offered: Iterable[Challenge]) -> Challenge | None:
    """Digest before basic, SHA-256 before MD5, None when none can be met."""
    ranked = sorted((_rank(each), index, each) for index, each in enumerate(offered) if _rank(each))
    return ranked[0][2] if ranked else None


def digest(
    who: Credentials, challenge: Challenge, method: str, uri: str, count: int, cnonce: str
) -> str:
    """The Authorization header of RFC 7616 section 3.4, with qop=auth where it is offered."""
    fields = challenge.fields
    realm, nonce = fields.get("realm", ""), fields.get("nonce", "")
    algorithm = fields.get("algorithm", "MD5")
    hashed = _HASHES[algorithm.upper().removesuffix("-SESS")]

    def h(*parts: str) -> str:
        return hashed(":".join(parts).encode()).hexdigest()

    secret = h(who.user, realm, who.password)
    if algorithm.upper().endswith("-SESS"):
        secret = h(secret, nonce, cnonce)
    nc = f"{count:08x}"
    middle = (nonce, nc, cnonce, "auth") if "qop" in fields else (nonce,)
    said = [("username", who.user), ("realm", realm), ("nonce", nonce), ("uri", uri)]
    said.append(("response", h(secret, *middle, h(method, uri))))
    said += [(name, fields[name]) for name in ("opaque",) if name in fields]
    text = ", ".join(f'{name}="{_escaped(value)}"' for name, value in said)
    text += f", algorithm={algorithm}" if "algorithm" in fields else ""
    text += f', qop=auth, nc={nc}, cnonce="{cnonce}"' if "qop" in fields else ""
    return f"Digest {text}"


def _rank(challenge: Challenge) -> int:
    """1 is best, 0 cannot be met."""
    if challenge.scheme == "basic":
        return 9
    if challenge.scheme != "digest" or "nonce" not in challenge.fields:
        return 0
    offered = {word.strip() for word in challenge.fields.get("qop", "auth").split(",")}
    name = challenge.fields.get("algorithm", "MD5").upper().removesuffix("-SESS")
    return 1 + list(_HASHES).index(name) if "auth" in offered and name in _HASHES else 0


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
