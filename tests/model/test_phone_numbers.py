"""Numbers and places.  reference: webhooks sections 8 and 9, messaging section 2.3, decisions."""

from __future__ import annotations

import pytest

from offhook.model.numbers import (
    Place,
    caller,
    formatted,
    is_alphanumeric_sender,
    is_emergency,
    is_possible,
    is_short_code,
    normalise,
    place,
    region_of,
    withheld,
)


@pytest.mark.parametrize(
    ("raw", "region", "number"),
    [
        ("(415) 555-4345", "US", "+14155554345"), ("415.555.4345", "CA", "+14155554345"),
        ("4155554345", "US", "+14155554345"), ("14155554345", "US", "+14155554345"),
        ("+1 415 555 4345", "DE", "+14155554345"), (" +14155554345\n", "US", "+14155554345"),
        ("415–555–4345", "US", "+14155554345"), ("(030) 123456", "DE", "+4930123456"),
        ("020 7946 0000", "GB", "+442079460000"), ("06 1234567", "IT", "+39061234567"),
        ("0049 30 123456", "US", "+4930123456"), ("0049 30 123456", "GB", "+4930123456"),
        ("011 44 20 7946 0000", "US", "+442079460000"),
        ("011442079460000", "FR", "+442079460000"),
    ],
)  # fmt: skip
def test_numbers_become_e164_where_they_can(raw: str, region: str, number: str):
    """M18"""
    assert normalise(raw, region) == number


@pytest.mark.parametrize(
    "raw",
    [
        "5550100", "+15550100", "911", "12345678901234567890", "client:tommy", "sip:+14155554345@h",
        "Acme Co", "anonymous", "", "+", "1-800-FLOWERS", "*67", "+266696687",
    ],
)  # fmt: skip
def test_others_stay_as_they_came(raw: str):
    """M18: the raw caller ID string."""
    assert normalise(raw) == raw


@pytest.mark.parametrize("raw", ["12345", "123456", " 123 456 "])
def test_short_codes_stay_bare(raw: str):
    assert normalise(raw) == raw.replace(" ", "")
    assert is_short_code(normalise(raw))


def test_possible_numbers_are_numbers_whether_assigned_or_not():
    assert normalise("555 000 1111") == "+15550001111"
    assert is_possible("+15550001111")


@pytest.mark.parametrize(
    "text", ["+1555000111", "+155500011112", "+999123", "15550001111", "x", ""]
)
def test_what_is_too_short_too_long_or_not_e164_is_not_possible(text: str):
    assert not is_possible(text)


@pytest.mark.parametrize(
    ("raw", "word", "keys"),
    [
        ("anonymous", "anonymous", "+266696687"), ("Anonymous", "anonymous", "+266696687"),
        ("Private", "anonymous", "+266696687"), ("RESTRICTED", "restricted", "+7378742833"),
        ("blocked", "blocked", "+2562533"), ("unknown", "unknown", "+8656696"),
        ("unavailable", "unavailable", "+86282452253"),
        ("+7378742833", "restricted", "+7378742833"),
    ],
)  # fmt: skip
def test_a_withheld_caller_is_spelled_on_the_keypad_or_a_word(raw: str, word: str, keys: str):
    assert (withheld(raw), caller(raw), caller(raw, spelled=False)) == (word, keys, word)


def test_other_callers_are_normalised():
    assert (withheld("4155554345"), caller("4155554345")) == ("", "+14155554345")


@pytest.mark.parametrize("text", ["Acme", "A", "24seven", "Acme Co", "A&B-C_D+E", "2345678901a"])
def test_alphanumeric_senders(text: str):
    assert is_alphanumeric_sender(text)


@pytest.mark.parametrize("text", ["", "12345", "TwelveLetter", "Acme!", "Ünder"])
def test_no_alphanumeric_senders(text: str):
    assert not is_alphanumeric_sender(text)


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("911", "US"), ("112", "US"), ("911", "DE"), ("9-1-1", "US"), ("+911", "US"),
        ("+1911", "US"), ("110", "DE"), ("+49110", "DE"), ("999", "GB"), ("000", "AU"),
    ],
)  # fmt: skip
def test_emergency_numbers_in_whatever_form(number: str, region: str):
    assert is_emergency(number, region)


@pytest.mark.parametrize("number", ["110", "411", "+19115551234", "9115551234", "", "sip:911@h"])
def test_other_numbers_are_none(number: str):
    assert not is_emergency(number, "US")


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("+14155550100", "US"), ("+16135550123", "CA"), ("+15550001111", "US"),
        ("+18005551212", "US"), ("+442079460000", "GB"), ("+80012345678", ""), ("x", ""),
    ],
)  # fmt: skip
def test_the_country_of_a_number(number: str, region: str):
    assert region_of(number) == region


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("+14158675309", "(415) 867-5309"), ("+16135550123", "(613) 555-0123"),
        ("+442079460000", "+442079460000"), ("client:tommy", "client:tommy"), ("12345", "12345"),
        ("+15550100", "+15550100"),
    ],
)  # fmt: skip
def test_the_formatted_form(number: str, text: str):
    assert formatted(number) == text


@pytest.mark.parametrize(
    ("number", "where"),
    [
        ("+14155550100", Place("SAN FRANCISCO", "CA", "94102", "US")),
        ("+12125551234", Place("NEW YORK", "NY", "10001", "US")),
        ("+12023456789", Place("WASHINGTON", "DC", "20001", "US")),
        ("+14158675309", Place("", "CA", "", "US")),
        ("+16132345678", Place("OTTAWA", "ON", "", "CA")),
        ("+15142345678", Place("", "QC", "", "CA")),
        ("+442079460000", Place("LONDON", "", "", "GB")),
        ("+33142345678", Place("", "", "", "FR")),
        ("+18762345678", Place("", "", "", "JM")),
        ("+15550001111", Place("", "", "", "US")),
        ("+266696687", Place()), ("client:tommy", Place()), ("12345", Place()), ("", Place()),
    ],
)  # fmt: skip
def test_the_place_of_a_number_as_far_as_it_is_known(number: str, where: Place):
    """M15"""
    assert place(number) == where
