"""The handshake by which a browser and we agree on keys for SRTP (RFC 5763, RFC 5764)."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from offhook.media.orders import Identity, Srtp, Web

MTU = 1200  # bytes of a datagram of ours: every path of the internet takes as many
LIFE = timedelta(days=3650)  # nobody looks: it is believed by its fingerprint, for one process
FIRST, LONGEST = 0.5, 8.0  # seconds until a flight is repeated: at first, and at most
LINGER = 30.0  # seconds for which our last flight may have to be repeated
LABEL = b"EXTRACTOR-dtls_srtp"  # RFC 5764 section 4.2
PROFILES = {  # by OpenSSL's names, in our order: the suite, bytes of its key and of its salt
    b"SRTP_AEAD_AES_128_GCM": ("AEAD_AES_128_GCM", 16, 12),
    b"SRTP_AEAD_AES_256_GCM": ("AEAD_AES_256_GCM", 32, 12),
    b"SRTP_AES128_CM_SHA1_80": ("AES_CM_128_HMAC_SHA1_80", 16, 14),
}
HASHES = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}


def identity(at: datetime) -> Identity:
    """A new certificate, signed by itself."""
    private = ec.generate_private_key(ec.SECP256R1())
    us = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Offhook")])
    builder = x509.CertificateBuilder(us, us, private.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(at - timedelta(days=1)).not_valid_after(at + LIFE)
    signed = builder.sign(private, hashes.SHA256())
    digest = signed.fingerprint(hashes.SHA256()).hex(":").upper()
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Identity(signed.public_bytes(Encoding.PEM), secret, f"sha-256 {digest}")


class Handshake:
    """Our side of one: datagrams and the time in, datagrams out."""

    def __init__(self, agreed: Web) -> None:
        connection = SSL.Connection(_context(agreed.identity), None)
        if agreed.active:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        connection.set_ciphertext_mtu(MTU)
        self._connection: SSL.Connection | None = connection
        self._agreed = agreed
        self._flight: list[bytes] = []
        self._due = self._pause = 0.0
        self.keys: Srtp | None = None  # once both sides are who they said
        self.failed = False

    @property
    def over(self) -> bool:
        """Whether nothing will be said any more."""
        return self._connection is None

    def begin(self, now: float) -> list[bytes]:
        """What we say unasked: the first flight, if it is ours."""
        return self._step(now) if self._agreed.active and not self._flight else []

    def receive(self, data: bytes, now: float) -> list[bytes]:
        """What is to be sent in answer."""
        if self._connection is None or self.failed:
            return []
        self._connection.bio_write(data)
        return self._step(now)

    def again(self, now: float) -> list[bytes]:
        """Our last flight, when nothing has come for too long (RFC 6347 section 4.2.4)."""
        if now < self._due:
            return []
        if self.keys or self.failed:
            self._connection = None  # 80 KB, most of what such a leg costs
            return []
        self._pause = min(2 * self._pause, LONGEST)
        self._due = now + self._pause
        return self._flight

    def _step(self, now: float) -> list[bytes]:
        connection = self._connection
        if connection is None:
            return []
        try:
            self._go_on(connection)
        except (SSL.WantReadError, SSL.ZeroReturnError):
            pass
        except SSL.Error:
            self.failed = self.keys is None
        flight = _outgoing(connection)
        if self.keys or self.failed:
            self._due = now + LINGER
        elif flight:
            self._flight, self._pause, self._due = flight, FIRST, now + FIRST
        return flight

    def _go_on(self, connection: SSL.Connection) -> None:
        """As far as it goes; what comes after it is read and forgotten, a repeated last flight
        answered. Raises SSL.Error."""
        if self.keys is None:
            connection.do_handshake()
            self._finish(connection)
        while not self.failed:
            connection.recv(MTU)

    def _finish(self, connection: SSL.Connection) -> None:
        certificate = connection.get_peer_certificate(as_cryptography=True)
        suite = PROFILES.get(connection.get_selected_srtp_profile())
        if certificate is None or suite is None or not self._is_theirs(certificate):
            self.failed = True
            return
        name, key, salt = suite
        made = connection.export_keying_material(LABEL, 2 * (key + salt))
        keys, salts = made[: 2 * key], made[2 * key :]
        client, server = keys[:key] + salts[:salt], keys[key:] + salts[salt:]
        self.keys = (
            Srtp(name, client, server) if self._agreed.active else Srtp(name, server, client)
        )

    def _is_theirs(self, certificate: x509.Certificate) -> bool:
        raw = certificate.public_bytes(Encoding.DER)
        return any(_is_of(raw, said) for said in self._agreed.fingerprint.split(","))


def _is_of(raw: bytes, fingerprint: str) -> bool:
    algorithm, _, said = fingerprint.partition(" ")
    counted = HASHES.get(algorithm.lower())
    return counted is not None and counted(raw).hexdigest() == said.replace(":", "").lower()


def _outgoing(connection: SSL.Connection) -> list[bytes]:
    out = []
    try:
        while True:
            out.append(connection.bio_read(2 * MTU))
    except SSL.WantReadError:
        return _datagrams(b"".join(out))


def _datagrams(records: bytes) -> list[bytes]:
    """Records together as far as they fit: the memory between us and OpenSSL is a stream."""
    datagrams, at = [b""], 0
    while at + 13 <= len(records):
        end = at + 13 + int.from_bytes(records[at + 11 : at + 13])
        if datagrams[-1] and len(datagrams[-1]) + end - at > MTU:
            datagrams.append(b"")
        datagrams[-1] += records[at:end]
        at = end
    return [each for each in datagrams if each]


@lru_cache(maxsize=4)
def _context(identity: Identity) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.use_certificate(x509.load_pem_x509_certificate(identity.certificate))
    key = load_pem_private_key(identity.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    context.use_privatekey(key)
    # Who the other side is, its fingerprint says, by way of the signalling.
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    context.set_tlsext_use_srtp(b":".join(PROFILES))
    # Nobody resumes a call's session, and OpenSSL would keep thousands of them.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)
    return context
