"""Numbering plans: valid numbers of every kind that a country has."""

from __future__ import annotations

from itertools import islice

import phonenumbers
import pytest

from offhook.model import plan

SMALL = ["AG", "BL", "CC", "GG", "LB", "MU", "SJ", "VA", "WS", "KZ"]


@pytest.mark.parametrize("region", SMALL)
def test_small_countries_have_valid_numbers_too(region: str) -> None:
    for kind in set(plan.countries()[region]) & {"local", "mobile"}:
        seeds = plan.seeds(region, kind)
        found = islice(plan.made_up(region, kind, seeds, [plan.ANY * seeds[0].length]), 3)
        for number, _ in found:
            parsed = phonenumbers.parse(number)
            assert phonenumbers.is_valid_number_for_region(parsed, region)
            assert kind in plan.kinds_of(number)
            break
        else:
            raise AssertionError(f"{region} has no {kind} number")


def test_a_country_has_the_kinds_of_its_plan() -> None:
    countries = plan.countries()
    assert set(countries) == phonenumbers.SUPPORTED_REGIONS
    assert countries["US"] == ("local", "toll-free", "mobile")
    assert countries["PT"] == ("local", "toll-free", "mobile", "national", "voip", "shared-cost")


def test_numbers_are_the_same_every_time_and_differ_from_one_another() -> None:
    seeds = plan.seeds("PE", "mobile")
    blank = [plan.ANY * seeds[0].length]
    first = list(islice(plan.made_up("PE", "mobile", seeds, blank), 200))
    assert first == list(islice(plan.made_up("PE", "mobile", seeds, blank), 200))
    assert len({number for number, _ in first}) == 200


@pytest.mark.parametrize(
    ("number", "kinds"),
    [
        ("+14155550100", ("local", "mobile")),
        ("+18005550100", ("toll-free",)),
        ("+442079460100", ("local",)),
        ("+447911123456", ("mobile",)),
        ("+447700900100", ("local", "mobile")),
        ("+15550001111", ("local", "mobile")),
        ("+443300000000", ("national",)),
    ],
)
def test_a_number_is_of_a_kind(number: str, kinds: tuple[str, ...]) -> None:
    assert plan.kinds_of(number) == kinds


@pytest.mark.parametrize(
    ("area", "region"),
    [("415", "US"), ("416", "CA"), ("876", "JM"), ("800", "001"), ("533", ""), ("999", "")],
)
def test_an_area_code_is_of_a_country(area: str, region: str) -> None:
    assert plan.region_of_area(area) == region


def test_a_number_lies_where_its_beginning_does() -> None:
    assert plan.seed_of("+15102040000") == plan.Seed("5102040000", 10, "Berkeley", "CA")
    assert plan.seed_of("+493012345600").city == "Berlin"
    assert plan.seed_of("+447700900100").city == ""
