"""Numbers that can be had: those the operator lists, and ones made up for simulated phones.

Which ones a search finds depends on nothing but the search and on what is taken already.
reference: AvailablePhoneNumbers section 2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from itertools import islice

from offhook.frozen import frozen
from offhook.model import plan, towns
from offhook.model.numbers import region_of
from offhook.model.plan import ANY, Seed
from offhook.store import records
from offhook.store.store import Connection

_KEYS = {
    letter: str(key)
    for key, letters in enumerate(["ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ"], 2)
    for letter in letters
}
_CONTAINS = re.compile(r"\+?[0-9A-Z*%]{2,16}\$?")
_MILES = 3958.8  # the earth's radius


@frozen
class Stock:
    """`listed` are numbers that trunks bring; `made_up`: others may be had as well.

    `closed`: nothing but what is listed or made up can be had.
    """

    listed: tuple[str, ...] = ()
    made_up: bool = True
    closed: bool = False


@frozen
class Near:
    """Within so many miles of a point in degrees."""

    latitude: float
    longitude: float
    miles: float

    def covers(self, town: towns.Town) -> bool:
        """By the haversine formula."""
        here, there = math.radians(self.latitude), math.radians(town.latitude)
        across = math.radians(town.longitude - self.longitude)
        squared = math.sin((there - here) / 2) ** 2 + (
            math.cos(here) * math.cos(there) * math.sin(across / 2) ** 2
        )
        return 2 * _MILES * math.asin(math.sqrt(squared)) <= self.miles


@frozen
class Wanted:
    """A search: a country and a kind, and what else the number has to be."""

    region: str
    kind: str
    contains: str = ""
    area_code: str = ""
    state: str = ""
    city: str = ""
    towns: tuple[towns.Name, ...] | None = None
    near: Near | None = None


@frozen
class Offer:
    """A number that nobody has."""

    number: str
    region: str
    kind: str
    seed: Seed


class BadPattern(ValueError):
    """What stands in `Contains` is no pattern."""


def search(connection: Connection, stock: Stock, wanted: Wanted, most: int) -> list[Offer]:
    """Up to `most` numbers that are free. Raises BadPattern."""
    found = (each for each in _offers(stock, wanted) if is_free(connection, each.number))
    return list(islice(found, most))


def is_free(connection: Connection, number: str) -> bool:
    return records.numbers.by_number(connection, number) is None


def sells(stock: Stock, number: str) -> bool:
    """Whether this E.164 number is one of those that can be had at all."""
    if not stock.closed or number in stock.listed:
        return True
    return stock.made_up and any(
        plan.is_of(number, region_of(number), kind) for kind in plan.kinds_of(number)
    )


def countries(stock: Stock) -> dict[str, tuple[str, ...]]:
    """Which kinds of numbers can be had, by country."""
    if stock.made_up:
        return plan.countries()
    found: dict[str, tuple[str, ...]] = {}
    for number in stock.listed:
        kinds = {*found.get(region_of(number), ()), *plan.kinds_of(number)}
        found[region_of(number)] = tuple(kind for kind in plan.KINDS if kind in kinds)
    return dict(sorted(found.items()))


def _offers(stock: Stock, wanted: Wanted) -> Iterator[Offer]:
    """Numbers that fit, the operator's own first."""
    pattern = Pattern.of(wanted.contains)
    for number in stock.listed:
        seed = plan.seed_of(number)
        of_kind = region_of(number) == wanted.region and wanted.kind in plan.kinds_of(number)
        if of_kind and pattern.fits(number, seed.digits) and _is_there(wanted)(seed):
            yield Offer(number, wanted.region, wanted.kind, seed)
    if not stock.made_up:
        return
    seeds = list(filter(_is_there(wanted), plan.seeds(wanted.region, wanted.kind)))
    if seeds:
        templates = pattern.templates(plan.country_code(wanted.region), seeds[0].length)
        for number, seed in plan.made_up(wanted.region, wanted.kind, seeds, templates):
            yield Offer(number, wanted.region, wanted.kind, seed)


def _is_there(wanted: Wanted) -> Callable[[Seed], bool]:
    """Whether a number's beginning is in the right place."""
    city, state = wanted.city.casefold(), wanted.state.upper()

    def near(seed: Seed) -> bool:
        place = towns.town(seed.city, seed.state)
        return place is not None and wanted.near is not None and wanted.near.covers(place)

    def check(seed: Seed) -> bool:
        return (
            seed.digits.startswith(wanted.area_code)
            and (not city or seed.city.casefold() == city)
            and (not state or seed.state == state)
            and (wanted.towns is None or (seed.city.upper(), seed.state) in wanted.towns)
            and (wanted.near is None or near(seed))
        )

    return check


@frozen
class Pattern:
    """`Contains`, its letters as keys: digits, `*` for one and `%` for any run of them.

    With `from_start` it is matched from the country's code on, else anywhere behind that.
    """

    middle: str = ""
    from_start: bool = False
    to_end: bool = False

    @classmethod
    def of(cls, text: str) -> Pattern:
        """Raises BadPattern."""
        if not text:
            return cls()
        upper = text.upper()
        keys = "".join(_KEYS.get(each, each) for each in upper)
        if not _CONTAINS.fullmatch(upper) or sum(each.isdigit() for each in keys) < 2:
            raise BadPattern(f"{text[:40]} is not a pattern for numbers")
        return cls(keys.strip("+$"), keys.startswith("+"), keys.endswith("$"))

    def fits(self, number: str, national: str) -> bool:
        middle = self.middle.replace(ANY, r"\d").replace("%", r"\d*")
        start, end = "^" if self.from_start else "", "$" if self.to_end else ""
        subject = number.removeprefix("+") if self.from_start else national
        return re.search(f"{start}{middle}{end}", subject) is not None

    def templates(self, code: str, length: int) -> Iterator[str]:
        """What a number behind this country's code may look like, `*` where any digit will do."""
        for filled in _without_runs(self.middle, length + len(code) * self.from_start):
            if self.from_start:
                yield from _behind(code, filled, length, self.to_end)
                continue
            room = length - len(filled)
            first = room if self.to_end else 0
            for before in range(first, room + 1):
                yield ANY * before + filled + ANY * (room - before)


def _without_runs(middle: str, longest: int) -> Iterator[str]:
    """The pattern with runs of every length that leaves it no longer than `longest`."""
    head, run, tail = middle.partition("%")
    if not run:
        if len(middle) <= longest:
            yield middle
        return
    for size in range(longest - len(middle.replace("%", "")) + 1):
        yield from _without_runs(head + ANY * size + tail, longest)


def _behind(code: str, filled: str, length: int, to_end: bool) -> Iterator[str]:
    """A pattern that begins with the country's code, without it."""
    head, rest = filled[: len(code)], filled[len(code) :]
    if all(wanted in (ANY, digit) for wanted, digit in zip(head, code, strict=False)):
        room = length - len(rest)
        if room == 0 or not to_end:
            yield rest + ANY * room
