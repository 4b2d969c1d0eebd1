"""SIP domains, and who may call and register there.  reference: REST voice, SIP."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from ipaddress import IPv4Address
from typing import Literal

from offhook.frozen import frozen
from offhook.model.fetch import Callback, Script

REALM = "sip.twilio.com"  # of every domain: what phones that were set up elsewhere expect
SUFFIX = ".sip.twilio.com"  # what applications written for the original ask for
MOST_DOMAINS = 100
MOST_LISTS = 100  # credential lists, and access control lists, of an account
MOST_MAPPED = 100  # lists of a kind for one use of one domain
MOST_CREDENTIALS = 1000
MOST_ADDRESSES = 100

Use = Literal["calls", "registrations"]

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_RESERVED = re.compile(r"(.+\.)?ac[0-9a-f]{32}" + re.escape(SUFFIX))


@frozen
class SipDomain:
    sid: str
    account_sid: str
    domain_name: str
    date_created: datetime
    date_updated: datetime
    friendly_name: str = ""
    api_version: str = "2010-04-01"
    voice_url: str = ""
    voice_method: str = "POST"
    voice_fallback_url: str = ""
    voice_fallback_method: str = "POST"
    voice_status_callback_url: str = ""
    voice_status_callback_method: str = "POST"
    sip_registration: bool = False
    emergency_calling_enabled: bool = False
    secure: bool = False
    byoc_trunk_sid: str = ""
    emergency_caller_sid: str = ""

    @property
    def voice(self) -> Script:
        return Script(
            self.voice_url, self.voice_method, self.voice_fallback_url, self.voice_fallback_method
        )

    @property
    def callback(self) -> Callback:
        return Callback(self.voice_status_callback_url, self.voice_status_callback_method)


@frozen
class SipList:
    """A credential list (CL...) or an IP access control list (AL...)."""

    sid: str
    account_sid: str
    friendly_name: str
    date_created: datetime
    date_updated: datetime
    kind: Literal["credentials", "addresses"] = "credentials"


@frozen
class SipCredential:
    """A user of a credential list. The password is kept as digests alone (HA1, RFC 7616 3.4.2).

    They hold for `realm`; a list that is mapped to another domain later needs no password then.
    """

    sid: str
    account_sid: str
    list_sid: str
    username: str
    realm: str
    md5: str
    sha256: str
    date_created: datetime
    date_updated: datetime


@frozen
class SipAddress:
    """The network that calls may come from, IPv4 alone."""

    sid: str
    account_sid: str
    list_sid: str
    friendly_name: str
    ip_address: str
    date_created: datetime
    date_updated: datetime
    cidr_prefix_length: int = 32


@frozen
class SipMapping:
    """A list that counts at a domain. `sid` is for lists alone; `claim` is unique."""

    sid: str
    account_sid: str
    domain_sid: str
    list_sid: str
    use: Use
    claim: str
    date_created: datetime
    date_updated: datetime


def mapping_claim(domain_sid: str, use: str, list_sid: str) -> str:
    return f"{domain_sid}/{use}/{list_sid}"


def digests(username: str, password: str, realm: str = REALM) -> tuple[str, str]:
    """HA1 by MD5 and by SHA-256: all that a challenge needs of a password."""
    secret = f"{username}:{realm}:{password}".encode()
    return hashlib.md5(secret).hexdigest(), hashlib.sha256(secret).hexdigest()


def domain_name(text: str) -> str:
    """The name in lower case. Raises ValueError unless it is a host name of two labels or more."""
    name = text.strip().lower()
    labels = name.split(".")
    if len(name) > 253 or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"{text[:100]} is not a domain name")
    if f".{name}".endswith(".twilio.com") and not name.endswith(SUFFIX):
        raise ValueError(f"{text[:100]} is not a name below {REALM}")
    if _RESERVED.fullmatch(name):
        raise ValueError(f"{text[:100]} is reserved: it is an account's SID")
    return name


def parents(name: str) -> list[str]:
    """The domains that `name` lies below, the nearest first."""
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels) - 1)]


def is_strong(password: str) -> bool:
    """12 characters or more, with a digit, a capital and a small letter."""
    kinds = (str.isdecimal, str.isupper, str.islower)
    return len(password) >= 12 and all(any(map(kind, password)) for kind in kinds)


def is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
