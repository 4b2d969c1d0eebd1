"""Elements of the language that are checked but not run yet: each leaves a debugger entry instead.

https://www.twilio.com/docs/voice/twiml and the pages of each element.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from offhook.frozen import frozen
from offhook.line.live_call import LiveCall
from offhook.twiml import messaging
from offhook.twiml.callbacks import CALL_EVENTS, RECORDING_EVENTS
from offhook.twiml.nouns import Parameter
from offhook.twiml.schema import (
    SCHEMA_WARNING,
    Attribute,
    Complaint,
    Element,
    Kind,
    anything,
    boolean,
    callback_url,
    elements,
    http_method,
    language_tag,
    matching,
    one_of,
    several_of,
    trimmed,
    whole,
)
from offhook.twiml.verbs.pause import Pause
from offhook.twiml.verbs.play import Play
from offhook.twiml.verbs.say import Say

NOT_A_VERB_YET, NOT_A_NOUN_YET = 13750, 13245


@frozen
class Later:
    """Something that was asked for and cannot be done yet."""

    name: str
    code: int
    complaints: tuple[Complaint, ...] = ()

    def check(self) -> Iterator[Complaint]:
        yield from self.complaints

    async def run(self, call: LiveCall) -> None:
        call.note(self.code, f"<{self.name}> is not available in this release; the call goes on")


def _named(kind: Kind, *names: str, **coded: int) -> dict[str, Attribute]:
    """Attributes of one kind; those given with a code have it for bad values."""
    codes = dict.fromkeys(names, SCHEMA_WARNING) | coded
    return {name: Attribute(name, kind, code=code) for name, code in codes.items()}


def _later(
    name: str,
    attributes: Mapping[str, Attribute],
    *children: Any,
    words: bool = False,
    required: Iterable[str] = (),
    code: int = NOT_A_VERB_YET,
    child_code: int = SCHEMA_WARNING,
) -> Element:
    """`required` attributes are complained of where they are missing; `words` may stand in it."""

    def make(**values: Any) -> Later:
        missing = [each for each in required if not values.get(each)]
        complaints = (Complaint(SCHEMA_WARNING, f"<{name}> needs {each}") for each in missing)
        return Later(name, code, tuple(complaints))

    return Element(
        name,
        make,
        attributes,
        field_of={each: each for each in attributes},
        contents={"words": trimmed} if words else {},
        children=elements(*children),
        child_field="inside",
        child_code=child_code,
    )


_ACTION = _named(anything, "action") | _named(http_method, "method")
_WHISPER = _named(anything, "url") | _named(http_method, "method")
_STATUS = _named(callback_url, "statusCallback") | _named(http_method, "statusCallbackMethod")
_CALL_STATUS = _STATUS | _named(CALL_EVENTS, "statusCallbackEvent")
_RECORDING_STATUS = (
    _named(callback_url, recordingStatusCallback=13256)
    | _named(http_method, "recordingStatusCallbackMethod")
    | _named(RECORDING_EVENTS, recordingStatusCallbackEvent=13621)
    | _named(anything, "recordingConfigurationId")
)
_PAIR = _named(anything, "name", "value")
_TRIM = one_of("trim-silence", "do-not-trim")
_TRACK = one_of("inbound_track", "outbound_track", "both_tracks")
_WHO = one_of("none", "dtmf", "speech", "any", "true", "false")

# -- <Dial> ------------------------------------------------------------------------------------

_CLIENT = _later(
    "Client",
    _WHISPER | _CALL_STATUS | _named(callback_url, clientNotificationUrl=13806),
    _later("Identity", {}, words=True),
    Parameter,
    words=True,
    code=NOT_A_NOUN_YET,
)
_CONFERENCE_EVENTS = several_of(
    "start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"
)
_CONFERENCE = _later(
    "Conference",
    _named(boolean, muted=13230, startConferenceOnEnter=13232, endConferenceOnExit=13231)
    | _named(one_of("true", "false", "onEnter", "onExit"), beep=13235)
    | _named(matching("up to 128 characters without /", "[^/]{1,128}"), participantLabel=16023)
    | _named(one_of("off", "small", "medium", "large"), "jitterBufferSize")
    | _named(callback_url, waitUrl=13233)
    | _named(http_method, waitMethod=13234)
    | _named(whole(2, 250), "maxParticipants")
    | _named(one_of("do-not-record", "record-from-start", "true", "false"), "record")
    | _named(_TRIM, trim=13239)
    | _named(one_of("us1", "us2", "ie1", "de1", "sg1", "br1", "au1", "jp1"), "region")
    | _named(matching("a Call SID", "CA[0-9a-fA-F]{32}"), coach=13240)
    | _STATUS
    | _named(_CONFERENCE_EVENTS, "statusCallbackEvent")
    | _RECORDING_STATUS
    | _named(callback_url, "eventCallbackUrl"),
    words=True,
    code=NOT_A_NOUN_YET,
)
_QUEUE = (
    _named(callback_url, url=14211)
    | _named(http_method, method=14210)
    | _named(anything, "reservationSid", "postWorkActivitySid")
)
_APPLICATION = _later(
    "Application",
    _WHISPER
    | _CALL_STATUS
    | _named(matching("up to 256 characters", ".{0,256}"), "customerId")
    | _named(boolean, "copyParentTo"),
    _later("ApplicationSid", {}, words=True),
    Parameter,
    words=True,
    code=NOT_A_NOUN_YET,
)
DIAL_NOUNS = (
    _CLIENT,
    _CONFERENCE,
    _later("Queue", _QUEUE, words=True, code=NOT_A_NOUN_YET),
    _later("Sim", {}, words=True, code=NOT_A_NOUN_YET),
    _later("WhatsApp", _WHISPER | _CALL_STATUS, words=True, code=NOT_A_NOUN_YET),
    _APPLICATION,
)

# -- <Start>, <Stop>, <Connect> ----------------------------------------------------------------

_STREAM_ATTRIBUTES = (
    _named(anything, "url", "name", "audioFormat", "sampleRate")
    | _named(anything, connectorName=31940)
    | _named(_TRACK, track=31941)
    | _STATUS
)
_STREAM = _later("Stream", _STREAM_ATTRIBUTES, Parameter, required=("url",))
_STREAM_TO_STOP = _later("Stream", _STREAM_ATTRIBUTES, Parameter)
_SIPREC = _later(
    "Siprec",
    _named(anything, "name") | _named(anything, connectorName=31940) | _named(_TRACK, track=31941)
    | _STATUS,
    Parameter,
)  # fmt: skip
_TRANSCRIPTION = _later(
    "Transcription",
    _named(
        anything, "name", "inboundTrackLabel", "outboundTrackLabel", "speechModel", "hints",
        "intelligenceService", "conversationConfiguration", "conversationId",
    )
    | _named(callback_url, "statusCallbackUrl")
    | _named(http_method, "statusCallbackMethod")
    | _named(_TRACK, "track")
    | _named(language_tag, "languageCode")
    | _named(one_of("google", "deepgram"), "transcriptionEngine")
    | _named(
        boolean, "partialResults", "profanityFilter", "enableAutomaticPunctuation",
        "enableProviderData",
    ),
    _later("Config", _PAIR, required=("name", "value")),
    Parameter,
)  # fmt: skip
_RECORDING = _later(
    "Recording",
    _named(anything, "name")
    | _RECORDING_STATUS
    | _named(_TRIM, "trim")
    | _named(one_of("inbound", "outbound", "both"), "track")
    | _named(one_of("mono", "dual"), "channels"),
)
_LANGUAGE_ATTRIBUTES = _named(
    anything, "code", "ttsProvider", "voice", "transcriptionProvider", "speechModel", "hints",
    "asrSmartFormat", "ttsTextNormalization", "ttsLanguageTextNormalization",
)  # fmt: skip
_RELAY = _later(
    "ConversationRelay",
    _named(
        anything, "url", "welcomeGreeting", "language", "ttsLanguage", "transcriptionLanguage",
        "ttsProvider", "voice", "transcriptionProvider", "speechModel", "hints", "debug", "events",
        "intelligenceService", "backgroundNoiseReduction", "speechTimeout", "eotThreshold",
        "eagerEotThreshold", "asrSmartFormat", "ttsTextNormalization", "includeInPrompt",
        "ttsLanguageTextNormalization", "elevenlabsLanguageTextNormalization", "customerName",
        "applicationReconnect", "echoPromptFiltering", "turnDetection",
    )
    | _named(
        boolean, dtmfDetection=64101, preemptible=64101, partialPrompts=64101,
        profanityFilter=64101, deepgramSmartFormat=64101, ignoreBackchannel=64101,
        partialPromptOnHangup=64101,
    )
    | _named(
        _WHO, welcomeGreetingInterruptible=64101, interruptible=64101,
        reportInputDuringAgentSpeech=64101,
    )
    | _named(one_of("low", "medium", "high"), interruptSensitivity=64101)
    | _named(one_of("on", "auto", "off"), elevenlabsTextNormalization=64101),
    _later("Language", _LANGUAGE_ATTRIBUTES, required=("code",)),
    Parameter,
    required=("url",),
)  # fmt: skip
_AGENT = _later(
    "VirtualAgent",
    _named(anything, "connectorName", "language") | _named(boolean, "sentimentAnalysis") | _STATUS,
    _later("Config", _PAIR),
    Parameter,
)
_CONVERSATION_EVENTS = several_of(
    "call-initiated", "call-ringing", "call-answered", "call-completed"
)
_CONVERSATION = _later(
    "Conversation",
    _named(anything, "serviceInstanceSid")
    | _named(boolean, "inboundAutocreation")
    | _named(whole(0), "routingAssignmentTimeout", "inboundTimeout")
    | _WHISPER
    | _named(
        one_of(
            "do-not-record", "record-from-answer", "record-from-ringing",
            "record-from-answer-dual", "record-from-ringing-dual", "true", "false",
        ),
        "record",
    )
    | _named(_TRIM, "trim")
    | _RECORDING_STATUS
    | _STATUS
    | _named(_CONVERSATION_EVENTS, "statusCallbackEvent"),
)  # fmt: skip
_CONNECT_NOUNS = (
    _STREAM,
    _RELAY,
    _AGENT,
    _CONVERSATION,
    _later("Room", _named(anything, "participantIdentity"), words=True),
    _later("Autopilot", {}, words=True),
    _later("AiSession", _named(anything, "aiConnector", "aiSessionConfiguration")),
    _later("ConversationRelaySession", _named(anything, "connector", "sessionConfiguration")),
)
_TAPS = (_SIPREC, _TRANSCRIPTION, _RECORDING)

# -- <Pay> and <Prompt> ------------------------------------------------------------------------

_CARDS = several_of(
    "visa", "mastercard", "amex", "maestro", "discover", "optima", "jcb", "diners-club", "enroute"
)
_PAY_LANGUAGES = one_of(
    "en-US", "en-AU", "en-CA", "en-GB", "en-IN", "es-ES", "es-MX", "fr-CA", "fr-FR", "de-DE",
    "it-IT",
)  # fmt: skip
_AMOUNT = matching("an amount from 0 to 1000000", r"\d{1,3}(,?\d{3})*(\.\d+)?|\d+(\.\d+)?")
_PROMPT = _later(
    "Prompt",
    _named(
        several_of(
            "payment-card-number", "expiration-date", "security-code", "postal-code",
            "bank-routing-number", "bank-account-number", "payment-processing",
        ),
        "for",
    )
    | _named(
        several_of(
            "timeout", "input-timeout", "invalid-card-number", "invalid-card-type",
            "invalid-date", "invalid-security-code", "invalid-postal-code",
            "invalid-bank-routing-number", "invalid-bank-account-number",
            "invalid-bank-account-type", "input-matching-failed", "session-in-progress",
            "invalid-card-number-security-code-capture-sequence", "internal-error",
        ),
        "errorType",
    )
    | _named(_CARDS, "cardType")
    | _named(several_of("1", "2", "3"), "attempt")
    | _named(boolean, "requireMatchingInputs"),
    Say,
    Play,
    Pause,
)  # fmt: skip
_PAY = _later(
    "Pay",
    _named(one_of("dtmf"), input=64020)
    | _named(callback_url, action=64016)
    | _STATUS
    | _named(one_of("credit-card", "ach-debit"), paymentMethod=64013)
    | _named(
        one_of("consumer-checking", "consumer-savings", "commercial-checking"),
        bankAccountType=64017,
    )
    | _named(whole(1), timeout=64020)
    | _named(whole(1, 3), maxAttempts=64020)
    | _named(boolean, securityCode=64020)
    | _named(whole(0), minPostalCodeLength=64020)
    | _named(anything, "postalCode", "paymentConnector", "description")
    | _named(one_of("one-time", "reusable", "payment-method"), tokenType=64020)
    | _named(_AMOUNT, chargeAmount=64003)
    | _named(matching("a currency such as usd", "[A-Za-z]{3}"), currency=64020)
    | _named(_PAY_LANGUAGES, language=64020)
    | _named(_CARDS, validCardTypes=64020),
    _PROMPT,
    Parameter,
)

# -- the rest ----------------------------------------------------------------------------------

_ENQUEUE = _later(
    "Enqueue",
    _named(callback_url, action=14203, waitUrl=14202)
    | _named(http_method, method=14201, waitUrlMethod=14206)
    | _named(matching("a Workflow SID", "WW[0-9a-zA-Z]{32}"), workflowSid=14220)
    | _named(whole(1, 5000), "maxQueueSize"),
    _later("Task", _named(whole(0), "priority", "timeout"), words=True),
    words=True,
)
_MESSAGE = replace(messaging.ELEMENTS["Message"], make=lambda **_: Later("Message", NOT_A_VERB_YET))

VERBS = elements(
    _ENQUEUE,
    _later("Queue", _QUEUE, words=True),
    _later("Leave", {}),
    _later("Echo", {}),
    _later("Connect", _ACTION, *_CONNECT_NOUNS),
    _later("Start", _ACTION, _STREAM, *_TAPS, child_code=14300),
    _later("Stop", {}, _STREAM_TO_STOP, *_TAPS, child_code=14300),
    _PAY,
    _PROMPT,
    _MESSAGE,
)
