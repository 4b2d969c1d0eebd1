"""What numbering plans say of places, in English.

The tables belong to the phonenumbers library. Its own way to them loads every language, 100 MB for
as long as the process lives; here one table after the other is read and its English kept, 8 MB.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pkgutil import iter_modules
from types import ModuleType

import phonenumbers
from phonenumbers import PhoneNumber

from offhook.frozen import frozen
from offhook.model import regions

LONGEST = 15  # digits of a number (E.164)
_FOLDER = [f"{path}/geodata" for path in phonenumbers.__path__]


def place_of(number: PhoneNumber, region: str) -> str:
    """The town, state or country where numbers of this region are that begin so, "" when the plan
    does not say."""
    if not regions.is_placed(number, region):
        return ""
    code = number.country_code or 0
    national = phonenumbers.national_significant_number(number)
    token = phonenumbers.country_mobile_token(code)
    return _places().behind(f"{code}{national.removeprefix(token)}")


def beginnings(country_code: str) -> Iterator[tuple[str, str]]:
    """How numbers of a country begin, after its code, whose place is known; and that place."""
    return _places().under(country_code)


def country_name(region: str) -> str:
    """What English calls a country, its two letters when it has no name for it."""
    return _countries().get(region) or region


@cache
def _countries() -> dict[str, str]:
    """A name that is the same in another language is `*` and that language."""
    of_regions = _table("locale").LOCALE_DATA
    said = {region: names.get("en", "") for region, names in of_regions.items()}
    return {
        region: of_regions[region][name[1:]] if name.startswith("*") else name
        for region, name in said.items()
    }


@frozen
class _Places:
    """Places by the digits that numbers begin with: in the order of a dictionary, as `_key` writes
    them, beside their names."""

    keys: array[int]
    which: array[int]
    names: tuple[str, ...]

    def behind(self, number: str) -> str:
        """The name of its longest beginning that has one."""
        while at := bisect_right(self.keys, _key(number)):
            before = _digits(self.keys[at - 1])
            if number.startswith(before):
                return self.names[self.which[at - 1]]
            while not before.startswith(number):
                number = number[:-1]
        return ""

    def under(self, code: str) -> Iterator[tuple[str, str]]:
        """The rest of every beginning that starts with these digits, and its name."""
        for at in range(bisect_left(self.keys, _key(code)), len(self.keys)):
            digits = _digits(self.keys[at])
            if not digits.startswith(code):
                return
            yield digits[len(code) :], self.names[self.which[at]]


def _key(digits: str) -> int:
    """What sorts as they do: with zeros up to the longest of numbers, and how many they are."""
    return int(digits.ljust(LONGEST, "0")) * 100 + len(digits)


def _digits(key: int) -> str:
    padded, length = divmod(key, 100)
    return str(padded)[:length]


@cache
def _places() -> _Places:
    """Loading them takes half a second."""
    known: dict[str, int] = {}
    found: dict[int, int] = {}
    for module in iter_modules(_FOLDER):
        for digits, names in getattr(_table(module.name), "data", {}).items():
            if "en" in names:
                found[_key(digits)] = known.setdefault(names["en"], len(known))
    keys = array("Q", sorted(found))
    return _Places(keys, array("I", map(found.__getitem__, keys)), tuple(known))


def _table(name: str) -> ModuleType:
    """A module of the library's tables; nobody else gets to see it, and it goes with its reader."""
    spec = PathFinder.find_spec(f"phonenumbers.geodata.{name}", _FOLDER)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"phonenumbers brings no table {name!r}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
