"""Parameters, read once at the door: a form is a frozen dataclass, its fields are the parameters.

`status_callback` is sent as `StatusCallback`; names are case-sensitive, unknown ones are ignored.
A field that is None when nothing was sent tells "not sent" from "sent empty", which clears.
reference: REST conventions section 5.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from offhook import sids
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.model.numbers import is_possible, normalise

Form = TypeVar("Form")
Sent = Mapping[str, Sequence[str]]
Schema = Mapping[str, Any]

INVALID = 20001
_LABEL = re.compile(r"[^\W_]([\w-]{0,61}[^\W_])?")


@frozen
class Parameter:
    """How one parameter is read; `read` raises ValueError for what is then error `bad`.

    It is error `missing` to send neither it nor one of `unless`. `schema` describes it (OpenAPI).
    """

    read: Callable[[Sequence[str]], Any]
    bad: int = INVALID
    missing: int = 0
    unless: tuple[str, ...] = ()
    name: str = ""
    schema: Schema = dataclasses.field(default_factory=lambda: {"type": "string"})


Fields = tuple[tuple[str, Parameter], ...]


def pascal(name: str) -> str:
    """The name on the wire: `from_` is `From`, `sms_url` is `SmsUrl`."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


@functools.cache
def parameters(form: Hashable) -> Fields:
    """The form's fields in documented order, each parameter under its name on the wire."""
    return tuple(
        (each.name, dataclasses.replace(known, name=known.name or pascal(each.name)))
        for each in dataclasses.fields(form)  # type: ignore[arg-type]
        for known in [each.metadata["parameter"]]
    )


def read(form: type[Form], sent: Sent) -> Form:
    """The parameters that were sent, checked.

    Raises ApiError: of the first that is missing, else of the first that is wrong, in the
    form's order.
    """
    known: Fields = parameters(form)  # type: ignore[arg-type]
    for _, each in known:
        instead = (value for name in (each.name, *each.unless) for value in sent.get(name, ()))
        if each.missing and not any(instead):
            raise ApiError(each.missing, f"{each.name} is required" * (each.missing == INVALID))
    values: dict[str, Any] = {}
    for field, each in known:
        if each.name not in sent:
            continue
        try:
            values[field] = each.read(sent[each.name])
        except ValueError as problem:
            told = str(problem)
            if each.bad == INVALID:  # a code that says nothing of the parameter
                told = f"{each.name}: {told or 'not valid'}"
            raise ApiError(each.bad, told) from None
    return form(**values)


def given(form: Any) -> dict[str, Any]:
    """The fields of an update form that were sent."""
    return {
        field: value
        for field, _ in parameters(type(form))  # type: ignore[arg-type]
        if (value := getattr(form, field)) is not None
    }


def _field(default: Any, parameter: Parameter) -> Any:
    return dataclasses.field(default=default, metadata={"parameter": parameter})


def _single(read: Callable[[str], Any], empty: Any) -> Callable[[Sequence[str]], Any]:
    """Of a parameter sent more than once the last counts; an empty one is `empty`."""
    return lambda values: read(values[-1]) if values[-1] else empty


def text(
    default: str | None = "",
    *,
    missing: int = 0,
    unless: tuple[str, ...] = (),
    bad: int = INVALID,
    longest: int = 0,
    pattern: str = "",
    filled: bool = False,
) -> Any:
    """Text of at most `longest` characters that matches `pattern` whole; `filled`: not empty."""

    def check(value: str) -> str:
        if (longest and len(value) > longest) or (filled and not value):
            raise ValueError
        if value and pattern and not re.fullmatch(pattern, value):
            raise ValueError
        return value

    schema: dict[str, Any] = {"type": "string"}
    schema |= {"maxLength": longest} if longest else {}
    schema |= {"pattern": f"^({pattern})$"} if pattern else {}
    read = lambda sent: check(sent[-1])  # noqa: E731
    return _field(default, Parameter(read, bad, missing, unless, schema=schema))


def link(
    default: str | None = "",
    *,
    bad: int,
    missing: int = 0,
    unless: tuple[str, ...] = (),
    longest: int = 4000,
) -> Any:
    """An absolute http or https URL."""

    def check(value: str) -> str:
        if not is_url(value) or len(value) > longest:
            raise ValueError(f"{value[:200]} is not a valid URL")
        return value

    schema = {"type": "string", "format": "uri", "maxLength": longest}
    return _field(default, Parameter(_single(check, ""), bad, missing, unless, schema=schema))


def address(*, missing: int, bad: int) -> Any:
    """Whom to call: an address with a scheme, or what has digits; E.164 must be possible."""

    def check(value: str) -> str:
        if ":" in value or (is_possible(normalise(value)) if "+" in value else _has_digit(value)):
            return value
        raise ValueError(f"{value[:100]} is not a valid phone number")

    return _field("", Parameter(_single(check, ""), bad, missing))


def _has_digit(value: str) -> bool:
    return any(character.isdecimal() for character in value)


def links(*, bad: int) -> Any:
    """URLs, one for each time that the parameter is sent."""

    def check(values: Sequence[str]) -> tuple[str, ...]:
        wrong = next((value for value in values if value and not is_url(value)), "")
        if wrong:
            raise ValueError(f"{wrong[:200]} is not a valid URL")
        return tuple(value for value in values if value)

    schema = {"type": "array", "items": {"type": "string", "format": "uri"}}
    return _field((), Parameter(check, bad, schema=schema))


def http_method(default: str | None = "POST", *, bad: int) -> Any:
    """GET or POST; empty is POST."""
    return word("GET", "POST", default=default, empty="POST", bad=bad, fold=str.upper)


def word(
    *allowed: str,
    default: str | None = "",
    empty: str | None = None,
    missing: int = 0,
    bad: int = INVALID,
    fold: Callable[[str], str] = str,
) -> Any:
    """One of `allowed`."""

    def check(value: str) -> str:
        if fold(value) not in allowed:
            raise ValueError(f"{value[:200]} is not one of {', '.join(allowed)}")
        return fold(value)

    read = _single(check, default if empty is None else empty)
    schema = {"type": "string", "enum": list(allowed)}
    return _field(default, Parameter(read, bad, missing, schema=schema))


_WORDS: Any = object()


def words(*usual: str, default: None = _WORDS, bad: int = INVALID) -> Any:
    """Several words: repeated keys, or one value with spaces between; `usual` when there is none.

    With `default=None`, not sent at all is None.
    """

    def check(values: Sequence[str]) -> tuple[str, ...]:
        return tuple(each for value in values for each in value.split()) or usual

    schema = {"type": "array", "items": {"type": "string"}}
    return _field(usual if default is _WORDS else default, Parameter(check, bad, schema=schema))


def flag(default: bool | None = False) -> Any:
    """`true` or `false`, in any case."""

    def check(value: str) -> bool:
        if value.lower() not in {"true", "false"}:
            raise ValueError(f"{value[:200]} is neither true nor false")
        return value.lower() == "true"

    schema = {"type": "boolean"}
    return _field(default, Parameter(_single(check, bool(default)), schema=schema))


def whole(
    default: int | None, low: int, high: int, *, bad: int = INVALID, cap: bool = False
) -> Any:
    """A whole number from `low` to `high`; with `cap` a greater one is `high`."""

    def check(value: str) -> int:
        number = int(value) if re.fullmatch(r"-?[0-9]{1,18}", value) else low - 1
        if cap:
            number = min(number, high)
        if not low <= number <= high:
            raise ValueError(f"{value[:200]} is not a whole number from {low} to {high}")
        return number

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return _field(default, Parameter(_single(check, default), bad, schema=schema))


def sid(prefix: str, default: str | None = "", *, bad: int) -> Any:
    """An identifier of the kind that `prefix` names."""

    def check(value: str) -> str:
        if not sids.is_sid(value, prefix):
            raise ValueError(f"{value[:200]} is not a SID of the form {prefix} and 32 digits")
        return value

    schema = {"type": "string", "pattern": f"^{prefix}[0-9a-fA-F]{{32}}$"}
    return _field(default, Parameter(_single(check, ""), bad, schema=schema))


def is_url(value: str) -> bool:
    """Whether it is absolute, http or https, with an address or a name without underscore."""
    if any(character <= " " or character == "\x7f" for character in value):
        return False
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or port == 0:
        return False
    return _is_host(host)


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        return len(host) <= 253 and all(
            _LABEL.fullmatch(label) and "_" not in label for label in labels
        )
    return True
