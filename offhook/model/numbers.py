"""Phone numbers: E.164 where possible, the raw text where not.  reference: numbers, geography."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, ValidationResult, shortnumberinfo

from offhook.frozen import frozen
from offhook.model import geography
from offhook.model.towns import town

WITHHELD = {
    "anonymous": "+266696687",
    "restricted": "+7378742833",
    "blocked": "+2562533",
    "unknown": "+8656696",
    "unavailable": "+86282452253",
}
_SPELLED = {number: word for word, number in WITHHELD.items()}
_PRIVATE_WORDS = {"private": "anonymous", "withheld": "anonymous", "unidentified": "unknown"}

_SHORT_CODE = re.compile(r"\d{5,6}")
_SENDER = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_-]{1,11}")
_DECORATION = re.compile(r"[\s().\u00a0\u2010-\u2015/-]+")
_DIALLED = re.compile(r"\+?\d+")


@lru_cache(maxsize=1024)
def normalise(raw: str, region: str = "US") -> str:
    """The number in E.164 when it can be one, else the text as it came, trimmed.

    `region` (ISO 3166-1) says what a national form means. Short codes of five or six digits,
    `client:` and `sip:` addresses and alphanumeric senders stay as they are.
    """
    text = raw.strip()
    digits = _DECORATION.sub("", text)
    if not _DIALLED.fullmatch(digits) or _SHORT_CODE.fullmatch(digits):
        return digits if _SHORT_CODE.fullmatch(digits) else text
    number = _parsed(digits, "ZZ" if digits.startswith("+") else region)
    number = number or _dialled_abroad(digits)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if number else text


def caller(raw: str, region: str = "US", *, spelled: bool = True) -> str:
    """A caller ID: `normalise`, and a withheld one spelled on a keypad, or as its word."""
    word = withheld(raw)
    if not word:
        return normalise(raw, region)
    return WITHHELD[word] if spelled else word


def withheld(raw: str) -> str:
    """Which of the WITHHELD words a caller ID means, in whatever form it came; "" for none."""
    text = raw.strip().lower()
    word = _PRIVATE_WORDS.get(text, text)
    if word in WITHHELD:
        return word
    return _SPELLED.get(text, "")


def is_possible(number: str) -> bool:
    """Whether this is E.164 of a length that its country has. Assigned or not is not asked."""
    return number.startswith("+") and _parsed(number, "ZZ") is not None


def is_short_code(text: str) -> bool:
    return bool(_SHORT_CODE.fullmatch(text))


def is_alphanumeric_sender(text: str) -> bool:
    """1 to 11 letters, digits, blanks and `& + - _`, a letter among them."""
    return bool(_SENDER.fullmatch(text))


def is_emergency(number: str, region: str = "US") -> bool:
    """Whether dialling this in `region` could reach an emergency service; 112 and 911 always do."""
    digits = _DECORATION.sub("", number.strip()).removeprefix("+")
    prefix = str(phonenumbers.country_code_for_region(region))
    short = {digits, digits.removeprefix(prefix)}
    return any(
        each in {"112", "911"} or shortnumberinfo.is_emergency_number(each, region)
        for each in short
        if each.isdecimal()
    )


@lru_cache(maxsize=1024)
def region_of(number: str) -> str:
    """The ISO 3166-1 country of an E.164 number, "" when nobody can say."""
    parsed = _parsed(number, "ZZ") if number.startswith("+") else None
    return _country(parsed, phonenumbers.region_code_for_number(parsed)) if parsed else ""


def _country(parsed: PhoneNumber, exact: str | None) -> str:
    """`exact` is where the number is assigned, if it is; else its code's main country."""
    main = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return next((each for each in (exact, main) if each and each.isalpha() and each != "ZZ"), "")


def formatted(number: str) -> str:
    """`(415) 867-5309` in the North American plan, else the number as it is."""
    if is_possible(number) and re.fullmatch(r"\+1\d{10}", number):
        return f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    return number


@frozen
class Place:
    """Where a number's exchange is: city in capitals, two letters of state, country by ISO."""

    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""


@lru_cache(maxsize=1024)
def place(number: str) -> Place:
    """The rate centre of an E.164 number, as far as the numbering plan tells.

    The first call loads the tables, half a second; `load_places` does it ahead.
    """
    parsed = _parsed(number, "ZZ") if number.startswith("+") else None
    if not parsed:
        return Place()
    exact = phonenumbers.region_code_for_number(parsed)
    country, described = _country(parsed, exact), geography.place_of(parsed) if exact else ""
    if not described or described == geography.country_name(country):
        return Place(country=country)
    if parsed.country_code != 1:
        return Place(city=described.upper(), country=country)
    city, _, state = described.rpartition(", ")
    if len(state) != 2:
        return _named_state(described, country)
    return Place(city.upper(), state, _zip(city, state), country)


def load_places() -> None:
    """Load the tables of `place`; to be called from a thread at start."""
    town("Washington", "DC")
    place("+14155550100")


def _named_state(described: str, country: str) -> Place:
    if described == "Washington D.C.":
        return Place("WASHINGTON", "DC", _zip("Washington", "DC"), country)
    if described in _STATES:
        return Place(state=_STATES[described], country=country)
    return Place(country=country)


def _zip(city: str, state: str) -> str:
    found = town(city, state)
    return found.zip if found else ""


@lru_cache(maxsize=128)  # of one call and its neighbours: the rest is kept by what it is asked for
def _parsed(text: str, region: str) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(number)
    return number if possible == ValidationResult.IS_POSSIBLE else None


def _dialled_abroad(digits: str) -> PhoneNumber | None:
    """A number behind an international prefix that is not this region's own."""
    for prefix in ("00", "011"):
        if digits.startswith(prefix):
            return _parsed("+" + digits.removeprefix(prefix), "ZZ")
    return None


_STATES = {
    "Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA",
    "Colorado": "CO", "Connecticut": "CT", "Delaware": "DE", "Florida": "FL", "Georgia": "GA",
    "Hawaii": "HI", "Idaho": "ID", "Illinois": "IL", "Indiana": "IN", "Iowa": "IA",
    "Kansas": "KS", "Kentucky": "KY", "Louisiana": "LA", "Maine": "ME", "Maryland": "MD",
    "Massachusetts": "MA", "Michigan": "MI", "Minnesota": "MN", "Mississippi": "MS",
    "Missouri": "MO", "Montana": "MT", "Nebraska": "NE", "Nevada": "NV", "New Hampshire": "NH",
    "New Jersey": "NJ", "New Mexico": "NM", "New York": "NY", "North Carolina": "NC",
    "North Dakota": "ND", "Ohio": "OH", "Oklahoma": "OK", "Oregon": "OR", "Pennsylvania": "PA",
    "Rhode Island": "RI", "South Carolina": "SC", "South Dakota": "SD", "Tennessee": "TN",
    "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA", "Washington State": "WA",
    "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY", "Alberta": "AB",
    "British Columbia": "BC", "Manitoba": "MB", "New Brunswick": "NB",
    "Newfoundland and Labrador": "NL", "Ontario": "ON", "Quebec": "QC", "Saskatchewan": "SK",
}  # fmt: skip
