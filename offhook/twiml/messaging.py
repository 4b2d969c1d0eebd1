"""Documents that answer a message. Their verbs are records; the exchange sends and fetches.

https://www.twilio.com/docs/messaging/twiml
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from offhook.frozen import frozen
from offhook.model.fetch import Fetch
from offhook.twiml.program import Document, Placed
from offhook.twiml.schema import (
    Complaint,
    Kind,
    anything,
    attribute,
    callback_url,
    content,
    described,
    http_method,
    lines,
    phone_number,
    trimmed,
)

MOST_REPLIES = 10  # to one message
MOST_DOCUMENTS = 50  # in answer to one message
MOST_MEDIA = 10
MOST_UNITS = 1600  # UTF-16 code units in one text
RETRIEVAL_LIMIT, REPLY_LIMIT, UNKNOWN_VERB = 14106, 14109, 14110


def _address(text: str) -> str:
    channel, colon, name = text.partition(":")
    return text if colon and channel.isalnum() and name.strip() else str(phone_number.read(text))


def _sender(text: str) -> str:
    word = text.replace(" ", "").translate({ord(mark): None for mark in "&+_-"})
    named = len(text) <= 11 and word.isascii() and word.isalnum() and not word.isdigit()
    return text if named else _address(text)


address = Kind("a phone number or a channel address", _address)
sender = Kind("a phone number, a channel address or a name of up to 11 letters", _sender)


def body_fault(body: str) -> str:
    """What is wrong with a text's length, "" if nothing is."""
    units = len(body.encode("utf-16-le", "surrogatepass")) // 2
    return f"The text is {units} long, {MOST_UNITS} is the most" if units > MOST_UNITS else ""


@frozen
class Reply:
    """A text to send. Empty `to` and `from_` are the sender and the receiver of the message.

    With an `action`, what that answers takes the rest of this document's place.
    """

    to: str = attribute(address, "", 14101, skip=True)
    from_: str = attribute(sender, "", 14102, skip=True)
    body: str = content(lines)
    media: tuple[str, ...] = ()  # URLs, relative to the document
    action: str = attribute(anything)
    method: str = attribute(http_method, "POST", 14104, skip=True)
    status_callback: str = attribute(callback_url, "", 14105, skip=True)

    def check(self) -> Iterator[Complaint]:
        if not self.body and not self.media:
            yield Complaint(14103, "There is neither text nor media to send", skip=True)
        if fault := body_fault(self.body):
            yield Complaint(14103, fault, skip=True)
        if len(self.media) > MOST_MEDIA:
            yield Complaint(14103, f"More than {MOST_MEDIA} media in one message", skip=True)


@frozen
class Body:
    text: str = content(lines)


@frozen
class Media:
    url: str = content(trimmed)


@frozen
class Redirect:
    method: str = attribute(http_method, "POST", 14104)
    url: str = content(trimmed)


def _message(
    body: str = "", inside: tuple[Placed[Body | Media], ...] = (), **attributes: Any
) -> Reply:
    bodies = [part.verb.text for part in inside if isinstance(part.verb, Body)]
    media = tuple(part.verb.url for part in inside if isinstance(part.verb, Media))
    return Reply(body="\n".join(bodies) or body, media=media, **attributes)


def _redirect(url: str = "", method: str = "POST") -> Fetch:
    return Fetch(url, method)


_CHILDREN = {"Body": described(Body), "Media": described(Media)}
ELEMENTS = {
    "Message": replace(
        described(Reply), name="Message", make=_message, children=_CHILDREN, child_field="inside"
    ),
    "Sms": replace(described(Reply), name="Sms"),
    "Redirect": replace(described(Redirect), make=_redirect),
}

Step = Reply | Fetch
Send = Callable[[Reply], Awaitable[tuple[str, str]]]  # gives MessageSid and MessageStatus


async def converse(
    start: Fetch,
    fetch: Callable[[Fetch], Awaitable[Document[Step]]],
    send: Send,
    note: Callable[[int, str], None],
) -> None:
    """Answer a message: run documents until one leads nowhere. Raises whatever `fetch` raises."""
    left = MOST_REPLIES
    for _ in range(MOST_DOCUMENTS):
        document = await fetch(start)
        for problem in document.problems:
            note(problem.code, f"{problem.message} (line {problem.line}, column {problem.column})")
        replies = (placed.verb for placed in document.verbs)
        following = None
        while following is None and (step := next(replies, None)):
            if isinstance(step, Fetch):
                following = step
            elif left == 0:
                return note(REPLY_LIMIT, f"More than {MOST_REPLIES} replies to one message")
            else:
                left -= 1
                following = _after(step, *await send(step))
        if following is None:
            return None
        start = following
    return note(RETRIEVAL_LIMIT, f"More than {MOST_DOCUMENTS} documents for one message")


def _after(reply: Reply, sid: str, status: str) -> Fetch | None:
    if not reply.action:
        return None
    told = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "SmsStatus": status}
    return Fetch(reply.action, reply.method, told)
