"""What numbering plans say of places, in English.

The tables belong to the phonenumbers library. Its own way to them loads every language, 100 MB for
as long as the process lives; here one table after the other is read and its English kept, 8 MB.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pkgutil import iter_modules
from types import ModuleType

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType
from phonenumbers.phonenumberutil import is_number_type_geographical

from offhook.frozen import frozen

_FOLDER = [f"{path}/geodata" for path in phonenumbers.__path__]


def place_of(number: PhoneNumber) -> str:
    """The town, state or country where numbers that begin so are, "" when the plan does not say."""
    code, kind = number.country_code or 0, phonenumbers.number_type(number)
    if kind == PhoneNumberType.UNKNOWN or not is_number_type_geographical(kind, code):
        return ""
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
    """Places by the digits that numbers begin with: ascending, as integers, beside their names."""

    digits: array[int]
    which: array[int]
    names: tuple[str, ...]

    def behind(self, number: str) -> str:
        """The name of its longest beginning that has one."""
        for size in range(len(number), 0, -1):
            wanted = int(number[:size])
            at = bisect_left(self.digits, wanted)
            if at < len(self.digits) and self.digits[at] == wanted:
                return self.names[self.which[at]]
        return ""

    def under(self, code: str) -> Iterator[tuple[str, str]]:
        """The rest of every beginning that starts with these digits, and its name."""
        first, after = int(code), int(code) + 1
        while first <= self.digits[-1]:
            for at in range(bisect_left(self.digits, first), bisect_left(self.digits, after)):
                yield str(self.digits[at])[len(code) :], self.names[self.which[at]]
            first, after = first * 10, after * 10


@cache
def _places() -> _Places:
    """Loading them takes a quarter of a second."""
    known: dict[str, int] = {}
    found: dict[int, int] = {}
    for module in iter_modules(_FOLDER):
        for digits, names in getattr(_table(module.name), "data", {}).items():
            if "en" in names:
                found[int(digits)] = known.setdefault(names["en"], len(known))
    digits = array("Q", sorted(found))
    return _Places(digits, array("I", map(found.__getitem__, digits)), tuple(known))


def _table(name: str) -> ModuleType:
    """A module of the library's tables; nobody else gets to see it, and it goes with its reader."""
    spec = PathFinder.find_spec(f"phonenumbers.geodata.{name}", _FOLDER)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"phonenumbers brings no table {name!r}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
