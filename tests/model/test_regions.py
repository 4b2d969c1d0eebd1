"""Which region numbers are of, and which are at a place: as the phonenumbers library says."""

from __future__ import annotations

import random
from collections.abc import Iterator

import phonenumbers
import pytest
from phonenumbers import PhoneNumber, PhoneNumberType
from phonenumbers.phonenumberutil import is_number_type_geographical

from offhook.model.numbers import is_possible, normalise
from offhook.model.regions import is_placed, region_of

KINDS = sorted(kind for kind in PhoneNumberType.values() if kind != PhoneNumberType.UNKNOWN)


def examples(code: int) -> Iterator[PhoneNumber]:
    """One of each kind of each region, and numbers that differ from it in a digit, or by one."""
    draw = random.Random(code)
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        for kind in KINDS:
            found = phonenumbers.example_number_for_type(region, kind)
            if found is None:
                continue
            yield found
            digits = str(found.national_number)
            for place in range(len(digits)):
                other = f"{digits[:place]}{draw.randrange(10)}{digits[place + 1 :]}"
                yield PhoneNumber(code, int(other))
            yield PhoneNumber(code, int(digits[:-1]))
            yield PhoneNumber(code, int(digits + "0"))


@pytest.mark.parametrize("code", sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
def test_a_number_is_of_the_region_and_at_a_place_as_the_library_says(code: int):
    for number in examples(code):
        region = phonenumbers.region_code_for_number(number)
        kind = phonenumbers.number_type(number)
        assert region_of(number) == (region or "")
        placed = region != "001" and is_number_type_geographical(kind, code)
        assert is_placed(number, region or "") == placed


@pytest.mark.parametrize("digits", ["2125550123", "9995550123", "5005550123", "2000000000"])
def test_a_north_american_number_is_read_as_by_the_library(digits: str):
    number = f"+1{digits}"
    read = phonenumbers.parse(number, "ZZ")
    assert read == PhoneNumber(1, int(digits))
    assert phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164) == number
    assert phonenumbers.is_possible_number(read)
    assert normalise(number) == number
    assert is_possible(number)
