"""Where we are as others see it, and where others are behind a proxy that we trust."""

from __future__ import annotations

from collections.abc import Iterable

from offhook.carriers.trunks import plain, within
from offhook.frozen import frozen
from offhook.sip.hop import Hop, is_ip, is_loopback
from offhook.sip.message import Request, parse
from offhook.sip.via import parse_via


@frozen
class Places:
    """`public` is our address for whoever is outside the `local` networks, "" for nobody. The word
    of `proxies` is taken for whom a request comes from."""

    public: str = ""
    local: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()

    def ours(self, own: str, host: str) -> tuple[str, ...]:
        """Our addresses, first the one that `host` reaches us by; `own` is that of our socket.

        A local network that holds the public address as well says nothing: there is a NAT in it.
        """
        if not self.public:
            return (own,)
        local = [each for each in self.local if not within(self.public, (each,))]
        inside = is_ip(host) and (is_loopback(host) or within(host, local))
        other = is_ip(host) and (":" in self.public) != (":" in host)
        return (own, self.public) if inside or other else (self.public, own)

    def trusts(self, host: str) -> bool:
        return bool(self.proxies) and within(plain(host), self.proxies)

    def sender(self, data: bytes, source: str) -> str:
        """Whom a message from `source` is from, as `origin`; of a response, `source`. Raises
        BadSip."""
        if not self.trusts(source):
            return source
        message = parse(data)
        return self.origin(message, source) if isinstance(message, Request) else source

    def origin(self, request: Request, source: str) -> str:
        """Whom it came from before the proxies that we trust: each says so in the Via below its
        own (RFC 3261 section 18.2.1). Raises BadSip where that cannot be read."""
        if not self.trusts(source):
            return source
        vias = [parse_via(each) for each in request.all("via")[1:]]
        return self._before(source, (via.param("received") or via.host for via in vias))

    def private(self, request: Request, source: Hop) -> bool:
        """Whether it came by TLS, to us or to the proxies that we trust. Of what passed one, and of
        WebSockets, whose TLS a web server may end, the sender's own Via says it. Raises BadSip."""
        vias = [parse_via(each) for each in request.all("via")]
        if source.web:
            return source.private or vias[0].transport == "WSS"
        host, transport = source.host, source.transport
        for via in vias[1:]:
            if not self.trusts(host):
                break
            host, transport = via.param("received") or via.host, via.transport
        return transport in ("TLS", "WSS")

    def forwarded(self, header: str, source: str) -> str:
        """As `origin`, of a WebSocket: the field X-Forwarded-For, the nearest at its end."""
        return self._before(source, reversed(header.split(",")))

    def _before(self, source: str, told: Iterable[str]) -> str:
        """What each says, as long as it is trusted and says an address."""
        for each in told:
            host = each.strip().strip("[]")
            if not self.trusts(source) or not is_ip(host):
                break
            source = host
        return source


NO_NAT = Places()
