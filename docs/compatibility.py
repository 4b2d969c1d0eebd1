"""The page of what is served of the 2010-04-01 API, operation by operation of its contract."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offhook.api import forms
from offhook.api.openapi import query, wire_path
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
    """Whether the action reads it: of its query or form, or as one of its numbered pairs."""
    known = {each.name for _, each in forms.parameters(action.form)} if action.form else set()
    numbered = bool(re.match(r"Parameter\d", parameter)) and action.key in ("streams", "siprec")
    return numbered or parameter in known | set(query(action))
