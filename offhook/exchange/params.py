"""The request parameters of webhooks.  reference: M14 to M19, request parameters of a call."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from offhook.line.live_call import LiveCall
from offhook.model.call import FINAL, Call
from offhook.model.dates import rfc2822
from offhook.model.fetch import Fetch
from offhook.model.message import Message
from offhook.model.numbers import Place, place
from offhook.model.recording import Recording

Params = dict[str, str]
OLD = "2008-08-01"
# Statuses of a text that its status callback is sent for.
SAID = frozenset({"sent", "failed", "delivered", "undelivered", "read", "canceled"})


def voice(call: Call, status: str = "") -> Params:
    """The set that every request about a call carries; `status` overrides the record's."""
    params = {
        "CallSid": call.sid,
        "AccountSid": call.account_sid,
        "From": call.from_,
        "To": call.to,
        "Caller": call.from_,
        "Called": call.to,
        "CallStatus": status or call.status,
        "ApiVersion": call.api_version,
        "Direction": call.direction,
    }
    optional = {
        "ForwardedFrom": call.forwarded_from,
        "CalledVia": call.forwarded_from,
        "CallerName": call.caller_name,
        "ParentCallSid": call.parent_call_sid,
        "ApplicationSid": call.application_sid,
    }
    params |= {name: value for name, value in optional.items() if value}
    for number, names in ((call.from_, ("From", "Caller")), (call.to, ("To", "Called"))):
        if number.startswith("+"):
            for name in names:
                params |= _place(name, place(number))
    return params | {name: str(value) for name, value in call.details.items()}


def _place(prefix: str, where: Place) -> Params:
    return {
        f"{prefix}City": where.city,
        f"{prefix}State": where.state,
        f"{prefix}Zip": where.zip,
        f"{prefix}Country": where.country,
    }


def progress(call: Call, event: str, at: datetime, sequence: int) -> Params:
    """A status callback about a call: the common set and what only callbacks carry.

    `event` is one of initiated, ringing, answered, completed.
    """
    params = voice(call, status="initiated" if event == "initiated" else "")
    params |= {
        "Timestamp": rfc2822(at),
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(sequence),
    }
    if call.status in FINAL:
        seconds = call.duration or 0
        params |= {"CallDuration": str(seconds), "Duration": str(-(-seconds // 60))}
        if call.sip_response_code:
            params["SipResponseCode"] = str(call.sip_response_code)
    return of_version(call.api_version, params)


# API version 2008-08-01 knows less, and some by other names.  reference: 2008-08-01
_NOT_IN_2008 = frozenset(
    [
        *("From", "To", "ApiVersion", "Direction", "ParentCallSid", "ApplicationSid"),
        *("ForwardedFrom", "CalledVia", "FromCity", "FromState", "FromZip", "FromCountry"),
        *("ToCity", "ToState", "ToZip", "ToCountry"),
    ]
)
_NAMES_OF_2008 = {
    "DialCallStatus": "DialStatus", "DialCallSid": "DialCallSegmentSid",
    "DialCallDuration": "DialCallSegmentDuration", "RecordingDuration": "Duration",
}  # fmt: skip
_WORDS_OF_2008 = {
    "CallStatus": {"initiated": "in-progress", "queued": "in-progress", "ringing": "in-progress",
                   "canceled": "no-answer"},
    "DialCallStatus": {"completed": "answered", "canceled": "no-answer"},
}  # fmt: skip


def of_version(api_version: str, params: Params) -> Params:
    """The parameters as that version of the API has them."""
    if api_version != OLD:
        return params
    return {
        _NAMES_OF_2008.get(name, name): _value_of_2008(name, value)
        for name, value in params.items()
        if name not in _NOT_IN_2008
    }


def national(number: str) -> str:
    """A North American number by its ten digits, any other as it is."""
    return number[2:] if len(number) == 12 and number.startswith("+1") else number


def _value_of_2008(name: str, value: str) -> str:
    if name in ("Caller", "Called"):
        return national(value)
    return _WORDS_OF_2008.get(name, {}).get(value, value)


def first(live: LiveCall) -> Fetch:
    """A call's first document; in version 2008-08-01 it is always asked for by POST."""
    start = live.script.start
    return replace(start, method="POST") if live.record.api_version == OLD else start


def recorded(recording: Recording, url: str) -> Params:
    """What a finished recording adds to a request."""
    return {
        "RecordingUrl": url,
        "RecordingSid": recording.sid,
        "RecordingDuration": str(recording.duration or 0),
    }


def recording_status(recording: Recording, url: str, status: str) -> Params:
    """A recordingStatusCallback: `status` is in-progress, completed, absent or failed."""
    params = {
        "AccountSid": recording.account_sid,
        "CallSid": recording.call_sid,
        "RecordingSid": recording.sid,
        "RecordingUrl": url,
        "RecordingStatus": status,
        "RecordingChannels": str(recording.channels),
        "RecordingStartTime": rfc2822(recording.start_time),
        "RecordingSource": recording.source,
        "RecordingTrack": recording.track,
        "ErrorCode": str(recording.error_code),
    }
    if status != "in-progress":
        params["RecordingDuration"] = str(recording.duration or 0)
    return params


def inbound_text(message: Message, media: tuple[tuple[str, str], ...] = ()) -> Params:
    """A text that came in; `media` are (url, content type).  Keys in the original's order."""
    here, there = _text_place("To", message.to), _text_place("From", message.from_)
    params = {
        "ToCountry": here["ToCountry"], "ToState": here["ToState"],
        "SmsMessageSid": message.sid, "NumMedia": str(message.num_media),
        "ToCity": here["ToCity"], "FromZip": there["FromZip"], "SmsSid": message.sid,
        "FromState": there["FromState"], "SmsStatus": "received", "FromCity": there["FromCity"],
        "Body": message.body, "FromCountry": there["FromCountry"], "To": message.to,
        "ToZip": here["ToZip"], "NumSegments": str(message.num_segments),
        "MessageSid": message.sid, "AccountSid": message.account_sid, "From": message.from_,
        "ApiVersion": message.api_version,
    }  # fmt: skip
    for n, (url, content_type) in enumerate(media):
        params |= {f"MediaContentType{n}": content_type, f"MediaUrl{n}": url}
    return _text_of_version(message.api_version, params)


def _text_place(prefix: str, number: str) -> Params:
    return _place(prefix, place(number) if number.startswith("+") else Place())


_TEXTS_NOT_IN_2008 = ("MessageSid", "SmsMessageSid", "NumMedia", "NumSegments", "ApiVersion")


def _text_of_version(api_version: str, params: Params) -> Params:
    """2008-08-01 knows one SID, no media, and numbers of ten digits."""
    if api_version != OLD:
        return params
    return {
        name: national(value) if name in ("From", "To") else value
        for name, value in params.items()
        if name not in _TEXTS_NOT_IN_2008 and not name.startswith("Media")
    }


def told_of(api_version: str, status: str) -> bool:
    """Whether a status callback is sent for it: in 2008-08-01 for two of them."""
    return status in (("sent", "failed") if api_version == OLD else SAID)


def text_status(message: Message) -> Params:
    """A message status callback.  Keys in the original's order."""
    if message.api_version == OLD:
        return {"SmsSid": message.sid, "SmsStatus": message.status}
    params = {
        "SmsSid": message.sid,
        "SmsStatus": message.status,
        "MessageStatus": message.status,
        "To": message.to,
        "MessageSid": message.sid,
        "AccountSid": message.account_sid,
        "From": message.from_,
        "ApiVersion": message.api_version,
    }
    return params | ({"ErrorCode": str(message.error_code)} if message.error_code else {})
