from __future__ import annotations

from collections.abc import Iterator

from offhook.frozen import frozen
from offhook.line.live_call import LiveCall
from offhook.twiml.schema import (
    Complaint,
    attribute,
    content,
    repeats,
    touch_tones,
    trimmed,
)


@frozen
class Play:
    """Play a sound file, or touch tones.  https://www.twilio.com/docs/voice/twiml/play"""

    loop: int = attribute(repeats, 1, 13410)  # 0 is read as 1000
    digits: str = attribute(touch_tones, "", 13430, skip=True)
    url: str = content(trimmed)

    def check(self) -> Iterator[Complaint]:
        if not self.url and not self.digits:
            yield Complaint(12200, "<Play> has neither a URL nor digits", skip=True)

    async def run(self, call: LiveCall) -> None:
        if self.digits:
            await call.press(self.digits)
        else:
            await call.play(self.url, self.loop)
