"""What an account may call, and how much: the limits that toll fraud runs into."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from offhook.frozen import frozen

_NUMBER_IN_URI = re.compile(r"sips?:(\+\d+)[@;:]", re.IGNORECASE)


@frozen
class Allowance:
    """`calls` at a time, 0: any number; `destinations` are how E.164 numbers may begin."""

    calls: int = 0
    destinations: tuple[str, ...] = ("+",)

    def reaches(self, to: str) -> bool:
        """Whether an address may be called or texted. A number inside a `sip:` URI is a number;
        what else is no E.164 number costs nobody anything, or is an emergency."""
        inside = _NUMBER_IN_URI.match(to)
        number = inside[1] if inside else to
        return not number.startswith("+") or number.startswith(self.destinations)


@frozen
class Allowances:
    """The usual one, and those of particular accounts by their SID."""

    usual: Allowance = Allowance()
    special: Mapping[str, Allowance] = field(default_factory=dict)

    def of(self, account_sid: str) -> Allowance:
        return self.special.get(account_sid, self.usual)
