from __future__ import annotations

from collections.abc import Iterator

from offhook.frozen import frozen
from offhook.line.leg import Transfer
from offhook.line.live_call import LiveCall
from offhook.model.call import STATUS_OF
from offhook.model.fetch import Fetch
from offhook.twiml import sip_uri
from offhook.twiml.callbacks import lead_on
from offhook.twiml.program import Placed
from offhook.twiml.schema import (
    SCHEMA_WARNING,
    Complaint,
    anything,
    attribute,
    content,
    http_method,
    nested,
    trimmed,
)

NOT_SIP = 13801


@frozen
class Sip:
    """Where the phone is sent. Headers behind a question mark go into the call that it makes."""

    text: str = content(trimmed)

    def check(self) -> Iterator[Complaint]:
        for code, message in sip_uri.faults(self.text):
            yield Complaint(code, message, skip=code != sip_uri.BAD_NAME)


@frozen
class Refer:
    """Ask the caller's SIP phone to call somebody else in our place.

    https://www.twilio.com/docs/voice/twiml/refer
    Ends when the phone has told how that went; then `action` is requested, also when the caller is
    gone. Without one the next verb follows.
    """

    action: str = attribute(anything)  # empty: the next verb
    method: str = attribute(http_method, "POST")
    targets: tuple[Placed[Sip], ...] = nested(Sip)

    def check(self) -> Iterator[Complaint]:
        if len(self.targets) != 1:
            yield Complaint(SCHEMA_WARNING, "<Refer> needs one <Sip>", skip=not self.targets)

    async def run(self, call: LiveCall) -> Fetch | None:
        fared = await call.refer(sip_uri.written(self.targets[0].verb.text))
        if fared is None:
            call.note(NOT_SIP)
            return None
        action = Fetch(self.action, self.method, _params(fared, gone=call.gone))
        return await lead_on(call, action if self.action else None)


def _params(fared: Transfer, *, gone: bool) -> dict[str, str]:
    """What is not known is left out."""
    params = {
        "ReferCallStatus": _status(fared, gone=gone),
        "ReferSipResponseCode": str(fared.answer or ""),
        "NotifySipResponseCode": str(fared.outcome or ""),
    }
    return {name: value for name, value in params.items() if value}


def _status(fared: Transfer, *, gone: bool) -> str:
    """Of the call that the phone was to make, as far as it told; `canceled` when it left first."""
    if 200 <= fared.outcome < 300:
        return "in-progress"
    if fared.outcome >= 300:
        return STATUS_OF.get(fared.outcome, "failed")
    if gone and fared.answer < 300:
        return "canceled"
    return "no-answer" if fared.outcome else ""
