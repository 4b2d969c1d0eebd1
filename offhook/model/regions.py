"""Which region of its country's code a number is of, and whether it is at a place.

The phonenumbers library says the same, and goes through all kinds of numbers each time: that took
as long as the whole request to the application, where nobody had heard of the caller.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumber, PhoneNumberType
from phonenumbers.phonenumberutil import is_number_type_geographical, national_significant_number

from offhook.frozen import frozen

_NOWHERE = (
    *("premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan"),
    "voicemail",
)


@frozen
class _Numbers:
    """Those of one region, without the code: what all look like, those that are nowhere, those of
    places and those of mobiles. Where a `beginning` is said, that alone makes one the region's."""

    beginning: re.Pattern[str] | None
    all: re.Pattern[str]
    nowhere: re.Pattern[str]
    fixed: re.Pattern[str]
    mobile: re.Pattern[str]

    def include(self, national: str) -> bool:
        if self.beginning:
            return self.beginning.match(national) is not None
        kinds = (self.fixed, self.mobile, self.nowhere)
        return bool(self.all.fullmatch(national)) and any(one.fullmatch(national) for one in kinds)

    def place(self, national: str, *, mobiles: bool) -> bool:
        if not self.all.fullmatch(national) or self.nowhere.fullmatch(national):
            return False
        return bool(self.fixed.fullmatch(national) or (mobiles and self.mobile.fullmatch(national)))


def region_of(number: PhoneNumber) -> str:
    """ISO 3166-1, "001" for numbers of no country, "" where no region has such a number."""
    regions = COUNTRY_CODE_TO_REGION_CODE.get(number.country_code or 0, ())
    if len(regions) == 1:
        return str(regions[0])
    national = national_significant_number(number)
    return next((each for each in regions if _numbers(each).include(national)), "")


def is_placed(number: PhoneNumber, region: str) -> bool:
    """Whether a number of this region is at a place; mobiles are in some countries."""
    mobiles = is_number_type_geographical(PhoneNumberType.MOBILE, number.country_code or 0)
    return _numbers(region).place(national_significant_number(number), mobiles=mobiles)


@cache
def _numbers(region: str) -> _Numbers:
    known = PhoneMetadata.metadata_for_region(region, None)
    beginning = known and known.leading_digits

    def looks(*kinds: str) -> re.Pattern[str]:
        found = (_look(getattr(known, kind, None)) for kind in kinds)
        return re.compile("|".join(filter(None, found)) or "(?!)")

    return _Numbers(
        re.compile(beginning) if beginning else None,
        *(looks("general_desc"), looks(*_NOWHERE), looks("fixed_line"), looks("mobile")),
    )


def _look(kind: Any) -> str:
    """Of the numbers of a kind, each in its lengths; "" where there are none."""
    if kind is None or not kind.national_number_pattern:
        return ""
    lengths = "|".join(f".{{{length}}}\\Z" for length in kind.possible_length)
    return f"(?={lengths})(?:{kind.national_number_pattern})"
