"""Elements that stand in verbs: the phones that `<Dial>` calls, and parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from offhook.frozen import frozen
from offhook.line.orders import DialTarget
from offhook.model.fetch import Callback
from offhook.twiml import sip_uri
from offhook.twiml.callbacks import CALL_EVENTS
from offhook.twiml.program import Placed
from offhook.twiml.schema import (
    Complaint,
    anything,
    attribute,
    callback_url,
    content,
    http_method,
    nested,
    one_of,
    phone_number,
    touch_tones,
    trimmed,
    whole,
)

MACHINE_DETECTION = one_of("Enable", "DetectMessageEnd")
MOST_URIS = 10


@frozen
class Parameter:
    """A value of the application's own."""

    name: str = attribute(anything)
    value: str = attribute(anything)


def number_target(text: str) -> DialTarget | None:
    """The phone that a number, as written, calls; None if it is none."""
    try:
        return DialTarget("number", phone_number.read(text))
    except ValueError:
        return None


@frozen
class Number:
    """A phone number to dial.  https://www.twilio.com/docs/voice/twiml/number"""

    number: str = content(trimmed)
    send_digits: str = attribute(touch_tones, "", 13222)
    url: str = attribute(anything)
    method: str = attribute(http_method, "POST", 13221)
    status_callback: str = attribute(callback_url)
    status_callback_method: str = attribute(http_method, "POST")
    status_callback_event: tuple[str, ...] = attribute(CALL_EVENTS, ("completed",))
    byoc: str = attribute(anything)
    machine_detection: str = attribute(MACHINE_DETECTION)
    machine_detection_timeout: int = attribute(whole(3, 60), 30, 21263)  # seconds
    machine_detection_speech_threshold: int = attribute(whole(1000, 6000), 2400, 21263)  # ms
    machine_detection_speech_end_threshold: int = attribute(whole(500, 5000), 1200, 21263)  # ms
    machine_detection_silence_timeout: int = attribute(whole(2000, 10000), 5000, 21263)  # ms
    amd_status_callback: str = attribute(callback_url)
    amd_status_callback_method: str = attribute(http_method, "POST")
    phone_number_sid: str = attribute(anything)
    client_notification_url: str = attribute(callback_url, "", 13806)

    def check(self) -> Iterator[Complaint]:
        if number_target(self.number) is None:
            yield Complaint(13223, f"{self.number!r} is not a phone number")
        if self.machine_detection and not self.amd_status_callback:
            yield Complaint(21262, "machineDetection needs an amdStatusCallback")

    @property
    def target(self) -> DialTarget | None:
        target = number_target(self.number)
        return target and replace(
            target,
            url=self.url,
            method=self.method,
            send_digits=self.send_digits,
            callback=_status_callback(self),
        )


@frozen
class Uri:
    """One of several addresses of a `<Sip>`; lower priorities first, then higher weights."""

    uri: str = content(trimmed)
    priority: int = attribute(whole(0), 0)
    weight: int = attribute(whole(0), 0)
    username: str = attribute(anything)
    password: str = attribute(anything)


@frozen
class Header:
    name: str = attribute(anything)
    value: str = attribute(anything)

    def check(self) -> Iterator[Complaint]:
        if not sip_uri.may_be_sent(self.name):
            yield Complaint(13252, f"A header named {self.name!r} may not be sent", skip=True)


@frozen
class Headers:
    headers: tuple[Placed[Header], ...] = nested(Header)


@frozen
class Sip:
    """A SIP phone to dial.  https://www.twilio.com/docs/voice/twiml/sip"""

    text: str = content(trimmed)
    username: str = attribute(anything, "", 13249)
    password: str = attribute(anything, "", 13249)
    url: str = attribute(anything)
    method: str = attribute(http_method, "POST", 13241)
    send_digits: str = attribute(touch_tones, "", 13242)
    status_callback: str = attribute(callback_url)
    status_callback_method: str = attribute(http_method, "POST")
    status_callback_event: tuple[str, ...] = attribute(CALL_EVENTS, ("completed",))
    machine_detection: str = attribute(MACHINE_DETECTION)
    machine_detection_timeout: int = attribute(whole(3, 60), 30, 21263)  # seconds
    machine_detection_speech_threshold: int = attribute(whole(1000, 6000), 2400, 21263)  # ms
    machine_detection_speech_end_threshold: int = attribute(whole(500, 5000), 1200, 21263)  # ms
    machine_detection_silence_timeout: int = attribute(whole(2000, 10000), 5000, 21263)  # ms
    amd_status_callback: str = attribute(callback_url)
    amd_status_callback_method: str = attribute(http_method, "POST")
    inside: tuple[Placed[Uri | Headers], ...] = nested(Uri, Headers, code=13215)

    def check(self) -> Iterator[Complaint]:
        if len(self._uris) > MOST_URIS:
            yield Complaint(13250, f"<Sip> has more than {MOST_URIS} URIs")
        for each in self._uris:
            yield from _uri_complaints(each)
        if self.machine_detection and not self.amd_status_callback:
            yield Complaint(21262, "machineDetection needs an amdStatusCallback")

    @property
    def target(self) -> DialTarget | None:
        """The first URI that can be called, the others behind it; None if no URI can."""
        good = [each for each in self._uris[:MOST_URIS] if not _is_refused(each)]
        ranked = sorted(good, key=lambda each: (each.priority, -each.weight))
        targets = [self._target(each) for each in ranked]
        return replace(targets[0], then=tuple(targets[1:])) if targets else None

    @property
    def _uris(self) -> list[Uri]:
        given = [part.verb for part in self.inside if isinstance(part.verb, Uri)]
        ours = (self.username, self.password)
        return [
            each if each.username or each.password else _signed(each, *ours)
            for each in given or [Uri(self.text)]
        ]

    def _target(self, each: Uri) -> DialTarget:
        uri, behind = sip_uri.split(each.uri)
        written = [header for header in sip_uri.headers(behind) if sip_uri.may_be_sent(header[0])]
        listed = [part.verb for part in self.inside if isinstance(part.verb, Headers)]
        written += [(one.verb.name, one.verb.value) for each in listed for one in each.headers]
        return DialTarget(
            "sip",
            uri,
            url=self.url,
            method=self.method,
            callback=_status_callback(self),
            send_digits=self.send_digits,
            username=each.username,
            password=each.password,
            headers=tuple(written),
        )


def _signed(uri: Uri, username: str, password: str) -> Uri:
    return replace(uri, username=username, password=password)


def _is_refused(each: Uri) -> bool:
    uri, behind = sip_uri.split(each.uri)
    too_long = len(behind) > sip_uri.LONGEST_HEADERS
    return too_long or not sip_uri.is_sip_uri(uri) or bool(each.username) != bool(each.password)


def _uri_complaints(each: Uri) -> Iterator[Complaint]:
    for code, message in sip_uri.faults(each.uri):
        yield Complaint(code, message)
    if bool(each.username) != bool(each.password):
        yield Complaint(13249, "username and password go together")


def _status_callback(noun: Number | Sip) -> Callback:
    return Callback(noun.status_callback, noun.status_callback_method, noun.status_callback_event)
