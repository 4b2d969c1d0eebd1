"""Towns of the United States and their ZIP codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
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
    import zipcodes

    towns: dict[Name, Town] = {}
    names: dict[str, Name] = {}
    for entry in zipcodes.list_all():  # type: ignore[no-untyped-call]
        name = (entry["city"].upper(), entry["state"])
        names[entry["zip_code"]] = name
        if not entry["active"] or entry["zip_code_type"] != "STANDARD":
            continue
        if name not in towns or entry["zip_code"] < towns[name].zip:
            towns[name] = Town(entry["zip_code"], float(entry["lat"]), float(entry["long"]))
    return towns, names
