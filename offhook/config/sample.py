"""All settings as a TOML file: each with its description and its default, commented out."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from offhook.config.settings import Settings
from offhook.config.sip_trunks import Trunk
from offhook.config.values import Address

WIDTH = 96


def sample() -> str:
    """A key is written `#key = value`: take the # away to set it. The text begins with `# `."""
    lines = [*_described("Settings of Offhook. Those commented out are the defaults or examples.")]
    lines += ["# Each is also a variable, OFFHOOK_HTTP or OFFHOOK_WEBHOOKS__TIMEOUT.", ""]
    fields = Settings.model_fields
    tables = {name: model for name, field in fields.items() if (model := _table(field))}
    for name, field in fields.items():
        if name not in tables and name != "trunk":
            lines += _entry(name, field)
    for name, model in tables.items():
        lines += [*_described(model.__doc__ or ""), f"[{name}]", "", *_entries(model)]
    lines += [*_described(Trunk.__doc__ or ""), "#[[trunk]]", "", *_entries(Trunk)]
    return "\n".join(lines).rstrip() + "\n"


def _table(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _entries(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if inner := _table(field):
            yield from _entries(inner, f"{prefix}{name}.")
        else:
            yield from _entry(prefix + (field.alias or name), field)


def _entry(name: str, field: FieldInfo) -> Iterator[str]:
    yield from _described(field.description or "")
    value = field.examples[0] if field.examples else field.default
    yield f"#{name} = {_toml(value)}"
    yield ""


def _described(text: str) -> Iterator[str]:
    """Paragraphs of a docstring or description, as comments."""
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield "#"
        words = " ".join(paragraph.split())
        yield from textwrap.wrap(words, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, range):
        return json.dumps(f"{value.start}-{value.stop - 1}")
    if isinstance(value, Address):
        return json.dumps(str(value))
    return json.dumps(value)
