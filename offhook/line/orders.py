"""What a verb asks of a live call, and what it learns from it."""

from __future__ import annotations

from typing import Literal

from offhook.frozen import frozen
from offhook.model.fetch import Callback, Fetch
from offhook.model.recording import Recording


@frozen
class RecordVerb:
    """What `<Record>` wants. Times are seconds; a `timeout` of 0 waits through any silence.

    `finish_on_key` is the set of keys that end it, "" for none.
    """

    timeout: int = 5
    finish_on_key: str = "1234567890*#"
    max_length: int = 3600
    play_beep: bool = True
    trim: bool = True
    callback: Callback = Callback()


@frozen
class RecordOutcome:
    """`recording` is None when not one frame was captured.

    `digits` is the key that ended it, "hangup" when the caller did, "" otherwise.
    """

    recording: Recording | None
    digits: str = ""


@frozen
class DialTarget:
    """One phone to ring.

    `to` is the number as written, `sip:...` without its header part, or `client:...`. `url` is the
    whisper document, relative to the current one. `then` are tried in turn when this one is out of
    order (no reply or a 5xx), never after a busy or a refusal.
    """

    kind: Literal["number", "sip", "client"]
    to: str
    url: str = ""
    method: str = "POST"
    callback: Callback = Callback()
    send_digits: str = ""
    username: str = ""
    password: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    then: tuple[DialTarget, ...] = ()


@frozen
class DialOrder:
    """What `<Dial>` wants. Times are seconds; `timeout` counts for each target when `sequential`.

    `record` and `recording_track` are the attributes' words; without a `caller_id` the caller's
    own is shown. `refer` is asked what becomes of a call whose other end wants to be replaced.
    """

    targets: tuple[DialTarget, ...]
    timeout: int = 30
    time_limit: int = 14400
    caller_id: str = ""
    hangup_on_star: bool = False
    answer_on_bridge: bool = False
    ring_tone: str = ""
    record: str = "do-not-record"
    recording_track: str = "both"
    trim: bool = False
    callback: Callback = Callback()
    sequential: bool = False
    refer: Fetch | None = None


@frozen
class DialOutcome:
    """`status` is a DialCallStatus; `duration`, in seconds, is None when nobody answered.

    With `onward`, the other end had itself replaced: that document takes the action's place.

    `params` are further action parameters, verbatim: DialSipCallId, DialSipResponseCode, ...
    """

    status: str
    call_sid: str = ""
    duration: int | None = None
    bridged: bool = False
    recording: Recording | None = None
    params: tuple[tuple[str, str], ...] = ()
    onward: Fetch | None = None
