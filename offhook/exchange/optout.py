"""Keywords by which a phone stops a number's texts, and starts them again.

reference: opt-out keywords. They count for long codes, as a whole message of one word; short codes
see to it themselves.
"""

from __future__ import annotations

from typing import Literal

from offhook.exchange import texting
from offhook.exchange.exchange import Exchange
from offhook.exchange.texting import MessageOrder
from offhook.model.message import Message
from offhook.model.numbers import is_short_code

STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START = frozenset({"START", "YES", "UNSTOP"})
HELP = frozenset({"HELP", "INFO"})
Keyword = Literal["stop", "start", "help", ""]


def keyword(body: str) -> Keyword:
    """What a whole message means."""
    word = body.strip().upper()
    if word in STOP:
        return "stop"
    if word in START:
        return "start"
    return "help" if word in HELP else ""


async def heed(exchange: Exchange, message: Message) -> None:
    """Does what a text that came in asks for, and confirms what changed."""
    asked = keyword(message.body)
    if not asked or is_short_code(message.to):
        return
    own, other, rules = message.to, message.from_, exchange.rules
    stopped = await texting.opted_out(exchange, own, other)
    if asked == "help":
        await _confirm(exchange, message, rules.helped)
    elif asked == "stop" and not stopped:
        await texting.opt_out(exchange, own, other)
        await _confirm(exchange, message, rules.stopped)
    elif asked == "start" and stopped:
        await texting.opt_in(exchange, own, other)
        await _confirm(exchange, message, rules.started)


async def _confirm(exchange: Exchange, message: Message, words: str) -> None:
    order = MessageOrder(
        message.account_sid, message.from_, message.to, words,
        direction="outbound-reply", api_version=message.api_version,
    )  # fmt: skip
    await texting.queue(exchange, order)
