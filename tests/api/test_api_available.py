"""AvailablePhoneNumbers, and buying what they offer.  reference: sections 1.1 and 2."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from api_client import Api, Reply, Serving

from offhook.exchange.inventory import Stock
from offhook.store import records

LISTED = ("+493012345600", "+493012345601", "+14155550177")


async def search(api: Api, path: str = "US/Local", **query: Any) -> list[dict[str, Any]]:
    reply = await api.get(f"AvailablePhoneNumbers/{path}.json", **query)
    assert reply.status == 200, reply.body
    found: list[dict[str, Any]] = reply.json["available_phone_numbers"]
    return found


async def numbers(api: Api, path: str = "US/Local", **query: Any) -> list[str]:
    return [each["phone_number"] for each in await search(api, path, **query)]


async def buy(api: Api, **form: Any) -> Reply:
    return await api.post("IncomingPhoneNumbers.json", **form)


def with_stock(api: Api, stock: Stock) -> None:
    api.exchange.rules = replace(api.exchange.rules, stock=stock)


# Countries


async def test_every_country_says_which_numbers_it_has(serving: Serving) -> None:
    async with serving() as api:
        listed = (await api.get("AvailablePhoneNumbers.json")).json
        countries = {each["country_code"]: each for each in listed["countries"]}
        assert len(countries) > 200
        base = f"{api.base}/AvailablePhoneNumbers"
        assert listed["uri"].startswith(f"{base}.json")
        assert countries["PT"] == (await api.get(f"{base}/PT.json")).json
        united = countries["US"]
        assert united == {
            "country_code": "US",
            "country": "United States",
            "uri": f"{base}/US.json",
            "beta": False,
            "subresource_uris": {
                "local": f"{base}/US/Local.json",
                "toll_free": f"{base}/US/TollFree.json",
                "mobile": f"{base}/US/Mobile.json",
            },
        }


async def test_countries_come_page_by_page_when_asked_so(serving: Serving) -> None:
    async with serving() as api:
        first = (await api.get("AvailablePhoneNumbers.json", PageSize=2)).json
        second = (await api.get(first["next_page_uri"])).json
        codes = [each["country_code"] for page in (first, second) for each in page["countries"]]
        assert len(set(codes)) == 4
        assert codes == sorted(codes)


async def test_a_country_that_does_not_exist_is_missing(serving: Serving) -> None:
    async with serving() as api:
        for path in ("ZZ", "ZZ/Local", "US/Global"):
            assert (await api.get(f"AvailablePhoneNumbers/{path}.json")).code == (404, 20404)


# Numbers and what they are


async def test_a_local_number_is_at_a_place(serving: Serving) -> None:
    async with serving() as api:
        [found] = await search(api, PageSize=1, InLocality="Berkeley", InRegion="CA")
        assert re.fullmatch(r"\+1\d{10}", found["phone_number"])
        assert re.fullmatch(r"\(\d{3}\) \d{3}-\d{4}", found["friendly_name"])
        expected = {
            "lata": None, "locality": "Berkeley", "rate_center": "BERKELEY", "region": "CA",
            "postal_code": "94702", "iso_country": "US", "address_requirements": "none",
            "beta": False, "latitude": "37.865600", "longitude": "-122.285100",
            "capabilities": {"voice": True, "SMS": True, "MMS": True, "fax": False},
        }  # fmt: skip
        assert {name: found[name] for name in expected} == expected


async def test_a_search_gives_thirty_numbers_and_always_the_same(serving: Serving) -> None:
    async with serving() as api:
        first = await numbers(api)
        assert len(set(first)) == 30
        assert await numbers(api) == first
        assert len(await numbers(api, PageSize=100)) == 100


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        ("US/TollFree", r"\+18(00|33|44|55|66|77|88)"),
        ("PT/Local", r"\+3512"),
        ("PT/Mobile", r"\+3519"),
        ("PE/Mobile", r"\+519"),
        ("GB/Mobile", r"\+447"),
        ("GB/National", r"\+44[35]"),
        ("CA/Local", r"\+1"),
        ("AG/Local", r"\+1268"),
    ],
)
async def test_other_countries_and_kinds_have_numbers_of_theirs(
    serving: Serving, path: str, begins: str
) -> None:
    async with serving() as api:
        found = await numbers(api, path)
        assert len(found) == 30
        assert all(re.match(begins, number) for number in found)


async def test_what_a_country_has_not_is_an_empty_list(serving: Serving) -> None:
    async with serving() as api:
        for path in ("US/SharedCost", "US/Voip", "US/MachineToMachine"):
            assert await numbers(api, path) == []


# Filters


@pytest.mark.parametrize(
    ("contains", "means"),
    [
        ("510555****", r"\+1510555\d{4}"),
        ("510", r"\+1\d*510\d*"),
        ("STORM", r"\+1\d*78676\d*"),
        ("storm$", r"\+1\d*78676"),
        ("+1510", r"\+1510\d{7}"),
        ("+1510%99$", r"\+1510\d*99"),
        ("51%7", r"\+1\d*51\d*7\d*"),
        ("4*5*6", r"\+1\d*4\d5\d6\d*"),
        ("77$", r"\+1\d*77"),
    ],
)
async def test_numbers_fit_a_pattern(serving: Serving, contains: str, means: str) -> None:
    async with serving() as api:
        found = await numbers(api, Contains=contains, PageSize=5)
        assert len(found) == 5
        assert all(re.fullmatch(means, number) for number in found)


@pytest.mark.parametrize("contains", ["+44151", "99999999999", "0000000000"])
async def test_nothing_fits_what_no_number_can_be(serving: Serving, contains: str) -> None:
    async with serving() as api:
        assert await numbers(api, Contains=contains) == []


@pytest.mark.parametrize(
    "contains", ["5", "**", "5***", "12345678901234567", "51-0", "5+10", "5$1"]
)
async def test_what_is_no_pattern_is_refused(serving: Serving, contains: str) -> None:
    async with serving() as api:
        reply = await api.get("AvailablePhoneNumbers/US/Local.json", Contains=contains)
        assert reply.code == (400, 21421)


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ({"AreaCode": "510"}, "phone_number", r"\+1510\d{7}"),
        ({"InRegion": "WA"}, "region", "WA"),
        ({"InLocality": "seattle"}, "locality", "Seattle"),
        ({"InRateCenter": "SEATTLE"}, "rate_center", "SEATTLE"),
        ({"InPostalCode": "94703"}, "locality", "Berkeley"),
        ({"NearNumber": "+15102040000", "Distance": "1"}, "locality", "Berkeley|Albany"),
        ({"NearLatLong": "47.61,-122.33", "Distance": "40"}, "region", "WA"),
    ],
)
async def test_numbers_are_somewhere(
    serving: Serving, query: dict[str, str], field: str, value: str
) -> None:
    async with serving() as api:
        found = await search(api, PageSize=10, **query)
        assert len(found) == 10
        assert all(re.fullmatch(value, each[field]) for each in found)


@pytest.mark.parametrize(
    "query",
    [
        {"InLata": "722"}, {"InRegion": "XX"}, {"InPostalCode": "00000"}, {"FaxEnabled": "true"},
        {"NearLatLong": "0,0"}, {"SmsEnabled": "false"}, {"VoiceEnabled": "false"},
    ],
)  # fmt: skip
async def test_filters_may_leave_nothing(serving: Serving, query: dict[str, str]) -> None:
    async with serving() as api:
        assert await numbers(api, **query) == []


async def test_filters_that_all_numbers_pass(serving: Serving) -> None:
    async with serving() as api:
        query = {
            "SmsEnabled": "true", "MmsEnabled": "true", "VoiceEnabled": "true",
            "FaxEnabled": "false", "Beta": "false", "ExcludeAllAddressRequired": "true",
        }  # fmt: skip
        assert await numbers(api, **query) == await numbers(api)
        assert await numbers(api, "PT/Local", MmsEnabled="true") == []


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("US/Local", {"AreaCode": "41"}, 21451),
        ("GB/Local", {"AreaCode": "510"}, 21457),
        ("US/Local", {"NearNumber": "+442079460100"}, 21421),
        ("US/Local", {"NearLatLong": "north"}, 20001),
        ("US/Local", {"SmsEnabled": "perhaps"}, 20001),
        ("US/Local", {"PageSize": "0"}, 20007),
    ],
)
async def test_a_filter_that_is_wrong_has_its_code(
    serving: Serving, path: str, query: dict[str, str], code: int
) -> None:
    async with serving() as api:
        reply = await api.get(f"AvailablePhoneNumbers/{path}.json", **query)
        assert reply.code == (400, code)
        assert next(iter(query)) in reply.json["message"] or code != 20001


# Buying


async def test_what_is_bought_is_not_offered_any_more_until_it_is_released(
    serving: Serving,
) -> None:
    async with serving() as api:
        [number] = await numbers(api, PageSize=1)
        bought = (await buy(api, PhoneNumber=number)).json
        assert number not in await numbers(api)
        assert (await buy(api, PhoneNumber=number)).code == (400, 21422)
        await api.delete(bought["uri"])
        assert (await numbers(api))[0] == number


@pytest.mark.parametrize(
    ("path", "kind"),
    [("US/TollFree", "toll-free"), ("PT/Mobile", "mobile"), ("GB/National", "national")],
)
async def test_a_bought_number_can_do_what_was_offered(
    serving: Serving, path: str, kind: str
) -> None:
    async with serving() as api:
        [offer] = await search(api, path, PageSize=1)
        bought = (await buy(api, PhoneNumber=offer["phone_number"])).json
        assert bought["type"] == kind
        offered = {name.lower(): can for name, can in offer["capabilities"].items()}
        assert bought["capabilities"] == offered


async def test_a_number_without_texts_takes_no_sms_url(serving: Serving) -> None:
    async with serving() as api:
        [number] = await numbers(api, "GB/National", PageSize=1)
        reply = await buy(api, PhoneNumber=number, SmsUrl="http://application.test/")
        assert reply.code == (400, 21407)


@pytest.mark.parametrize(("area", "code"), [("533", 21452), ("800", 21457), ("876", 21457)])
async def test_area_codes_that_give_no_number(serving: Serving, area: str, code: int) -> None:
    async with serving() as api:
        assert (await buy(api, AreaCode=area)).code == (400, code)


async def test_a_canadian_area_code_gives_a_canadian_number(serving: Serving) -> None:
    async with serving() as api:
        assert (await buy(api, AreaCode="416")).json["phone_number"].startswith("+1416")


async def test_a_trial_account_has_one_number(serving: Serving) -> None:
    async with serving() as api:
        await api.exchange.store.write(records.accounts.save, replace(api.account, type="Trial"))
        api.exchange.accounts = {}
        assert (await buy(api, AreaCode="416")).code == (400, 21404)


# The operator's own numbers


async def test_numbers_of_trunks_come_first(serving: Serving) -> None:
    async with serving() as api:
        with_stock(api, Stock(LISTED))
        found = await search(api, "DE/Local", PageSize=3)
        assert [each["phone_number"] for each in found[:2]] == [*LISTED[:2]]
        assert (found[0]["locality"], found[0]["iso_country"]) == ("Berlin", "DE")
        assert await numbers(api, "DE/Local", Contains="301234560*", PageSize=2) == [*LISTED[:2]]
        assert await numbers(api, "DE/Local", Contains="+49301234560%1$", PageSize=1) == [LISTED[1]]


async def test_a_closed_inventory_sells_nothing_else(serving: Serving) -> None:
    async with serving() as api:
        with_stock(api, Stock(LISTED, made_up=False, closed=True))
        countries = (await api.get("AvailablePhoneNumbers.json")).json["countries"]
        assert [each["country_code"] for each in countries] == ["DE", "US"]
        assert (await api.get("AvailablePhoneNumbers/PT.json")).code == (404, 20404)
        assert await numbers(api, "PT/Local") == []
        assert await numbers(api, AreaCode="415") == [LISTED[2]]
        assert (await buy(api, PhoneNumber="+15105647903")).code == (400, 21422)
        assert (await buy(api, PhoneNumber=LISTED[0])).status == 201
        assert await numbers(api, "DE/Local") == [LISTED[1]]
        assert (await buy(api, AreaCode="415")).json["phone_number"] == LISTED[2]
        assert (await buy(api, AreaCode="415")).code == (400, 21452)


async def test_without_an_inventory_any_number_can_be_had(serving: Serving) -> None:
    async with serving() as api:
        with_stock(api, Stock(made_up=False))
        assert await numbers(api) == []
        assert (await buy(api, PhoneNumber="+15105647903")).status == 201
