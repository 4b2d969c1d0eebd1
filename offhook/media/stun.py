"""STUN binding requests and their answers (RFC 5389), as ICE uses them (RFC 8445 section 7.3)."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import struct
import zlib
from typing import Final

from offhook.frozen import frozen
from offhook.media.rtp import Address

COOKIE: Final = 0x2112A442
HEADER: Final = 20
BINDING, SUCCESS, ERROR = 0x0001, 0x0101, 0x0111
USERNAME, INTEGRITY, ERROR_CODE, UNKNOWN = 0x0006, 0x0008, 0x0009, 0x000A
XOR_MAPPED_ADDRESS, PRIORITY, USE_CANDIDATE = 0x0020, 0x0024, 0x0025
FINGERPRINT, CONTROLLED, CONTROLLING = 0x8028, 0x8029, 0x802A
_KNOWN = frozenset({USERNAME, INTEGRITY, PRIORITY, USE_CANDIDATE})
_REASONS = {420: "Unknown Attribute", 487: "Role Conflict"}
_MARK = 0x5354554E


@frozen
class Request:
    """A binding request. `signed` is what its integrity covers, with the length it had then."""

    transaction: bytes
    attributes: dict[int, bytes]
    signed: bytes

    @property
    def nominates(self) -> bool:
        return USE_CANDIDATE in self.attributes

    def by(self, user: str, password: str) -> bool:
        """Whether its writer knows both of ours (section 10.1.2), the first of which is cheap to
        ask."""
        if self.attributes.get(USERNAME, b"").partition(b":")[0] != user.encode():
            return False
        given = self.attributes.get(INTEGRITY, b"")
        return hmac.compare_digest(given, _hash(self.signed, password))


def read(data: bytes) -> Request | None:
    """A well-formed binding request with a right fingerprint; None for anything else."""
    if len(data) < HEADER or len(data) % 4:
        return None
    kind, length, cookie = struct.unpack_from("!HHI", data)
    if (kind, cookie, length) != (BINDING, COOKIE, len(data) - HEADER):
        return None
    attributes: dict[int, bytes] = {}
    signed, at = b"", HEADER
    while at + 4 <= len(data):
        name, size = struct.unpack_from("!HH", data, at)
        if at + 4 + size > len(data):
            return None
        value = data[at + 4 : at + 4 + size]
        if name == FINGERPRINT and value != _fingerprint(data[:at]):
            return None
        if not signed:  # anybody may have put there what follows (section 15.4)
            attributes.setdefault(name, value)
            if name == INTEGRITY:
                signed = _sized(data[:at], at + 24 - HEADER)
        at += 4 + size + -size % 4
    return Request(data[8:HEADER], attributes, signed)


def answer(request: Request, password: str, source: Address) -> tuple[bytes, bool]:
    """What we, who are always controlled and only answer, say to it, and whether it was right.

    It is `by` somebody who knows us: whoever does not is not answered, so that nobody can send
    answers of ours to others.
    """
    if refused := _not_understood(request):
        return _signed(refused, password), False
    if CONTROLLED in request.attributes:
        return _signed(_refusal(request, 487), password), False
    return _signed(_seen(request, source), password), True


def reflect(request: Request, source: Address) -> bytes:
    """What anybody is told who only asks where we see him, and by that whether we are there
    (RFC 5626 section 8); hardly longer than the question."""
    said = _not_understood(request) or _seen(request, source)
    return _marked(said) if FINGERPRINT in request.attributes else said


def ask(transaction: bytes, username: str, password: str, *more: tuple[int, bytes]) -> bytes:
    """A binding request, as the far end makes it."""
    body = _attribute(USERNAME, username.encode())
    body += b"".join(_attribute(name, value) for name, value in more)
    return _signed(_message(BINDING, transaction, body), password)


def _seen(request: Request, source: Address) -> bytes:
    mapped = _attribute(XOR_MAPPED_ADDRESS, _mapped(source, request.transaction))
    return _message(SUCCESS, request.transaction, mapped)


def _not_understood(request: Request) -> bytes:
    """420, where there is anything that must be understood (section 7.3.1), else nothing."""
    unknown = [name for name in request.attributes if name < 0x8000 and name not in _KNOWN]
    if not unknown:
        return b""
    names = b"".join(name.to_bytes(2) for name in unknown)
    return _refusal(request, 420, _attribute(UNKNOWN, names))


def _refusal(request: Request, code: int, more: bytes = b"") -> bytes:
    told = struct.pack("!HBB", 0, code // 100, code % 100) + _REASONS[code].encode()
    return _message(ERROR, request.transaction, _attribute(ERROR_CODE, told) + more)


def _message(kind: int, transaction: bytes, body: bytes) -> bytes:
    return struct.pack("!HHI", kind, len(body), COOKIE) + transaction + body


def _attribute(name: int, value: bytes) -> bytes:
    return struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4)


def _signed(message: bytes, password: str) -> bytes:
    """With MESSAGE-INTEGRITY and FINGERPRINT behind it (sections 15.4 and 15.5)."""
    message = _sized(message, len(message) - HEADER + 24)
    return _marked(message + _attribute(INTEGRITY, _hash(message, password)))


def _marked(message: bytes) -> bytes:
    message = _sized(message, len(message) - HEADER + 8)
    return message + _attribute(FINGERPRINT, _crc(message))


def _sized(message: bytes, length: int) -> bytes:
    return message[:2] + length.to_bytes(2) + message[4:]


def _hash(signed: bytes, password: str) -> bytes:
    return hmac.digest(password.encode(), signed, hashlib.sha1)


def _fingerprint(before: bytes) -> bytes:
    return _crc(_sized(before, len(before) - HEADER + 8))


def _crc(message: bytes) -> bytes:
    return (zlib.crc32(message) ^ _MARK).to_bytes(4)


def _mapped(source: Address, transaction: bytes) -> bytes:
    address = ipaddress.ip_address(source[0].partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    mask = (COOKIE.to_bytes(4) + transaction)[: len(address.packed)]
    hidden = bytes(a ^ b for a, b in zip(address.packed, mask, strict=True))
    family = 1 if address.version == 4 else 2
    return struct.pack("!BBH", 0, family, source[1] ^ (COOKIE >> 16)) + hidden
