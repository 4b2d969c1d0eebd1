from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from offhook.frozen import frozen
from offhook.line.live_call import LiveCall
from offhook.line.orders import DialOrder, DialOutcome, DialTarget
from offhook.model.fetch import Fetch
from offhook.twiml import later
from offhook.twiml.callbacks import (
    RECORDING_EVENTS,
    lead_on,
    recording_callback,
    recording_params,
)
from offhook.twiml.nouns import Number, Sip, number_target
from offhook.twiml.program import Placed
from offhook.twiml.schema import (
    Complaint,
    anything,
    attribute,
    boolean,
    callback_url,
    content,
    http_method,
    matching,
    nested,
    one_of,
    trimmed,
    whole,
)

MOST_TARGETS = 10
RING_TONES = one_of(
    "at", "au", "bg", "br", "be", "ch", "cl", "cn", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr",
    "hu", "il", "in", "it", "lt", "jp", "mx", "my", "nl", "no", "nz", "ph", "pl", "pt", "ru", "se",
    "sg", "th", "uk", "us", "us-old", "tw", "ve", "za",
)  # fmt: skip
RECORD = one_of(
    "do-not-record", "record-from-answer", "record-from-ringing", "record-from-answer-dual",
    "record-from-ringing-dual", true="record-from-answer", false="do-not-record",
)  # fmt: skip
NOBODY = DialOutcome("failed")


@frozen
class Dial:
    """Connect the caller to other phones, as many as there are at once; the first to answer wins.

    https://www.twilio.com/docs/voice/twiml/dial
    Then `action` is requested, also when the caller is gone; without one the next verb follows.
    """

    number: str = content(trimmed)
    action: str = attribute(anything)  # empty: the next verb
    method: str = attribute(http_method, "POST", 13210)
    timeout: int = attribute(whole(5, 600), 30, 13212)  # seconds of ringing
    time_limit: int = attribute(whole(1, 14400), 14400, 13216)  # seconds of talking
    hangup_on_star: bool = attribute(boolean, False, 13213)
    caller_id: str = attribute(anything)  # empty: the caller's own
    answer_on_bridge: bool = attribute(boolean, False, 13219)
    record: str = attribute(RECORD, "do-not-record", 13217)
    recording_track: str = attribute(one_of("inbound", "outbound", "both"), "both", 13622)
    trim: bool = attribute(one_of(**{"trim-silence": True, "do-not-trim": False}), False)
    recording_status_callback: str = attribute(callback_url, "", 13256)
    recording_status_callback_method: str = attribute(http_method, "POST")
    recording_status_callback_event: tuple[str, ...] = attribute(
        RECORDING_EVENTS, ("completed",), 13621
    )
    ring_tone: str = attribute(RING_TONES, "", 13220)
    sequential: bool = attribute(boolean, False, 13218)
    refer_url: str = attribute(anything)
    refer_method: str = attribute(http_method, "POST")
    call_reason: str = attribute(matching("up to 50 characters", ".{0,50}"))
    if_machine: str = attribute(one_of("Continue", "Hangup"), "", 13211)
    events: str = attribute(anything)
    passports: str = attribute(anything)
    recording_configuration_id: str = attribute(anything)
    nouns: tuple[Placed[Any], ...] = nested(Number, Sip, *later.DIAL_NOUNS, code=13215)

    def check(self) -> Iterator[Complaint]:
        names = [noun.name for noun in self.nouns]
        if not names and number_target(self.number) is None:
            yield Complaint(13223, f"{self.number!r} is not a phone number")
        if names and self.number:
            yield Complaint(12200, "<Dial> holds words beside its elements; they are left out")
        if "Conference" in names and set(names) != {"Conference"}:
            yield Complaint(13000, "A conference cannot be dialled together with other phones")
        if len(names) > MOST_TARGETS:
            yield Complaint(13215, f"<Dial> has more than {MOST_TARGETS} phones to call")

    async def run(self, call: LiveCall) -> Fetch | None:
        if call.whisper:
            call.note(13201, "A call that was dialled cannot dial")
            return None
        missing = [noun.verb for noun in self.nouns if isinstance(noun.verb, later.Later)]
        for noun in missing:
            await noun.run(call)
        targets = self._targets()
        if missing and not targets:
            return None
        if not self.answer_on_bridge:
            await call.answer()
        outcome = await call.dial(self._order(targets)) if targets else NOBODY
        if outcome.onward and not call.gone:
            return outcome.onward
        action = Fetch(self.action, self.method, self._params(call, outcome))
        return await lead_on(call, action if self.action else None)

    def _targets(self) -> tuple[DialTarget, ...]:
        if not self.nouns:
            only = number_target(self.number)
            return (only,) if only else ()
        if any(noun.name == "Conference" for noun in self.nouns):
            return ()  # phones beside a conference are left out
        phones = [noun.verb.target for noun in self.nouns if isinstance(noun.verb, Number | Sip)]
        return tuple(phone for phone in phones[:MOST_TARGETS] if phone is not None)

    def _order(self, targets: tuple[DialTarget, ...]) -> DialOrder:
        return DialOrder(
            targets,
            timeout=self.timeout,
            time_limit=self.time_limit,
            caller_id=self.caller_id,
            hangup_on_star=self.hangup_on_star,
            answer_on_bridge=self.answer_on_bridge,
            ring_tone=self.ring_tone,
            record=self.record,
            recording_track=self.recording_track,
            trim=self.trim,
            callback=recording_callback(self),
            sequential=self.sequential,
            refer=Fetch(self.refer_url, self.refer_method) if self.refer_url else None,
        )

    def _params(self, call: LiveCall, outcome: DialOutcome) -> dict[str, str]:
        params = {"DialCallStatus": outcome.status}
        if outcome.call_sid:
            params["DialCallSid"] = outcome.call_sid
        if outcome.duration is not None:
            params["DialCallDuration"] = str(outcome.duration)
        params["DialBridged"] = "true" if outcome.bridged else "false"
        return params | recording_params(call, outcome.recording) | dict(outcome.params)
