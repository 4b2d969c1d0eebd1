"""The page of what is served of the 2010-04-01 API, operation by operation of its contract."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offhook.api import forms
from offhook.api.openapi import is_list, wire_path
from offhook.api.paging import Position
from offhook.api.resource import Action
from offhook.api.resources import EVERY

PAGE = Path(__file__).with_name("compatibility.md")
INTRODUCTION = """\
# What is served of the 2010-04-01 API

Every operation of its published description, and whether Offhook has it. `make docs` writes this
page from the description and from the resources themselves, with `OFFHOOK_CONFORMANCE` naming the
folder that has the description in `oai/operations.json`. What an answer holds is proved by the
official libraries: `tests/api/test_conformance_suite.py`.

The same operations are served below `/2008-08-01` in the shapes of that version.

A parameter that is not read is ignored, as any unknown one is.

"""
Operation = Mapping[str, Any]


def page(operations: list[Operation]) -> str:
    served = {(action.method, _shape(wire_path(action))): action for action in _actions()}
    rows = [_row(each, served.get((each["method"], _shape(each["path"])))) for each in operations]
    done = sum("| yes |" in row for row in rows)
    lines = [
        INTRODUCTION + f"{done} of {len(rows)} operations are served.",
        "",
        "| operation | | path | served | parameters | not read |",
        "|---|---|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def contract(folder: Path) -> list[Operation]:
    found: list[Operation] = json.loads((folder / "oai" / "operations.json").read_text())[
        "operations"
    ]
    return found


def _actions() -> list[Action]:
    return [action for resource in EVERY for action in resource.actions]


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def _row(operation: Operation, action: Action | None) -> str:
    path = operation["path"].removeprefix("/2010-04-01/Accounts").removesuffix(".json") or "/"
    name = f"| {operation['operationId']} | {operation['method']} | `{path}` |"
    wanted = [*operation["query"], *operation["form"]]
    if action is None:
        return f"{name} no | 0/{len(wanted)} | |"
    missing = [each for each in wanted if not _reads(action, each)]
    left = ", ".join(f"`{each}`" for each in missing)
    return f"{name} yes | {len(wanted) - len(missing)}/{len(wanted)} | {left} |"


def _reads(action: Action, parameter: str) -> bool:
    """Whether a form of the action has it, or else its file speaks of it: lists read filters so."""
    module = inspect.getmodule(inspect.unwrap(action.run))
    read = {action.form} if action.form else set()
    if action.method == "GET":
        read |= {Position} if is_list(action) else set()
        read |= {each for each in vars(module).values() if _is_form(each)}
    if parameter in {each.name for form in read for _, each in forms.parameters(form)}:
        return True
    source = inspect.getsource(module) if module else ""
    if re.match(r"Parameter\d", parameter):
        return "Parameter([1-9]" in source
    filtered = re.search(rf'\b{parameter.rstrip("<>")}\b["=]', source)
    return action.method == "GET" and bool(filtered)


def _is_form(found: object) -> bool:
    return dataclasses.is_dataclass(found) and any(
        "parameter" in each.metadata for each in dataclasses.fields(found)
    )
