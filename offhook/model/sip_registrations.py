"""What the SIP side needs to know of a SIP domain, and the phones that are registered there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from offhook.frozen import frozen

Hashes = Mapping[str, str]  # by algorithm, MD5 and SHA-256


@frozen
class Home:
    """A domain: who may register (`phones`), and who may call it.

    A call `asks` for a username of `callers`, is limited to `networks`, or both; else nobody may.
    Where it is `secure`, nothing comes or goes in the clear, neither signalling nor sound.
    """

    name: str
    account_sid: str
    realm: str
    registers: bool = False
    phones: Mapping[str, Hashes] = field(default_factory=dict)
    callers: Mapping[str, Hashes] = field(default_factory=dict)
    asks: bool = False
    limits: bool = False
    networks: tuple[str, ...] = ()
    secure: bool = False


@frozen
class SipRegistration:
    """The phones of one address of record, user@domain, as the registrar keeps them."""

    aor: str
    account_sid: str
    date_created: datetime
    contacts: tuple[dict[str, Any], ...] = ()
