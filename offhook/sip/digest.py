"""Digest authentication, both sides.  RFC 7616, RFC 2617, RFC 8760 (SHA-256 in SIP).

The time is handed in as seconds since 1970, since any node must be able to judge another's nonce.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from offhook.frozen import frozen
from offhook.sip.grammar import BadSip, quoted, unquoted
from offhook.sip.uri import parse_uri

ALGORITHMS = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
NONCE_SECONDS = 300
AHEAD = 60  # seconds that another node's clock may be
_PAIR = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)\s*(?:,|$)\s*')
_COUNT = re.compile("[0-9A-Fa-f]{1,8}")
_MAC_BYTES = 18
MOST_NONCES = 100_000  # in use at a time: for 300 logins a second, each with a nonce of its own


@frozen
class Credentials:
    """`hashes` stand for a password that is not known: by algorithm, the digest of username, realm
    and password (HA1 of RFC 7616 section 3.4.2), good for that realm alone."""

    username: str
    password: str
    hashes: Mapping[str, str] | None = None


def parse(value: str) -> dict[str, str]:
    """The parameters of a Digest challenge or answer, names in lower case; {} for anything else."""
    scheme, _, rest = value.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() != "digest":
        return {}
    found, position = {}, 0
    while position < len(rest):
        pair = _PAIR.match(rest, position)
        if not pair:
            return {}
        found[pair[1].lower()] = unquoted(pair[2])
        position = pair.end()
    return found


def response_of(
    credentials: Credentials, method: str, uri: str, body: bytes, fields: Mapping[str, str]
) -> str:
    """The `response` value (RFC 7616 section 3.4.1) for the realm, nonce, qop ... in `fields`.

    Raises KeyError for an algorithm this project does not have.
    """
    name = fields.get("algorithm", "MD5").upper()
    make = ALGORITHMS[name.removesuffix("-SESS")]

    def digest(text: str) -> str:
        return make(text.encode("utf-8", "surrogateescape")).hexdigest()

    a1 = digest(f"{credentials.username}:{fields['realm']}:{credentials.password}")
    if credentials.hashes:
        a1 = credentials.hashes[name.removesuffix("-SESS")]
    if name.endswith("-SESS"):
        a1 = digest(f"{a1}:{fields['nonce']}:{fields.get('cnonce', '')}")
    qop = fields.get("qop", "")
    a2 = f"{method}:{uri}" + (f":{make(body).hexdigest()}" if qop == "auth-int" else "")
    middle = f":{fields.get('nc', '')}:{fields.get('cnonce', '')}:{qop}" if qop else ""
    return digest(f"{a1}:{fields['nonce']}{middle}:{digest(a2)}")


class Client:
    """Answers challenges with one pair of credentials; counts how often each nonce was used."""

    def __init__(self, credentials: Credentials, rand: Callable[[], str]) -> None:
        self._credentials, self._rand = credentials, rand
        self._used: dict[str, int] = {}

    def answer(
        self, challenges: Sequence[str], method: str, uri: str, body: bytes = b""
    ) -> str | None:
        """The Authorization value for the first challenge that can be met (RFC 8760 section 2.3).

        None when none can: no known algorithm, or a qop that nobody knows.
        """
        for challenge in map(parse, challenges):
            name = challenge.get("algorithm", "MD5").upper()
            offered = [qop.strip() for qop in challenge.get("qop", "").split(",") if qop.strip()]
            qop = next((each for each in ("auth", "auth-int") if each in offered), "")
            known = name.removesuffix("-SESS") in ALGORITHMS
            if known and "nonce" in challenge and bool(qop) == bool(offered):
                return self._answer(challenge, method, uri, body, qop)
        return None

    def again(self, answer: str, method: str, uri: str, body: bytes) -> str:
        """An answer that was given, for the next request with its nonce."""
        given = parse(answer)
        return self._answer(given, method, uri, body, given.get("qop", ""))

    def _answer(
        self, challenge: dict[str, str], method: str, uri: str, body: bytes, qop: str
    ) -> str:
        nonce = challenge["nonce"]
        fields = {"realm": challenge.get("realm", ""), "nonce": nonce}
        if "algorithm" in challenge:
            fields["algorithm"] = challenge["algorithm"]
        if qop or fields.get("algorithm", "").upper().endswith("-SESS"):
            fields["cnonce"] = self._rand()[:16]
        if qop:
            self._used[nonce] = self._used.get(nonce, 0) + 1
            fields |= {"qop": qop, "nc": f"{self._used[nonce]:08x}"}
        response = response_of(self._credentials, method, uri, body, fields)
        shown = {"username": self._credentials.username, **fields, "uri": uri, "response": response}
        if "opaque" in challenge:
            shown["opaque"] = challenge["opaque"]
        plain = ("algorithm", "qop", "nc")
        pairs = (f"{k}={v if k in plain else quoted(v)}" for k, v in shown.items())
        return "Digest " + ", ".join(pairs)


Verdict = Literal["right", "wrong", "stale", "absent"]


class Server:
    """Challenges and checks. Nonces prove themselves: every holder of `secret` knows them."""

    def __init__(
        self,
        realm: str,
        secret: bytes,
        rand: Callable[[], str],
        algorithms: Sequence[str] = ("SHA-256", "MD5"),
    ) -> None:
        self.realm, self._secret, self._rand = realm, secret, rand
        self._algorithms = tuple(algorithms)
        # By nonce the highest nc seen, and when it expires: the first to do so comes first.
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def challenges(self, at: float, *, stale: bool = False) -> list[str]:
        """WWW-Authenticate values, the strongest first."""
        nonce = self._nonce(at)
        end = ", stale=true" if stale else ""
        return [
            f"Digest realm={quoted(self.realm)}, nonce={quoted(nonce)}, "
            f'algorithm={name}, qop="auth"{end}'
            for name in self._algorithms
        ]

    def check(
        self,
        authorization: Sequence[str],
        method: str,
        uri: str,
        body: bytes,
        known: Mapping[str, str | Credentials],
        at: float,
    ) -> tuple[Verdict, str]:
        """The verdict and, when right, the username. `known` maps usernames to passwords, or to
        what is kept in their place.

        `uri` is the Request-URI. The digest's own must be the same, or, as some clients have it,
        the same without its user or its parameters, or with the port that is meant anyway.
        """
        answers = [parse(value) for value in authorization]
        mine = next((one for one in answers if one.get("realm") == self.realm), None)
        if mine is None:
            return "absent", ""
        username = mine.get("username", "")
        if not self._matches(mine, method, uri, body, known, username):
            return "wrong", ""
        made = self._made_at(mine.get("nonce", ""))
        if (
            made is None
            or not made - AHEAD <= at <= made + NONCE_SECONDS
            or not self._fresh(mine, at)
        ):
            return "stale", ""
        return "right", username

    def _matches(
        self,
        mine: dict[str, str],
        method: str,
        uri: str,
        body: bytes,
        known: Mapping[str, str | Credentials],
        username: str,
    ) -> bool:
        found = known.get(username)
        credentials = Credentials(username, found if isinstance(found, str) else self._rand())
        if isinstance(found, Credentials):
            credentials = found
        wanted = mine.get("algorithm", "MD5").upper()
        if wanted not in self._algorithms or mine.get("qop", "auth") != "auth":
            return False
        right = response_of(credentials, method, mine.get("uri", ""), body, {"nonce": "", **mine})
        same = _equal(right, mine.get("response", "").lower())
        return same and found is not None and _is_meant(mine.get("uri", ""), uri)

    def _fresh(self, mine: dict[str, str], at: float) -> bool:
        """Whether this nonce was not used with this count before (RFC 7616 section 3.4.5)."""
        nonce = mine["nonce"]
        if "qop" in mine and not _COUNT.fullmatch(mine.get("nc", "")):
            return False
        count = int(mine["nc"], 16) if "qop" in mine else 1
        if count <= self._counts.get(nonce, (0, 0.0))[0]:
            return False
        self._forget(at)
        if len(self._counts) >= MOST_NONCES:
            return False
        self._counts[nonce] = (count, at + AHEAD + NONCE_SECONDS)
        self._counts.move_to_end(nonce)
        return True

    def _forget(self, at: float) -> None:
        """Nonces that nobody takes any more; those first in order go first."""
        while self._counts and next(iter(self._counts.values()))[1] <= at:
            self._counts.popitem(last=False)

    def _nonce(self, at: float) -> str:
        head = f"{int(at):x}.{self._rand()[:12]}"
        return f"{head}.{self._mac(head)}"

    def _made_at(self, nonce: str) -> float | None:
        head, _, mac = nonce.rpartition(".")
        if not _equal(mac, self._mac(head)):
            return None
        return float(int(head.partition(".")[0], 16))

    def _mac(self, head: str) -> str:
        text = f"{self.realm}\n{head}".encode("utf-8", "surrogateescape")
        made = hmac.new(self._secret, text, "sha256").digest()[:_MAC_BYTES]
        return base64.urlsafe_b64encode(made).decode()


def _is_meant(said: str, uri: str) -> bool:
    """Whether a digest for `said` is good for a request to `uri` (RFC 3261 section 22.4)."""
    if said == uri:
        return True
    try:
        one, other = parse_uri(said), parse_uri(uri)
    except BadSip:
        return False
    places = [(each.scheme, each.host.lower(), each.port or 5060) for each in (one, other)]
    return places[0] == places[1] and one.user in ("", other.user)


def _equal(one: str, other: str) -> bool:
    """In a time that does not depend on where they differ."""
    first, second = (text.encode("utf-8", "surrogateescape") for text in (one, other))
    return hmac.compare_digest(first, second)
