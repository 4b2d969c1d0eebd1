"""Where numbers are, as the numbering plans tell.  reference: webhooks section 9."""

from __future__ import annotations

import subprocess
import sys

import phonenumbers
import pytest
from phonenumbers import PhoneNumberType, geocoder

from offhook.model.geography import beginnings, country_name, place_of

LOADED = """
import sys
from offhook.model.numbers import load_places
before = sys.getallocatedblocks()
load_places()
print(sys.getallocatedblocks() - before)
"""
SAMPLES = [
    phonenumbers.example_number_for_type(region, kind)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE)
]


def test_a_number_is_where_the_library_finds_it_with_all_its_tables():
    for number in filter(None, SAMPLES):
        country = geocoder.country_name_for_number(number, "en")
        known = geocoder.description_for_number(number, "en")
        assert (place_of(number) or country) == known


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_country_is_called_as_the_library_calls_it(region: str):
    known = geocoder.country_name_for_number(phonenumbers.example_number(region), "en")
    assert country_name(region) == known or not known


def test_the_beginnings_of_a_country_come_without_its_code():
    assert ("41528", "San Francisco, CA") in beginnings("1")
    assert ("20", "London") in beginnings("44")


def test_the_tables_of_places_are_kept_small():
    """In all languages, with all that is known of ZIP codes, they would be 2.5 million objects.
    Python 3.13 counts a tenth more of them than 3.11."""
    told = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True)
    assert int(told.stdout) < 600_000
