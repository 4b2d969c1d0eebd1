"""What calls, messages and recordings cost when they end, and that they count.

The records are priced where they change, and counted in the transaction that stores them.
"""

from __future__ import annotations

from offhook.frozen import changed
from offhook.model import usage
from offhook.model.call import Call
from offhook.model.message import Message
from offhook.model.recording import Recording
from offhook.model.usage import Prices
from offhook.store import records
from offhook.store.store import Connection
from offhook.store.usage import add

COUNTED_MESSAGES = ("sent", "received")


def priced(prices: Prices, call: Call) -> Call:
    """With what it cost, once it is over; one that nobody answered costs nothing."""
    if call.status != "completed":
        return call
    return changed(call, price=prices.call(call), price_unit=prices.currency)


def priced_message(prices: Prices, message: Message) -> Message:
    """With what it cost, once it is sent or received."""
    if message.status not in COUNTED_MESSAGES:
        return message
    return changed(message, price=prices.message(message), price_unit=prices.currency)


def priced_recording(prices: Prices, recording: Recording) -> Recording:
    """With what it cost, once it is completed."""
    if recording.status != "completed":
        return recording
    return changed(recording, price=prices.recording(recording), price_unit=prices.currency)


def count_call(connection: Connection, call: Call) -> None:
    """To be called once, when it is final; one that nobody answered does not count."""
    if call.status != "completed":
        return
    sid = call.phone_number_sid
    used = usage.of_call(call, records.numbers.type_of(connection, sid) if sid else "")
    add(connection, call.account_sid, call.end_time or call.date_updated, used)


def count_message(connection: Connection, message: Message) -> None:
    """To be called once, when it is sent or received."""
    if message.status in COUNTED_MESSAGES:
        at = message.date_sent or message.date_updated
        add(connection, message.account_sid, at, usage.of_message(message))


def count_recording(connection: Connection, recording: Recording) -> None:
    """To be called once, when it is completed."""
    if recording.status == "completed":
        used = usage.of_recording(recording)
        add(connection, recording.account_sid, recording.date_updated, used)
