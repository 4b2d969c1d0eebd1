"""Trunks, and who is shown as calling on them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

import phonenumbers
from pydantic import Field, model_validator

from offhook.config.section import Section
from offhook.config.values import (
    Networks,
    NumberOrNone,
    Numbers,
    Prefixes,
    Secret,
    SipHost,
    Transport,
)

RefusalCode = Annotated[int, Field(ge=400, le=699)]


class CallerId(Section):
    """Which caller ids go out on a trunk, and how they are written."""

    default: NumberOrNone = Field(default="", examples=["+493012345600"])
    """Shown in place of a caller id that is not allowed, or is no phone number."""

    allowed: Numbers = Field(default=(), examples=[["+493012345600", "+493012345601"]])
    """The caller ids that may be shown; an empty list allows all."""

    format: Literal["e164", "national", "plus-less"] = "e164"
    """How numbers are written: e164 (+4930...), national (030...) or plus-less (4930...)."""

    header: Literal["From", "P-Asserted-Identity", "Remote-Party-ID"] = "From"
    """The header that carries it: From, or one of P-Asserted-Identity and Remote-Party-ID beside
    it. What comes in by it is believed."""

    @model_validator(mode="after")
    def _replaceable(self) -> Self:
        if self.allowed and not self.default:
            raise ValueError('"allowed" needs a "default" to show in place of any other')
        return self

    def shown(self, own: str) -> str:
        """The caller id to show for a call whose own is E.164 or anything else."""
        passes = own in self.allowed if self.allowed else own.startswith("+")
        number = own if passes else self.default or own
        if self.format == "e164" or not number.startswith("+"):
            return number
        if self.format == "plus-less":
            return number.removeprefix("+")
        national = phonenumbers.format_number(
            phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.NATIONAL
        )
        return re.sub(r"\D", "", national)


class Trunk(Section):
    """A carrier or PBX that calls come from and go to by SIP. Repeat this table for each."""

    name: str = Field(min_length=1, examples=["berlin"])
    """What it is called, here and in logs."""

    address: SipHost = Field(default="", examples=["sip.example.com"])
    """Its host or HOST:PORT; empty for one that only calls in. A call from this address is its."""

    transport: Transport = "udp"
    """How calls go out to it: udp, tcp or tls. They may come in by any."""

    prefixes: Prefixes = ("+",)
    """Numbers that begin like this go out here; the longest match of all trunks decides. An empty
    list sends no calls here."""

    allow: Networks = Field(default=(), examples=[["192.0.2.0/28"]])
    """More networks that its calls may come from."""

    username: str = Field(default="", examples=["offhook"])
    """What to answer when it asks who we are."""

    password: Secret | None = Field(default=None, examples=["our secret"])
    """The password that goes with `username`."""

    peer_username: str = Field(default="", examples=["carrier"])
    """What it must answer when we ask who it is; empty: we do not ask."""

    peer_password: Secret | None = Field(default=None, examples=["their secret"])
    """The password that goes with `peer_username`."""

    calls: int = Field(default=0, ge=0)
    """Calls at a time, in and out; more go to the next trunk for the number, or are refused (503).
    0: any number."""

    srtp: bool = False
    """Whether the sound of calls out to it must be encrypted (SRTP). Of calls in it is when they
    ask for it. Use it with the transport tls, which keeps the keys secret."""

    emergency: bool = False
    """Whether calls to emergency numbers go out here. Ask the carrier before you set this."""

    register_there: bool = Field(default=False, alias="register")
    """Whether we register there as `username`, for trunks that send calls to where they were
    registered from."""

    watch: float = Field(default=60, ge=0)
    """Seconds between two questions (OPTIONS) whether it is there; 0: it is not asked. While it is
    not, other trunks for a number are tried first."""

    failover_on: tuple[RefusalCode, ...] = (408, 500, 502, 504)
    """Refusals of calls out, before anybody rang, after which the next trunk for the number is
    tried; 503 and silence always are."""

    proxy: SipHost = Field(default="", examples=["proxy.example.com"])
    """The host or HOST:PORT that everything for it is sent to first (an outbound proxy)."""

    keep_alive: float = Field(default=0, ge=0, examples=[25])
    """Seconds between two empty datagrams that keep a NAT in front of us open for it; 0: none.
    Connections are kept alive by themselves."""

    caller_id: CallerId = CallerId()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not (self.address or self.allow or self.peer_username):
            raise ValueError('it needs an "address", or "allow" or "peer_username" to call in only')
        if self.register_there and not (self.address and self.username):
            raise ValueError('"register" needs an "address" and a "username"')
        for name, password in (("username", self.password), ("peer_username", self.peer_password)):
            if bool(getattr(self, name)) != bool(password):
                other = name.replace("username", "password")
                raise ValueError(f'"{name}" and "{other}" go together: give both or neither')
        return self
