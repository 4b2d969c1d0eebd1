"""Everything an operator can choose. The description of a key is its documentation."""

from __future__ import annotations

from typing import Self

import platformdirs
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from offhook import __version__
from offhook.config.prices import Prices
from offhook.config.section import Section
from offhook.config.sip_doors import Doors
from offhook.config.sip_trunks import Trunk
from offhook.config.values import (
    AccountSid,
    Address,
    Behaviour,
    File,
    Folder,
    IceUrls,
    IpAddress,
    Listen,
    ListenOrNot,
    LogFormat,
    LogLevel,
    Networks,
    Number,
    Numbers,
    Ports,
    Prefixes,
    Region,
    Secret,
    ShortCodes,
    Url,
    YesNoAuto,
)

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
DEFAULT_DATA = platformdirs.user_data_path("offhook", appauthor=False)


class Retention(Section):
    """How long things are kept."""

    traces_days: float = Field(default=30, ge=0)
    """Days that the events, webhooks and signalling of calls and messages, and what the debugger
    was told, are kept; 0: for ever."""

    recordings_days: float = Field(default=0, ge=0)
    """Days that recordings are kept; 0: for ever."""

    max_events: int = Field(default=1000, ge=10)
    """Events kept of one call or message; when there are more, the latest."""


class WebhookRules(Section):
    """Requests to applications."""

    user_agent: str = Field(default=f"Offhook/{__version__}", min_length=1, examples=["Offhook"])
    """The User-Agent header."""

    timeout: float = Field(default=15, ge=1, le=15)
    """Seconds that an application has to answer, redirects included; 15 at most."""

    verify_tls: bool = True
    """Whether https applications need a certificate that can be verified."""

    allow_private: YesNoAuto = "auto"
    """Whether applications may be at loopback, private and link-local addresses. "auto" is true
    while Offhook listens on loopback addresses only."""

    allow_targets: Networks = Field(default=(), examples=[["10.20.0.0/16"]])
    """Networks where applications may be even when private addresses are not allowed."""


class AccountLimits(Section):
    """What is otherwise for one account."""

    calls: int | None = Field(default=None, ge=0)
    destinations: Prefixes | None = None


class Limits(Section):
    """What one account may do at a time."""

    calls_per_second: float = Field(default=1000, gt=0, le=10_000)
    """Calls that are placed in a second; more are queued, and placed in the order they came."""

    concurrent_requests: int = Field(default=500, ge=1)
    """API requests under way at a time; more are refused (429), and may be sent again."""

    calls: int = Field(default=0, ge=0)
    """Calls at a time, those that ring among them; more are refused (10004). 0: any number."""

    destinations: Prefixes = ("+",)
    """How the numbers begin that may be called and texted, against toll fraud; others are refused
    (21215, 13227, 21408). Numbers of this Offhook may always be."""

    accounts: dict[AccountSid, AccountLimits] = Field(
        default={}, examples=[{"AC" + "1" * 32: {"calls": 10, "destinations": ["+49"]}}]
    )
    """The calls and destinations of particular accounts, where they are others."""


class SpeechRules(Section):
    """How <Say> sounds when the document does not tell."""

    voice: str = Field(default="", examples=["woman"])
    """The voice; empty: man."""

    language: str = Field(default="", examples=["en-GB"])
    """The language; empty: the voice's own."""


class SimulatedNetwork(Section):
    """Phones that exist inside Offhook only, to call and text without a carrier.

    Without a trunk, and while Offhook listens on loopback addresses only, any number is one of
    them and answers. Otherwise only those listed here are.
    """

    enabled: bool = True
    """Whether there are any."""

    numbers: dict[Number, Behaviour] = Field(
        default={}, examples=[{"+15550100101": "busy", "+15550100102": "voicemail"}]
    )
    """What numbers do when they are called: answers, busy, no-answer, rejects, unreachable,
    voicemail or echo."""

    magic_numbers: bool = False
    """Whether the numbers of test credentials work with live ones: +15005550006 calls and texts,
    +15005550001 and its like fail as documented, and callbacks are sent."""


class Inventory(Section):
    """Numbers that can be looked for and had by the API."""

    numbers: Numbers = Field(default=(), examples=[["+493012345600", "+493012345601"]])
    """Numbers that your trunks bring: searches find them first."""

    made_up: YesNoAuto = "auto"
    """Whether searches find made-up numbers of every country too, for simulated phones to call.
    auto: as long as every number is a simulated phone."""

    closed: bool = False
    """Whether no number can be had that searches would not find."""

    short_codes: ShortCodes = Field(default=(), examples=[["12345"]])
    """Short codes that your message carriers bring; they are the first account's."""


class IceServers(Section):
    """STUN and TURN servers that browsers are told of, with credentials for a time."""

    stun: IceUrls = Field(default=(), examples=[["stun:turn.example.com:3478"]])
    """STUN servers; empty: this host, port 3478."""

    turn: IceUrls = Field(default=(), examples=[["turn:turn.example.com:3478?transport=udp"]])
    """TURN servers."""

    secret: Secret | None = Field(default=None, examples=["the server's secret"])
    """The secret that the TURN servers share (coturn: use-auth-secret)."""


class Settings(BaseSettings):
    """`Settings(...)` is these values and defaults; `load` reads the environment and the file."""

    model_config = SettingsConfigDict(
        env_prefix="OFFHOOK_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
    )

    data: Folder = Field(default=DEFAULT_DATA, examples=["~/offhook"])
    """The folder of the database, recordings and caches; it is made if need be."""

    http: Listen = Address("127.0.0.1", 8080)
    """Where the API listens. When the default port is taken, the next free one is used."""

    sip: Listen = Address("127.0.0.1", 5060)
    """Where SIP listens, on UDP and TCP; [::] is IPv4 and IPv6 alike. When the default port is
    taken, the next free one is used."""

    sip_tls: ListenOrNot = Field(default=None, examples=["0.0.0.0:5061"])
    """Where SIP listens for TLS; unless it is given, nowhere."""

    sip_ws: ListenOrNot = Field(default=None, examples=["127.0.0.1:5066"])
    """Where SIP listens for WebSockets, behind a proxy that speaks TLS to browsers."""

    sip_wss: ListenOrNot = Field(default=None, examples=["0.0.0.0:7443"])
    """Where SIP listens for WebSockets over TLS, as phones in browsers use them."""

    sip_certificate: File | None = Field(default=None, examples=["/etc/offhook/fullchain.pem"])
    """The certificate for `sip_tls` and `sip_wss`, in PEM with those that it rests on. A renewed
    file is used from the next connection on. Unless it is given, one for development is made."""

    sip_key: File | None = Field(default=None, examples=["/etc/offhook/privkey.pem"])
    """The key of `sip_certificate`, when it is not in the same file."""

    sip_verify: bool = True
    """Whether the certificates of servers that we call by TLS must be good."""

    sip_authorities: File | None = Field(default=None, examples=["/etc/offhook/ca.pem"])
    """Who may have signed them, in PEM, in place of whom this machine believes."""

    sip_failover: float = Field(default=4, ge=1, le=32)
    """Seconds without a word about a call out, after which the next server or trunk is tried. The
    last one has 32."""

    sip_keep_alive: float = Field(default=25, ge=0)
    """Seconds between two questions (OPTIONS) to each phone that registered by UDP from behind NAT,
    which keep its way open; 0: none. One that used to answer and misses three is not called."""

    rtp: Ports = range(10000, 20000)
    """The UDP ports for sound, two for each leg of a call."""

    rtp_timeout: float = Field(default=60, ge=0)
    """Seconds without any sound from a phone or trunk after which its call is ended; 0: never. A
    call on hold may be silent for as long as it likes."""

    public_ip: IpAddress | None = Field(default=None, examples=["203.0.113.7"])
    """The address that phones and trunks reach us by when it is not the one we listen on: behind
    NAT, or in a container."""

    local_networks: Networks = Field(default=PRIVATE_NETWORKS)
    """Networks whose phones and trunks are told the address that we listen on, not `public_ip`. One
    that holds `public_ip` itself does not count."""

    sip_proxies: Networks = Field(default=(), examples=[["192.0.2.4"]])
    """Proxies in front of us. Whom their requests are from is read from the Via that they wrote, of
    WebSockets from X-Forwarded-For; trunks, access lists and limits go by that."""

    public_url: Url = Field(default="", examples=["https://phone.example.com"])
    """The URL that applications and browsers reach the API by when a proxy is in front of it."""

    call_limit: int = Field(default=14_400, ge=60, le=2_592_000)
    """Seconds that a call may last at most."""

    drain: float = Field(default=5, ge=0)
    """Seconds that live calls may go on when Offhook is told to stop."""

    account_sid: AccountSid = Field(default="", examples=["AC" + "1" * 32])
    """The first account's SID. Unless it is given, one is made up and kept."""

    auth_token: Secret | None = Field(default=None, examples=["a long random text"])
    """The first account's auth token. Unless it is given, one is made up and kept. A secondary
    token that is promoted takes its place, until another one is given here."""

    metrics_token: Secret | None = Field(default=None, examples=["another long random text"])
    """The bearer token with which `/metrics` may be read. Unless it is given, the first account's
    credentials are asked for, and nothing while Offhook is reached from this machine only."""

    workers: int = Field(default=1, ge=1, le=64)
    """Processes for sound; more than there are processor cores is of no use."""

    default_region: Region = "US"
    """The country whose national numbers are meant when a number is not written in full."""

    caller_names: dict[Number, str] = Field(default={}, examples=[{"+15550100123": "Ann Smith"}])
    """Names of callers, for numbers with VoiceCallerIdLookup; others are named as they call."""

    log_level: LogLevel = "info"
    """The least that is logged: debug, info, warning or error."""

    log_format: LogFormat = "console"
    """How it is logged: console, for people, or json, a line an event."""

    retention: Retention = Retention()
    limits: Limits = Limits()
    prices: Prices = Prices()
    webhooks: WebhookRules = WebhookRules()
    speech: SpeechRules = SpeechRules()
    simulated: SimulatedNetwork = SimulatedNetwork()
    inventory: Inventory = Inventory()
    ice: IceServers = IceServers()
    doors: Doors = Doors()
    trunk: tuple[Trunk, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @model_validator(mode="after")
    def _certified(self) -> Self:
        if self.sip_key and not self.sip_certificate:
            raise ValueError('"sip_key" needs the "sip_certificate" that it belongs to')
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [trunk.name for trunk in self.trunk]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"two trunks are called {twice!r}: give each a name of its own")
        return self

    def asked(self, key: str) -> bool:
        """Whether somebody chose the value of `key`; otherwise it is the default's."""
        return key in self.model_fields_set

    def reached_at(self, url: str) -> Settings:
        """These settings, with the URL of the API when none was chosen."""
        return self if self.public_url else self.model_copy(update={"public_url": url})

    @property
    def public(self) -> bool:
        """Whether other machines can reach what we listen on."""
        listens = (self.http, self.sip, self.sip_tls, self.sip_ws, self.sip_wss)
        return not all(each.loopback for each in listens if each)

    @property
    def private_targets_allowed(self) -> bool:
        """Whether applications may be at private addresses."""
        chosen = self.webhooks.allow_private
        return not self.public if chosen == "auto" else chosen

    @property
    def simulates_everything(self) -> bool:
        """Whether a number that nobody has is a simulated phone (choices of ours, 12)."""
        return self.simulated.enabled and not self.public and not self.trunk

    @property
    def api_url(self) -> str:
        """The root of the API as applications reach it, without a slash at its end."""
        host = self.http.host
        if host in ("0.0.0.0", "::"):
            host = str(self.public_ip or "127.0.0.1")
        return self.public_url or f"http://{Address(host, self.http.port)}"
