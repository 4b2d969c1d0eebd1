"""What all calls of an endpoint share, and the reports they make."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Literal, Protocol

from offhook.frozen import frozen
from offhook.sip import digest
from offhook.sip.dialog import Dialog, DialogKey
from offhook.sip.grammar import BadSip, legible, split_params
from offhook.sip.hop import Hop
from offhook.sip.interval import Interval
from offhook.sip.layer import Layer
from offhook.sip.message import Field, Request, Response, respond
from offhook.sip.transactions import Transaction
from offhook.sip.uri import as_sips

METHODS = (
    *("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO"),
    *("PRACK", "UPDATE", "REFER", "NOTIFY", "REGISTER"),
)
EXTENSIONS = ("100rel", "timer", "replaces")  # RFC 3262, RFC 4028, RFC 3891
ALLOW: Field = ("Allow", ", ".join(METHODS))
# Of a dialog: whoever registers asks a registrar, and 200 would say that it was one (section 10.2).
ALLOW_INSIDE: Field = ("Allow", ", ".join(each for each in METHODS if each != "REGISTER"))
SUPPORTED: Field = ("Supported", ", ".join(EXTENSIONS))
# Of a re-INVITE: nothing that is said before its answer is waited for, or acknowledged.
SUPPORTED_LATER: Field = ("Supported", "timer, replaces")
ACCEPT: Field = ("Accept", "application/sdp")
SDP: Field = ("Content-Type", "application/sdp")

MOST_TRIES = 4  # requests in a row that were challenged, before we believe the refusal


class InDialog(Protocol):
    """Whoever answers the requests of a dialog: a session, or a call that is not answered yet."""

    serial: int

    def receive(self, request: Request, transaction: Transaction, now: float) -> None: ...

    def acked(self, request: Request, now: float) -> None: ...


HeardReply = Callable[[Request, Response | None, float], None]
By = Literal["far", "near", "network"]


@frozen
class Heard:
    """A message that belongs to a call arrived, repeats included."""

    serial: int
    hop: Hop
    data: bytes


@frozen
class Over:
    """A call has ended. `code` is a SIP status, 200 for a BYE; `response` is the refusal."""

    serial: int
    by: By
    code: int
    reason: str = ""
    response: Response | None = None


@frozen
class Party:
    """Who asks inside a dialog: the call it belongs to, and how challenges are met."""

    dialog: Dialog
    serial: int
    client: digest.Client | None = None


@frozen
class Wanted:
    """A request of ours inside a dialog, before it has its CSeq and its way."""

    method: str
    fields: tuple[Field, ...] = ()
    body: bytes = b""


@frozen
class Registering:
    """A REGISTER from `source`, to be answered by `Endpoint.reply`."""

    request: Request
    transaction: Transaction
    source: Hop


class Core:
    """`contact(hop)` is our URI as that hop can reach it; `agent` is how we call ourselves."""

    def __init__(
        self, layer: Layer, contact: Callable[[Hop], str], agent: str, interval: Interval
    ) -> None:
        self.layer, self.contact_uri, self.agent = layer, contact, agent
        self.interval = interval
        self.dialogs: dict[DialogKey, InDialog] = {}
        self.callers: dict[tuple[str, str], InDialog] = {}  # calls out, by Call-ID and our tag
        self._serials = itertools.count(1)

    def report(self, event: object) -> None:
        self.layer.outputs.append(event)

    def serial(self) -> int:
        return next(self._serials)

    def rand(self) -> str:
        return self.layer.rand()

    def contact(self, hop: Hop, *, sips: bool = False) -> Field:
        """With `sips`, one that TLS alone leads to (RFC 3261 section 12.1.1)."""
        if not sips:
            return ("Contact", f"<{self.contact_uri(hop)}>")
        secure = hop if hop.transport in ("TLS", "WSS") else replace(hop, transport="TLS")
        return ("Contact", f"<{as_sips(self.contact_uri(secure))}>")

    def reply(
        self,
        transaction: Transaction,
        status: int,
        now: float,
        *fields: Field,
        tag: str = "",
        reason: str = "",
    ) -> None:
        """A response without a body, in the request's own transaction."""
        fields = (*fields, ("Server", self.agent))
        response = respond(
            transaction.request,
            status,
            fields,
            tag=tag or transaction.tag or self.rand()[:16],
            reason=reason,
        )
        self.layer.respond(transaction, response, now)

    def answer(
        self, transaction: Transaction, fields: tuple[Field, ...], body: bytes, now: float
    ) -> None:
        """200 with our description, if there is one, to a request that is no INVITE."""
        described = (SDP,) if body else ()
        fields = (*fields, *described, ("Server", self.agent))
        self.layer.respond(transaction, respond(transaction.request, 200, fields, body=body), now)

    def ask(self, party: Party, wanted: Wanted, heard: HeardReply, now: float) -> None:
        """Sends a request in a dialog, again with credentials when it is challenged; `heard` is
        told of every response but the challenges that were met, or None."""
        self._ask(party, wanted, heard, now, 1)

    def _ask(self, party: Party, wanted: Wanted, heard: HeardReply, now: float, tries: int) -> None:
        request = party.dialog.request(wanted.method, wanted.fields, wanted.body)

        def tell(response: Response | None, at: float) -> None:
            again = response and with_credentials(
                party.client, request, wanted.fields, response, tries
            )
            if again:
                self._ask(party, replace(wanted, fields=again), heard, at, tries + 1)
            else:
                heard(request, response, at)

        self.layer.request(request, party.dialog.hop(), tell, now, party.serial)

    def find(self, request: Request) -> InDialog | None:
        """Who answers for the dialog of a request from the other side."""
        call_id, ours, theirs = request.call_id, request.to.tag, request.from_.tag
        return self.dialogs.get((call_id, ours, theirs)) or self.callers.get((call_id, ours))


def with_credentials(
    client: digest.Client | None,
    request: Request,
    fields: tuple[Field, ...],
    response: Response,
    tries: int,
) -> tuple[Field, ...] | None:
    """The fields of the next try after a 401 or 407, or None when trying is over.

    Each realm is answered for itself, since there may be several proxies on the way (section
    22.3); one that asks again was not content, unless it says that its nonce was stale.
    """
    if response.status not in (401, 407) or client is None or tries >= MOST_TRIES:
        return None
    proxy = response.status == 407
    asked = response.values("proxy-authenticate" if proxy else "www-authenticate")
    name = "Proxy-Authorization" if proxy else "Authorization"
    given = {_realm(value): value for key, value in fields if key == name}
    answers = {}
    for realm in dict.fromkeys(map(_realm, asked)):
        of_it = [one for one in asked if _realm(one) == realm]
        if realm not in given or any(map(_is_stale, of_it)):
            answers[realm] = client.answer(of_it, request.method, request.uri, request.body)
    met = {realm: answer for realm, answer in answers.items() if answer}
    if not met:
        return None
    kept = (each for each in fields if each[0] != name or _realm(each[1]) not in met)
    answered = ((name, answer) for answer in met.values())
    return (*counted_on(client, request, tuple(kept)), *answered)


def counted_on(
    client: digest.Client, request: Request, fields: tuple[Field, ...]
) -> tuple[Field, ...]:
    """The fields for one more such request: a nonce is used with each count once (RFC 7616
    section 3.4)."""
    return tuple(
        (name, client.again(value, request.method, request.uri, request.body))
        if name in ("Authorization", "Proxy-Authorization")
        else (name, value)
        for name, value in fields
    )


def _realm(value: str) -> str:
    return digest.parse(value).get("realm", "")


def _is_stale(challenge: str) -> bool:
    return digest.parse(challenge).get("stale", "").lower() == "true"


def reason_of(request: Request) -> str:
    """The text of a Reason field, or its cause (RFC 3326)."""
    value = legible(request.get("reason"))
    with suppress(BadSip):
        params = dict(split_params(value[value.find(";") :])) if ";" in value else {}
        return params.get("text") or value
    return value
