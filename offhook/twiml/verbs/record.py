from __future__ import annotations

from collections.abc import Iterator

from offhook.frozen import frozen
from offhook.line.live_call import LiveCall
from offhook.line.orders import RecordVerb
from offhook.model.fetch import Fetch
from offhook.twiml.callbacks import (
    RECORDING_EVENTS,
    lead_on,
    recording_callback,
    recording_params,
)
from offhook.twiml.schema import (
    Complaint,
    anything,
    attribute,
    boolean,
    callback_url,
    http_method,
    matching,
    one_of,
    whole,
)

TRIM = {"trim-silence": True, "do-not-trim": False}
LONGEST_TRANSCRIBED = 120  # seconds


@frozen
class Record:
    """Record the caller, then go on with what `action` answers.

    https://www.twilio.com/docs/voice/twiml/record
    A caller who hangs up ends it too: `action` is told, with Digits `hangup`. Nothing captured at
    all: the next verb.
    """

    action: str = attribute(anything)  # empty: this document again
    method: str = attribute(http_method, "POST", 13610)
    timeout: int = attribute(whole(0), 5, 13611)  # seconds of silence, 0: any amount
    finish_on_key: str = attribute(
        matching("keys of 0-9 * #, or empty", "[0-9*#]*"), "1234567890*#", 13613
    )
    max_length: int | None = attribute(whole(2, 14400), None, 13612)  # seconds, None: 3600
    play_beep: bool = attribute(boolean, True, 13616)
    trim: bool = attribute(one_of(**TRIM), True, 13699, otherwise=False)
    transcribe: bool = attribute(boolean, False, 13614)
    transcribe_callback: str = attribute(callback_url, "", 13257)
    recording_status_callback: str = attribute(callback_url, "", 13256)
    recording_status_callback_method: str = attribute(http_method, "POST")
    recording_status_callback_event: tuple[str, ...] = attribute(
        RECORDING_EVENTS, ("completed",), 13621
    )
    recording_configuration_id: str = attribute(anything)

    def check(self) -> Iterator[Complaint]:
        if self.transcribe and (self.max_length or 0) > LONGEST_TRANSCRIBED:
            yield Complaint(13615, f"<Record> transcribes up to {LONGEST_TRANSCRIBED} seconds")

    async def run(self, call: LiveCall) -> Fetch | None:
        if self.transcribe:
            call.note(13618, "<Record> does not transcribe in this release, it only records")
        outcome = await call.record_sound(self._order())
        params = recording_params(call, outcome.recording) | {"Digits": outcome.digits}
        if outcome.recording is None and not call.gone:
            return None
        return await lead_on(call, Fetch(self.action, self.method, params))

    def _order(self) -> RecordVerb:
        return RecordVerb(
            timeout=self.timeout,
            finish_on_key=self.finish_on_key,
            max_length=self.max_length or (LONGEST_TRANSCRIBED if self.transcribe else 3600),
            play_beep=self.play_beep,
            trim=self.trim,
            callback=recording_callback(self),
        )
