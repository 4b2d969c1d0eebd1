"""The application behind the demo number: a menu to call, and an answer to a text.

It speaks to Offhook as yours would: requests in, TwiML out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from offhook import clock

ECHO_NUMBER = "+15550009999"  # answered by the simulated network, which sends back what it hears

LARGEST = 65_536  # bytes of a request: anybody may send one

Params = Mapping[str, str]
_AGAIN = "<Redirect>voice</Redirect>"


def voice(_params: Params) -> str:
    """The menu."""
    return _twiml(
        '<Gather numDigits="1" action="menu" timeout="8">',
        "<Say>Hello, this is Offhook. ",
        "For the time and your number, press 1. ",
        "To record a message and hear it, press 2. ",
        "To be put through to an echo, press 3.</Say>",
        "</Gather>",
        "<Say>You pressed nothing. Goodbye.</Say>",
    )


def menu(params: Params, now: datetime) -> str:
    """What the pressed key asks for. `now` is UTC."""
    match params.get("Digits", ""):
        case "1":
            return _twiml(_say(f"It is {now:%H:%M}, universal time. {_caller(params)}"), _AGAIN)
        case "2":
            return _twiml(
                _say("Speak after the beep, and press the pound key when you are done."),
                '<Record action="recorded" maxLength="60" finishOnKey="#"/>',
                _say("I heard nothing."),
                _AGAIN,
            )
        case "3":
            return _twiml(
                _say("Whatever you say now comes back to you. Press star to return."),
                '<Dial action="dialled" hangupOnStar="true" timeLimit="120">',
                f"<Number>{ECHO_NUMBER}</Number></Dial>",
            )
        case other:
            return _twiml(_say(f"There is nothing behind {other or 'no key'}."), _AGAIN)


def recorded(params: Params) -> str:
    """Plays the message back."""
    url, seconds = params.get("RecordingUrl", ""), params.get("RecordingDuration", "0")
    if not url:
        return _twiml(_say("Nothing was recorded."), _AGAIN)
    unit = "second" if seconds == "1" else "seconds"
    return _twiml(_say(f"This is your message of {seconds} {unit}."), _play(url), _AGAIN)


def dialled(params: Params) -> str:
    """Tells how the call to the echo went."""
    if params.get("DialCallStatus") == "completed":
        return _twiml(_say("Welcome back."), _AGAIN)
    return _twiml(_say("The echo does not answer."), _AGAIN)


def sms(params: Params) -> str:
    """Says what was written."""
    body = params.get("Body", "").strip()
    heard = f'You wrote: "{body[:1000]}".' if body else "You wrote nothing at all."
    hint = "To answer with an application of yours, set the SmsUrl of this number."
    return _twiml(f"<Message>{escape(f'{heard} {hint}')}</Message>")


def application() -> Starlette:
    """All of it, to be mounted at `/demo`: the number's VoiceUrl is `voice`, its SmsUrl `sms`."""
    pages: dict[str, Callable[[Params], str]] = {
        "/voice": voice,
        "/menu": lambda params: menu(params, clock.utc()),
        "/recorded": recorded,
        "/dialled": dialled,
        "/sms": sms,
    }
    methods = ["GET", "POST"]
    return Starlette(
        routes=[Route(path, _page(answer), methods=methods) for path, answer in pages.items()]
    )


def _page(answer: Callable[[Params], str]) -> Callable[[Request], Awaitable[Response]]:
    async def page(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return Response(status_code=413)
        params = dict(request.query_params) | dict(parse_qsl(body.decode("utf-8", "replace")))
        return Response(answer(params), media_type="text/xml")

    return page


def _caller(params: Params) -> str:
    caller = params.get("From", "")
    if caller.startswith("+"):
        return f"You are calling from {' '.join(caller[1:])}."
    return f"You are calling from {caller}." if caller else "Your number is not shown."


def _say(text: str) -> str:
    return f"<Say>{escape(text)}</Say>"


def _play(url: str) -> str:
    return f"<Play>{escape(url)}</Play>"


def _twiml(*parts: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{"".join(parts)}</Response>'
