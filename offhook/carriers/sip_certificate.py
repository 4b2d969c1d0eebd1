"""A certificate for development, made on demand: signed by itself, believed by nobody else."""

from __future__ import annotations

import ipaddress
import os
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

DAYS = 397
RENEW = timedelta(days=30)  # before its end at which another one is made


def development_certificate(
    folder: Path, names: tuple[str, ...], at: datetime
) -> tuple[Path, Path]:
    """The files of a certificate and its key for these hosts, made unless they are there.

    One that is about to end, or that does not bear these names, is made anew. Raises OSError.
    """
    certificate, key = folder / "sip-certificate.pem", folder / "sip-key.pem"
    if not (key.exists() and _serves(certificate, names, at)):
        private = ec.generate_private_key(ec.SECP256R1())
        secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(key, secret)
        _write(certificate, _signed(private, names, at).public_bytes(Encoding.PEM))
    return certificate, key


def _signed(
    private: ec.EllipticCurvePrivateKey, names: tuple[str, ...], at: datetime
) -> x509.Certificate:
    us = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Offhook development")])
    alternatives = x509.SubjectAlternativeName([_name(name) for name in names])
    builder = x509.CertificateBuilder(us, us, private.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(at - timedelta(days=1))
    builder = builder.not_valid_after(at + timedelta(days=DAYS))
    builder = builder.add_extension(alternatives, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.sign(private, hashes.SHA256())


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _serves(file: Path, names: tuple[str, ...], at: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError):
        return False
    borne = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return at < certificate.not_valid_after_utc - RENEW and set(map(_name, names)) <= set(borne)


def _write(file: Path, data: bytes) -> None:
    """Readable by us alone, and there as a whole or not at all."""
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(data)
    part.replace(file)
