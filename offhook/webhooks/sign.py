"""X-Twilio-Signature.  reference: webhooks section 4."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable


def signature(key: str, url: str, params: Iterable[tuple[str, str]] = ()) -> str:
    """What the header says of a request to `url`, exactly as written, with these form fields.

    `key` is the account's primary auth token. A GET has its parameters in `url` and none here; a
    body that is no form is covered by `with_body_hash` of its URL.
    """
    fields = "".join(name + value for name, value in sorted(set(params), key=_bytewise))
    signed = hmac.new(key.encode(), (url + fields).encode("utf-8"), hashlib.sha1)
    return base64.b64encode(signed.digest()).decode()


def with_body_hash(url: str, body: bytes) -> str:
    """The URL with `bodySHA256` in its query, for a body that is no form."""
    join = "&" if "?" in url else "?"
    return f"{url}{join}bodySHA256={hashlib.sha256(body).hexdigest()}"


def _bytewise(field: tuple[str, str]) -> tuple[bytes, bytes]:
    return field[0].encode("utf-8"), field[1].encode("utf-8")
