"""A dialog: what two user agents agree on between an answer and a BYE.  RFC 3261 section 12."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, continues, hop_of, is_ip, is_private
from offhook.sip.message import Field, Request, Response
from offhook.sip.uri import is_sips, parse_address, parse_uri

DialogKey = tuple[str, str, str]  # Call-ID, our tag, their tag

AFTER_RESTART = 1000  # what a dialog's CSeq jumps by, past any request the lost process had sent


@dataclass
class Dialog:
    """`local` and `remote` are the From and To of our requests as they were written, with tags.

    `source` is where the other side was last heard, `route` its proxies in our direction. One that
    is `sips` was begun by a request for such a URI, and stays that.
    """

    call_id: str
    local: str
    remote: str
    target: str
    route: tuple[str, ...]
    source: Hop
    local_cseq: int = 0
    remote_cseq: int = -1
    sips: bool = False
    key: DialogKey = field(init=False)

    def __post_init__(self) -> None:
        ours, theirs = parse_address(self.local).tag, parse_address(self.remote).tag
        self.key = (self.call_id, ours, theirs)

    @classmethod
    def answering(cls, request: Request, tag: str, source: Hop) -> Dialog:
        """The callee's, from the INVITE (section 12.1.1). Raises BadSip without a Contact."""
        route, target = request.all("record-route"), _contact(request)
        first = parse_address(route[0]).uri if route else target
        return cls(
            call_id=request.call_id,
            local=f"{request.get('to')};tag={tag}",
            remote=request.get("from"),
            target=target,
            route=_route(route),
            source=source,
            remote_cseq=request.cseq.number,
            sips=is_sips(request.uri) or is_sips(first),
        )

    @classmethod
    def calling(cls, request: Request, response: Response, source: Hop) -> Dialog:
        """The caller's, from a response to its INVITE (section 12.1.2). Whoever gives no Contact,
        as he must, is reached by the way that the INVITE took: so others have it."""
        recorded = response.all("record-route")[::-1]
        known = response.contact is not None
        return cls(
            call_id=request.call_id,
            local=request.get("from"),
            remote=response.get("to"),
            target=_contact(response) if known else request.uri,
            route=_route(recorded if known else recorded or request.all("route")),
            source=source,
            local_cseq=request.cseq.number,
            sips=is_sips(request.uri),
        )

    def refresh(self, message: Request | Response, source: Hop | None = None) -> None:
        """A re-INVITE or its answer may move the other side (section 12.2): a phone that went to
        another network, or whose connection is a new one, is where that came from."""
        contact = None
        with suppress(BadSip):
            contact = message.contact
        if contact and contact.parsed.scheme in ("sip", "sips"):
            self.target = contact.uri
            self.source = source or self.source

    def request(
        self, method: str, fields: tuple[Field, ...] = (), body: bytes = b"", cseq: int = 0
    ) -> Request:
        """The next request in the dialog (section 12.2.1.1); an ACK has its INVITE's `cseq`."""
        if not cseq:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, route = self._way()
        head: list[Field] = [("Max-Forwards", "70")]
        head += [("Route", hop) for hop in route]
        head += [
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
        ]
        return Request((*head, *fields), body, method, uri)

    def _way(self) -> tuple[str, tuple[str, ...]]:
        """Request-URI and Route: loose routing, or strict for a proxy without `lr`."""
        target = str(parse_uri(self.target).bare())
        if not self.route:
            return target, ()
        first = parse_address(self.route[0])
        if first.parsed.param("lr") is not None:
            return target, self.route
        return str(first.parsed.bare()), (*self.route[1:], f"<{self.target}>")

    def hop(self) -> Hop:
        """Where our requests go next (section 12.2.1.1, RFC 3263).

        A Contact that only means something inside the other side's network is left aside for the
        address it was heard from. An open connection is used again while it lasts: also where the
        Contact does not say by what it is reached, and by TLS for a proxy that is named by its
        address, which no certificate proves. So is the other side's address when nobody knows a
        name that it gave.
        """
        source = self.source
        if self.route:
            hop = hop_of(parse_address(self.route[0]).parsed)
            same = hop.private and hop.host == source.host and continues(hop, source)
            return replace(hop, flow=source.flow) if same else self._named(hop)
        uri = parse_uri(self.target)
        hop = hop_of(uri)
        unsaid = uri.param("transport") is None and uri.scheme == "sip" and hop.host == source.host
        if continues(hop, source) or (source.flow and unsaid):
            return replace(hop, transport=source.transport, flow=source.flow)
        hidden = is_private(hop.host) and not is_private(source.host)
        return source if hidden else self._named(hop)

    def _named(self, hop: Hop) -> Hop:
        as_private = self.source.private or not hop.private
        return hop if is_ip(hop.host) or not as_private else replace(hop, otherwise=self.source)

    def data(self) -> dict[str, Any]:
        """Everything a BYE needs, as JSON can keep it."""
        return {
            "call_id": self.call_id,
            "local": self.local,
            "remote": self.remote,
            "target": self.target,
            "route": list(self.route),
            "transport": self.source.transport,
            "host": self.source.host,
            "port": self.source.port,
            "cseq": self.local_cseq,
        }

    @classmethod
    def restored(cls, data: dict[str, Any]) -> Dialog:
        return cls(
            call_id=data["call_id"],
            local=data["local"],
            remote=data["remote"],
            target=data["target"],
            route=tuple(data["route"]),
            source=Hop(data["transport"], data["host"], data["port"]),
            local_cseq=data["cseq"] + AFTER_RESTART,
        )


def _route(recorded: Iterable[str]) -> tuple[str, ...]:
    route = tuple(recorded)
    for hop in route:
        hop_of(parse_address(hop).parsed)
    return route


def _contact(message: Request | Response) -> str:
    if message.contact is None:
        raise BadSip("no Contact")
    if message.contact.parsed.scheme not in ("sip", "sips"):
        raise BadSip("a Contact that is not SIP")
    return message.contact.uri
