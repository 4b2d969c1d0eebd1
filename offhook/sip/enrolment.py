"""Registering at somebody else's: what we say, and what it grants.  RFC 3261 section 10.2."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from offhook.sip import digest
from offhook.sip.core import ALLOW
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop
from offhook.sip.message import Request, Response
from offhook.sip.uri import Uri, parse_address, parse_uri

_SECONDS = re.compile("[0-9]{1,10}")


@dataclass(slots=True)
class Enrolment:
    """Where we register, and as whom, by which proxies. The rest is the same in all its REGISTERs
    (section 10.2)."""

    registrar: str
    domain: str
    user: str
    hop: Hop
    credentials: digest.Credentials
    route: tuple[str, ...] = ()
    call_id: str = ""
    tag: str = ""
    cseq: int = 0
    place: tuple[str, int | None] = ("", None)  # where we last said that we are

    def request(self, seconds: int, contact: str, agent: str, rand: Callable[[], str]) -> Request:
        """A REGISTER without its CSeq, for calls to reach us at `contact`."""
        self.call_id, self.tag = self.call_id or rand(), self.tag or rand()[:16]
        address = f"<{Uri('sip', self.user, self.domain)}>"
        here = parse_uri(contact)
        self.place = here.host, here.port
        contact = str(replace(here, user=self.user))
        fields = (
            ("Max-Forwards", "70"),
            *(("Route", each) for each in self.route),
            ("From", f"{address};tag={self.tag}"),
            ("To", address),
            ("Call-ID", self.call_id),
            ("Contact", f"<{contact}>;expires={seconds}"),
            ("Expires", str(seconds)),
            ("Supported", "path"),
            ALLOW,
            ("User-Agent", agent),
        )
        return Request(fields, b"", "REGISTER", self.registrar)

    def granted(self, response: Response, asked: int) -> int:
        """How many seconds a registrar's 200 gives us: those of our Contact, else its Expires, else
        what was `asked`. Others may have registered as the same user; where none of the Contacts
        is ours, since a NAT had it written anew, the longest is: it is the latest."""
        lasting: dict[tuple[str, int | None], int] = {}
        with suppress(BadSip):
            for contact in map(parse_address, response.all("contact")):
                uri, seconds = contact.parsed, contact.param("expires")
                if uri.user == self.user and _SECONDS.fullmatch(seconds):
                    lasting[uri.host, uri.port] = int(seconds)
        if lasting:
            return lasting.get(self.place, max(lasting.values()))
        expires = response.get("expires")
        return int(expires) if _SECONDS.fullmatch(expires) else asked
