"""Reading settings: the command line, else OFFHOOK_* variables, else a TOML file, else defaults.

Whatever cannot work is a ConfigError of one line: where it was written, and what would do.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource
from pydantic_settings.exceptions import SettingsError

from offhook.config.settings import AccountLimits, Settings
from offhook.config.sip_trunks import Trunk
from offhook.errors import ConfigError

PREFIX = "OFFHOOK_"
OTHER_VARIABLES = ("config", "url")  # ours, though no settings of the platform
WANTED = {
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "float_parsing": "write a number",
    "float_type": "write a number",
    "string_type": "write a text, in quotes",
    "path_type": "write a path, in quotes",
    "tuple_type": "write a list, in brackets",
    "dict_type": "write a table",
    "model_type": "write a table",
    "string_too_short": "it must not be empty",
}


def load(flags: Mapping[str, Any] | None = None, file: Path | None = None) -> Settings:
    """The settings; flags that are None were not given. Raises ConfigError.

    `file` is the TOML file; when None, the one that OFFHOOK_CONFIG names, if any.
    """
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    named = os.environ.get(f"{PREFIX}CONFIG")
    file = file or (Path(named) if named else None)
    written = _read(file) if file else {}
    _check_variables(os.environ)
    try:
        variables = EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise ConfigError(f"{_variable_in(str(error))}: this is not JSON") from error
    try:
        return Settings(**_merged(_merged(written, variables), given))
    except ValidationError as error:
        errors = error.errors()
        worst = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
        where = _where(worst["loc"], given, variables, written, file)
        raise ConfigError(f"{where}: {_wrong(worst)}") from None


def usable_folder(path: Path) -> Path:
    """The folder, made if need be and proved to be writable. Raises ConfigError."""
    probe = path / ".writable"
    try:
        path.mkdir(0o700, parents=True, exist_ok=True)  # credentials and recordings
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"the data folder {path} cannot be written to ({reason}): choose another with --data"
        ) from error
    return path


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"the file {file} cannot be read: {reason}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: this is not TOML: {error}") from error


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both, table by table; where both say something, `over` wins."""
    both = dict(under)
    for key, value in over.items():
        below = both.get(key)
        tables = isinstance(below, Mapping) and isinstance(value, Mapping)
        both[key] = _merged(below, value) if tables else value  # type: ignore[arg-type]
    return both


def _check_variables(environment: Mapping[str, str]) -> None:
    """Refuses a variable that looks like a misspelt one.

    Others with our prefix are let be: Kubernetes makes some for every service, by its name.
    """
    known = [key.upper() for key in (*Settings.model_fields, *OTHER_VARIABLES)]
    for variable in environment:
        name = variable.removeprefix(PREFIX).partition("__")[0]
        if not variable.startswith(PREFIX) or name in known:
            continue
        if meant := difflib.get_close_matches(name, known, 1, 0.8):
            raise ConfigError(f"{variable}: no such setting; did you mean {PREFIX}{meant[0]}?")


def _variable_in(message: str) -> str:
    """pydantic-settings names the field: error parsing value for field "trunk" from ..."""
    return PREFIX + message.partition('"')[2].partition('"')[0].upper()


def _where(
    place: Sequence[int | str],
    flags: Mapping[str, Any],
    variables: Mapping[str, Any],
    written: Mapping[str, Any],
    file: Path | None,
) -> str:
    """The key as its author wrote it."""
    keys = [key for key in place if key != "[key]"]  # pydantic's word for "the key itself"
    if not keys:
        return str(file or "settings")
    if _at(flags, keys) is not _NOTHING:
        return "--" + str(keys[0]).replace("_", "-")
    if _at(variables, keys) is not _NOTHING:
        names = [str(key).upper() for key in keys if not isinstance(key, int)]
        return PREFIX + "__".join(names)
    return f"{file}: {_dotted(keys, written)}" if file else _dotted(keys, written)


_NOTHING = object()


def _at(values: Any, place: Sequence[int | str]) -> Any:
    """What is at that place; when only the last key is missing, what it is missing from."""
    for number, key in enumerate(place):
        try:
            values = values[key]
        except (KeyError, IndexError, TypeError):
            return values if number == len(place) - 1 and number else _NOTHING
    return values


def _dotted(place: Sequence[int | str], written: Mapping[str, Any]) -> str:
    """`webhooks.timeout`, or `[[trunk]] "berlin" address`."""
    if len(place) < 2 or place[0] != "trunk" or not isinstance(place[1], int):
        return ".".join(map(str, place))
    trunk = _at(written, place[:2])
    name = trunk.get("name") if isinstance(trunk, Mapping) else None
    which = f'"{name}"' if name else f"number {place[1] + 1}"
    return f"[[trunk]] {which} {'.'.join(map(str, place[2:]))}".rstrip()


def _wrong(error: ErrorDetails) -> str:
    """What is wrong and what would do. Secrets are not repeated."""
    place, kind = error["loc"], error["type"]
    if kind == "extra_forbidden":
        known = list(_model_at(place[:-1]).model_fields)
        meant = difflib.get_close_matches(str(place[-1]), known, 1, 0.5)
        return "no such setting" + (f"; did you mean {meant[0]}?" if meant else "")
    if kind == "missing":
        return "this is required"
    wanted = _wanted(error)
    shown = isinstance(error["input"], str | int | float | bool) and not _is_secret(place)
    return f"{error['input']!r} does not work: {wanted}" if shown else wanted


def _wanted(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"write {context['expected']}"
        case "greater_than_equal":
            return f"it must be {context['ge']:g} or more"
        case "less_than_equal":
            return f"it must be {context['le']:g} or less"
        case kind:
            return WANTED.get(kind, error["msg"])


def _model_at(place: Sequence[int | str]) -> type[BaseModel]:
    model: type[BaseModel] = Settings
    for key in place:
        if isinstance(key, int):
            model = Trunk
        elif key == "accounts":
            model = AccountLimits
        elif key != "trunk" and key in model.model_fields:
            annotation = model.model_fields[key].annotation
            assert isinstance(annotation, type)
            model = annotation
    return model


def _is_secret(place: Sequence[int | str]) -> bool:
    names = [key for key in place if isinstance(key, str)]
    return any(name.endswith(("password", "secret", "token")) for name in names)
