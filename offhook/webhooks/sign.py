"""X-Twilio-Signature.  reference: webhooks section 4."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any


def signature(key: str, url: str, params: Iterable[tuple[str, str]] = ()) -> str:
    """What the header says of a request to `url`, exactly as written, with these form fields.

    `key` is the account's primary auth token. A GET has its parameters in `url` and none here; a
    body that is no form is covered by `with_body_hash` of its URL.
    """
    given = tuple(params)
    order = _order(tuple([name for name, _ in given]))
    fields = "".join(chain.from_iterable(order(given) if order else sorted(set(given))))
    signed = hmac.digest(key.encode(), (url + fields).encode("utf-8"), "sha1")
    return base64.b64encode(signed).decode()


@lru_cache(maxsize=256)
def _order(names: tuple[str, ...]) -> Callable[[Any], Iterable[tuple[str, str]]] | None:
    """What puts fields of these names in the order of their bytes, which in UTF-8 is that of their
    characters. None where values count as well: several have one name, or there is none to sort."""
    if len(set(names)) < max(len(names), 2):
        return None
    return itemgetter(*sorted(range(len(names)), key=names.__getitem__))


def with_body_hash(url: str, body: bytes) -> str:
    """The URL with `bodySHA256` in its query, for a body that is no form."""
    join = "&" if "?" in url else "?"
    return f"{url}{join}bodySHA256={hashlib.sha256(body).hexdigest()}"
