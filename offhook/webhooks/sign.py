"""X-Twilio-Signature.  reference: webhooks section 4."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from itertools import chain


def signature(key: str, url: str, params: Iterable[tuple[str, str]] = ()) -> str:
    """What the header says of a request to `url`, exactly as written, with these form fields.

    `key` is the account's primary auth token. A GET has its parameters in `url` and none here; a
    body that is no form is covered by `with_body_hash` of its URL.
    """
    # In the order of their bytes, which in UTF-8 is that of their characters.
    fields = "".join(chain.from_iterable(sorted(set(params))))
    signed = hmac.digest(key.encode(), (url + fields).encode("utf-8"), "sha1")
    return base64.b64encode(signed).decode()


def with_body_hash(url: str, body: bytes) -> str:
    """The URL with `bodySHA256` in its query, for a body that is no form."""
    join = "&" if "?" in url else "?"
    return f"{url}{join}bodySHA256={hashlib.sha256(body).hexdigest()}"
