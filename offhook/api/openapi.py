"""`/openapi.json`: what is served here, read off the resources themselves (OpenAPI 3.1)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any, get_type_hints

from offhook import __version__
from offhook.api import forms
from offhook.api.paging import Position
from offhook.api.resource import VERSION, Action, Listed, Resource

FORM = "application/x-www-form-urlencoded"
_ERROR = {
    "type": "object",
    "required": ["code", "message", "more_info", "status"],
    "properties": {
        "code": {"type": "integer"},
        "detail": {"type": "string"},
        "message": {"type": "string"},
        "more_info": {"type": "string", "format": "uri"},
        "status": {"type": "integer"},
    },
}
_PAGE = {
    "first_page_uri": {"type": "string"},
    "end": {"type": "integer"},
    "previous_page_uri": {"type": ["string", "null"]},
    "uri": {"type": "string"},
    "page_size": {"type": "integer"},
    "start": {"type": "integer"},
    "next_page_uri": {"type": ["string", "null"]},
    "page": {"type": "integer"},
}
_SID = {"type": "string", "pattern": "^[A-Z]{2}[0-9a-fA-F]{32}$"}


def document(resources: Iterable[Resource]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for resource in resources:
        for action in resource.actions:
            at = paths.setdefault(wire_path(action), {})
            at[action.method.lower()] = _operation(action)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Offhook", "version": __version__},
        "security": [{"basic": []}],
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "schemas": {"Error": _ERROR},
        },
        "paths": dict(sorted(paths.items())),
    }


def wire_path(action: Action) -> str:
    """The path as a client asks for it: in JSON, or as the sound that it is."""
    if action.path.startswith("/v1/"):
        return action.path
    suffix = "json" if "json" in action.suffixes else action.suffixes[-1]
    return f"{action.path}.{suffix}" if suffix else action.path


def is_list(action: Action) -> bool:
    """Whether it answers a page of them."""
    return get_type_hints(action.run).get("return") is Listed


def _operation(action: Action) -> dict[str, Any]:
    module = action.run.__module__.rpartition(".")[2]
    where = wire_path(action).removeprefix(f"/{VERSION}/").removesuffix(".json")
    where = "_".join(re.findall(r"\w+", where)) + "_itself" * ("json" not in action.suffixes)
    told: dict[str, Any] = {
        "operationId": f"{action.method.lower()}_{where}",
        "tags": [module],
        "parameters": [_named(name) for name in action.names]
        + [
            {"name": name, "in": "query", "schema": dict(schema)}
            for name, schema in query(action).items()
        ],
        "responses": {
            str(action.status): _answer(action),
            "default": {
                "description": "Refused",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if said := inspect.getdoc(action.run):
        told["summary"] = said.split("\n")[0]
    if action.open:
        told["security"] = []
    if action.form and action.method != "GET":
        told["requestBody"] = {"content": {FORM: {"schema": _form(action)}}}
    return told


def _named(name: str) -> dict[str, Any]:
    schema = _SID if name == "sid" or name.endswith("_sid") else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def query(action: Action) -> dict[str, forms.Schema]:
    """What a GET reads of its query, each parameter with its schema."""
    if action.method != "GET":
        return {}
    paged = forms.parameters(Position) if is_list(action) else ()
    asked = forms.parameters(action.form) if action.form else ()  # type: ignore[arg-type]
    known = {each.name: each.schema for _, each in (*paged, *asked)}
    return known | {each.name: each.schema for each in action.filters}


def _form(action: Action) -> dict[str, Any]:
    """A parameter that another may stand for is not required."""
    known = [each for _, each in forms.parameters(action.form)]  # type: ignore[arg-type]
    required = [each.name for each in known if each.missing and not each.unless]
    properties = {each.name: dict(each.schema) for each in known}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return schema | ({"required": required} if required else {})


def _answer(action: Action) -> dict[str, Any]:
    if action.status == 204:
        return {"description": "Gone"}
    schema: dict[str, Any] = {"type": "object"}
    if is_list(action):
        items = {action.key: {"type": "array", "items": {"type": "object"}}}
        schema = {"type": "object", "properties": _PAGE | items, "required": [action.key]}
    if "json" not in action.suffixes:
        return {"description": "Done"}
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}
