"""How a SIP carrier is set up, and what its trunks say to OPTIONS."""

from __future__ import annotations

from collections import Counter

from offhook.carriers.sip_guard import USUAL, Limits
from offhook.carriers.sip_places import NO_NAT, Places
from offhook.carriers.sip_tls import NOWHERE, Listeners
from offhook.carriers.trunks import Trunk
from offhook.frozen import frozen


@frozen
class SipSettings:
    """Where we listen and whom we know.

    `port` 0 takes a free one. `places` says what is written into Via, Contact and SDP. Nodes
    that share `secret` know each other's nonces. `algorithms` are those of our challenges; many
    phones drop a call that offers them SHA-256, also beside MD5. A call that brings no sound
    for `rtp_timeout` seconds is ended; 0: never. A call out that nothing is heard of for
    `failover` seconds goes on to the next server or trunk. Every `keep_alive` seconds phones behind
    NAT are asked whether they are there, 0: never. `region` is the country whose
    emergency numbers count.
    """

    host: str = "127.0.0.1"
    port: int = 5060
    places: Places = NO_NAT
    trunks: tuple[Trunk, ...] = ()
    tcp: bool = True
    realm: str = "offhook"
    secret: bytes = b""
    algorithms: tuple[str, ...] = ("MD5",)
    name: str = "sip"
    listeners: Listeners = NOWHERE
    rtp_timeout: float = 60
    limits: Limits = USUAL
    failover: float = 4.0
    keep_alive: float = 25.0
    region: str = "US"


@frozen
class Pong:
    """What a trunk said to OPTIONS; `status` 0 is nothing. `seconds` are there and back."""

    trunk: str
    address: str
    status: int
    reason: str
    seconds: float

    @property
    def healthy(self) -> bool:
        """Whether somebody is there and lets us in: any answer but a refusal of who we are."""
        return self.status > 0 and self.status not in (401, 403, 407)


@frozen
class Load:
    """How much of everything there is at a moment; connections by transport, calls by
    trunk."""

    calls: int
    transactions: int
    dialogs: int
    tasks: int
    bans: int
    connections: Counter[str]
    trunks: dict[str, int]
