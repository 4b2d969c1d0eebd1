"""A certificate authority of this data folder alone, good for nothing but the platform's hosts.

Its key never leaves the folder, which is its user's alone. Its certificate is limited to the
platform's domain (name constraints, RFC 5280 section 4.2.1.10), so that who trusts it trusts it for
no other host.
"""

from __future__ import annotations

import fcntl
import os
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from offhook.frozen import frozen

DOMAIN = "twilio.com"
YEARS, RENEWED, LEAF = timedelta(days=3650), timedelta(days=60), timedelta(days=30)
BACKDATED = timedelta(days=1)  # for clocks that are behind

Extension = tuple[x509.ExtensionType, bool]


@frozen
class Authority:
    """`certificate` is who trusts it has to know: a file in PEM."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def path(self) -> Path:
        return self.folder / "authority.pem"

    @classmethod
    def of(cls, folder: Path, now: datetime) -> Authority:
        """The one of this folder; made when there is none or it will soon be too old.

        Of several who ask at once, one makes it.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with _alone_in(folder):
            try:
                found = cls._load(folder)
            except (OSError, ValueError, TypeError):
                found = None
            if found and found.certificate.not_valid_after_utc - RENEWED > now:
                return found
            return cls._make(folder, now)

    @classmethod
    def _load(cls, folder: Path) -> Authority:
        key = serialization.load_pem_private_key((folder / "authority.key").read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((folder / "authority.pem").read_bytes())
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("not a key of ours")
        if key.public_key() != certificate.public_key():
            raise ValueError("the key is another certificate's")
        return cls(folder, key, certificate)

    @classmethod
    def _make(cls, folder: Path, now: datetime) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Offhook on this machine")
        builder = _certificate(name, name, key, now, YEARS)
        extensions: Sequence[Extension] = [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(signs=False), True),
            (x509.NameConstraints([x509.DNSName(DOMAIN)], None), True),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        ]
        certificate = _signed(builder, extensions, key)
        private(folder / "authority.key", _pem(key))
        put(folder / "authority.pem", certificate.public_bytes(Encoding.PEM))
        return cls(folder, key, certificate)

    def stands_for(self, host: str, now: datetime) -> ssl.SSLContext:
        """A server's context with a certificate for this host."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _certificate(_name(host[:64]), self.certificate.subject, key, now, LEAF)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        extensions: Sequence[Extension] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(signs=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName([x509.DNSName(host)]), False),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (issuer, False),
        ]
        certificate = _signed(builder, extensions, self.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        chain = self.folder / f".{os.getpid()}-{host}.pem"  # OpenSSL takes it from a file only
        private(chain, _pem(key) + certificate.public_bytes(Encoding.PEM))
        try:
            context.load_cert_chain(chain)
        finally:
            chain.unlink()
        return context


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Nobody else who says so is in this folder meanwhile."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def put(path: Path, content: bytes) -> None:
    """In the place of what was there at once: who reads it meanwhile reads the one or the other."""
    partial = path.with_name(f".{os.getpid()}-{threading.get_ident()}-{path.name}")
    partial.write_bytes(content)
    os.replace(partial, path)


def private(path: Path, content: bytes) -> None:
    """Written so that nobody else can read it at any moment."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    lasts: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lasts)
    )


def _signed(
    builder: x509.CertificateBuilder,
    extensions: Sequence[Extension],
    key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256())


def _usage(*, signs: bool) -> x509.KeyUsage:
    """A server `signs` handshakes; an authority certificates."""
    return x509.KeyUsage(
        digital_signature=signs, key_cert_sign=not signs, crl_sign=not signs,
        content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
