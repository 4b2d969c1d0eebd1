"""What several verbs share: events that may be asked for, and the request when a verb has ended."""

from __future__ import annotations

from typing import Any

from offhook.line.leg import HungUp
from offhook.line.live_call import LiveCall
from offhook.model.fetch import Callback, Fetch
from offhook.model.recording import Recording
from offhook.twiml.schema import several_of

CALL_EVENTS = several_of("initiated", "ringing", "answered", "completed")
RECORDING_EVENTS = several_of("in-progress", "completed", "absent")


def recording_callback(verb: Any) -> Callback:
    """The `recordingStatusCallback` attributes of `<Record>` or `<Dial>` as one."""
    return Callback(
        verb.recording_status_callback,
        verb.recording_status_callback_method,
        verb.recording_status_callback_event,
    )


def recording_params(call: LiveCall, recording: Recording | None) -> dict[str, str]:
    if recording is None:
        return {}
    return {
        "RecordingUrl": call.recording_url(recording),
        "RecordingSid": recording.sid,
        "RecordingDuration": str(recording.duration or 0),
    }


async def lead_on(call: LiveCall, action: Fetch | None) -> Fetch | None:
    """Where a verb leads when it is over.

    The application of a caller who is gone is told all the same. Raises HungUp then.
    """
    if not call.gone:
        return action
    if action is not None:
        await call.tell(action)
    raise HungUp
