"""Numbering plans: which kinds of numbers countries have, where they are, and valid ones of each.

Numbers are made up from the plans of the phonenumbers library, always the same ones in the same
order; nobody promises that one of them is not somebody's.  reference: AvailablePhoneNumbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from hashlib import sha256
from itertools import islice, product
from zlib import crc32

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from offhook.frozen import frozen
from offhook.model.geography import beginnings
from offhook.model.numbers import Place, place

ANY = "*"
ROUNDS = 400  # how many numbers are made of one seed before they are said to have run out
CHECKS = 8_000  # numbers that are looked at before a search gives up
TEMPLATES = 200  # of a pattern that leaves more open, the rest is not looked at

_EITHER = PhoneNumberType.FIXED_LINE_OR_MOBILE
_TYPES: dict[str, frozenset[int]] = {
    "local": frozenset({PhoneNumberType.FIXED_LINE, _EITHER}),
    "toll-free": frozenset({PhoneNumberType.TOLL_FREE}),
    "mobile": frozenset({PhoneNumberType.MOBILE, _EITHER}),
    "national": frozenset({PhoneNumberType.UAN}),
    "voip": frozenset({PhoneNumberType.VOIP}),
    "shared-cost": frozenset({PhoneNumberType.SHARED_COST}),
    "machine-to-machine": frozenset(),
}
KINDS = tuple(_TYPES)
_PERSONS = _TYPES["local"] | _TYPES["mobile"]
_EXAMPLES = {
    "local": PhoneNumberType.FIXED_LINE, "toll-free": PhoneNumberType.TOLL_FREE,
    "mobile": PhoneNumberType.MOBILE, "national": PhoneNumberType.UAN,
    "voip": PhoneNumberType.VOIP, "shared-cost": PhoneNumberType.SHARED_COST,
}  # fmt: skip


@frozen
class Seed:
    """How numbers of one place begin, after the country's code, and how long they are."""

    digits: str
    length: int
    city: str = ""
    state: str = ""


@cache
def countries() -> dict[str, tuple[str, ...]]:
    """The kinds of numbers of every country, by its two letters."""
    return {
        region: kinds
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        if (kinds := tuple(kind for kind in KINDS if _length(region, kind)))
    }


def country_code(region: str) -> str:
    return str(phonenumbers.country_code_for_region(region))


def is_nanp(region: str) -> bool:
    """Whether the country shares the North American plan, where texts go to every number."""
    return phonenumbers.country_code_for_region(region) == 1


def region_of_area(area: str) -> str:
    """The country of an area code of the North American plan, "" when it has none.

    Toll-free codes are of no country alone; they are "001".
    """
    sample = phonenumbers.parse(f"+1{area}2345678")
    kind = phonenumbers.number_type(sample)
    if kind == PhoneNumberType.TOLL_FREE:
        return "001"
    return phonenumbers.region_code_for_number(sample) or "" if kind in _PERSONS else ""


def kinds_of(number: str) -> tuple[str, ...]:
    """Of which kinds an E.164 number is: two where a plan does not tell; unknown ones are local."""
    known = phonenumbers.number_type(phonenumbers.parse(number))
    kinds = tuple(kind for kind, types in _TYPES.items() if known in types)
    return kinds or (("local", "mobile") if known == PhoneNumberType.UNKNOWN else ("local",))


def capabilities(region: str, kind: str) -> tuple[str, ...]:
    """What the numbers of that kind can do."""
    if is_nanp(region):
        return ("voice", "sms", "mms")
    return ("voice", "sms") if kind in ("local", "mobile") else ("voice",)


@lru_cache(maxsize=64)
def seeds(region: str, kind: str) -> tuple[Seed, ...]:
    """The beginnings of that kind of number, well mixed; first those of towns."""
    length = _length(region, kind)
    if not length:
        return ()
    has_places = kind == "local" or (kind == "mobile" and is_nanp(region))
    found = _seeds_of_places(region, length) if has_places else []
    if not any(_leads(region, kind, seed) for seed in found):
        found = _seeds_by_trial(region, kind, length)
    mixed = sorted(found, key=lambda seed: crc32(seed.digits.encode()))
    return (*mixed, *_coarse(mixed))


def _coarse(found: list[Seed]) -> list[Seed]:
    """Beginnings of three digits, for numbers whose town nobody knows."""
    states = {seed.digits[:3]: seed.state for seed in found if len(seed.digits) > 3}
    return [Seed(digits, found[0].length, "", state) for digits, state in states.items()]


def _length(region: str, kind: str) -> int:
    """How many digits follow the country's code, 0 when there is no such kind."""
    return len(_example(region, kind))


def _example(region: str, kind: str) -> str:
    if kind not in _EXAMPLES:
        return ""
    number = phonenumbers.example_number_for_type(region, _EXAMPLES[kind])
    return phonenumbers.national_significant_number(number) if number else ""


def _seeds_of_places(region: str, length: int) -> list[Seed]:
    code = country_code(region)
    made: list[Seed] = []
    for digits, name in beginnings(code):
        if len(digits) >= length or not _belongs(region, code, digits[:3]):
            continue
        city, comma, state = name.rpartition(", ")
        if code != "1":
            made.append(Seed(digits, length, name))
        elif comma and len(state) == 2:
            made.append(Seed(digits, length, city, state))
    return made


@lru_cache(maxsize=4096)
def _belongs(region: str, code: str, digits: str) -> bool:
    """Several countries may share a code: whether numbers that begin so are of this one."""
    sharing = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code)]
    if len(sharing) == 1:
        return True
    sample = phonenumbers.parse(f"+{code}{digits}{'2345678901'[: 10 - len(digits)]}")
    return phonenumbers.region_code_for_number(sample) == region


def _seeds_by_trial(region: str, kind: str, length: int) -> list[Seed]:
    """Every beginning of three digits that leads somewhere; else that of the plan's example."""
    tried = (Seed("".join(digits), length) for digits in product("0123456789", repeat=3))
    found = [seed for seed in tried if _leads(region, kind, seed)]
    if found:
        return found
    digits = _example(region, kind)
    longer = (Seed(digits[:size], length) for size in range(3, length))
    return [next(seed for seed in longer if _leads(region, kind, seed))]


def _leads(region: str, kind: str, seed: Seed) -> bool:
    blank = ANY * seed.length
    return any(is_of(_made(region, seed, blank, n), region, kind) for n in range(4))


def is_of(number: str, region: str, kind: str) -> bool:
    """Whether an E.164 number is a valid one of that country and kind."""
    parsed = phonenumbers.parse(number)
    return (
        phonenumbers.number_type(parsed) in _TYPES[kind]
        and phonenumbers.is_valid_number_for_region(parsed, region)
        and phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == number
    )


def made_up(
    region: str, kind: str, chosen: Iterable[Seed], templates: Iterable[str]
) -> Iterator[tuple[str, Seed]]:
    """Valid numbers of these seeds that fit one of the templates, each with its seed.

    A template has a digit or `*` for each digit after the country's code.
    """
    seen: set[str] = set()
    every = _every(region, tuple(chosen), templates)
    for number, seed in islice(every, CHECKS):
        if number not in seen and is_of(number, region, kind):
            seen.add(number)
            yield number, seed


def _every(
    region: str, chosen: Sequence[Seed], templates: Iterable[str]
) -> Iterator[tuple[str, Seed]]:
    """One number of every seed that fits, then another of each, and so on."""
    fitting = []
    for template in islice(templates, TEMPLATES):
        for seed in _fitting(template, chosen):
            fitting.append((template, seed))
            yield _made(region, seed, template, 0), seed
    for n in range(1, ROUNDS):
        for template, seed in fitting:
            yield _made(region, seed, template, n), seed


def _fitting(template: str, chosen: Sequence[Seed]) -> Iterator[Seed]:
    """The seeds that agree with the template's beginning."""
    wanted = template.replace(ANY, ".")
    agrees = [re.compile(wanted[:size]).fullmatch for size in range(len(template) + 1)]
    for seed in chosen:
        if seed.length == len(template) and agrees[len(seed.digits)](seed.digits):
            yield seed


def _made(region: str, seed: Seed, template: str, n: int) -> str:
    """The seed's n-th number: the template's digits, the seed's, and others behind them."""
    drawn = int.from_bytes(sha256(f"{region} {seed.digits} {n}".encode()).digest()[:8])
    filled = seed.digits + f"{drawn:020d}"[-(seed.length - len(seed.digits)) :]
    digits = (
        own if wanted == ANY else wanted for wanted, own in zip(template, filled, strict=True)
    )
    return f"+{country_code(region)}{''.join(digits)}"


def seed_of(number: str) -> Seed:
    """Where an E.164 number is, as far as its plan tells."""
    where: Place = place(number)
    national = phonenumbers.national_significant_number(phonenumbers.parse(number))
    return Seed(national, len(national), where.city.title(), where.state)
