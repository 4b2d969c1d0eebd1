"""Keys for media in session descriptions: the crypto attribute.  RFC 4568, RFC 7714 for GCM."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import field
from hashlib import shake_256

from offhook.frozen import frozen

# Bytes of master key and salt together, for each suite that we know, in our order.
KEY_BYTES = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AEAD_AES_256_GCM": 44,
    "AEAD_AES_128_GCM": 28,
}
_LINE = re.compile(r"([0-9]{1,9}) ([A-Z0-9_]+) inline:([A-Za-z0-9+/]+={0,2})(\S*)((?: \S+)*)")
_LIFETIME = re.compile(r"(\|(2\^[0-9]{1,2}|[0-9]{1,20}))?")


@frozen
class Crypto:
    """One a=crypto line. `key` is what its writer seals with, salt included."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"a=crypto:{self.tag} {self.suite} inline:{b64encode(self.key).decode()}"


def read(value: str) -> Crypto | None:
    """What stands behind `a=crypto:`, None for what we do not know or cannot do.

    Left aside are unknown suites, several keys or an MKI, and session parameters that must be
    understood (RFC 4568 section 6.3: all but those that begin with `-`).
    """
    found = _LINE.fullmatch(value.strip())
    if not found:
        return None
    tag, suite, inline, more, params = found.groups()
    must = [each for each in params.split() if not each.startswith("-")]
    if must or not _LIFETIME.fullmatch(more):
        return None
    try:
        key = b64decode(inline + "=" * (-len(inline) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Crypto(int(tag), suite, key) if len(key) == KEY_BYTES.get(suite) else None


def ours(tag: int, suite: str, secret: bytes) -> Crypto:
    """Our line. Each suite has a key of its own: where another is agreed on later, the numbers of
    packets may begin anew, and none may come twice under one key (RFC 3711 section 9.1)."""
    return Crypto(tag, suite, shake_256(suite.encode() + secret).digest(KEY_BYTES[suite]))


def offered(secret: bytes) -> tuple[Crypto, ...]:
    """Everything we can do, in our order."""
    return tuple(ours(tag, suite, secret) for tag, suite in enumerate(KEY_BYTES, 1))
