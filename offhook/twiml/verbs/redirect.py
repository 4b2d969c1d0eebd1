from __future__ import annotations

from offhook.frozen import frozen
from offhook.line.live_call import LiveCall
from offhook.model.fetch import Fetch
from offhook.twiml.schema import attribute, content, http_method, trimmed


@frozen
class Redirect:
    """Go on with another document; without a URL, with this one again.

    https://www.twilio.com/docs/voice/twiml/redirect
    """

    method: str = attribute(http_method, "POST", 13710)
    url: str = content(trimmed)

    async def run(self, call: LiveCall) -> Fetch:
        return Fetch(self.url, self.method)
