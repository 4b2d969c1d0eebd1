"""What all calls of an endpoint share, and the reports they make."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from offhook.sip import digest
from offhook.sip.dialog import DialogKey
from offhook.sip.hop import Hop
from offhook.sip.layer import Layer
from offhook.sip.message import Field, Request, Response, respond
from offhook.sip.transactions import Transaction

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO")
ALLOW: Field = ("Allow", ", ".join(METHODS))
ACCEPT: Field = ("Accept", "application/sdp")
SDP: Field = ("Content-Type", "application/sdp")

MOST_TRIES = 4  # requests in a row that were challenged, before we believe the refusal


class InDialog(Protocol):
    """Whoever answers the requests of a dialog: a session, or a call that is not answered yet."""

    serial: int

    def receive(self, request: Request, transaction: Transaction, now: float) -> None: ...

    def acked(self, request: Request, now: float) -> None: ...


By = Literal["far", "near", "network"]


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that belongs to a call arrived, repeats included."""

    serial: int
    hop: Hop
    data: bytes


@dataclass(frozen=True, slots=True)
class Over:
    """A call has ended. `code` is a SIP status, 200 for a BYE; `response` is the refusal."""

    serial: int
    by: By
    code: int
    reason: str = ""
    response: Response | None = None


class Core:
    """`contact(hop)` is our URI as that hop can reach it; `agent` is how we call ourselves."""

    def __init__(self, layer: Layer, contact: Callable[[Hop], str], agent: str) -> None:
        self.layer, self.contact_uri, self.agent = layer, contact, agent
        self.dialogs: dict[DialogKey, InDialog] = {}
        self.callers: dict[tuple[str, str], InDialog] = {}  # calls out, by Call-ID and our tag
        self._serials = itertools.count(1)

    def report(self, event: object) -> None:
        self.layer.outputs.append(event)

    def serial(self) -> int:
        return next(self._serials)

    def rand(self) -> str:
        return self.layer.rand()

    def contact(self, hop: Hop) -> Field:
        return ("Contact", f"<{self.contact_uri(hop)}>")

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
            transaction.request, status, fields, tag=tag or self.rand()[:16], reason=reason
        )
        self.layer.respond(transaction, response, now)

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

    A second challenge of the same kind is only met when it says that the nonce was stale.
    """
    if response.status not in (401, 407) or client is None or tries >= MOST_TRIES:
        return None
    proxy = response.status == 407
    asked = response.values("proxy-authenticate" if proxy else "www-authenticate")
    name = "Proxy-Authorization" if proxy else "Authorization"
    stale = any(digest.parse(one).get("stale", "").lower() == "true" for one in asked)
    if any(key == name for key, _ in fields) and not stale:
        return None
    answer = client.answer(asked, request.method, request.uri, request.body)
    if answer is None:
        return None
    return (*(field for field in fields if field[0] != name), (name, answer))
