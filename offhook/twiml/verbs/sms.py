from __future__ import annotations

from collections.abc import Iterator

from offhook.frozen import frozen
from offhook.line.live_call import LiveCall
from offhook.model.fetch import Fetch
from offhook.twiml.callbacks import lead_on
from offhook.twiml.messaging import address, body_fault, sender
from offhook.twiml.schema import (
    Complaint,
    anything,
    attribute,
    callback_url,
    content,
    http_method,
    lines,
)


@frozen
class Sms:
    """Send a text during a call.  https://www.twilio.com/docs/voice/twiml/sms

    Empty `to` and `from_` are the far end and the near end of the call.
    """

    to: str = attribute(address, "", 14101, skip=True)
    from_: str = attribute(sender, "", 14102, skip=True)
    action: str = attribute(anything)  # empty: the next verb
    method: str = attribute(http_method, "POST", 14104, skip=True)
    status_callback: str = attribute(callback_url, "", 14105, skip=True)
    body: str = content(lines)

    def check(self) -> Iterator[Complaint]:
        if not self.body:
            yield Complaint(14103, "<Sms> has no text to send", skip=True)
        if fault := body_fault(self.body):
            yield Complaint(14103, fault, skip=True)

    async def run(self, call: LiveCall) -> Fetch | None:
        await call.answer()
        sid, status = await call.send_text(self.to, self.from_, self.body, self.status_callback)
        params = {"SmsSid": sid, "SmsStatus": status}
        return await lead_on(call, Fetch(self.action, self.method, params) if self.action else None)
