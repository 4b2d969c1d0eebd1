from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from offhook.frozen import frozen
from offhook.line.live_call import LiveCall
from offhook.model.fetch import Fetch
from offhook.twiml.program import Placed, Verb, perform
from offhook.twiml.schema import (
    Attribute,
    Complaint,
    Kind,
    anything,
    attribute,
    boolean,
    described,
    http_method,
    language_tag,
    matching,
    nested,
    nothing,
    one_of,
    whole,
)
from offhook.twiml.verbs.pause import Pause
from offhook.twiml.verbs.play import Play
from offhook.twiml.verbs.say import Say

INPUTS = {"dtmf speech": "dtmf speech", "speech dtmf": "dtmf speech"}
MODELS = (
    r"default|numbers_and_commands|phone_call|experimental_(conversations|utterances)"
    r"|googlev2_(long|short|telephony|telephony_short)|deepgram_nova-2(-[a-z]+)?|deepgram_nova-3"
)
NO_DIGITS = Attribute("", nothing, "", 13320, skip=True)
PLAY_A_FILE = replace(
    described(Play), attributes={**described(Play).attributes, "digits": NO_DIGITS}
)


def _hints(text: str) -> str:
    entries = text.split(",")
    if len(entries) > 500 or any(len(entry.strip()) > 100 for entry in entries):
        raise ValueError(text)
    return text


@frozen
class Gather:
    """Collect keys, then go on with what `action` answers.

    https://www.twilio.com/docs/voice/twiml/gather
    The first key silences the prompts (`bar_in` false: they are heard out, keys are kept). Quiet is
    counted from their end. Nothing collected, and no `action_on_empty_result`: the next verb.
    """

    input: str = attribute(one_of("dtmf", "speech", **INPUTS), "dtmf", 13326)
    action: str = attribute(anything)  # empty: this document again
    method: str = attribute(http_method, "POST", 13312)
    timeout: int = attribute(whole(1, auto=5), 5, 13313)  # seconds of quiet
    speech_timeout: int = attribute(whole(1, auto=0), None, 13327)  # seconds, 0 is auto
    max_speech_time: int = attribute(whole(1, 60), 60, 13328)  # seconds
    num_digits: int | None = attribute(whole(1), None, 13314)
    finish_on_key: str = attribute(matching("one of 0-9 # *, or empty", r"[0-9#*]?"), "#", 13310)
    action_on_empty_result: bool = attribute(boolean, False, 13338)
    partial_result_callback: str = attribute(anything)
    partial_result_callback_method: str = attribute(http_method, "POST", 13329)
    language: str = attribute(language_tag, "en-US", 13331)
    hints: str = attribute(Kind("up to 500 entries of up to 100 characters", _hints), "", 13330)
    profanity_filter: bool = attribute(boolean, True, 13333)
    speech_model: str = attribute(matching("a speech model", MODELS), "default", 13334)
    enhanced: bool = attribute(boolean, False)
    barge_in: bool = attribute(boolean, True, 13332)
    debug: bool = attribute(boolean, False)
    prompts: tuple[Placed[Verb], ...] = nested(
        Say, PLAY_A_FILE, Pause, code=13320, codes={13511: 13321, 13510: 13322}
    )

    def check(self) -> Iterator[Complaint]:
        if self.speech_timeout == 0 and self.speech_model not in ("default", "phone_call"):
            yield Complaint(13335, "speechTimeout must be in seconds for this speechModel")

    async def run(self, call: LiveCall) -> Fetch | None:
        await call.answer()
        call.forget_keys()
        if "speech" in self.input:
            call.note(13340, "<Gather> cannot hear speech in this release, only keys")
        if "dtmf" not in self.input:
            return await self._nobody_spoke(call)
        digits, ended_by = await self._collect(call)
        return self._result(digits, ended_by)

    async def _collect(self, call: LiveCall) -> tuple[str, str]:
        """The digits, and the key that ended them, if a key did."""
        digits, ended_by = "", ""
        key = await self._first_key(call)
        while key is not None:
            if key == self.finish_on_key:
                ended_by = key
                break
            digits += key
            if len(digits) == self.num_digits:
                break
            key = await call.key(within=self.timeout)
        return digits, ended_by

    async def _first_key(self, call: LiveCall) -> str | None:
        prompts = self._prompt(call)
        if self.barge_in:
            return await call.key(within=self.timeout, over=prompts)
        await prompts
        return await call.key(within=self.timeout)

    async def _prompt(self, call: LiveCall) -> None:
        """Files are fetched before anything is played."""
        verbs = [placed.verb for placed in self.prompts]
        files = {verb.url: None for verb in verbs if isinstance(verb, Play)}
        async with call.ready(tuple(files)):
            await perform(self.prompts, call)

    async def _nobody_spoke(self, call: LiveCall) -> Fetch | None:
        await self._prompt(call)
        await call.silence(self.timeout)
        return self._result("", "")

    def _result(self, digits: str, ended_by: str) -> Fetch | None:
        if not digits and not self.action_on_empty_result:
            return None
        params = {"Digits": digits, "FinishedOnKey": ended_by, "msg": "Gather End"}
        return Fetch(self.action, self.method, params)
