from __future__ import annotations

from offhook.frozen import frozen
from offhook.line.live_call import LiveCall
from offhook.twiml.nouns import Parameter
from offhook.twiml.program import Placed
from offhook.twiml.schema import attribute, nested, one_of


@frozen
class Reject:
    """Refuse the call; one that was answered is hung up.

    https://www.twilio.com/docs/voice/twiml/reject
    """

    reason: str = attribute(one_of("rejected", "busy"), "rejected", 13810)
    parameters: tuple[Placed[Parameter], ...] = nested(Parameter)

    async def run(self, call: LiveCall) -> None:
        await call.reject(busy=self.reason == "busy")
