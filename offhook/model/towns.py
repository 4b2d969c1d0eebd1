"""Towns of the United States and their ZIP codes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

import zipcodes

from offhook.frozen import frozen


@frozen
class Town:
    """`zip` is its lowest delivery code; degrees are decimal."""

    zip: str
    latitude: float
    longitude: float


Name = tuple[str, str]  # city, in capitals, and state


def town(city: str, state: str) -> Town | None:
    return _tables()[0].get((city.upper(), state))


def of_zip(code: str) -> Name | None:
    return _tables()[1].get(code)


@cache
def _tables() -> tuple[dict[Name, Town], dict[str, Name]]:
    """Towns by name, and names by ZIP. Loading them takes a good part of a second."""
    towns: dict[Name, Town] = {}
    names: dict[str, Name] = {}
    known: dict[Name, Name] = {}
    for entry in _entries():
        spelled = (entry["city"].upper(), entry["state"])
        name = known.setdefault(spelled, spelled)
        names[entry["zip_code"]] = name
        if not entry["active"] or entry["zip_code_type"] != "STANDARD":
            continue
        if name not in towns or entry["zip_code"] < towns[name].zip:
            towns[name] = Town(entry["zip_code"], float(entry["lat"]), float(entry["long"]))
    return towns, names


def _entries() -> Iterator[dict[str, Any]]:
    """All of them, a thousand at a time: `list_all` would keep them, 130 MB."""
    for first, second in product("0123456789", repeat=2):
        yield from zipcodes.similar_to(first + second)  # type: ignore[no-untyped-call]
