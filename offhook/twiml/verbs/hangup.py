from __future__ import annotations

from offhook.frozen import frozen
from offhook.line.live_call import LiveCall
from offhook.twiml.nouns import Parameter
from offhook.twiml.program import Placed
from offhook.twiml.schema import nested


@frozen
class Hangup:
    """End the call; one that was not answered yet is answered first.

    https://www.twilio.com/docs/voice/twiml/hangup
    """

    parameters: tuple[Placed[Parameter], ...] = nested(Parameter)

    async def run(self, call: LiveCall) -> None:
        await call.answer()
        await call.hang_up()
