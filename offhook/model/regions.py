"""Which region of its country's code a number is of, and whether it is at a place.

The phonenumbers library says the same, and goes through all kinds of numbers each time: that took
as long as the whole request to the application, where nobody had heard of the caller.
"""

from __future__ import annotations

import re
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumber, PhoneNumberType
from phonenumbers.phonenumberutil import is_number_type_geographical, national_significant_number

_PLACED = ("fixed_line", "mobile")
_NOWHERE = (
    *("premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan"),
    "voicemail",
)


def region_of(number: PhoneNumber) -> str:
    """ISO 3166-1, "001" for numbers of no country, "" where no region has such a number."""
    code = number.country_code or 0
    regions = COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    if len(regions) <= 1:
        return "".join(regions)
    found = _sharing(code).match(national_significant_number(number))
    return str(regions[found.lastindex - 1]) if found and found.lastindex else ""


def is_placed(number: PhoneNumber, region: str) -> bool:
    """Whether a number of this region is at a place; mobiles are in some countries."""
    mobiles = is_number_type_geographical(PhoneNumberType.MOBILE, number.country_code or 0)
    return _placed(region, mobiles).match(national_significant_number(number)) is not None


@cache
def _sharing(code: int) -> re.Pattern[str]:
    """Those of each region that shares the code, in its order: a group for each. Where it is said
    how a region's numbers begin, that makes them the region's."""
    known = (PhoneMetadata.metadata_for_region(each) for each in COUNTRY_CODE_TO_REGION_CODE[code])
    looks = [(each and each.leading_digits) or _look(each, *_PLACED, *_NOWHERE) for each in known]
    return re.compile("|".join(f"({look})" for look in looks))


@cache
def _placed(region: str, mobiles: bool) -> re.Pattern[str]:
    known = PhoneMetadata.metadata_for_region(region)
    return re.compile(_look(known, *(_PLACED if mobiles else _PLACED[:1])))


def _look(known: PhoneMetadata | None, *kinds: str) -> str:
    """What all of a number of one of these kinds looks like, by what is known of its region."""
    described = filter(None, (getattr(known, kind, None) for kind in kinds))
    looks = filter(None, (each.national_number_pattern for each in described))
    return f"(?:{'|'.join(looks) or '(?!)'})\\Z"
