from __future__ import annotations

from offhook.frozen import frozen
from offhook.line.live_call import LiveCall
from offhook.twiml.schema import attribute, whole


@frozen
class Pause:
    """Wait in silence, before answering if it comes first.

    https://www.twilio.com/docs/voice/twiml/pause
    """

    length: int = attribute(whole(1), 1, 13910)  # seconds

    async def run(self, call: LiveCall) -> None:
        await call.silence(self.length)
