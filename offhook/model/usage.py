"""What is counted and what it costs: prices, categories, and triggers on them.

reference: accounts, Usage records and Usage triggers. Money is whole millionths of the currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from offhook.frozen import frozen
from offhook.model.call import Call
from offhook.model.message import Message
from offhook.model.numbers import is_short_code
from offhook.model.recording import Recording

Recurring = Literal["", "daily", "monthly", "yearly", "alltime"]
TriggerBy = Literal["count", "usage", "price"]

MILLION = 1_000_000
TOTAL = "totalprice"
MOST_TRIGGERS = 1000


@frozen
class Prices:
    """The price list: calls and recordings by the minute begun, messages by the segment.

    `calls_to` and `messages_to` are prices by how the number begins; the longest match counts.
    """

    currency: str = "USD"
    opening_balance: Decimal = Decimal(0)
    calls_inbound: Decimal = Decimal(0)
    calls_outbound: Decimal = Decimal(0)
    calls_sip: Decimal = Decimal(0)
    calls_client: Decimal = Decimal(0)
    calls_to: Mapping[str, Decimal] = field(default_factory=dict)
    messages_inbound: Decimal = Decimal(0)
    messages_outbound: Decimal = Decimal(0)
    messages_to: Mapping[str, Decimal] = field(default_factory=dict)
    mms_inbound: Decimal = Decimal(0)
    mms_outbound: Decimal = Decimal(0)
    recordings: Decimal = Decimal(0)
    numbers_local: Decimal = Decimal(0)
    numbers_mobile: Decimal = Decimal(0)
    numbers_tollfree: Decimal = Decimal(0)

    def call(self, call: Call) -> str:
        """What an ended call costs, as its record has it."""
        rate = {"client": self.calls_client, "sip": self.calls_sip}.get(_far(call))
        if rate is None:
            inbound = call.direction == "inbound"
            rate = (
                self.calls_inbound
                if inbound
                else _longest(self.calls_to, call.to, self.calls_outbound)
            )
        return charge(rate * minutes(call.duration))

    def message(self, message: Message) -> str:
        """What a message costs that was sent or received."""
        inbound = message.direction == "inbound"
        if message.num_media:
            return charge(self.mms_inbound if inbound else self.mms_outbound)
        rate = self.messages_inbound
        if not inbound:
            rate = _longest(self.messages_to, message.to, self.messages_outbound)
        return charge(rate * message.num_segments)

    def recording(self, recording: Recording) -> str:
        return charge(self.recordings * minutes(recording.duration))

    def number(self, type_: str) -> Decimal:
        """A month of a number."""
        kinds = {"mobile": self.numbers_mobile, "toll-free": self.numbers_tollfree}
        return kinds.get(type_, self.numbers_local)


def _longest(by_prefix: Mapping[str, Decimal], number: str, otherwise: Decimal) -> Decimal:
    matching = [prefix for prefix in by_prefix if number.startswith(prefix)]
    return by_prefix[max(matching, key=len)] if matching else otherwise


def charge(amount: Decimal) -> str:
    """As calls, messages and recordings show it: what is charged is negative."""
    return f"{-amount:.5f}" if amount else "0.00000"


def minutes(seconds: int | None) -> int:
    """Minutes begun."""
    return -(-(seconds or 0) // 60)


@frozen
class Used:
    """Something that counts in a category; `price` in millionths, positive."""

    category: str
    count: int = 1
    usage: int = 1
    price: int = 0


def of_call(call: Call, number_type: str = "") -> list[Used]:
    """A call that was answered; `number_type` is that of the number of ours that was called."""
    far, inbound = _far(call), call.direction == "inbound"
    names = ["calls"]
    if far == "client":
        names.append("calls-client")
    elif far == "sip":
        names += ["calls-sip", f"calls-sip-{'inbound' if inbound else 'outbound'}"]
    elif inbound:
        names += ["calls-inbound", f"calls-inbound-{_kind(number_type)}"]
    else:
        names.append("calls-outbound")
    return _used(names, minutes(call.duration), _millionths(call.price))


def of_message(message: Message) -> list[Used]:
    """A message that was sent or received."""
    way = "inbound" if message.direction == "inbound" else "outbound"
    price = _millionths(message.price)
    if message.num_media:
        return _used(["mms", f"mms-{way}"], 1, price)
    own = message.to if way == "inbound" else message.from_
    code = "shortcode" if is_short_code(own) else "longcode"
    return _used(["sms", f"sms-{way}", f"sms-{way}-{code}"], message.num_segments, price)


def of_recording(recording: Recording) -> list[Used]:
    """A recording that was completed."""
    names = ["recordings"] + ["calls-recordings"] * bool(recording.call_sid)
    return _used(names, minutes(recording.duration), _millionths(recording.price))


def of_number(number_type: str, price: Decimal) -> list[Used]:
    """A number for another month."""
    names = ["phonenumbers", f"phonenumbers-{_kind(number_type)}"]
    return _used(names, 1, int(price * MILLION))


def _used(names: list[str], usage: int, price: int) -> list[Used]:
    return [Used(name, 1, usage, price) for name in names] + [Used(TOTAL, 0, 0, price)]


def _millionths(price: str | None) -> int:
    return int(-Decimal(price or 0) * MILLION)


def _kind(number_type: str) -> str:
    return {"mobile": "mobile", "toll-free": "tollfree"}.get(number_type, "local")


def _far(call: Call) -> str:
    """What kind of phone is at the other end: client, sip, or a number."""
    far = call.from_ if call.direction == "inbound" else call.to
    scheme = far.partition(":")[0].lower() if ":" in far else ""
    return {"client": "client", "sip": "sip", "sips": "sip"}.get(scheme, "number")


@frozen
class Category:
    description: str
    count_unit: str
    usage_unit: str


_CALLS, _TEXTS, _MMS = ("calls", "minutes"), ("messages", "segments"), ("messages", "messages")
_RECORDINGS, _NUMBERS = ("recordings", "minutes"), ("numbers", "numbers")
CATEGORIES: dict[str, Category] = {
    "calls": Category("Voice minutes", *_CALLS),
    "calls-client": Category("Client voice minutes", *_CALLS),
    "calls-inbound": Category("Inbound voice minutes", *_CALLS),
    "calls-inbound-local": Category("Inbound minutes to local numbers", *_CALLS),
    "calls-inbound-mobile": Category("Inbound minutes to mobile numbers", *_CALLS),
    "calls-inbound-tollfree": Category("Inbound minutes to toll-free numbers", *_CALLS),
    "calls-outbound": Category("Outbound voice minutes", *_CALLS),
    "calls-recordings": Category("Minutes of recorded calls", *_RECORDINGS),
    "calls-sip": Category("SIP minutes", *_CALLS),
    "calls-sip-inbound": Category("Inbound SIP minutes", *_CALLS),
    "calls-sip-outbound": Category("Outbound SIP minutes", *_CALLS),
    "mms": Category("MMS", *_MMS),
    "mms-inbound": Category("Inbound MMS", *_MMS),
    "mms-outbound": Category("Outbound MMS", *_MMS),
    "phonenumbers": Category("Phone numbers", *_NUMBERS),
    "phonenumbers-local": Category("Local phone numbers", *_NUMBERS),
    "phonenumbers-mobile": Category("Mobile phone numbers", *_NUMBERS),
    "phonenumbers-tollfree": Category("Toll-free phone numbers", *_NUMBERS),
    "recordings": Category("Recordings", *_RECORDINGS),
    "sms": Category("SMS", *_TEXTS),
    "sms-inbound": Category("Inbound SMS", *_TEXTS),
    "sms-inbound-longcode": Category("Inbound SMS to numbers", *_TEXTS),
    "sms-inbound-shortcode": Category("Inbound SMS to short codes", *_TEXTS),
    "sms-outbound": Category("Outbound SMS", *_TEXTS),
    "sms-outbound-longcode": Category("Outbound SMS from numbers", *_TEXTS),
    "sms-outbound-shortcode": Category("Outbound SMS from short codes", *_TEXTS),
    TOTAL: Category("Total price", "", "usd"),
}

# Categories of the original in which nothing ever counts here: a trigger may name them.
OTHERS = frozenset(
    [
        *("calleridlookups", "carrier-lookups", "lookups", "calls-globalconference"),
        *("phonenumbers-setups", "recordingstorage", "mediastorage", "transcriptions"),
        *("shortcodes", "shortcodes-customerowned", "shortcodes-random", "shortcodes-vanity"),
    ]
)


@frozen
class Sums:
    """What came together in a category; money in millionths."""

    count: int = 0
    usage: int = 0
    price: int = 0


@frozen
class Period:
    """Days from `first` to `last`, both included."""

    first: date
    last: date


def period_of(recurring: str, today: date) -> Period:
    """The period that a trigger counts in."""
    if recurring == "daily":
        return Period(today, today)
    if recurring == "monthly":
        return Period(today.replace(day=1), today)
    if recurring == "yearly":
        return Period(today.replace(month=1, day=1), today)
    return Period(date.min, today)


def month_after(at: datetime, day: int) -> datetime:
    """That day of the next month, or the month's last."""
    following = (at.replace(day=1) + timedelta(days=32)).replace(day=1)
    last = (following + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return following.replace(day=min(day, last.day))


@frozen
class UsageTrigger:
    """`trigger_value` is a decimal; `date_fired` is when it fired last."""

    sid: str
    account_sid: str
    usage_category: str
    trigger_value: str
    callback_url: str
    date_created: datetime
    date_updated: datetime
    callback_method: str = "POST"
    friendly_name: str = ""
    recurring: Recurring = ""
    trigger_by: TriggerBy = "usage"
    date_fired: datetime | None = None
    api_version: str = "2010-04-01"

    def is_due(self, current: Decimal, today: date) -> bool:
        """Whether it fires: once, or once in each of its periods."""
        if current < Decimal(self.trigger_value):
            return False
        fired = self.date_fired.date() if self.date_fired else None
        return fired is None or fired < period_of(self.recurring, today).first


def current_value(trigger: UsageTrigger, sums: Sums) -> Decimal:
    """What the trigger watches."""
    if trigger.trigger_by == "price" or trigger.usage_category == TOTAL:
        return Decimal(sums.price) / MILLION
    return Decimal(sums.count if trigger.trigger_by == "count" else sums.usage)


def shown(amount: Decimal) -> str:
    """Without an exponent and without zeros at its end."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
