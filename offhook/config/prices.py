"""What is charged for: a table of the settings of its own."""

from __future__ import annotations

from pydantic import Field

from offhook.config.section import Section
from offhook.config.values import Currency, Price, PricesByPrefix


class Prices(Section):
    """What calls, messages, recordings and numbers cost: in their records, in usage and triggers.

    Nothing costs anything until it is said here. Calls and recordings cost by the minute begun,
    texts by the segment.
    """

    currency: Currency = "USD"
    """The currency, by its three letters."""

    opening_balance: float = Field(default=0, ge=0, le=1e9)
    """What the account began with: its balance is this, less what it and its subaccounts used."""

    calls_inbound: Price = 0
    """A minute of a call that comes in."""

    calls_outbound: Price = 0
    """A minute of a call that goes out."""

    calls_to: PricesByPrefix = Field(default={})
    """A minute of a call to numbers that begin like this: { "+44" = 0.02 }. The longest match
    counts, before `calls_outbound`."""

    calls_sip: Price = 0
    """A minute of a call to or from a SIP address."""

    calls_client: Price = 0
    """A minute of a call to or from a browser phone."""

    messages_inbound: Price = 0
    """A segment of a text that comes in."""

    messages_outbound: Price = 0
    """A segment of a text that goes out."""

    messages_to: PricesByPrefix = Field(default={})
    """A segment of a text to numbers that begin like this. The longest match counts, before
    `messages_outbound`."""

    mms_inbound: Price = 0
    """A message with media that comes in."""

    mms_outbound: Price = 0
    """A message with media that goes out."""

    recordings: Price = 0
    """A minute of a recording."""

    numbers_local: Price = 0
    """A month of a local number."""

    numbers_mobile: Price = 0
    """A month of a mobile number."""

    numbers_tollfree: Price = 0
    """A month of a toll-free number."""
