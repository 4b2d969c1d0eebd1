"""The variables that lead each official library through the proxy and let it trust the authority.

Python reads HTTPS_PROXY and REQUESTS_CA_BUNDLE, its asynchronous client with the help of a
`sitecustomize` and SSL_CERT_FILE; Node HTTP_PROXY, also for https, and
NODE_EXTRA_CA_CERTS; Ruby and Go HTTPS_PROXY and SSL_CERT_FILE; PHP HTTPS_PROXY and an ini file;
Java properties; curl HTTPS_PROXY and CURL_CA_BUNDLE.
"""

from __future__ import annotations

import os
import re
import ssl
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)

from offhook.proxy.authority import Authority, put

_PEM = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
HERE = "localhost,127.0.0.1,::1"
USUAL_ROOTS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
FOR_PYTHON = Path(__file__).with_name("python")
OWN_ROOTS = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def variables(authority: Authority, port: int, own: Mapping[str, str]) -> dict[str, str]:
    """What to add to the variables `own`. Writes the files that they name beside the authority's.

    Files of roots replace the system's, so ours holds those too. Programs started before read them.
    """
    folder, ca = authority.folder, authority.path.read_text()
    roots = _roots(own)
    bundle = folder / "bundle.pem"
    put(bundle, f"{roots}\n{ca}".encode())
    extra = folder / "extra.pem"
    put(extra, (_text(own.get("NODE_EXTRA_CA_CERTS", "")) + ca).encode())
    told = f'curl.cainfo="{bundle}"\nopenssl.cafile="{bundle}"\n'
    put(folder / "php.ini", told.encode())
    trusted = folder / "trusted.p12"
    put(trusted, _for_java(roots, authority))
    proxy = f"http://127.0.0.1:{port}"
    direct = ",".join(filter(None, [own.get("NO_PROXY") or own.get("no_proxy"), HERE]))
    return {
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY"), proxy),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), direct),
        **dict.fromkeys(OWN_ROOTS, str(bundle)),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(FOR_PYTHON), own.get("PYTHONPATH")])),
        "NODE_EXTRA_CA_CERTS": str(extra),
        "PHP_INI_SCAN_DIR": f"{own.get('PHP_INI_SCAN_DIR', '')}{os.pathsep}{folder}",
        "JAVA_TOOL_OPTIONS": " ".join(
            filter(None, [own.get("JAVA_TOOL_OPTIONS"), _java(port, trusted)])
        ),
    }


def _roots(own: Mapping[str, str]) -> str:
    """The roots that programs trust already."""
    system = ssl.get_default_verify_paths().cafile
    known = [*(own.get(name) for name in OWN_ROOTS), system, *USUAL_ROOTS]
    return next(filter(None, (_text(path or "") for path in known)), "")


def _text(path: str) -> str:
    return Path(path).read_text("utf-8", "replace") if path and Path(path).is_file() else ""


def _java(port: int, trusted: Path) -> str:
    return (
        f"-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort={port} "
        f"-Djavax.net.ssl.trustStore={trusted} -Djavax.net.ssl.trustStoreType=PKCS12"
    )


def _for_java(roots: str, authority: Authority) -> bytes:
    found = [authority.certificate]
    for each in _PEM.findall(roots):
        with warnings.catch_warnings(), suppress(ValueError):
            warnings.simplefilter("ignore")  # some roots are older than today's rules
            found.append(x509.load_pem_x509_certificate(each.encode()))
    named = [PKCS12Certificate(each, str(n).encode()) for n, each in enumerate(found)]
    return serialize_java_truststore(named, NoEncryption())
